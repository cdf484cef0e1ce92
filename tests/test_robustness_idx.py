"""IDX: every way a file can be wrong is one exception, which names file, offset, expected and found."""

from __future__ import annotations

import errno
import gzip
import io
import lzma
import os
import socket
import struct
import threading
import tracemalloc
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from nnlite.idx import IdxFormatError, parse_idx, read_idx

LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4])  # 3 labels, u1: 4 + 4 + 3 = 11 bytes


def refusal(path, content: bytes) -> IdxFormatError:
    """Return the error that reading these bytes raises."""
    path.write_bytes(content)
    with pytest.raises(IdxFormatError) as caught:
        read_idx(path)
    assert str(caught.value).startswith(str(path))
    assert caught.value.file == str(path)
    return caught.value


def refusal_and_peak(path, content: bytes) -> tuple[IdxFormatError, int]:
    """Return the error that reading these bytes raises, and the bytes allocated on the way."""
    tracemalloc.start()
    try:
        return refusal(path, content), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def images(n_images: int, n_present: int) -> bytes:
    """Return an IDX file whose header promises n_images of 28 x 28 and that holds n_present."""
    return struct.pack(">HBBIII", 0, 8, 3, n_images, 28, 28) + bytes(784 * n_present)


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_header_cut_short_says_how_many_bytes_there_are(length, tmp_path):
    error = refusal(tmp_path / "file", LABELS[:length])
    assert (error.offset, error.expected, error.found) == (0, 8, length)
    assert ("is empty" in str(error)) == (length == 0)


@pytest.mark.parametrize("length", [4, 5, 7])
def test_sizes_cut_short_say_wanted_and_got(length, tmp_path):
    error = refusal(tmp_path / "file", LABELS[:length])
    assert (error.offset, error.expected, error.found) == (4, 4, length - 4)


def test_cut_images_are_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkdir("data")
    path = "data/train-images-idx3-ubyte.gz"
    with open(path, "wb") as file:
        file.write(images(60_000, 1_200))
    with pytest.raises(IdxFormatError) as caught:
        read_idx(path)
    text = f"{path}: byte 4: header promises 60000 images, the file ends after 1200; "
    assert str(caught.value).startswith(text)
    assert caught.value.expected == 16 + 60_000 * 784
    assert caught.value.found == 16 + 1_200 * 784


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_complete_compression_of_a_cut_file_is_a_cut_file(compress, tmp_path):
    error = refusal(tmp_path / "file", compress(images(5, 3)))
    assert "header promises 5 images, the file ends after 3" in str(error)


def test_cut_items_are_called_items(tmp_path):
    error = refusal(tmp_path / "file", LABELS[:-1])
    assert "header promises 3 items, the file ends after 2" in str(error)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress])
def test_trailing_bytes_are_refused(compress, tmp_path):
    error = refusal(tmp_path / "file", compress(LABELS + b"\0"))
    assert (error.offset, error.expected, error.found) == (11, 11, 12)


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_compressed_file_cut_anywhere_is_damaged(compress, tmp_path):
    whole = compress(LABELS)
    for length in range(6, len(whole)):
        error = refusal(tmp_path / "file", whole[:length])
        assert "damaged" in str(error)


@pytest.mark.parametrize("position", [-8, -4])
def test_wrong_checksum_or_length_in_gzip_is_damaged(position, tmp_path):
    whole = bytearray(gzip.compress(LABELS))
    whole[position] ^= 1  # -8: the checksum; -4: the length
    error = refusal(tmp_path / "file", bytes(whole))
    assert error.offset == 11
    assert "damaged" in str(error)


def test_cut_gzip_still_counts_the_images_that_came_through(tmp_path):
    rng = np.random.default_rng(0)
    noise = images(100, 0) + rng.integers(0, 256, 78_400, np.uint8).tobytes()  # noise: stored as long as it is
    error = refusal(tmp_path / "file", gzip.compress(noise)[:40_000])
    assert "header promises 100 images, the file ends after 5" in str(error)  # 40,000 / 784 = 51
    assert "compressed data breaks off" in str(error)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04rest", "zip archive"),
        (b"\x93NUMPY\x01\x00", ".npy"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"BZh91AY", "bzip2"),
        (gzip.compress(gzip.compress(LABELS)), "this is gzip"),
        (gzip.compress(lzma.compress(LABELS)), "this is xz"),
        (b"<!DOCTYPE html><title>404</title>", "HTML or XML page, perhaps a server's error message (\"<!DOCTYPE html>"),
        (b'\xef\xbb\xbf\n {"error": "gone"}', 'JSON text, perhaps a server\'s error message ("{"error": "gone"}")'),
        (b"404: Not Found", "404: Not Found"),
        (b"\x01\x00\x08\x01\x00", "damaged"),
    ],
)
def test_other_formats_are_named_with_their_first_bytes_in_hex(content, words, tmp_path):
    error = refusal(tmp_path / "file.gz", content)
    assert words in str(error)
    raw = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    assert error.found == raw[:4].hex(" ")
    assert error.found in str(error)
    assert error.offset == 0


def test_unknown_type_lists_the_valid_ones(tmp_path):
    error = refusal(tmp_path / "file", bytes([0, 0, 0x0A, 1, 0, 0, 0, 0]))
    assert "unknown element type 0A; expected one of 08 u1, 09 i1, 0B i2, 0C i4, 0D f4, 0E f8" in str(error)
    assert error.offset == 2


