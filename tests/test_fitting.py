"""`fit`: the steps that `training` would take, epochs that are epochs, what it tells and what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

import nnlite
from nnlite import MLP, SGD, compiled, fit, fitting
from nnlite.kernels.jit import n_ready
from nnlite.training import epochs, evaluate, train

pytestmark = pytest.mark.kernels

SIZES = (5, 4, 3)
N = 14
KERNELS = pytest.mark.parametrize("kernels", ["fast", "plain"])


def data(n=N, seed=3):
    """Images whose label can be learnt: class j is bright in pixel j."""
    labels = np.arange(n) % 3
    return np.random.default_rng(seed).random((n, 5)) / 3 + np.eye(5)[labels] * 2 / 3, labels


def sparse(n=N, seed=3):
    images, labels = data(n, seed)
    return np.where(images > 0.5, images, 0), labels


@KERNELS
@pytest.mark.parametrize("make", [data, sparse])
def test_fit_takes_the_steps_of_training_and_keeps_their_losses(monkeypatch, kernels, make):
    monkeypatch.setenv("NNLITE_KERNELS", kernels)
    (images, labels), mlp, step_by_step = make(), MLP(SIZES, 0), MLP(SIZES, 0)
    history = fit(mlp, images, labels, 3, optimizer=SGD(0.1), batch_size=4, rng=7)
    schedule = epochs(np.arange(N), 4, 12, 0.1, np.random.default_rng(7))
    losses = [train(step_by_step, SGD(9), images, labels, schedule.part(s, s + 1)).loss for s in range(12)]
    assert (history.status, history.steps_per_epoch, history.accuracies.tolist()) == ("budget", 4, [])
    np.testing.assert_allclose(history.losses, losses, rtol=1e-6)
    for parameter, expected in zip(mlp.parameters(), step_by_step.parameters(), strict=True):
        np.testing.assert_allclose(parameter, expected, rtol=1e-5, atol=1e-7)
    assert history.tally.passes()["train"] == {"steps": 12, "images_forward": 3 * N, "images_backward": 3 * N}


def test_the_look_for_nonzero_pixels_is_in_the_bill(monkeypatch):
    monkeypatch.setenv("NNLITE_KERNELS", "fast")
    images, labels = sparse()
    tally = fit(MLP(SIZES, 0), images, labels, 1, validation=(images[:3], labels[:3])).tally
    assert tally.to_record()["executed"]["data"] == {"nonzero_pixels": {"cmp": 2 * 5 * (N + 3)}}  # to count, to fill
    assert tally.total("flop", phases=["data"]) == 0


@KERNELS
def test_validation_is_looked_at_after_every_epoch_up_to_the_target(monkeypatch, kernels):
    monkeypatch.setenv("NNLITE_KERNELS", kernels)
    (images, labels), (others, their_labels), mlp = data(), data(9, 4), MLP(SIZES, 1)
    after, curve = MLP(SIZES, 1), []
    schedule, optimizer = epochs(np.arange(N), 4, 80, 0.02, np.random.default_rng(0)), nnlite.Adam(0.02)
    for epoch in range(20):
        train(after, optimizer, images, labels, schedule.part(4 * epoch, 4 * epoch + 4))
        curve.append(evaluate(after, others, their_labels) / 9)
    reaches = next(epoch for epoch, accuracy in enumerate(curve) if accuracy >= 0.7)
    assert 0 < reaches < 19
    options = {"optimizer": nnlite.Adam(0.02), "batch_size": 4, "validation": (others, their_labels)}
    history = fit(mlp, images, labels, 20, target=0.7, **options)
    assert (history.status, history.accuracies.tolist()) == ("reached", curve[: reaches + 1])
    assert len(history.losses) == 4 * (reaches + 1)
    assert history.tally.passes()["evaluate"]["images_forward"] == 9 * (reaches + 1)
    assert len(fit(MLP(SIZES, 0), images, labels, 2, **{**options, "optimizer": SGD(0.1)}).accuracies) == 2


@KERNELS
def test_epochs_planned_in_parts_are_those_of_one_plan(monkeypatch, kernels):
    monkeypatch.setenv("NNLITE_KERNELS", kernels)
    images, labels = data()
    ends = []
    for planned in (fitting._PLANNED, 2 * N):  # of five epochs all, or two at a time
        monkeypatch.setattr(fitting, "_PLANNED", planned)
        mlp, rng = MLP(SIZES, 0), np.random.default_rng(7)
        history = fit(mlp, images, labels, 5, batch_size=4, rng=rng, validation=(images, labels))
        ends.append((mlp.weights[0].tolist(), history.losses.tolist(), history.accuracies.tolist(), rng.random()))
        assert history.tally.passes()["train"] == {"steps": 20, "images_forward": 5 * N, "images_backward": 5 * N}
    assert ends[0] == ends[1]


def test_more_epochs_than_memory_could_plan_end_at_the_target():
    history = fit(MLP(SIZES, 0), IMAGES, LABELS, 10**15, validation=(IMAGES, LABELS), target=0.0)
    assert (history.status, len(history.losses)) == ("reached", 1)


def test_a_batch_larger_than_the_set_is_the_set():
    assert fit(MLP(SIZES, 0), IMAGES, LABELS, 2, batch_size=2**70).steps_per_epoch == 1


def test_the_network_remembers_what_it_was_trained_on(tmp_path):
    (images, labels), mlp = sparse(), MLP(SIZES, 0)
    fit(mlp, images, labels, 1)
    largest = float(np.float32(images.max()))
    assert mlp.input_range == (0.0, largest)
    nnlite.save(tmp_path / "mlp", mlp)
    assert nnlite.load(tmp_path / "mlp").input_range == mlp.copy().input_range == (0.0, largest)
    bytes_ = np.where(images > 0, 255, 0).astype(np.uint8)
    for attempt in (
        lambda: fit(mlp, bytes_, labels, 1),
        lambda: fit(mlp, images, labels, 1, validation=(bytes_, labels)),
        lambda: nnlite.load(tmp_path / "mlp").predict_proba(bytes_),
    ):
        with pytest.raises(ValueError, match="divide by 255"):
            attempt()
    fit(mlp, -2 * images, labels, 1)
    assert mlp.input_range == (-2 * largest, largest)


def test_images_divided_by_255_twice_are_warned_about_in_training_validation_and_prediction():
    images = np.random.default_rng(0).integers(0, 256, (N, 5)) / 255
    (_, labels), mlp, other = data(), MLP(SIZES, 0), MLP(SIZES, 0)
    twice = images / 255
    with pytest.warns(UserWarning, match="divided by 255 twice"):
        fit(other, twice, labels, 1)
    fit(other, twice, labels, 1)  # told once
    fit(mlp, images, labels, 1)
    for attempt in (lambda: fit(mlp, images, labels, 1, validation=(twice, labels)), lambda: mlp.predict(twice)):
        with pytest.warns(UserWarning, match="trained on 0 to 1: bytes divided by 255 twice"):
            attempt()


IMAGES, LABELS = data()
WITH_NAN = np.where(np.arange(N)[:, None] == 4, np.nan, IMAGES)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((WITH_NAN, LABELS, 1), {}, "image 4 has a pixel that is not finite"),
        ((IMAGES, LABELS, 1), {"validation": (WITH_NAN, LABELS)}, "image 4 has a pixel that is not finite"),
        (
            (IMAGES[:, :4], LABELS, 1),
            {},
            r"images: expected shape \(n_samples, 5\), .*, found \(14, 4\)$",
        ),
        ((np.float64(1), LABELS, 1), {}, r"images: expected shape .*, found \(\)$"),
        ((IMAGES[:0], LABELS[:0], 1), {}, r"images: expected shape .*, found \(0, 5\)"),
        ((IMAGES.reshape(N, 5, 1), LABELS, 1), {}, r"flatten them: images.reshape\(len\(images\), -1\)"),
        ((IMAGES, LABELS[1:], 1), {}, "labels of images: expected 14 integers"),
        ((IMAGES, LABELS + 1, 1), {}, r"labels of images\[2\] is 3: expected 0 to 2; number them from 0"),
        ((IMAGES, LABELS, 1), {"validation": (IMAGES, LABELS[1:])}, "labels of validation: expected 14 integers"),
        ((IMAGES.astype(str), LABELS, 1), {}, "images: expected an array of real numbers, found text"),
        ((IMAGES, LABELS, 0), {}, "epochs 0: must be at least 1"),
        ((IMAGES, LABELS, 1), {"batch_size": 0}, "batch_size 0: must be at least 1"),
        ((IMAGES, LABELS, 1), {"target": 0.9}, "target 0.9: reached on which images"),
        (
            (IMAGES, LABELS, 1),
            {"target": 97, "validation": (IMAGES, LABELS)},
            "target 97: expected a share from 0 to 1",
        ),
    ],
)
def test_what_cannot_be_learnt_from_is_refused_and_nothing_is_changed(arguments, options, message):
    mlp = MLP(SIZES, 0)
    with pytest.raises(ValueError, match=message):
        fit(mlp, *arguments, **options)
    assert mlp.input_range is None
    np.testing.assert_array_equal(mlp.weights[0], MLP(SIZES, 0).weights[0])


@pytest.mark.parametrize("count", [1.5, True, "3"])
def test_epochs_are_a_whole_number(count):
    with pytest.raises(TypeError, match="epochs: expected a whole number"):
        fit(MLP(SIZES, 0), IMAGES, LABELS, count)


def test_sparse_matrices_are_named():
    matrix = pytest.importorskip("scipy.sparse").csr_matrix(IMAGES)
    with pytest.raises(ValueError, match=r"images: a sparse matrix of scipy; images.toarray\(\)"):
        fit(MLP(SIZES, 0), matrix, LABELS, 1)
    with pytest.raises(ValueError, match=r"x: a sparse matrix of scipy; x.toarray\(\)"):
        MLP(SIZES, 0).predict(matrix)


@KERNELS
def test_a_loss_that_is_not_finite_ends_the_training_with_a_warning(monkeypatch, kernels):
    monkeypatch.setenv("NNLITE_KERNELS", kernels)
    with pytest.warns(RuntimeWarning, match="the loss stopped being finite at step 2; a smaller learning rate"):
        history = fit(MLP(SIZES, 0), IMAGES, LABELS, 5, optimizer=SGD(1e38))
    assert (history.status, len(history.losses)) == ("diverged", 2)


@pytest.mark.parametrize("make", [data, sparse])
def test_frozen_images_are_learnt_from_by_the_same_compiled_loop(make):
    images, labels = make()
    images = images.astype(np.float32)
    expected = fit(MLP(SIZES, 0), images, labels, 2).losses
    images.flags.writeable = labels.flags.writeable = False
    n_compiled = n_ready()
    np.testing.assert_array_equal(fit(MLP(SIZES, 0), images, labels, 2).losses, expected)
    assert n_ready() == n_compiled


def test_frozen_rows_are_learnt_from_by_the_same_compiled_loop(monkeypatch):
    """As joblib hands them to its workers: rows of nonzero pixels in memory that is only read."""
    monkeypatch.setenv("NNLITE_KERNELS", "fast")
    images, labels = sparse()
    rows, schedule = compiled.as_rows([images.astype(np.float32)]), epochs(np.arange(N), 4, 4, 0.1)
    loss, right = train(MLP(SIZES, 0), SGD(0.1), rows, labels, schedule).loss, evaluate(MLP(SIZES, 0), rows, labels)
    for array in (rows.start, rows.pixel, rows.value, labels, schedule.order):
        array.flags.writeable = False
    n_compiled = n_ready()
    assert train(MLP(SIZES, 0), SGD(0.1), rows, labels, schedule).loss == loss
    assert evaluate(MLP(SIZES, 0), rows, labels) == right
    assert n_ready() == n_compiled


def test_a_history_says_how_it_went():
    losses = np.array([2.0, 1.0, 0.5, 0.25], np.float32)
    history = nnlite.History("reached", losses, np.array([0.5, 0.975]), 2, nnlite.Tally(), 0.125)
    assert repr(history) == "History(reached, 2 epochs, 4 steps in 0.12 s: loss 2 to 0.25, accuracy 97.50%)"
    page = history._repr_html_()
    assert "<th>mean loss</th><td>1.5000</td><td>0.3750</td>" in page
    assert "<th>accuracy</th><td>50.00%</td><td>97.50%</td>" in page


def test_the_table_of_many_epochs_shows_ten_from_the_first_to_the_last():
    losses = np.arange(1000, dtype=np.float32)
    history = nnlite.History("diverged", losses, np.linspace(0, 1, 999), 1, nnlite.Tally(), 1.0)
    page = history._repr_html_()
    assert "<th>epoch</th><td>1</td><td>112</td>" in page  # 1 + 999 / 9
    assert "<td>889</td><td>1000</td></tr><tr><th>mean loss</th><td>0.0000</td><td>111.0000</td>" in page
    assert page.split("accuracy")[-1].count("%") == 9  # the last epoch diverged and was not looked at


INTERRUPTED = """
import os, signal, sys, threading, time
import numpy as np
from nnlite import MLP, Adam, fit, schedule, training

