"""What every arm is pretrained on, what that costs, what its seed draws, and what it changes in a network's way."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from made import N_CLASSES, N_TEST, N_TRAIN, SIDE, small_config, small_dataset, write_dataset

from nnlite import MLP, Tally
from nnlite.datasets import load_dataset
from nnlite.experiment import arms
from nnlite.experiment.arms import ARMS
from nnlite.experiment.config import EXPLANATORY, DataError
from nnlite.experiment.phases import Learner, pretrain, real_pieces, real_schedule
from nnlite.experiment.run import BATCH_ORDER, RunData, generator, run_one
from nnlite.training import Watch

N_PIXELS, PER_CLASS, N_EPOCHS = SIDE * SIDE, N_TRAIN // N_CLASSES, 3
PRETRAINED = [name for name in ARMS if name not in ("scratch", "warm-up", "means-100", "means-1000")]
"""Without the averages of more images than a class has here."""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """60 images of 16 pixels, 20 of each of 3 classes."""
    return small_dataset(tmp_path_factory.mktemp("arms"))


def prepared(dataset, name, seed=0, data=None, **changes):
    """Return what an arm pretrains on, what it could choose from, and its real steps."""
    data = RunData(dataset, small_config(**changes)) if data is None else data
    rows, _ = data.split(seed)
    real = real_schedule(data.config, ARMS[name], rows, generator(seed, BATCH_ORDER))
    given = data.of_run(seed, rows, real)
    return data.pretraining(name, seed, given), given, real


def pixels_of(dataset, pretraining):
    """Return an arm's images as numbers, epoch after epoch."""
    images = dataset.train_images if pretraining.real else pretraining.images
    return images[pretraining.rows]


def class_averages(dataset, rows=None):
    """Average the images of each class as NumPy does."""
    rows = np.arange(N_TRAIN) if rows is None else rows
    images, labels = dataset.train_images[rows], dataset.train_labels[rows]
    return np.stack([images[labels == j].mean(axis=0) for j in range(N_CLASSES)])


@pytest.mark.parametrize("name", ["scratch", "warm-up"])
def test_an_arm_without_images_of_its_own_prepares_nothing(dataset, name):
    assert prepared(dataset, name)[0] is None


@pytest.mark.parametrize("name", PRETRAINED)
def test_every_epoch_of_every_arm_holds_each_class_equally_often(dataset, name):
    pretraining = prepared(dataset, name)[0]
    a_class = {"k-means-2": 2, "k-means-5": 5, "k-means-10": 10}.get(name, 1)
    assert pretraining.per_epoch == a_class * N_CLASSES
    labels = pretraining.labels[pretraining.rows]
    n_epochs = N_EPOCHS if name == "fresh-batches" else 1  # all others repeat one
    for epoch in np.split(labels, n_epochs):
        assert np.bincount(epoch).tolist() == [a_class] * N_CLASSES


def bill(add, div, **others):
    """Count operations by kind."""
    return Counter(add=add, div=div, **others)


