"""IDX: what is written is read back and is what idx2numpy reads; every way a file can be wrong is one exception."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import lzma
import os
import pickle
import socket
import struct
import subprocess
import sys
import threading
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path

import idx2numpy
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnlite.idx import IdxFormatError, idx_header, idx_sha256, parse_idx, read_idx, write_idx

TYPES = ("u1", "i1", "i2", "i4", "f4", "f8")
LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4])  # 3 labels, u1: 4 + 4 + 3 = 11 bytes
in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(in_one_folder, max_examples=60)
@given(
    array=st.sampled_from(TYPES).flatmap(lambda kind: hnp.arrays(kind, hnp.array_shapes(max_dims=6, min_side=0))),
    ending=st.sampled_from(["", ".gz", ".xz"]),
)
@example(array=np.ones((1,) * 64, "f8"), ending="")  # as many dimensions as NumPy has
@example(array=np.zeros((0, 28, 28), "u1"), ending=".gz")
def test_what_is_written_is_read_back_bit_by_bit_and_has_the_hash_of_its_file(array, ending, tmp_path):
    path = tmp_path / f"array{ending}"
    write_idx(path, array)
    read = read_idx(path)
    assert (read.dtype, read.shape, read.tobytes()) == (array.dtype, array.shape, array.tobytes())  # NaN included
    assert read.dtype.isnative
    assert read.flags.c_contiguous
    assert read.flags.aligned
    assert read.flags.writeable
    if not ending:
        assert idx_sha256(array) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_bytes_on_disk_are_what_the_format_says(tmp_path):
    write_idx(tmp_path / "array", np.array([[1, -2]], np.int16))
    # 0, 0, type 0B, 2 dimensions; sizes 1 and 2; 1 = 00 01 and -2 = 2**16 - 2 = FF FE, most significant byte first
    assert (tmp_path / "array").read_bytes().hex(" ") == "00 00 0b 02 00 00 00 01 00 00 00 02 00 01 ff fe"
    # type 0D, 2 dimensions; sizes 3 and 256 = 01 00
    assert idx_header(np.zeros((3, 256), np.float32)).hex() == "00000d02" + "00000003" + "00000100"


def test_big_endian_strided_and_masked_arrays_are_written_by_value(tmp_path):
    values = np.arange(12, dtype=">i4").reshape(3, 4)[:, ::2]
    for array in (values, np.ma.masked_array(values)):
        write_idx(tmp_path / "array", array)
        assert read_idx(tmp_path / "array").tolist() == [[0, 2], [4, 6], [8, 10]]


@pytest.mark.parametrize("kind", TYPES)
def test_idx2numpy_reads_what_is_written_and_writes_what_is_read(kind, tmp_path):
    array = np.arange(24).astype(kind).reshape(2, 3, 4)
    write_idx(tmp_path / "ours", array)
    assert np.array_equal(idx2numpy.convert_from_file(str(tmp_path / "ours")), array)
    idx2numpy.convert_to_file(str(tmp_path / "theirs"), array)
    assert (tmp_path / "theirs").read_bytes() == (tmp_path / "ours").read_bytes()


@pytest.mark.parametrize("name", ["labels", "labels.gz", "labels.txt"])
def test_compression_is_recognised_by_content_under_any_name(name, tmp_path):
    members = gzip.compress(LABELS[:5]) + gzip.compress(LABELS[5:])  # a gzip file of several members is one file
    for content in (LABELS, gzip.compress(LABELS), lzma.compress(LABELS), members):
        (tmp_path / name).write_bytes(content)
        assert read_idx(tmp_path / name).tolist() == [5, 0, 4]


@pytest.mark.parametrize("ending", [".gz", ".xz"])
def test_compressed_bytes_depend_on_the_array_alone(ending, tmp_path, monkeypatch):
    for name, now in (("one", 1e9), ("another", 2e9)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        write_idx(tmp_path / f"{name}{ending}", np.arange(100, dtype=np.uint8))
    assert (tmp_path / f"one{ending}").read_bytes() == (tmp_path / f"another{ending}").read_bytes()


def test_a_stream_is_parsed_with_and_without_its_size():
    raw = struct.pack(">HBBII", 0, 9, 2, 1, 258) + b"\xff" * 258
    for size in (len(raw), None):
        array = parse_idx(io.BytesIO(raw), size, "stream")
        assert (array.shape, array.min(), array.max()) == ((1, 258), -1, -1)


def wide(shape):
    """An array of any shape in one byte of memory."""
    return np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), shape, (0,) * len(shape))


@pytest.mark.parametrize(
    ("values", "error", "words"),
    [
        *[
            (np.zeros(2, kind), TypeError, "u1, i1, i2, i4, f4 and f8")
            for kind in (bool, "i8", "u2", "c8", "O", "M8[Y]")
        ],
        (np.array(["1"]), TypeError, "u1, i1, i2, i4, f4 and f8, found <U1"),
        (np.float32(1).reshape(()), ValueError, "1 to 64 dimensions"),
        (wide((1 << 32,)), ValueError, r"below 2\*\*32"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), ValueError, r"no masked entries; .*: array.filled\(0\)"),
        *[
            (values, TypeError, f"IDX holds an array, found {type(values).__name__}; np.array")
            for values in ([1, 2], [[1, 2], [3]], "labels", None, 5)
        ],
    ],
)
def test_what_idx_cannot_hold_is_refused_and_no_file_made(values, error, words, tmp_path):
    for use in (lambda: write_idx(tmp_path / "file", values), lambda: idx_sha256(values)):
        with pytest.raises(error, match=words):
            use()
    assert list(tmp_path.iterdir()) == []


def test_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    write_idx(tmp_path / "array", np.arange(3, dtype=np.uint8))
    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_idx(tmp_path / "array", np.arange(5, dtype=np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["array"]
    assert read_idx(tmp_path / "array").tolist() == [0, 1, 2]


def test_error_survives_pickling():
    error = pickle.loads(pickle.dumps(IdxFormatError("digits", 4, 10, 8, "cut short")))
    assert str(error) == "digits: byte 4: cut short"
    assert (error.file, error.offset, error.expected, error.found) == ("digits", 4, 10, 8)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads peak memory from /proc")
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_payload_exists_once_in_memory(ending, tmp_path):
    code = (
        "import sys; from nnlite.idx import read_idx\n"
        "peak = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0]) * 1024\n"
        "before = peak(); array = read_idx(sys.argv[1]); print((peak() - before) / array.nbytes)"
    )
    write_idx(tmp_path / f"array{ending}", np.ones((40, 1 << 18), np.float32))  # 40 MiB
    run = [sys.executable, "-c", code, tmp_path / f"array{ending}"]
    folder = Path(__file__).resolve().parents[1]
    ratio = float(subprocess.run(run, check=True, capture_output=True, text=True, cwd=folder).stdout)
    assert ratio < 1.2  # two copies would be 2


# Files that are wrong


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


VALID = "08 u1, 09 i1, 0B i2, 0C i4, 0D f4, 0E f8"
WRONG = [
    (LABELS[:0], 0, 8, 0, "the file is empty"),
    *[(LABELS[:n], 0, 8, n, "this copy is cut short") for n in (1, 2, 3)],
    *[(LABELS[:n], 4, 4, n - 4, "expected 4 bytes of sizes") for n in (4, 5, 7)],
    (LABELS[:-1], 4, 11, 10, "header promises 3 items, the file ends after 2; "),
    (images(60_000, 1_200), 4, 47_040_016, 940_816, "header promises 60000 images, the file ends after 1200; "),
    (gzip.compress(images(5, 3)), 4, 3936, 2368, "header promises 5 images, the file ends after 3; "),  # 16 + n x 784
    (lzma.compress(images(5, 3)), 4, 3936, 2368, "header promises 5 images, the file ends after 3; "),
    *[(c(LABELS + b"\0"), 11, 11, 12, "something was appended") for c in (bytes, gzip.compress, lzma.compress)],
    (bytes([0, 0, 10, 1, 0, 0, 0, 0]), 2, VALID, "0A", f"unknown element type 0A; expected one of {VALID}: "),
    *[(bytes([0, 0, 8, n]), 3, "1 to 64", n, f"dimensions, found {n}") for n in (0, 65, 255)],
    (
        bytes([0, 0, 8, 3, 0, 0, 0, 0]) + b"\xff" * 8,
        4,
        f"at most {sys.maxsize} bytes",
        (0, 2**32 - 1, 2**32 - 1),
        "empty",
    ),
    (bytes(5000), 2, VALID, "00", "nothing but zero bytes"),
    (b"PK\x03\x04rest", 0, "00 00", "50 4b 03 04", "zip archive"),  # test_contents.py has the formats
    (gzip.compress(gzip.compress(LABELS)), 0, "00 00", "1f 8b 08 00", "found 1f 8b 08 00: this is gzip"),
    (gzip.compress(lzma.compress(LABELS)), 0, "00 00", "fd 37 7a 58", "this is xz"),
    (b"404: Not Found", 0, "00 00", "34 30 34 3a", "404: Not Found"),
    (b"\x01\x00\x08\x01\x00", 0, "00 00", "01 00 08 01", "no IDX file, or a damaged one"),
]


@pytest.mark.parametrize(("content", "offset", "expected", "found", "words"), WRONG)
def test_a_wrong_file_is_refused_with_the_place_what_was_expected_and_found(
    content, offset, expected, found, words, tmp_path
):
    error = refusal(tmp_path / "file.gz", content)
    assert (error.offset, error.expected, error.found) == (offset, expected, found)
    assert words in str(error)


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_compressed_file_cut_anywhere_is_damaged(compress, tmp_path):
    whole = compress(LABELS)
    for length in range(6, len(whole)):
        assert "damaged" in str(refusal(tmp_path / "file", whole[:length]))


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


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress])
def test_lying_sizes_allocate_nothing(compress, tmp_path):
    for n_dimensions in (1, 2, 64):
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


def test_what_is_no_regular_file_is_an_os_error_and_never_waited_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path may have about 100 bytes
    kinds = {"nothing-here": "nothing-here", ".": "a directory, where a file was expected"}
    if os.path.exists("/dev/zero"):
        kinds["/dev/zero"] = "a device"
    with socket.socket(getattr(socket, "AF_UNIX", socket.AF_INET)) as listener:
        if hasattr(socket, "AF_UNIX"):
            listener.bind("socket")
            kinds["socket"] = "a socket"
        for path, words in kinds.items():
            with pytest.raises(OSError, match=words):
                read_idx(path)


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


def test_failing_read_names_the_file(tmp_path, monkeypatch):
    def fail(stream, size, name):
        raise OSError(5, "Input/output error")

    (tmp_path / "file").write_bytes(LABELS)
    monkeypatch.setattr("nnlite.idx.parse_idx", fail)
    with pytest.raises(OSError, match=r"Input/output error.*file"):
        read_idx(tmp_path / "file")


# Random bytes alone would never get past the magic, so most examples start like an IDX file.
plausible = st.builds(
    lambda code, sizes, rest: struct.pack(f">HBB{len(sizes)}I", 0, code, len(sizes), *sizes) + rest,
    st.sampled_from([8, 9, 11, 12, 13, 14, 7, 255]),
    st.lists(st.integers(0, 3) | st.integers(0, 2**32 - 1), max_size=70),
    st.binary(max_size=40),
)


@st.composite
def flipped(draw):
    """Compressed data with one byte changed, and some appended."""
    content = bytearray(draw(st.sampled_from([gzip.compress(LABELS, mtime=0), lzma.compress(LABELS)])))
    content[draw(st.integers(0, len(content) - 1))] ^= draw(st.integers(1, 255))
    return bytes(content) + draw(st.binary(max_size=4))


@settings(in_one_folder, max_examples=200)
@given(content=st.binary(max_size=100) | plausible | flipped())
@example(content=b"\x1f\x8b")
@example(content=b"\xfd7zXZ\x00")
def test_any_bytes_give_an_array_or_the_one_exception(content, tmp_path):
    (tmp_path / "file").write_bytes(content)
    found = None
    with suppress(IdxFormatError):
        found = read_idx(tmp_path / "file")
    assert found is None or isinstance(found, np.ndarray)


def test_parsing_a_failing_decompressor_names_the_stream():
    class Broken(io.RawIOBase):
        def read(self, size=-1):
            raise zlib.error("invalid block type")

    with pytest.raises(IdxFormatError, match="download: byte 0: the compressed data is damaged"):
        parse_idx(Broken(), None, "download")