watches = []

class Seen(training.Watch):
    def __post_init__(self):
        watches.append(self)

def interrupt():
    while not watches or watches[0].done[0] < 10:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)

def network():
    return MLP((5, 256, 256, 3), 0, dtype=sys.argv[1])

training.Watch = Seen
threading.Thread(target=interrupt).start()
mlp, optimizer, images, labels = network(), Adam(), np.eye(5), np.array([0, 1, 2, 0, 1])
try:
    fit(mlp, images, labels, 50_000, optimizer=optimizer)
except KeyboardInterrupt:
    n = int(watches[0].done[0])
    twin, its = network(), Adam()
    training.train(twin, its, images, labels, schedule.epochs(np.arange(5), 5, n, 1e-3, np.random.default_rng(0)))
    same = all((a == b).all() for a, b in zip([*mlp.weights, *optimizer.mean], [*twin.weights, *its.mean]))
    fit(mlp, images, labels, 1, optimizer=optimizer)
    print("stopped", 10 <= n < 50_000, same, optimizer.powers[0] == its.powers[0] * 0.9)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C there")
@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="plain Python hears Ctrl-C by itself")
@pytest.mark.parametrize("dtype", ["float32", "float64"])  # the compiled loop, and a call of a kernel at a time
def test_ctrl_c_leaves_whole_steps_and_the_next_fit_goes_on_from_there(dtype):
    result = subprocess.run([sys.executable, "-c", INTERRUPTED, dtype], capture_output=True, text=True, timeout=120)
    assert (result.returncode, result.stdout) == (0, "stopped True True True\n"), result.stderr


