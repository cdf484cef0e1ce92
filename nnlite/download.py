"""Fetch a known data set: the command `nnlite-data`.

Nothing else in nnlite uses the network. Each file is tried from one mirror after another, over https only, and reaches
its final name once its SHA-256 is the pinned one. It leaves out resuming: the largest file has 30 MB.
"""

from __future__ import annotations

import argparse
import difflib
import http.client
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Protocol

from nnlite import program
from nnlite.files import TEMPORARY_PREFIX, path_name, replacing, user_cache
from nnlite.idx import IdxFormatError, idx_sha256, read_idx
from nnlite.places import KNOWN_SETS, find_files

MIRRORS = {
    "mnist": ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"),
    "fashion-mnist": (
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ),
}
SILENCE_LIMIT = 30.0  # seconds without a byte
FILE_LIMIT = 900.0  # seconds for one file from one mirror
SIZE_LIMIT = 64 << 20  # bytes; the largest file has 47,040,016 uncompressed
STALE_AFTER = 86_400.0  # seconds; a temporary file this old belongs to no running download
_CHUNK = 1 << 16


class Opener(Protocol):
    """What downloading needs of urllib.request.OpenerDirector."""

    def open(self, fullurl: str, data: None = None, timeout: float = ...) -> Any: ...


class HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follow redirects to https and refuse every other."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        """Return the request for the new address; raise HTTPError unless it is https."""
        if not newurl.lower().startswith("https://"):
            raise urllib.error.HTTPError(req.full_url, code, f"refused to leave https for {newurl}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class DownloadError(OSError):
    """Say that no mirror gave a file, with each one's cause."""


def download(
    name: str,
    folder: str | os.PathLike[str],
    opener: Opener | None = None,
    mirrors: Sequence[str] | None = None,
) -> list[Path]:
    """Download what a folder lacks of a known data set, verify every file, and return the four paths.

    Parameters
    ----------
    name : str - "mnist" or "fashion-mnist"
    folder : str or path-like - created if need be; a sound file in it is kept, a damaged one replaced by a sound one
    opener : object with urllib's open(url, timeout=) - the network, by default https with verified certificates
    mirrors : sequence of str - addresses of folders that have the files, by default MIRRORS[name]; one that fails is
        asked last from then on

    Returns
    -------
    list of Path - FOLDER/train-images-idx3-ubyte.gz and so on, or what the folder had

    Raises
    ------
    ValueError - an unknown name; an empty folder; a mirror that is neither https nor on this machine
    DownloadError - every mirror failed for some file
    OSError - the folder cannot be written, or the disk is full; names path and bytes
    """
    if name not in KNOWN_SETS:
        raise ValueError(f"{name}: unknown data set (known: {', '.join(KNOWN_SETS)})")
    order = [checked_mirror(mirror) for mirror in mirrors] if mirrors else list(MIRRORS[name])
    opener = opener or urllib.request.build_opener(HttpsOnly)
    folder = Path(path_name(folder))
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    present, _ = find_files(folder)
    paths = []
    for stem, sha256 in KNOWN_SETS[name].items():
        path = present.get(stem, folder / f"{stem}.gz")  # a damaged file keeps its name, or it would be found first
        if not _is_sound(path, sha256):
            _download_file(order, f"{stem}.gz", path, sha256, opener)
        paths.append(path)
    return paths


def checked_mirror(address: str) -> str:
    """Return the address of a mirror's folder, ending in a slash.

    Raises
    ------
    ValueError - neither https, nor http from this machine itself: of all others, somebody on the way could see the wish

    Examples
    --------
    >>> checked_mirror("https://school.example/mnist")
    'https://school.example/mnist/'
    """
    parts = urllib.parse.urlsplit(address)
    is_local = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not parts.hostname or not (parts.scheme == "https" or is_local) or not printable(address) == address:
        raise ValueError(f"{printable(address)}: a mirror's address begins with https://, or http://localhost")
    return address if address.endswith("/") else f"{address}/"


def printable(text: str) -> str:
    """Return a text of which no terminal obeys a part: control characters in hex, at most 300 characters.

    Examples
    --------
    >>> print(printable("gone" + chr(27) + "[2J"))
    gone\\x1b[2J
    """
    shown = "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)
    return shown if len(shown) <= 300 else f"{shown[:300]}..."


def main(arguments: Sequence[str] | None = None, opener: Opener | None = None) -> int:
    """Run `nnlite-data`; return 0 done, 1 cannot write, 2 usage, 3 no mirror has it, 130 interrupted."""
    return program.carry_out("nnlite-data", lambda: _run(arguments, opener))


