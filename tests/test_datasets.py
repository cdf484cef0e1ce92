"""Data sets: found in order, verified, checked against themselves, scaled once, split."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlite.datasets import load_dataset, validation_split
from nnlite.idx import IdxFormatError, idx_sha256, write_idx
from nnlite.places import KNOWN_SETS, STEMS

SOURCE_TREE = Path(__file__).resolve().parents[1]
TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = STEMS


def small_arrays() -> dict[str, np.ndarray]:
    """Return five training and two test images of 3 x 4 pixels in three classes."""
    return {
        TRAIN_IMAGES: np.arange(60, dtype=np.uint8).reshape(5, 3, 4),
        TRAIN_LABELS: np.array([0, 1, 2, 0, 1], np.uint8),
        TEST_IMAGES: np.full((2, 3, 4), 255, np.uint8),
        TEST_LABELS: np.array([2, 0], np.uint8),
    }


def write_set(folder: Path, arrays: dict[str, np.ndarray], ending: str = "") -> Path:
    """Write the four files of a data set."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, array in arrays.items():
        write_idx(folder / f"{stem}{ending}", array)
    return folder


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """Hide every place where a data set may be found, and move to an empty folder."""
    monkeypatch.delenv("NNLITE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("nnlite.places.SYSTEM_FOLDERS", (tmp_path / "system",))
    monkeypatch.setattr("nnlite.places.__file__", str(tmp_path / "site-packages/nnlite/places.py"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


@pytest.fixture
def small_mnist(monkeypatch):
    """Pin the hashes of a small set as MNIST's, and those of its negative as Fashion-MNIST's; return both."""
    mnist = small_arrays()
    fashion = {stem: 255 - array if "images" in stem else 2 - array for stem, array in mnist.items()}
    for name, arrays in (("mnist", mnist), ("fashion-mnist", fashion)):
        monkeypatch.setitem(KNOWN_SETS, name, {stem: idx_sha256(array) for stem, array in arrays.items()})
    return mnist, fashion


# Real MNIST


def test_mnist_has_the_sizes_labels_and_ink_that_everyone_knows():
    mnist = load_dataset("mnist", data_dir=SOURCE_TREE / "data")
    assert mnist.train_pixels.shape == (60_000, 784)
    assert mnist.test_pixels.shape == (10_000, 784)
    assert (mnist.name, mnist.n_classes, mnist.image_shape) == ("mnist", 10, (28, 28))
    assert repr(mnist) == "Dataset('mnist': 60000 + 10000 images of 28 x 28, 10 classes)"
    assert "<th>of a class</th><td>5,421 to 6,742</td><td>892 to 1,135</td>" in mnist._repr_html_()
    assert mnist.train_labels.dtype == mnist.test_labels.dtype == np.int64
    assert mnist.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    # the counts that the literature prints for digits 0 to 9; they add up to 60,000 and 10,000
    assert np.bincount(mnist.train_labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(mnist.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert round(np.count_nonzero(mnist.train_pixels) / mnist.train_pixels.size, 3) == 0.191
    assert mnist.sha256 == KNOWN_SETS["mnist"]


# Floats


def test_images_are_bytes_over_255_in_float32(tmp_path):
    dataset = load_dataset(write_set(tmp_path / "own", small_arrays()))
    assert dataset.train_pixels.dtype == np.uint8
    assert dataset.train_images.dtype == np.float32
    assert dataset.train_images.shape == (5, 12)
    expected = [np.float32(byte) / np.float32(255) for byte in range(60)]
    assert dataset.train_images.ravel().tolist() == [float(value) for value in expected]
    assert (dataset.test_images == 1).all()  # 255 / 255


def test_every_access_and_every_thread_gets_the_same_floats(tmp_path):
    dataset = load_dataset(write_set(tmp_path / "own", small_arrays()))
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(dataset.train_images)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(images is dataset.train_images for images in seen)


@pytest.mark.parametrize("kind", ["i2", "f4", "f8"])
def test_pixels_that_are_no_bytes_are_kept_and_not_scaled(kind, tmp_path):
    arrays = small_arrays()
    arrays[TRAIN_IMAGES] = arrays[TRAIN_IMAGES].astype(kind)
    dataset = load_dataset(write_set(tmp_path / "own", arrays))
    assert dataset.train_pixels.dtype == kind
    assert dataset.train_images.dtype == np.float32
    assert dataset.train_images.ravel().tolist() == list(range(60))


# A folder of one's own


def test_folder_gives_its_name_labels_and_hashes(tmp_path):
    dataset = load_dataset(str(write_set(tmp_path / "own", small_arrays(), ".gz")))
    assert (dataset.name, dataset.n_classes, dataset.image_shape) == ("own", 3, (3, 4))
    assert dataset.test_labels.tolist() == [2, 0]
    assert dataset.sha256 == {stem: idx_sha256(array) for stem, array in small_arrays().items()}


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        (TRAIN_LABELS, small_arrays()[TRAIN_IMAGES], "expected labels (magic 00 00 08 01), found images"),
        (TEST_IMAGES, small_arrays()[TEST_LABELS], "expected images (magic 00 00 08 03), found labels"),
        (TRAIN_LABELS, np.zeros(5, np.float32), "labels that are integers"),
        (TRAIN_LABELS, np.zeros(5, np.float32), "whole numbers all"),
        (TRAIN_LABELS, np.full((5, 8), 3, np.uint8), "rows of 8 (magic 00 00 08 02); keep one column"),
        (TRAIN_LABELS, np.zeros((5, 1), np.uint8), "rows of 1 (magic 00 00 08 02); keep one column"),
        (TEST_LABELS, np.eye(3, dtype=np.uint8)[[2, 0]], "one-hot rows: take labels.argmax(axis=1)"),
        (TRAIN_IMAGES, np.zeros((2, 3, 4), np.uint8), "promises 2 images, but"),
        (TEST_IMAGES, np.zeros((5, 3, 4), np.uint8), "holds 2 labels"),
        (TEST_IMAGES, np.zeros((2, 4, 3), np.uint8), "expected images of (3, 4)"),
        (TRAIN_LABELS, np.array([0, 1, 2, -3, -4], np.int8), "byte 11: expected labels from 0 to 65535, found -3 at"),
        (TRAIN_LABELS, np.array([0, 1, 70_000, 0, 1], np.int32), "byte 16: expected labels from 0 to 65535, found 70"),
        (TEST_LABELS, np.array([2, 3], np.uint8), "expected labels from 0 to 2, found 3 at index 1"),
        (TRAIN_IMAGES, np.zeros((5, 0, 4), np.uint8), "at least one pixel"),
        (TRAIN_IMAGES, np.array([1] * 4 + [np.nan])[:, None], "found nan in image 4"),
        (TEST_IMAGES, np.full((2, 3, 4), 1e39), "found 1e+39 in image 0"),
    ],
)
def test_files_that_do_not_fit_are_refused_by_name(file, content, words, tmp_path):
    folder = write_set(tmp_path / "own", small_arrays() | {file: content})
    with pytest.raises(IdxFormatError) as caught:
        load_dataset(folder)
    assert words in str(caught.value)
    assert caught.value.file == str(folder / file)


def test_folder_that_lacks_a_file_says_which_and_lists_those_of_nearly_the_right_name(tmp_path, monkeypatch):
    folder = write_set(tmp_path / "own", small_arrays())
    (folder / TEST_LABELS).rename(folder / "test-labels-idx1-ubyte (1).gz")
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    for way in (folder, "~/own"):
        words = rf"own: the folder lacks {TEST_LABELS} .* there are test-labels-idx1-ubyte \(1"
        with pytest.raises(FileNotFoundError, match=words):
            load_dataset(way)


def test_unknown_names_and_paths_are_told_apart(nowhere):
    with pytest.raises(ValueError, match=r"MNIST: unknown data set, and no folder; did you mean mnist\?"):
        load_dataset("MNIST")
    with pytest.raises(ValueError, match=r"imagenet-22k: unknown .* \(known: mnist, fashion-mnist\)"):
        load_dataset("imagenet-22k")
    with pytest.raises(ValueError, match="an empty path"):
        load_dataset("")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        load_dataset("missing/mnist")
    (nowhere / "work/file").touch()
    with pytest.raises(NotADirectoryError, match="a file, where a folder"):
        load_dataset("file")


# Finding a known set


def test_first_place_that_has_the_set_wins(nowhere, small_mnist, monkeypatch):
    mnist, _ = small_mnist
    other = small_arrays() | {TEST_LABELS: np.array([1, 1], np.uint8)}
    write_set(nowhere / "environment", mnist)
    write_set(nowhere / "work/data", other)
    assert load_dataset("mnist", verify=False).test_labels.tolist() == [1, 1]
    monkeypatch.setenv("NNLITE_DATA", str(nowhere / "environment"))
    assert load_dataset("mnist", verify=False).test_labels.tolist() == [2, 0]
    assert load_dataset("mnist", data_dir="data", verify=False).test_labels.tolist() == [1, 1]


def test_missing_set_lists_the_places_in_order_and_how_to_get_it(nowhere, monkeypatch):
    write_set(nowhere / "work/data/mnist", {TRAIN_LABELS: np.zeros(1, np.uint8)})
    with pytest.raises(FileNotFoundError) as caught:
        load_dataset("mnist")
    text = str(caught.value)
    order = ["data/mnist (no ", "data (none of the files)", "cache", "system"]
    assert [text.index(place) for place in order] == sorted(text.index(place) for place in order)
    for word in ("nnlite-data mnist", "--data-dir", "NNLITE_DATA", "./data/mnist"):
        assert word in text
    assert len(text.splitlines()) == 2


def test_another_known_set_is_passed_over_with_a_note(nowhere, small_mnist):
    mnist, fashion = small_mnist
    write_set(nowhere / "work/data", mnist)
    write_set(nowhere / "system/fashion-mnist", fashion)
    dataset = load_dataset("fashion-mnist")
    assert dataset.notes == ("data passed over: it holds mnist, not fashion-mnist",)
    assert load_dataset("mnist").notes == ()


@pytest.mark.parametrize("verify", [False, True])
@pytest.mark.parametrize("by_environment", [False, True])
def test_another_known_set_is_an_error_where_the_user_pointed(
    by_environment, verify, nowhere, small_mnist, monkeypatch
):
    mnist, fashion = small_mnist
    write_set(nowhere / "named", mnist)
    write_set(nowhere / "work/data", fashion)
    if by_environment:
        monkeypatch.setenv("NNLITE_DATA", str(nowhere / "named"))
    with pytest.raises(IdxFormatError) as caught:
        load_dataset("fashion-mnist", None if by_environment else nowhere / "named", verify)
    text = str(caught.value)
    assert f"it really is {TRAIN_IMAGES} of mnist" in text
    assert "--no-verify" in text
    assert idx_sha256(mnist[TRAIN_IMAGES]) in text
    assert idx_sha256(fashion[TRAIN_IMAGES]) in text


def test_changed_file_is_refused_with_both_hashes_unless_verification_is_off(nowhere, small_mnist):
    changed = small_arrays()
    changed[TEST_IMAGES][0, 0, 0] = 254
    write_set(nowhere / "work/data", changed)
    with pytest.raises(IdxFormatError) as caught:
        load_dataset("mnist")
    assert caught.value.file == str(Path("data") / TEST_IMAGES)
    assert caught.value.expected == KNOWN_SETS["mnist"][TEST_IMAGES]
    assert caught.value.found == idx_sha256(changed[TEST_IMAGES])
    assert load_dataset("mnist", verify=False).test_pixels[0, 0] == 254


@pytest.mark.parametrize("how", ["NNLITE_DATA", "--data-dir"])
@pytest.mark.parametrize("named", ["missing", "empty", "other", "file"])
def test_a_place_that_somebody_named_is_used_or_refused_and_never_passed_over(
    named, how, nowhere, small_mnist, monkeypatch
):
    write_set(nowhere / "work/data", small_mnist[0])
    (nowhere / "empty").mkdir()
    (nowhere / "other").mkdir()
    (nowhere / "other/emnist-letters-train-images-idx3-ubyte.gz").touch()
    (nowhere / "file").touch()
    monkeypatch.setenv("NNLITE_DATA", str(nowhere / named if how == "NNLITE_DATA" else nowhere / "work/data"))
    for verify in (True, False):
        with pytest.raises(FileNotFoundError) as caught:
            load_dataset("mnist", nowhere / named if how == "--data-dir" else None, verify)
        text = str(caught.value)
        assert text.startswith(f"mnist not found where {how} says; tried, in order: {nowhere / named / 'mnist'} (")
        assert f"`nnlite-data mnist --to {nowhere / named}` downloads it there" in text
        assert ("there are emnist-letters-train-images-idx3-ubyte.gz" in text) == (named == "other")
        assert len(text.splitlines()) == 2


def test_what_is_passed_over_in_places_that_nobody_named_is_said(nowhere, small_mnist):
    mnist, fashion = small_mnist
    write_set(nowhere / "work/data/mnist", {TRAIN_LABELS: mnist[TRAIN_LABELS]})
    write_set(nowhere / "work/data", fashion)
    write_set(nowhere / "system/mnist", mnist)
    for verify in (True, False):
        notes = load_dataset("mnist", verify=verify).notes
        assert notes[0].startswith(f"{Path('data/mnist')} passed over: no {TRAIN_IMAGES}, {TEST_IMAGES}")
        assert notes[1:] == ("data passed over: it holds fashion-mnist, not mnist",)


def test_files_of_no_known_hash_are_noted_where_verification_is_off(nowhere, small_mnist):
    write_set(nowhere / "work/data", small_arrays() | {TEST_LABELS: np.array([1, 1], np.uint8)})
    notes = load_dataset("mnist", verify=False).notes
    assert notes == ("data is not the known mnist: used as it is, without verification",)


def test_damaged_file_is_an_error_and_not_passed_over(nowhere, small_mnist):
    write_set(nowhere / "work/data", small_mnist[0])
    write_set(nowhere / "system/mnist", small_mnist[0])
    file = nowhere / "work/data" / TRAIN_IMAGES
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(IdxFormatError, match="header promises 5 images, the file ends after 4"):
        load_dataset("mnist")


# Splitting


@given(n_samples=st.integers(2, 200), data=st.data())
def test_split_is_sorted_disjoint_and_exhaustive(n_samples, data):
    n_validation = data.draw(st.integers(1, n_samples - 1))
    train_rows, validation_rows = validation_split(n_samples, n_validation, np.random.default_rng(n_samples))
    assert train_rows.dtype == validation_rows.dtype == np.int64
    assert len(validation_rows) == n_validation
    assert sorted([*train_rows, *validation_rows]) == list(range(n_samples))
    assert (np.diff(train_rows) > 0).all()
    assert (np.diff(validation_rows) > 0).all()


def test_split_follows_its_generator():
    one, again, other = (validation_split(100, 30, np.random.default_rng(seed))[1].tolist() for seed in (1, 1, 2))
    assert one == again
    assert one != other


@pytest.mark.parametrize("n_validation", [-1, 0, 10, 11])
def test_split_leaves_no_part_empty(n_validation):
    with pytest.raises(ValueError, match="n_validation must be 1 to 9 for 10 samples"):
        validation_split(10, n_validation, np.random.default_rng(0))