MEANS = bill(N_TRAIN * N_PIXELS, N_CLASSES * N_PIXELS)  # sums of 60 x 16, 3 x 16 divisions
NORMS = N_TRAIN + N_CLASSES
BILLS = {
    "fresh-batches": Counter(),  # to choose an image is free; to scale it stands on every run's bill
    "exemplar": Counter(),
    # each image from its own class's mean, 16 add and fma; the nearest of 20, in each of 3 classes
    "medoid": MEANS + bill(N_TRAIN * N_PIXELS, 0, fma=N_TRAIN * N_PIXELS, cmp=N_TRAIN - N_CLASSES),
    "closed-form-exemplar": Counter(),
    "means-10": bill(10 * N_CLASSES * N_PIXELS, N_CLASSES * N_PIXELS),
    # 60 steps are 7 epochs of 60 images in 8 steps and 4 batches of 8
    "stream-means": bill((7 * 60 + 4 * 8) * N_PIXELS, N_CLASSES * N_PIXELS),
    "global-mean": bill(N_TRAIN * N_PIXELS, N_PIXELS),
    # over 3 x 16 pixels: mean, variance, scale, shift; two divisions and a root a class
    "noise": MEANS + bill(2 * 48, 2 * N_CLASSES, fma=2 * 48, sqrt=N_CLASSES),
    # norms of images and means; their averages; a factor a class; a product a pixel
    "stretched-means": MEANS + bill(N_TRAIN, 2 * N_CLASSES, fma=NORMS * N_PIXELS, sqrt=NORMS, mul=3 * N_PIXELS),
    **{
        f"k-means-{k}": bill(  # ten rounds: k distances an image, the nearest of k, sums, k means a class
            10 * (k + 1) * N_TRAIN * N_PIXELS,
            10 * k * N_CLASSES * N_PIXELS,
            fma=10 * k * N_TRAIN * N_PIXELS,
            cmp=10 * (k - 1) * N_TRAIN,
        )
        for k in (2, 5, 10)
    },
}
"""Operations that make an arm's images; those of the class averages for all others."""
BILLS |= {"closed-form-global-mean": BILLS["global-mean"], "closed-form-noise": BILLS["noise"]}


@pytest.mark.parametrize("name", PRETRAINED)
def test_making_an_arms_images_is_on_its_bill_in_phase_data(dataset, name):
    dense = prepared(dataset, name)[0].tally.to_record()["dense"]
    assert dense.keys() <= {"data"}
    assert sum((Counter(kinds) for kinds in dense.get("data", {}).values()), Counter()) == BILLS.get(name, MEANS)


@pytest.mark.parametrize("name", PRETRAINED)
def test_what_an_arm_draws_depends_on_its_seed_alone(dataset, name):
    """Neither on the network and its training, nor on what was prepared before."""
    shared = RunData(dataset, small_config())
    for arm in ARMS:
        shared.prepare_shared(arm)
    for other in PRETRAINED:
        prepared(dataset, other, seed=1, data=shared)
    first, again, changed = (
        prepared(dataset, name),
        prepared(dataset, name, data=shared),
        prepared(dataset, name, optimizer="sgd", learning_rate=0.5, hidden_layer_sizes=(7,)),
    )
    for found, _, _ in (again, changed):
        np.testing.assert_array_equal(pixels_of(dataset, found), pixels_of(dataset, first[0]))
        np.testing.assert_array_equal(found.labels, first[0].labels)
        np.testing.assert_array_equal(found.rows_read, first[0].rows_read)


@pytest.mark.parametrize("name", PRETRAINED)
def test_another_seed_changes_the_images_of_those_arms_that_draw(dataset, name):
    one, two = (prepared(dataset, name, seed)[0] for seed in (0, 1))
    differ = not np.array_equal(pixels_of(dataset, one), pixels_of(dataset, two))
    assert (differ or one.labels.tolist() != two.labels.tolist()) == ARMS[name].draws


@pytest.mark.parametrize("name", PRETRAINED)
def test_no_arm_looks_at_an_image_that_is_held_out(dataset, name):
    pretraining, given, _ = prepared(dataset, name, stop_on="validation")
    assert len(given.rows) == N_TRAIN - N_TRAIN // 6
    read = pretraining.read_by(N_EPOCHS)
    assert len(read) > 0
    assert set(read.tolist()) <= set(given.rows.tolist())
    assert set(pretraining.read_by(0)) == set() if name in ("fresh-batches", "exemplar") else set(read)


@pytest.mark.parametrize("seed", range(20))
def test_permuted_averages_are_the_averages_and_none_keeps_its_label(dataset, seed):
    pretraining = prepared(dataset, "permuted", seed)[0]
    np.testing.assert_allclose(pretraining.images, class_averages(dataset), rtol=1e-6)
    assert sorted(pretraining.labels) == list(range(N_CLASSES))
    assert (pretraining.labels != np.arange(N_CLASSES)).all()


