"""IDX bytes to ndarray and back.

This is the first stage of the data path: `datasets` finds files and calls `read_idx`. An IDX file is two zero bytes, a
type byte, a byte with the number of dimensions, one big-endian unsigned 32-bit size a dimension, then the elements,
big-endian, last index fastest, and nothing after them. Strict reading makes file and array equivalent, so the bytes can
be hashed from the array (`idx_sha256`). This module knows no MNIST, no folders, no scaling.

    byte    type   element        byte    type   element
    08      u1     unsigned byte  0C      i4     int
    09      i1     signed byte    0D      f4     float
    0B      i2     short          0E      f8     double

Source: "The IDX file format", in LeCun, Cortes and Burges, The MNIST database of handwritten digits.
"""

from __future__ import annotations

import errno
import gzip
import hashlib
import lzma
import math
import os
import struct
import sys
import zlib
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nnlite.contents import HEAD_SIZE, describe_content
from nnlite.files import compressing, path_name, reading, replacing

_TYPE_CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
ELEMENT_TYPES = {code: np.dtype(kind) for kind, code in _TYPE_CODES.items()}
MAX_DIMENSIONS = 64  # NumPy's own limit
_CHUNK = 1 << 20  # bytes that a lying header can cost before its lie is found


class Readable(Protocol):
    """Anything with `read(n)` that returns bytes, and b"" at its end."""

    def read(self, size: int, /) -> bytes: ...