def _run(arguments: Sequence[str] | None, opener: Opener | None) -> int:
    sizes = "12 MB for mnist, 31 MB for fashion-mnist"
    parser = argparse.ArgumentParser(prog="nnlite-data", description=f"Download and verify a data set ({sizes}).")
    parser.add_argument("name", metavar="NAME", help=f"which data set: {' or '.join(KNOWN_SETS)}")
    parser.add_argument("--to", metavar="DIR", help="put the files in DIR/NAME (default: the user's cache folder)")
    where = "fetch from URL/train-images-idx3-ubyte.gz and so on instead, https only; may be given more than once"
    parser.add_argument("--mirror", metavar="URL", action="append", dest="mirrors", help=where)
    options = parser.parse_args(arguments)
    if options.name not in KNOWN_SETS:
        close = difflib.get_close_matches(options.name.lower(), KNOWN_SETS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(KNOWN_SETS)}"
        parser.error(f"{options.name}: unknown; {hint}")
    try:
        given = None if options.to is None else Path(path_name(options.to))
    except ValueError as error:
        parser.error(f"--to: {error}")
    try:
        mirrors = [checked_mirror(mirror) for mirror in options.mirrors or ()]
    except ValueError as error:
        parser.error(f"--mirror {error}")
    cache = user_cache()
    if given is None and cache is None:
        parser.error("no home folder is known to keep the data in; name a folder with --to DIR")
    root = given or Path(cache or ".") / "data"
    print(f"fetching what {root / options.name} lacks of {options.name}", file=sys.stderr)
    try:
        paths = download(options.name, root / options.name, opener, mirrors)
    except DownloadError as error:
        print(f"nnlite-data: {error}", file=sys.stderr)
        return 3
    except OSError as error:
        print(f"nnlite-data: {error.filename or root}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("nnlite-data: interrupted; finished files are kept, run it again for the rest", file=sys.stderr)
        return program.INTERRUPTED
    print(f"{options.name}: {len(paths)} files, verified, in {root / options.name}")
    return 0


def _download_file(mirrors: list[str], name: str, path: Path, sha256: str, opener: Opener) -> None:
    """Put one file in place from the first mirror that has it whole; raise DownloadError if none has.

    A mirror that fails goes to the end of the list: one that stalled would cost each file its limit of silence.
    """
    causes = []
    for mirror in list(mirrors):
        url = f"{mirror}{name}"
        try:
            body = _fetch(url, opener)
        except (OSError, ValueError, http.client.HTTPException) as error:
            mirrors.append(mirrors.pop(mirrors.index(mirror)))
            causes.append(f"{url}: {printable(str(error)) or type(error).__name__}")
            continue
        try:
            with replacing(path) as file:
                file.write(body)
                file.flush()
                _verify(file.name, sha256)
            return
        except IdxFormatError as error:
            mirrors.append(mirrors.pop(mirrors.index(mirror)))
            causes.append(f"{url}: {printable(error.problem)}")
        except OSError as error:  # the disk's fault: another mirror would not help
            raise OSError(error.errno, f"{error.strerror}, while writing {len(body)} bytes", str(path)) from error
    offline = f"Without a network: fetch {path.name} by other means and copy it to {path}"
    raise DownloadError("\n  ".join([f"no mirror gave {path.name}:", *causes]) + f"\n{offline}")


def _fetch(url: str, opener: Opener) -> bytes:
    """Return the body at a URL, within the limits of silence, time and size."""
    deadline = time.monotonic() + FILE_LIMIT
    body = bytearray()
    with opener.open(url, timeout=SILENCE_LIMIT) as response:
        while chunk := response.read(_CHUNK):
            body += chunk
            if len(body) > SIZE_LIMIT:
                raise ValueError(f"more than {SIZE_LIMIT} bytes came, which no file here has")
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {len(body)} bytes came in {FILE_LIMIT:g} s")
    return bytes(body)


def _verify(path: str | os.PathLike[str], sha256: str) -> None:
    """Raise IdxFormatError unless the raw bytes of a file are the expected ones."""
    found = idx_sha256(read_idx(path))
    if found != sha256:
        problem = f"SHA-256 of the raw bytes should be {sha256}, found {found}"
        raise IdxFormatError(os.fsdecode(path), None, sha256, found, problem)


def _is_sound(path: Path, sha256: str) -> bool:
    try:
        _verify(path, sha256)
    except (OSError, IdxFormatError):
        return False
    return True


def _sweep(folder: Path) -> None:
    """Remove the temporary files of downloads that were killed."""
    for stale in folder.glob(f"{TEMPORARY_PREFIX}*.tmp"):
        with suppress(OSError):
            if time.time() - stale.stat().st_mtime > STALE_AFTER:
                stale.unlink()


if __name__ == "__main__":
    sys.exit(main())