def test_fresh_batches_have_one_image_a_class_and_repeat_none_until_a_class_runs_out(dataset):
    pretraining = prepared(dataset, "fresh-batches", pretrain_epochs=PER_CLASS + 2)[0]
    batches = pretraining.rows.reshape(-1, N_CLASSES)
    assert len(batches) == PER_CLASS + 2
    assert (dataset.train_labels[batches] == np.arange(N_CLASSES)).all()
    assert len(np.unique(batches[:PER_CLASS])) == N_TRAIN
    np.testing.assert_array_equal(batches[PER_CLASS:], batches[:2])
    assert pretraining.read_by(2).tolist() == sorted(batches[:2].ravel())


def test_medoids_are_the_images_nearest_to_the_averages(dataset):
    means, rows = class_averages(dataset), prepared(dataset, "medoid")[0].rows
    for label, row in enumerate(rows):
        members = np.flatnonzero(dataset.train_labels == label)
        distances = np.linalg.norm(dataset.train_images[members] - means[label], axis=1)
        assert row == members[distances.argmin()]


@pytest.mark.parametrize("n", [100, 1000])
def test_means_of_many_average_as_many_or_refuse(dataset, tmp_path, n):
    large = load_dataset(write_dataset(tmp_path / "large", n_train=N_CLASSES * (n + 1)))
    pretraining = prepared(large, f"means-{n}")[0]
    assert np.bincount(large.train_labels[pretraining.rows_read]).tolist() == [n] * N_CLASSES
    kinds = sum((Counter(kinds) for kinds in pretraining.tally.to_record()["dense"]["data"].values()), Counter())
    assert kinds == bill(n * N_CLASSES * N_PIXELS, N_CLASSES * N_PIXELS)
    with pytest.raises(DataError, match=f"arm means-{n}: class 0 has 20 images: too few for an average of {n}"):
        prepared(dataset, f"means-{n}")


def test_means_of_ten_average_ten_images_of_each_class(dataset):
    pretraining = prepared(dataset, "means-10")[0]
    assert np.bincount(dataset.train_labels[pretraining.rows_read]).tolist() == [10] * N_CLASSES
    np.testing.assert_allclose(pretraining.images, class_averages(dataset, pretraining.rows_read), rtol=1e-6)


def test_stream_means_average_the_first_images_that_the_runs_own_training_sees(dataset, monkeypatch):
    monkeypatch.setattr(arms, "STREAM_IMAGES", 3 * 8)
    for seed in (0, 1):
        pretraining, _, real = prepared(dataset, "stream-means", seed)
        first = real.images_of(3)  # batches of 8
        np.testing.assert_array_equal(real.order, prepared(dataset, "scratch", seed)[2].order)
        np.testing.assert_allclose(pretraining.images, class_averages(dataset, first), rtol=1e-6)
        np.testing.assert_array_equal(pretraining.rows_read, first)


@pytest.mark.slow
def test_the_closed_form_start_is_the_nearest_class_mean(tmp_path):
    dataset = small_dataset(tmp_path)
    dataset.test_pixels[:] = np.random.default_rng(0).integers(0, 256, dataset.test_pixels.shape)  # hard to tell apart
    record = carry_out(dataset, "closed-form")
    distances = np.linalg.norm(dataset.test_pixels[:, None] / 255 - class_averages(dataset), axis=2)
    right = np.count_nonzero(distances.argmin(axis=1) == dataset.test_labels)
    assert 0 < right < N_TEST
    assert record.accuracy_after_pretrain == right / N_TEST
    assert (record.pretrain_epochs, "pretrain" in record.passes) == (0, False)  # no step
    assert record.counts["dense"]["data"]["nearest_mean_layer"]["fma"] == N_CLASSES * N_PIXELS