class IdxFormatError(ValueError):
    """Say that a file's content is not what its format, or its data set, asks for.

    Attributes
    ----------
    file : str - the file as the caller named it
    offset : int or None - byte of the raw (decompressed) file; None if the whole file is meant
    expected, found : object - what should be there and what is; bytes are counted, magics and hashes are hex strings
    """

    def __init__(self, file: str, offset: int | None, expected: object, found: object, problem: str) -> None:
        super().__init__(file, offset, expected, found, problem)  # all five, so that it survives pickling
        self.file, self.offset, self.expected, self.found, self.problem = file, offset, expected, found, problem

    def __str__(self) -> str:
        place = self.file if self.offset is None else f"{self.file}: byte {self.offset}"
        return f"{place}: {self.problem}"


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an IDX file, plain or compressed by gzip or xz, recognised by content and not by name.

    Parameters
    ----------
    path : str or path-like - a regular file; anything else is refused and never waited for

    Returns
    -------
    ndarray u1, i1, i2, i4, f4 or f8 - native-endian, C-contiguous, aligned and writable, the shape the header names

    Raises
    ------
    IdxFormatError - the content breaks the format anywhere
    OSError - the file is missing, unreadable, a directory, a pipe, a socket, a device, or too large for memory

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.TemporaryDirectory()
    >>> write_idx(folder.name + "/digits.gz", np.arange(6, dtype=np.int16).reshape(2, 3))
    >>> read_idx(folder.name + "/digits.gz")
    array([[0, 1, 2],
           [3, 4, 5]], dtype=int16)
    >>> folder.cleanup()
    """
    name = path_name(path)
    with reading(name) as (stream, size):
        return parse_idx(stream, size, name)


def parse_idx(stream: Readable, size: int | None, name: str) -> NDArray[Any]:
    """Parse a stream that holds one IDX file and nothing else.

    Memory follows the bytes that arrive, never the header's promise, and each element exists once.

    Parameters
    ----------
    stream : binary stream - raw IDX bytes, or a decompressing stream over them; read to its end
    size : int or None - bytes the stream holds, checked before any payload is read; None if not known
    name : str - what messages call the stream

    Returns
    -------
    ndarray - as from `read_idx`

    Raises
    ------
    IdxFormatError - as from `read_idx`

    Examples
    --------
    >>> import io
    >>> raw = bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4])  # u1, one dimension of 3, then 5 0 4
    >>> parse_idx(io.BytesIO(raw), len(raw), "labels")
    array([5, 0, 4], dtype=uint8)
    """
    source = _Source(stream, name)
    dtype, n_dimensions = _parse_magic(source)
    sizes = source.take(4 * n_dimensions)
    if len(sizes) < 4 * n_dimensions:
        wanted, got = 4 * n_dimensions, len(sizes)
        problem = f"expected {wanted} bytes of sizes for {n_dimensions} dimensions, found {got}; {source.ending()}"
        raise IdxFormatError(name, 4, wanted, got, problem)
    shape = struct.unpack(f">{n_dimensions}I", sizes)

    start = source.offset
    n_bytes = math.prod(shape) * dtype.itemsize  # Python integers: a product of sizes does not wrap
    payload = bytearray()
    if size is None or size == start + n_bytes:  # else there is nothing worth reading
        try:
            payload = source.take(n_bytes)
        except MemoryError as error:
            raise OSError(errno.ENOMEM, f"its header promises {n_bytes} bytes, more than memory has", name) from error
        source.take(1)  # shows what is appended, and makes a decompressor compare its checksum
    _check_length(source, shape, start, start + n_bytes, size)
    if math.prod(max(length, 1) for length in shape) * dtype.itemsize > sys.maxsize:  # only an empty array gets here
        problem = f"sizes {shape} are beyond what an array can have, even an empty one"
        raise IdxFormatError(name, 4, f"at most {sys.maxsize} bytes", shape, problem)
    array: NDArray[Any] = np.frombuffer(payload, dtype).reshape(shape)
    return array.byteswap(inplace=True) if sys.byteorder == "little" else array


def write_idx(path: str | os.PathLike[str], array: NDArray[Any]) -> None:
    """Write an array as an IDX file, whole or not at all; a name in .gz or .xz is compressed, to reproducible bytes.

    Parameters
    ----------
    path : str or path-like - replaced only after the new file is complete
    array : ndarray u1, i1, i2, i4, f4 or f8, 1 to 64 dimensions, any byte order and strides

    Raises
    ------
    TypeError - no array, or IDX has no such element type
    ValueError - no dimension, more than 64, a size of 2**32 or more, masked entries
    OSError - the folder is missing or not writable, the disk is full, or the path is not a regular file
    """
    chunks = _raw_chunks(array)
    header = next(chunks)  # refuses what IDX cannot hold before a file is touched
    name = path_name(path)
    with replacing(name) as file, compressing(file, name) as stream:
        stream.write(header)
        for chunk in chunks:
            stream.write(chunk)


def idx_header(array: NDArray[Any]) -> bytes:
    """Return the header that an array's IDX file starts with: magic and sizes.

    Raises
    ------
    TypeError, ValueError - as from `write_idx`

    Examples
    --------
    >>> idx_header(np.zeros((2, 28, 28), np.uint8)).hex(" ", 4)
    '00000803 00000002 0000001c 0000001c'
    """
    given: object = array
    if not isinstance(given, np.ndarray | np.generic):
        advice = "np.array(values, np.uint8) makes one of numbers from 0 to 255"
        raise TypeError(f"IDX holds an array, found {type(given).__name__}; {advice}")
    if np.ma.is_masked(array):
        raise ValueError("IDX holds no masked entries; fill them first: array.filled(0)")
    native = array.dtype.newbyteorder("=")
    code = next((code for code, dtype in ELEMENT_TYPES.items() if dtype == native), None)
    if code is None:
        raise TypeError(f"IDX holds u1, i1, i2, i4, f4 and f8, found {array.dtype}; cast the array first")
    if not 1 <= array.ndim <= MAX_DIMENSIONS or max(array.shape) >= 1 << 32:
        limits = f"1 to {MAX_DIMENSIONS} dimensions, each below 2**32"
        raise ValueError(f"IDX holds {limits}; found {array.ndim} dimensions, shape {array.shape}")
    return struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)


def idx_sha256(array: NDArray[Any]) -> str:
    """Return the SHA-256, in hex, of the raw bytes of an array's IDX file: no compression, so no gzip time stamp."""
    digest = hashlib.sha256()
    for chunk in _raw_chunks(array):
        digest.update(chunk)
    return digest.hexdigest()


