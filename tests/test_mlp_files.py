"""Networks on disk: the round trip, and every way in which a file can be something else."""

from __future__ import annotations

import errno
import gzip
import io
import lzma
import os
import tracemalloc
import zipfile

import numpy as np
import pytest

from nnlite import MLP, load, save
from nnlite.kernels.ops import ACTIVATIONS

REFUSAL = "not a network saved by nnlite, or damaged"


@pytest.fixture
def saved(tmp_path):
    """A network and the file it was saved to."""
    mlp = MLP((2, 3, 2), np.random.default_rng(0), "tanh")
    save(tmp_path / "network.npz", mlp)
    return mlp, tmp_path / "network.npz"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", [(3, 2), (3, 4, 2), (3, 4, 5, 2)])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_network_comes_back_to_the_last_bit(tmp_path, sizes, activation, dtype):
    mlp = MLP(sizes, np.random.default_rng(1), activation, dtype=dtype)
    save(str(tmp_path / "network"), mlp)  # the name is taken as it is: no .npz is added
    same = load(tmp_path / "network")
    assert (same.layer_sizes, same.activation, same.dtype) == (mlp.layer_sizes, mlp.activation, mlp.dtype)
    for a, b in zip(same.parameters(), mlp.parameters(), strict=True):
        np.testing.assert_array_equal(a, b)
    x = np.ones((4, 3))
    np.testing.assert_array_equal(same.forward(x), mlp.forward(x))


def test_saving_again_replaces_the_file_also_by_values_that_are_not_finite_and_leaves_nothing_beside_it(saved):
    mlp, path = saved
    mlp.weights[0][0] = np.nan, np.inf, -0.0
    save(path, mlp)
    assert load(path).weights[0].tobytes() == mlp.weights[0].tobytes()
    assert os.listdir(path.parent) == ["network.npz"]


def test_a_missing_file_or_folder_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing.npz")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)
    with pytest.raises(FileNotFoundError):
        save(tmp_path / "no" / "folder.npz", MLP((2, 2), np.random.default_rng(0)))


def test_a_file_cut_short_anywhere_is_refused(saved):
    _, path = saved
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=REFUSAL):
            load(path)


def test_a_damaged_byte_is_refused_or_does_no_harm(saved):
    """Some bytes of a zip file mean nothing to a reader (dates, attributes); none may end in another exception."""
    mlp, path = saved
    whole = path.read_bytes()
    n_refused = 0
    for position in range(0, len(whole), 2):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        try:
            same = load(path)
        except ValueError:
            n_refused += 1
        else:
            for a, b in zip(same.parameters(), mlp.parameters(), strict=True):
                np.testing.assert_array_equal(a, b)
    assert n_refused > len(whole) / 4


def header(shape, descr="<f4"):
    """The bytes before the elements in a .npy file."""
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"shape": shape, "fortran_order": False, "descr": descr})
    return stream.getvalue()