def test_every_closed_form_start_feeds_an_images_unit_to_the_output_of_its_label(dataset):
    """By hand: images (1, 0, 2), (0, 3, 0), halves of their squared norms 2.5 and 4.5, scale 3 ** -0.5, gain 5."""
    mlp = MLP((3, 4, 2), np.random.default_rng(0))
    untouched = mlp.weights[0][:, 2:].copy()
    images = np.float32([[1, 0, 2], [0, 3, 0]])
    pretraining = arms.own_images(images, np.array([1, 0]), np.arange(0), Tally())
    ARMS["closed-form-wrong-labels"].start(mlp, pretraining, 5.0, Tally())
    np.testing.assert_allclose(mlp.weights[0][:, :2], images.T / 3**0.5, rtol=1e-6)
    np.testing.assert_allclose(mlp.biases[0][:2], [2 / 3**0.5, 0], rtol=1e-6)
    np.testing.assert_array_equal(mlp.weights[0][:, 2:], untouched)
    assert mlp.weights[1].tolist() == [[0, 5], [5, 0], [0, 0], [0, 0]]
    assert mlp.biases[1].tolist() == [0, 0]


def test_the_closed_form_gain_is_the_configurations(dataset):
    data = RunData(dataset, small_config(closed_form_gain=3.0))
    mlp = MLP((N_PIXELS, 5, N_CLASSES), np.random.default_rng(0))
    learner = Learner(data.config, mlp, data.split(0)[1], Tally(), Watch())
    pretrain(learner, ARMS["closed-form"], prepared(dataset, "closed-form", data=data)[0])
    assert learner.mlp.weights[1][:N_CLASSES].tolist() == (3 * np.eye(N_CLASSES)).tolist()


def test_shuffled_averages_keep_the_pixels_of_each_in_an_order_of_its_own(dataset):
    found, means = np.asarray(prepared(dataset, "closed-form-pixels")[0].images), class_averages(dataset)
    np.testing.assert_allclose(np.sort(found, axis=1), np.sort(means, axis=1), rtol=1e-6)
    assert (found != means.astype(np.float32)).any(axis=1).all()
    order = [np.argsort(image, kind="stable") for image in found]
    assert any((order[0] != other).any() for other in order[1:])


@pytest.mark.parametrize(("ours", "theirs"), [("global-mean",) * 2, ("noise",) * 2, ("wrong-labels", "permuted")])
def test_closed_form_starts_have_the_images_of_the_arms_that_are_taught(dataset, ours, theirs):
    one, two = prepared(dataset, f"closed-form-{ours}")[0], prepared(dataset, theirs)[0]
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.labels, two.labels)


def test_exemplars_of_the_closed_form_are_the_real_images_of_arm_exemplar(dataset):
    ours, theirs = prepared(dataset, "closed-form-exemplar")[0], prepared(dataset, "exemplar")[0]
    np.testing.assert_array_equal(ours.images, dataset.train_images[theirs.rows])
    np.testing.assert_array_equal(ours.rows_read, theirs.rows)


def carry_out(dataset, name, **changes):
    data = RunData(dataset, small_config(**changes))
    return run_one(name, 0, data, np.zeros(3, np.int64), np.zeros(1, np.int64))


def after_phase_1(dataset, name):
    """Return a network's initial copy and its learner after phase 1."""
    data = RunData(dataset, small_config())
    pretraining, _, _ = prepared(dataset, name, data=data)
    mlp = MLP((N_PIXELS, 5, N_CLASSES), np.random.default_rng(0))
    initial = mlp.copy()
    learner = Learner(data.config, mlp, data.split(0)[1], Tally(), Watch())
    pretrain(learner, ARMS[name], pretraining)
    return initial.parameters(), learner


