"""Networks on disk: the round trip, and every way in which a file can be something else."""

from __future__ import annotations

import os
import zipfile

import numpy as np
import pytest

from nnlite import MLP, load, save

REFUSAL = "not a network saved by nnlite, or damaged"


@pytest.fixture
def saved(tmp_path):
    """A network and the file it was saved to."""
    mlp = MLP((2, 3, 2), np.random.default_rng(0), "tanh")
    save(tmp_path / "network.npz", mlp)
    return mlp, tmp_path / "network.npz"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", [(3, 2), (3, 4, 2), (3, 4, 5, 2)])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_a_network_comes_back_to_the_last_bit(tmp_path, sizes, activation, dtype):
    mlp = MLP(sizes, np.random.default_rng(1), activation, dtype=dtype)
    save(str(tmp_path / "network"), mlp)  # the name is taken as it is: no .npz is added
    same = load(tmp_path / "network")
    assert (same.layer_sizes, same.activation, same.dtype) == (mlp.layer_sizes, mlp.activation, mlp.dtype)
    for a, b in zip(same.parameters(), mlp.parameters(), strict=True):
        np.testing.assert_array_equal(a, b)
    x = np.ones((4, 3))
    np.testing.assert_array_equal(same.forward(x), mlp.forward(x))


def test_saving_again_replaces_the_file_and_leaves_nothing_beside_it(saved):
    mlp, path = saved
    mlp.weights[0][0, 0] = 42
    save(path, mlp)
    assert load(path).weights[0][0, 0] == 42
    assert os.listdir(path.parent) == ["network.npz"]


def test_a_loaded_network_can_be_trained_in_place(saved):
    same = load(saved[1])
    same.check_parameters()
    assert all(parameter.flags.writeable for parameter in same.parameters())


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


@pytest.mark.parametrize(
    "content", [b"", b"not a zip file", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"\x1f\x8b\x08\x00damaged"]
)
def test_another_kind_of_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"other: {REFUSAL}"):
        load(path)


def test_a_plain_array_is_refused(tmp_path):
    np.save(tmp_path / "array.npy", np.zeros(3))
    with pytest.raises(ValueError, match=REFUSAL):
        load(tmp_path / "array.npy")


def test_a_zip_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("format", "1")
    with pytest.raises(ValueError, match=REFUSAL):
        load(tmp_path / "other.zip")


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
