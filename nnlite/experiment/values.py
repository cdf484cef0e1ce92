"""What the text beside an option may be, and what it becomes: a name, a path, a whole number, a number.

Every option's text passes through one of these functions, once. Ranges are `config`'s matter.
"""

from __future__ import annotations

import math
import re

from ..files import path_name
from .config import ConfigError

_DIGITS = 19  # of a whole number; the largest that any option takes, 2^62, has as many
_SHOWN = 40  # characters of a text that cannot be


def name(option: str, text: str) -> str:
    """Return the text; ConfigError if it is empty or holds what no name can."""
    if not text.strip():
        raise ConfigError(f"{option} '{_short(text)}': must not be empty; leave the option out, or say which")
    if "\0" in text:
        raise ConfigError(f"{option} {text[:_SHOWN]!r}: must not hold a null character")
    return text


def path(option: str, text: str) -> str:
    """Return the path as nnlite reads every path; a shell leaves the ~ of --out=~/runs to it."""
    return path_name(name(option, text))


def whole(option: str, text: str) -> int:
    """Return the whole number: digits 0 to 9 and perhaps a sign, nothing else that int() would take."""
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise ConfigError(f"{option} {_short(text)}: must be a whole number{_found(text)}")
    if len(text.lstrip("+-").lstrip("0")) > _DIGITS:
        raise ConfigError(f"{option} {_short(text)}: must be a whole number of at most {_DIGITS} digits")
    return int(text)


def number(option: str, text: str) -> float:
    """Return the number: digits 0 to 9, perhaps a sign, a point and an exponent; finite, and 0 only if it says so."""
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        raise ConfigError(f"{option} {_short(text)}: must be a number, like 0.5 or 1e-3{_found(text)}")
    value = float(text)
    if math.isinf(value) or (value == 0 and re.search("[1-9]", re.split("[eE]", text)[0])):
        size = "large" if value else "small"
        raise ConfigError(f"{option} {_short(text)}: too {size} for a number of this machine")
    return value


def units(option: str, text: str) -> tuple[int, ...]:
    """Return the units of each hidden layer; "none" is softmax regression."""
    if name(option, text) == "none":
        return ()
    try:
        return tuple(whole(option, size) for size in text.split(","))
    except ConfigError as error:
        message = f"{option} {_short(text)}: must be none or whole numbers, like 128 or 128,64"
        raise ConfigError(message) from error


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _found(text: str) -> str:
    """Say what is wrong where it is hard to see."""
    if not text.isascii():
        return ", in the digits 0 to 9"
    return "; it has a space in it" if text.strip() and re.search(r"\s", text) else ""