@pytest.mark.parametrize(
    ("name", "kept"), [("adam-state", ()), ("first-layer", (0,)), ("output-layer", (1,)), ("reset-optimizer", (0, 1))]
)
def test_arms_keep_layers_and_moments_of_the_pretraining_that_their_names_say(dataset, name, kept):
    _, whole = after_phase_1(dataset, "class-means")
    initial, part = after_phase_1(dataset, name)
    found, pretrained = part.mlp.parameters(), whole.mlp.parameters()  # weight, bias, weight, bias
    for number in range(4):
        assert (pretrained[number] != initial[number]).any()
        expected = pretrained if number // 2 in kept else initial
        np.testing.assert_array_equal(found[number], expected[number])
    if name == "reset-optimizer":
        assert (part.optimizer.powers.tolist(), part.optimizer.mean) == ([1.0, 1.0], [])
    else:
        assert part.optimizer.powers.tolist() == whole.optimizer.powers.tolist() != [1.0, 1.0]
        for found, expected in zip(part.optimizer.mean, whole.optimizer.mean, strict=True):
            assert expected.any()
            np.testing.assert_array_equal(found, expected)


def test_warm_up_rises_in_equal_parts_to_the_full_rate_at_step_28(dataset):
    rates, full = (prepared(dataset, name)[2].learning_rates for name in ("warm-up", "scratch"))
    assert full.tolist() == [0.02] * 60
    np.testing.assert_allclose(rates[:28], [0.02 * step / 28 for step in range(1, 29)], rtol=1e-15)
    assert rates[28:].tolist() == full[28:].tolist()


@pytest.mark.slow
def test_averages_last_is_scratch_up_to_its_step_and_pays_from_there(dataset):
    """A rate that learns nothing: the bill is the whole budget's, 104 steps."""
    still = {"learning_rate": 1e-9, "target": 1.0, "max_steps": 104, "evaluate": "full"}
    late, scratch = (carry_out(dataset, name, **still) for name in ("averages-last", "scratch"))
    assert late.pretrain_after == 100
    assert late.checks[:100] == scratch.checks[:100]
    assert late.passes["train"] == scratch.passes["train"]
    assert late.passes["pretrain"] == {"steps": N_EPOCHS, "images_forward": 9, "images_backward": 9}
    ended = {**still, "max_steps": 100}  # before phase 1
    early, scratch = (carry_out(dataset, name, **ended) for name in ("averages-last", "scratch"))
    assert early.counts == scratch.counts
    assert (early.pretrain_epochs, early.accuracy_after_pretrain) == (0, None)


def test_mixed_batches_are_the_real_ones_with_the_averages_at_their_end(dataset, monkeypatch):
    monkeypatch.setenv("NNLITE_KERNELS", "plain")  # to look at the images as numbers
    pretraining, given, real = prepared(dataset, "mixed")
    mixed, rest = real_pieces(ARMS["mixed"], pretraining, given, real)
    assert (mixed.schedule.n_steps, rest.schedule.n_steps) == (28, 32)
    assert rest.schedule.order.tolist() == real.order[real.starts[28] :].tolist()
    for step in range(28):
        own = mixed.schedule.order[mixed.schedule.starts[step] : mixed.schedule.starts[step + 1]]
        rows = real.order[real.starts[step] : real.starts[step + 1]]
        wanted = np.concatenate([dataset.train_images[rows], pretraining.images])
        np.testing.assert_array_equal(mixed.images[own], wanted)
        assert mixed.labels[own].tolist() == [*dataset.train_labels[rows], *range(N_CLASSES)]


def test_mixed_pays_for_the_averages_and_for_every_image_that_a_step_sees(dataset):
    record = carry_out(dataset, "mixed", learning_rate=1e-9, target=1.0, max_steps=30, evaluate="full")
    # 3 epochs of 60 in 8 steps, six batches of 8, and the 3 averages in each of the first 28
    n_images = 3 * 60 + 6 * 8 + 28 * N_CLASSES
    assert record.passes["train"] == {"steps": 30, "images_forward": n_images, "images_backward": n_images}
    assert record.images_seen[-1] == n_images
    assert record.counts["dense"]["data"]["class_sums"] == {"add": N_TRAIN * N_PIXELS}
    assert "pretrain" not in record.passes


def test_the_explanatory_controls_are_the_eight_that_follow_the_comparison():
    assert tuple(ARMS)[2:10] == EXPLANATORY