@pytest.mark.parametrize("n_dimensions", [0, 65, 255])
def test_number_of_dimensions_is_refused_before_the_sizes_are_read(n_dimensions, tmp_path):
    error = refusal(tmp_path / "file", bytes([0, 0, 8, n_dimensions]))
    assert (error.offset, error.found) == (3, n_dimensions)


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress])
@pytest.mark.parametrize("n_dimensions", [1, 2, 3, 64])
def test_lying_sizes_allocate_nothing(compress, n_dimensions, tmp_path):
    largest = struct.pack(">HBB", 0, 14, n_dimensions) + b"\xff" * (4 * n_dimensions) + bytes(80)
    error, peak = refusal_and_peak(tmp_path / "file", compress(largest))
    assert error.expected == 4 + 4 * n_dimensions + 8 * (2**32 - 1) ** n_dimensions
    assert peak < 12 << 20  # xz has a dictionary of 8 MiB


@pytest.mark.parametrize("n_present", [1, 9])
def test_payload_of_the_wrong_size_is_not_read_at_all(n_present):
    content = images(5, n_present)
    stream = io.BytesIO(content)
    with pytest.raises(IdxFormatError):
        parse_idx(stream, len(content), "stream")
    assert stream.tell() == 16  # 4 bytes of magic, 3 sizes of 4 bytes


def test_an_empty_array_too_wide_for_any_array_is_refused(tmp_path):
    error = refusal(tmp_path / "file", bytes([0, 0, 8, 3, 0, 0, 0, 0]) + b"\xff" * 8)
    assert "even an empty one" in str(error)


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_a_bomb_is_read_one_byte_past_what_its_header_says(compress, tmp_path):
    error, peak = refusal_and_peak(tmp_path / "bomb", compress(LABELS + bytes(64 << 20)))
    assert (error.expected, error.found) == (11, 12)
    assert peak < 12 << 20  # xz has a dictionary of 8 MiB


def test_a_header_that_tells_the_truth_about_more_than_memory_holds_is_named(tmp_path, monkeypatch):
    class Full(bytearray):
        def __iadd__(self, chunk):
            if len(chunk) == 3:  # the payload, after 4 bytes of magic and 4 of sizes
                raise MemoryError
            return super().__iadd__(chunk)

    (tmp_path / "large.gz").write_bytes(gzip.compress(LABELS))
    monkeypatch.setattr("nnlite.idx.bytearray", Full, raising=False)
    with pytest.raises(OSError, match="more than memory has") as caught:
        read_idx(tmp_path / "large.gz")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOMEM, str(tmp_path / "large.gz"))


def test_a_file_of_zero_bytes_is_named_for_what_it_is(tmp_path):
    assert "nothing but zero bytes" in str(refusal(tmp_path / "file", bytes(5000)))


def test_missing_file_and_directory_are_os_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing-here"):
        read_idx(tmp_path / "nothing-here")
    with pytest.raises(IsADirectoryError, match="a directory, where a file was expected"):
        read_idx(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_is_refused_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    outcome = []

    def read():
        try:
            read_idx(tmp_path / "pipe")
        except OSError as error:
            outcome.append(str(error))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    reader.join(5)
    assert len(outcome) == 1
    assert "a pipe, where a file was expected" in outcome[0]


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs device files")
def test_device_is_refused():
    with pytest.raises(OSError, match="a device"):
        read_idx("/dev/zero")


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs sockets in the file system")
def test_socket_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path may have about 100 bytes
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        with pytest.raises(OSError, match="a socket"):
            read_idx("socket")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind root")
def test_unreadable_file_is_a_permission_error(tmp_path):
    (tmp_path / "file").write_bytes(LABELS)
    (tmp_path / "file").chmod(0)
    with pytest.raises(PermissionError, match="file"):
        read_idx(tmp_path / "file")


def test_failing_read_names_the_file(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(LABELS)

    def fail(stream, size, name):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("nnlite.idx.parse_idx", fail)
    with pytest.raises(OSError, match=r"Input/output error.*file"):
        read_idx(tmp_path / "file")


anything = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300)
# Random bytes alone would never get past the magic, so most examples start like an IDX file.
plausible = st.builds(
    lambda code, sizes, rest: struct.pack(f">HBB{len(sizes)}I", 0, code, len(sizes), *sizes) + rest,
    st.sampled_from([8, 9, 11, 12, 13, 14, 7, 255]),
    st.lists(st.integers(0, 3) | st.integers(0, 2**32 - 1), max_size=70),
    st.binary(max_size=40),
)


def array_or_refusal(path, content: bytes) -> None:
    """Read bytes; let only IdxFormatError pass."""
    path.write_bytes(content)
    with suppress(IdxFormatError):
        assert isinstance(read_idx(path), np.ndarray)


@anything
@given(content=st.binary(max_size=100) | plausible)
@example(content=b"\x1f\x8b")
@example(content=b"\xfd7zXZ\x00")
def test_any_bytes_give_an_array_or_the_one_exception(content, tmp_path):
    array_or_refusal(tmp_path / "file", content)


@anything
@given(
    whole=st.sampled_from([gzip.compress(LABELS, mtime=0), lzma.compress(LABELS)]),
    at=st.integers(0, 200),
    flip=st.integers(1, 255),
    rest=st.binary(max_size=4),
)
def test_any_flipped_byte_in_compressed_data_gives_an_array_or_the_one_exception(whole, at, flip, rest, tmp_path):
    content = bytearray(whole)
    content[at % len(content)] ^= flip
    array_or_refusal(tmp_path / "file", bytes(content) + rest)


def test_parsing_a_failing_decompressor_names_the_stream():
    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise zlib.error("invalid block type")

    with pytest.raises(IdxFormatError, match="download: byte 0: the compressed data is damaged"):
        parse_idx(Broken(), None, "download")
