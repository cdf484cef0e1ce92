"""Fetch a known data set: the command `nnlite-data`.

Nothing else in nnlite uses the network. Each file is tried from one mirror after another, over https only, and reaches
its final name once its SHA-256 is the pinned one. It leaves out resuming: the largest file has 30 MB.
"""

from __future__ import annotations

import argparse
import http.client
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Protocol

from nnlite.files import TEMPORARY_PREFIX, replacing, user_cache
from nnlite.idx import IdxFormatError, idx_sha256, read_idx
from nnlite.places import KNOWN_SETS

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
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """Return the request for the new address; raise HTTPError unless it is https."""
        if not newurl.lower().startswith("https://"):
            raise urllib.error.HTTPError(req.full_url, code, f"refused to leave https for {newurl}", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class DownloadError(OSError):
    """Say that no mirror gave a file, with each one's cause."""


def download(name: str, folder: str | os.PathLike[str], opener: Opener | None = None) -> list[Path]:
    """Download what a folder lacks of a known data set, verify every file, and return the four paths.

    Parameters
    ----------
    name : str - "mnist" or "fashion-mnist"
    folder : str or path-like - created if need be; a sound file in it is kept, a damaged one replaced by a sound one
    opener : object with urllib's open(url, timeout=) - the network, by default https with verified certificates

    Returns
    -------
    list of Path - FOLDER/train-images-idx3-ubyte.gz and so on

    Raises
    ------
    DownloadError - every mirror failed for some file
    OSError - the folder cannot be written, or the disk is full; names path and bytes
    """
    opener = opener or urllib.request.build_opener(HttpsOnly)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    paths = []
    for stem, sha256 in KNOWN_SETS[name].items():
        path = folder / f"{stem}.gz"
        if not _is_sound(path, sha256):
            _download_file([mirror + path.name for mirror in MIRRORS[name]], path, sha256, opener)
        paths.append(path)
    return paths


def main(arguments: Sequence[str] | None = None, opener: Opener | None = None) -> int:
    """Run `nnlite-data` and return its exit code: 0 done, 1 cannot write, 2 usage, 3 no mirror has it, 130 interrupted."""
    parser = argparse.ArgumentParser(
        prog="nnlite-data", description="Download a data set over https and verify it; about 12 MB for MNIST, 31 MB for Fashion-MNIST."
    )
    parser.add_argument("name", choices=sorted(KNOWN_SETS), help="which data set")
    parser.add_argument("--to", metavar="DIR", help="put the files in DIR/NAME (default: the user's cache folder)")
    options = parser.parse_args(arguments)
    cache = user_cache()
    if options.to is None and cache is None:
        parser.error("no home folder is known to keep the data in; name a folder with --to DIR")
    root = Path(options.to) if options.to is not None else Path(cache or ".") / "data"
    try:
        paths = download(options.name, root / options.name, opener)
    except DownloadError as error:
        print(f"nnlite-data: {error}", file=sys.stderr)
        return 3
    except OSError as error:
        print(f"nnlite-data: {error.filename or root}: {error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("nnlite-data: interrupted; finished files are kept, run it again for the rest", file=sys.stderr)
        return 130
    print(f"{options.name}: {len(paths)} files, verified, in {root / options.name}")
    return 0


def _download_file(urls: list[str], path: Path, sha256: str, opener: Opener) -> None:
    """Fetch one file from the first mirror that has it whole."""
    causes = []
    for url in urls:
        try:
            body = _fetch(url, opener)
            with _naming(path, len(body)), replacing(path) as file:
                file.write(body)
                file.flush()
                _verify(Path(file.name), sha256)
            return
        except IdxFormatError as error:
            causes.append(f"{url}: {error.problem}")
        except _NetworkError as error:
            causes.append(f"{url}: {error}")
    raise DownloadError(
        "\n  ".join([f"no mirror has {path.name}:", *causes])
        + f"\nWithout a network: fetch it elsewhere and copy it to {path}"
    )