TWICE_INTERRUPTED = """
import os, signal, threading, time
from nnlite import training

begun, interrupted_twice, ended = threading.Event(), threading.Event(), []

def work(watch):
    begun.set()
    interrupted_twice.wait()
    time.sleep(0.2)  # the step under way
    ended.append(int(watch.stop[0]))

def interrupt():
    begun.wait()
    for _ in range(2):
        time.sleep(0.3)  # so that each is heard by itself, while one waits
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.3)
    interrupted_twice.set()

threading.Thread(target=interrupt).start()
try:
    training.interruptibly(work)
except KeyboardInterrupt:
    print("ended", ended)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot send itself Ctrl-C there")
@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="plain Python hears Ctrl-C by itself")
def test_a_second_ctrl_c_does_not_leave_a_thread_that_still_trains():
    result = subprocess.run([sys.executable, "-c", TWICE_INTERRUPTED], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout) == (0, "ended [1]\n"), result.stderr


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"optimizer": "adam"},
            r"optimizer: expected SGD, Momentum or Adam, such as nnlite.Adam\(1e-3\), found 'adam'",
        ),
        ({"validation": (np.eye(3),)}, r"validation: expected a pair, \(images, labels\)"),
        ({"validation": (np.eye(3), [0, 1, 2]), "target": "0.9"}, "target: expected a share from 0 to 1"),
    ],
)
def test_what_is_of_another_kind_is_refused_by_its_name(wrong, message):
    with pytest.raises(TypeError, match=message):
        nnlite.fit(nnlite.MLP((3, 2, 3), rng=0), np.eye(3), [0, 1, 2], epochs=1, **wrong)


def test_what_is_no_network_is_named():
    with pytest.raises(TypeError, match="mlp: expected an MLP, found ndarray"):
        fit(IMAGES, LABELS, MLP(SIZES, 0), 1)


def test_a_learning_rate_that_rounds_to_zero_changes_nothing():
    mlp = MLP(SIZES, 0)
    with pytest.raises(ValueError, match="learning_rate 1e-50: float32 rounds it to 0"):
        fit(mlp, IMAGES, LABELS, 1, optimizer=SGD(1e-50))
    assert mlp.input_range is None