def npy(array):
    """An array as a .npy file."""
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def archive(compression=zipfile.ZIP_STORED, **members):
    """A zip archive of .npy members."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", compression) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return whole.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "a git-LFS pointer.*`git lfs pull`"),
        (gzip.compress(b"<html>404</html>"), "an HTML or XML page"),  # test_contents.py has all that is known
        (b"\x00\x00\x08\x01\x00\x00\x00\x00", "an IDX file; nnlite.read_idx reads it"),
        (npy(np.array([{}], object)), "a NumPy .npy file"),
        (archive(), "an empty zip archive"),
        (archive(x=npy(np.zeros(3)), y=b""), "a NumPy .npz file.* holds 'x.npy', 'y.npy'; expected format"),
        (
            archive(format=b"1").replace(b"format.npy", b"format.txt"),
            "a zip archive: unpack it first; it holds 'format",
        ),
        (archive(**{"archive/data.pkl": b""})[:-1].replace(b".npy", b""), "the list of its arrays is missing"),
        (b"PK\x03\x04", "the list of its arrays is missing"),
        (b"\x1f\x8b\x08\x00damaged", "the compressed data is damaged or cut short"),
        (gzip.compress(archive(x=npy(np.zeros(3))))[:-9], "the compressed data is damaged or cut short"),
        (lzma.compress(archive(x=npy(np.zeros(3))))[:-9], "the compressed data is damaged or cut short"),
        (b"\x01\x02\x03\x04", "it starts as no .npz file does"),
    ],
)
def test_another_kind_of_file_is_named(tmp_path, content, words):
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"(?s)other: {REFUSAL}: .*{words}") as refusal:
        load(path)
    assert "allow_pickle" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_file_that_was_compressed_later_or_written_in_the_other_byte_order_is_read(saved):
    mlp, path = saved
    whole = path.read_bytes()
    arrays = dict(np.load(io.BytesIO(whole)))
    squeezed, turned = io.BytesIO(), io.BytesIO()
    np.savez_compressed(squeezed, **arrays)
    np.savez(turned, **{name: array.astype(array.dtype.newbyteorder()) for name, array in arrays.items()})
    for content in (gzip.compress(whole), lzma.compress(whole), squeezed.getvalue(), turned.getvalue()):
        path.write_bytes(content)
        same = load(path)
        same.check_parameters()
        assert all(parameter.flags.writeable for parameter in same.parameters())
        np.testing.assert_array_equal(same.weights[0], mlp.weights[0])


HUGE = 10**6, 10**6


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weight0": header(HUGE)}, "weight0: float32 .* takes 4000000000000 bytes, found 0"),
        ({"weight0": header((-1, -6)) + bytes(24)}, "weight0"),
        ({"weight0": header((2, 3), "<U0")}, "weight0"),
        ({"layer_sizes": npy(np.array([*HUGE, 2])), "weight0": header(HUGE) + bytes(40_000_000)}, "weight0"),
        ({"layer_sizes": npy(np.array([2**62, 2**62, 2]))}, r"weights\[0\]: expected .*, found float32 \(2, 3\)"),
        ({"layer_sizes": npy(np.array([-(2**62), 3, 2]))}, "layer_sizes"),
        ({"layer_sizes": npy(np.ones(10**7, np.int64))}, "layer_sizes is longer"),
        ({"layer_sizes": npy(np.array([2.0, 3.0, 2.0]))}, "layer_sizes: found float64"),
        ({"weight0": header((2, 3)) + bytes(40_000_000)}, "weight0 is longer"),
        ({"activation": npy(np.array("relu" * 10**6))}, "activation is longer"),
        ({"weight0": b"\x93NUMPY\x01\x00\x08\x00{'a': 1}"}, "weight0 is no array"),
        ({"weight0": b"nothing"}, "weight0 is no array"),
        ({"weight2": npy(np.zeros(3))}, "asks for other arrays"),
    ],
)
def test_memory_follows_what_is_there_and_not_what_is_claimed(saved, changes, words):
    """Zeros deflate a thousandfold, so the files are small; most of the 40 MB that one holds is what it claims."""
    _, path = saved
    path.write_bytes(archive(zipfile.ZIP_DEFLATED, **{k: npy(v) for k, v in np.load(path).items()} | changes))
    limit = 130e6 if changes.get("weight0", b"").startswith(header(HUGE) + b"\0") else 2e6
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=f"{REFUSAL}: .*{words}"):
            load(path)
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


def test_too_little_memory_is_an_os_error_that_names_the_file(saved, monkeypatch):
    def parsed(content):
        raise MemoryError

    monkeypatch.setattr("nnlite.mlp_files._parsed", parsed)
    with pytest.raises(OSError, match=r"not enough memory.*network\.npz") as error:
        load(saved[1])
    assert error.value.errno == errno.ENOMEM


def weight(change):
    """A network whose first weight is changed so."""
    return lambda mlp: mlp.weights.__setitem__(0, change(mlp.weights[0]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (weight(np.transpose), r"weights\[0\]: expected .*\(2, 3\), found .*\(3, 2\)"),
        (weight(np.asfortranarray), "memory order"),
        (weight(lambda w: w.astype(">f4")), r"weights\[0\].*found >f4"),
        (weight(lambda w: w.astype(float)), r"weights\[0\].*found float64"),
        (weight(lambda w: w.astype(object)), r"weights\[0\].*found object"),
        (weight(np.ma.masked_array), "found MaskedArray"),
        (weight(np.ndarray.tolist), r"weights\[0\].*found list"),
        (lambda mlp: mlp.biases.__setitem__(1, None), r"biases\[1\].*found NoneType"),
        (lambda mlp: mlp.biases.__setitem__(1, mlp.biases[1][:, None]), r"biases\[1\]"),
        (lambda mlp: mlp.weights.append(mlp.weights[0]), "weights: expected a list of 2 arrays, found 3"),
        (lambda mlp: mlp.biases.pop(), "biases: expected a list of 2 arrays, found 1"),
        (lambda mlp: setattr(mlp, "weights", None), "weights: expected a list of 2 arrays, found NoneType"),
        (lambda mlp: setattr(mlp, "activation", "gelu"), "activation 'gelu'"),
        (lambda mlp: setattr(mlp, "layer_sizes", (2, 3)), "weights: expected a list of 1 arrays, found 2"),
        (lambda mlp: setattr(mlp, "layer_sizes", (2,)), "layer_sizes"),
        (lambda mlp: setattr(mlp, "dtype", np.dtype(np.float16)), "dtype float16"),
    ],
)
def test_what_load_would_refuse_is_not_saved_nor_computed_with(saved, change, words):
    mlp, path = saved
    before = path.read_bytes()
    change(mlp)
    for act in (lambda: save(path, mlp), lambda: mlp.forward(np.zeros((1, 2)))):
        with pytest.raises(ValueError, match=words):
            act()
    with pytest.raises(TypeError, match="expected a path and an nnlite\\.MLP"):
        save(mlp, path)  # swapped
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["network.npz"]


class Bomb:
    """A pickle that leaves a file behind when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickle_is_refused_and_not_run(saved, tmp_path):
    arrays = dict(np.load(saved[1]))
    arrays["weight0"] = np.array([Bomb(tmp_path / "ran")], object)
    np.savez(tmp_path / "pickle.npz", **arrays)
    with pytest.raises(ValueError, match=REFUSAL):
        load(tmp_path / "pickle.npz")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"format": np.array(2)},
        {"format": None},
        {"layer_sizes": None},
        {"layer_sizes": np.array([2, 3])},  # a layer fewer than there are
        {"layer_sizes": np.array([2, 3, 2, 2])},
        {"layer_sizes": np.array([2, 3, 2**40])},
        {"layer_sizes": np.array(2)},
        {"activation": np.array("gelu")},
        {"activation": None},
        {"weight0": None},
        {"bias1": None},
        {"bias0": np.zeros(4, np.float32)},
        {"weight1": np.zeros((4, 2), np.float32)},
        {"weight0": np.zeros((2, 3))},  # float64 beside float32
        {"weight0": np.zeros((2, 3), np.int32)},
        {"weight0": np.zeros((3, 2), np.float32).T},
        {"weight0": np.zeros(())},
        {"bias1": np.zeros((), np.float32)},
        {"weight0": None, "weight1": None},
    ],
)
def test_arrays_that_make_no_network_are_refused(saved, changes):
    _, path = saved
    arrays = {**np.load(path), **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    with pytest.raises(ValueError, match=REFUSAL):
        load(path)
