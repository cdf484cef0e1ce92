"""Settings of every test: property tests draw the same examples in every run, and keep nothing on disk."""

from __future__ import annotations

import signal

import hypothesis
import pytest

pytest.register_assert_rewrite("counting", "reference")

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # in the background of a script; the programs under test are not
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("nnlite", max_examples=25, deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("nnlite")


def pytest_make_parametrize_id(val, argname):
    """Name a case of bytes by its argument: compressed bytes hold the clock, and an id is the same in every process."""
    return argname if isinstance(val, bytes) else None
