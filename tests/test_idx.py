"""IDX: what is read, what is written, and that both agree with each other and with idx2numpy."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import idx2numpy
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnlite.idx import IdxFormatError, idx_header, idx_sha256, parse_idx, read_idx, write_idx

TYPES = ("u1", "i1", "i2", "i4", "f4", "f8")
in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    """Say whether two arrays have one type, one shape and the same bits, NaN included."""
    return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()


@in_one_folder
@given(
    array=st.sampled_from(TYPES).flatmap(lambda kind: hnp.arrays(kind, hnp.array_shapes(max_dims=6, min_side=0))),
    ending=st.sampled_from(["", ".gz", ".xz"]),
)
def test_what_is_written_is_read_back_bit_by_bit(array, ending, tmp_path):
    path = tmp_path / f"array{ending}"
    write_idx(path, array)
    assert same_bits(read_idx(path), array)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("n_dimensions", [1, 2, 3, 63, 64])
def test_every_type_goes_through_a_file_at_any_number_of_dimensions(kind, n_dimensions, tmp_path):
    array = np.arange(6).astype(kind).reshape((1,) * (n_dimensions - 1) + (6,))
    write_idx(tmp_path / "array", array)
    assert same_bits(read_idx(tmp_path / "array"), array)


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_result_is_native_contiguous_aligned_and_writable(kind, ending, tmp_path):
    write_idx(tmp_path / f"array{ending}", np.ones((3, 5), kind))
    array = read_idx(tmp_path / f"array{ending}")
    assert array.dtype.isnative
    assert array.flags.c_contiguous
    assert array.flags.aligned
    array[0, 0] = 2
    assert array.sum() == 16  # 14 ones and a two


def test_bytes_on_disk_are_what_the_format_says(tmp_path):
    write_idx(tmp_path / "array", np.array([[1, -2]], np.int16))
    # 0, 0, type 0B, 2 dimensions; sizes 1 and 2; 1 = 00 01 and -2 = 2**16 - 2 = FF FE, most significant byte first
    assert (tmp_path / "array").read_bytes().hex(" ") == "00 00 0b 02 00 00 00 01 00 00 00 02 00 01 ff fe"


def test_big_endian_and_strided_arrays_are_written_by_value(tmp_path):
    values = np.arange(12, dtype=">i4").reshape(3, 4)[:, ::2]
    write_idx(tmp_path / "array", values)
    assert read_idx(tmp_path / "array").tolist() == [[0, 2], [4, 6], [8, 10]]


@pytest.mark.parametrize("kind", TYPES)
def test_idx2numpy_reads_what_is_written_and_writes_what_is_read(kind, tmp_path):
    array = np.arange(24).astype(kind).reshape(2, 3, 4)
    write_idx(tmp_path / "ours", array)
    assert np.array_equal(idx2numpy.convert_from_file(str(tmp_path / "ours")), array)
    idx2numpy.convert_to_file(str(tmp_path / "theirs"), array)
    assert (tmp_path / "theirs").read_bytes() == (tmp_path / "ours").read_bytes()


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
@pytest.mark.parametrize("name", ["labels", "labels.gz", "labels.xz", "labels.txt"])
def test_compression_is_recognised_by_content_under_any_name(compress, name, tmp_path):
    (tmp_path / name).write_bytes(compress(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9])))
    assert read_idx(tmp_path / name).tolist() == [7, 9]


def test_a_gzip_file_of_several_members_is_one_file(tmp_path):
    raw = bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9])
    (tmp_path / "two").write_bytes(gzip.compress(raw[:5]) + gzip.compress(raw[5:]))
    assert read_idx(tmp_path / "two").tolist() == [7, 9]


@pytest.mark.parametrize("ending", [".gz", ".xz"])
def test_compressed_bytes_depend_on_the_array_alone(ending, tmp_path, monkeypatch):
    for name, now in (("one", 1e9), ("another", 2e9)):
        monkeypatch.setattr("time.time", lambda now=now: now)
        write_idx(tmp_path / f"{name}{ending}", np.arange(100, dtype=np.uint8))
    assert (tmp_path / f"one{ending}").read_bytes() == (tmp_path / f"another{ending}").read_bytes()


def test_size_of_zero_gives_an_empty_array(tmp_path):
    write_idx(tmp_path / "array", np.zeros((0, 28, 28), np.uint8))
    assert read_idx(tmp_path / "array").shape == (0, 28, 28)


@in_one_folder
@given(array=st.sampled_from(TYPES).flatmap(lambda kind: hnp.arrays(kind, hnp.array_shapes(min_side=0))))
def test_hash_of_an_array_is_the_hash_of_its_file(array, tmp_path):
    write_idx(tmp_path / "array", array)
    assert idx_sha256(array) == hashlib.sha256((tmp_path / "array").read_bytes()).hexdigest()


def test_header_holds_magic_and_sizes():
    # type 0D, 2 dimensions; sizes 3 and 256 = 01 00
    assert idx_header(np.zeros((3, 256), np.float32)).hex() == "00000d02" + "00000003" + "00000100"


def test_stream_is_parsed_without_its_size():
    assert parse_idx(io.BytesIO(bytes([0, 0, 9, 1, 0, 0, 0, 1, 255])), None, "stream").tolist() == [-1]


@pytest.mark.parametrize("array", [np.zeros(2, bool), np.zeros(2, np.int64), np.zeros(2, np.uint16), np.array(["a"])])
def test_element_type_without_a_code_is_refused_and_no_file_made(array, tmp_path):
    with pytest.raises(TypeError, match="u1, i1, i2, i4, f4 and f8"):
        write_idx(tmp_path / "array", array)
    assert list(tmp_path.iterdir()) == []


def test_array_without_dimensions_is_refused(tmp_path):
    with pytest.raises(ValueError, match="1 to 64 dimensions"):
        write_idx(tmp_path / "array", np.float32(1).reshape(()))


def test_size_of_two_to_the_32_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"below 2\*\*32"):
        write_idx(tmp_path / "array", np.lib.stride_tricks.as_strided(np.zeros(1, np.uint8), (1 << 32,), (0,)))


def test_failed_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    write_idx(tmp_path / "array", np.arange(3, dtype=np.uint8))

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

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


def test_sizes_are_unsigned_and_big_endian():
    raw = struct.pack(">HBBII", 0, 8, 2, 1, 258) + bytes(258)
    assert parse_idx(io.BytesIO(raw), len(raw), "stream").shape == (1, 258)


@pytest.mark.parametrize("values", [[1, 2], [[1, 2], [3]], ["a"], "labels", None, 5])
def test_what_is_no_array_is_refused_with_the_way_to_make_one(values, tmp_path):
    for use in (lambda: write_idx(tmp_path / "file", values), lambda: idx_sha256(values)):
        with pytest.raises(TypeError, match=f"IDX holds an array, found {type(values).__name__}; np.array"):
            use()
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize("values", [["1"], [1 + 1j], [None], [True], [np.datetime64("2023")]])
def test_elements_that_idx_has_no_type_for_are_named(values, tmp_path):
    with pytest.raises(TypeError, match="IDX holds u1, i1, i2, i4, f4 and f8, found "):
        write_idx(tmp_path / "file", np.array(values))


def test_masked_entries_are_refused_and_a_masked_array_without_any_is_an_array(tmp_path):
    with pytest.raises(ValueError, match=r"no masked entries; fill them first: array.filled\(0\)"):
        write_idx(tmp_path / "file", np.ma.masked_array([1.0, 2.0], [True, False]))
    write_idx(tmp_path / "file", np.ma.masked_array([1.0, 2.0]))
    assert read_idx(tmp_path / "file").tolist() == [1, 2]


def test_tilde_is_the_home_folder_to_read_and_to_write(tmp_path, monkeypatch):
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    write_idx("~/digits", np.zeros(2, np.uint8))
    assert (tmp_path / "digits").is_file()
    assert read_idx("~/digits").tolist() == [0, 0]
    for use in (lambda: read_idx(""), lambda: write_idx("", np.zeros(2, np.uint8))):
        with pytest.raises(ValueError, match="an empty path"):
            use()