class _Source:
    """A stream read in order: the offset reached, and whether compressed data broke off there."""

    def __init__(self, stream: Readable, name: str) -> None:
        # read1 hands over what was decompressed before a cut; read(n) would lose it in the exception.
        self._read = getattr(stream, "read1", stream.read)
        self.name, self.offset, self.cut = name, 0, False

    def take(self, wanted: int) -> bytearray:
        """Return the next `wanted` bytes, or fewer where the stream ends."""
        taken = bytearray()
        while len(taken) < wanted and not self.cut:
            try:
                chunk = self._read(min(wanted - len(taken), _CHUNK))
            except EOFError:
                self.cut = True
                break
            except (zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
                problem = f"the compressed data is damaged from here on ({error}); fetch the file again"
                raise IdxFormatError(self.name, self.offset + len(taken), "sound data", str(error), problem) from error
            if not chunk:
                break
            taken += chunk
        self.offset += len(taken)
        return taken

    def ending(self) -> str:
        """Say how the stream ended and what to do."""
        how = "the compressed data breaks off, this copy is damaged" if self.cut else "this copy is cut short"
        return f"{how}; fetch the file again"


def _parse_magic(source: _Source) -> tuple[np.dtype[Any], int]:
    """Return element type and number of dimensions from the first four bytes."""
    magic = source.take(4)
    if len(magic) == 4 and magic[:2] != b"\0\0":
        what = describe_content(bytes(magic + source.take(HEAD_SIZE - 4))) or "no IDX file, or a damaged one"
        problem = f"expected a magic of 00 00 TYPE NDIM, found {magic.hex(' ')}: this is {what}"
        raise IdxFormatError(source.name, 0, "00 00", magic.hex(" "), problem)
    if len(magic) < 4:
        ending = source.ending() if magic or source.cut else "the file is empty; fetch it again"
        problem = f"expected a header of at least 8 bytes, found {len(magic)}: {ending}"
        raise IdxFormatError(source.name, 0, 8, len(magic), problem)
    if magic[2] not in ELEMENT_TYPES:
        valid = ", ".join(f"{code:02X} {dtype.str[1:]}" for code, dtype in ELEMENT_TYPES.items())
        what = describe_content(bytes(magic + source.take(HEAD_SIZE - 4))) or "no IDX file, or a damaged one"
        problem = f"unknown element type {magic[2]:02X}; expected one of {valid}: this is {what}"
        raise IdxFormatError(source.name, 2, valid, f"{magic[2]:02X}", problem)
    if not 1 <= magic[3] <= MAX_DIMENSIONS:
        problem = f"expected 1 to {MAX_DIMENSIONS} dimensions, found {magic[3]}: this is no IDX file, or a damaged one"
        raise IdxFormatError(source.name, 3, f"1 to {MAX_DIMENSIONS}", magic[3], problem)
    return ELEMENT_TYPES[magic[2]], magic[3]


def _check_length(source: _Source, shape: tuple[int, ...], start: int, expected: int, size: int | None) -> None:
    """Raise IdxFormatError unless the file has as many bytes as its header asks for, and a sound end."""
    found = source.offset if size is None or size == expected else size
    if found < expected:
        noun = "images" if len(shape) == 3 else "items"
        n_whole = (found - start) * shape[0] // (expected - start)
        problem = f"header promises {shape[0]} {noun}, the file ends after {n_whole}; "
        problem += f"expected {expected} bytes, found {found}: {source.ending()}"
        raise IdxFormatError(source.name, 4, expected, found, problem)
    if found > expected:
        amount = "more" if found == source.offset else found
        problem = f"expected the file to end here, after {expected} bytes, found {amount}: "
        problem += "its header is wrong or something was appended; fetch the file again"
        raise IdxFormatError(source.name, expected, expected, found, problem)
    if source.cut:
        problem = f"all elements are there, but {source.ending()}"
        raise IdxFormatError(source.name, expected, "the end mark of the compressed data", "nothing", problem)


def _raw_chunks(array: NDArray[Any]) -> Iterator[bytes | memoryview]:
    """Yield an array's IDX bytes: the header, then the elements a chunk at a time, big-endian."""
    yield idx_header(array)
    flat = array.reshape(-1)
    big_endian = array.dtype.newbyteorder(">")
    for start in range(0, flat.size, _CHUNK):
        yield np.ascontiguousarray(flat[start : start + _CHUNK], big_endian).view(np.uint8).data  # a copy if it must
