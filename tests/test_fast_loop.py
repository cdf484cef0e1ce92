"""The fast step against the plain kernels, and the compiled loop against a Python loop over the same step."""

from __future__ import annotations

import itertools

import counting
import numpy as np
import pytest

from nnlite import MLP, SGD, Adam, Momentum, Tally
from nnlite.kernels.fast.loop import BUDGET, NOT_FINITE, REACHED, STOPPED, Plan, Watch, run
from nnlite.kernels.fast.network import new_data, new_work, pack_network, unpack_network
from nnlite.kernels.fast.optimizers import new_optimizer
from nnlite.kernels.fast.rows import build_rows
from nnlite.kernels.fast.step import N_OPERATIONS, evaluate, operation_names, train_step
from nnlite.kernels.ops import ACTIVATIONS, N_KINDS

pytestmark = pytest.mark.kernels

SETTINGS = {"sgd": (), "momentum": (0.9,), "adam": (0.9, 0.999, 1e-8)}
RATES = {"sgd": 0.1, "momentum": 0.03, "adam": 0.01}
SIZES = [(11, 4), (11, 20, 4), (11, 70, 9, 4)]
"""No hidden layer; one; two, of a width past a panel of 64 and one short of 16 lanes."""
N_IMAGES = 20


def images_and_labels():
    rng = np.random.default_rng(0)
    images = rng.random((N_IMAGES, 11), np.float32) * (rng.random((N_IMAGES, 11)) < 0.5)
    return images.astype(np.float32), rng.integers(0, 4, N_IMAGES)


def parameters(sizes):
    rng = np.random.default_rng(1)
    weights = [rng.uniform(-0.5, 0.5, pair).astype(np.float32) for pair in itertools.pairwise(sizes)]
    return weights, [rng.uniform(-0.5, 0.5, n_out).astype(np.float32) for n_out in sizes[1:]]


class Run:
    """Everything one run needs, made anew from the same beginnings."""

    def __init__(self, sizes=(11, 20, 4), name="sgd", on_rows=True, activation="relu", n_steps=6, rate=None, **plan):
        images, labels = images_and_labels()
        self.name, self.activation, self.sizes = name, activation, sizes
        self.network = pack_network(*parameters(sizes), activation, on_rows)
        self.optimizer = new_optimizer(name, self.network, SETTINGS[name])
        images = build_rows([images], counting.new_tally()) if on_rows else images
        self.data = new_data(images, labels)
        self.work, self.check_work = new_work(self.network, 7, True), new_work(self.network, 6, False)
        # Batches of 7, 7 and a short one of 6, in a fresh order each epoch.
        order = np.concatenate([np.random.default_rng(2 + epoch).permutation(N_IMAGES) for epoch in range(7)])
        starts = np.concatenate([[20 * epoch, 20 * epoch + 7, 20 * epoch + 14] for epoch in range(7)])[: n_steps + 1]
        rates = np.full(n_steps, RATES[name] if rate is None else rate)
        self.plan = Plan(order, starts, rates, np.array([1, 2, 5]), np.arange(N_IMAGES), 21, 1)._replace(**plan)
        n_checks = len(self.plan.check_steps)
        self.watch = Watch(
            np.zeros(2, np.int64), np.zeros(1, np.int64), np.zeros(n_steps, np.float32), np.zeros(n_checks, np.int64)
        )
        self.tallies = np.zeros((3, N_OPERATIONS, 2, N_KINDS), np.int64)
        self.at_hit = np.zeros_like(self.tallies)

    def loop(self):
        return run(
            self.network, self.optimizer, self.data, self.plan, self.data, self.watch, self.work, self.check_work,
            self.tallies, self.at_hit,
        )  # fmt: skip

    def step(self, i, tallies=None):
        batch = self.plan.order[self.plan.starts[i] : self.plan.starts[i + 1]]
        tallies = self.tallies[0] if tallies is None else tallies
        return train_step(self.network, self.optimizer, self.data, batch, self.plan.rates[i], self.work, tallies)

    def check(self):
        return evaluate(self.network, self.data, self.plan.check_order, self.check_work, self.tallies[1])

    def unpacked(self):
        weights, biases = parameters(self.sizes)
        unpack_network(self.network, weights, biases)
        return weights + biases

    def arrays(self):
        """All that a run leaves behind."""
        state = [part for part in self.optimizer if isinstance(part, np.ndarray)]
        return [self.network.parameters, *state, self.watch.losses, self.watch.correct, self.tallies]


VARIANTS = [
    *[(sizes, name, True, "relu") for sizes in SIZES for name in SETTINGS],
    *[((11, 20, 4), name, False, "relu") for name in SETTINGS],
    *[((11, 20, 4), "sgd", True, function) for function in ACTIVATIONS if function != "relu"],
]


@pytest.mark.parametrize(("sizes", "name", "on_rows", "function"), VARIANTS)
def test_loop_and_stepwise_driver_agree_in_bits_and_tally(sizes, name, on_rows, function):
    compiled, stepwise = (Run(sizes, name, on_rows, function) for _ in range(2))
    assert compiled.loop() == BUDGET
    for i in range(6):
        stepwise.watch.losses[i] = stepwise.step(i)
        if i + 1 in (1, 2, 5):
            stepwise.watch.correct[[1, 2, 5].index(i + 1)] = stepwise.check()
    for found, expected in zip(compiled.arrays(), stepwise.arrays(), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert compiled.watch.progress.tolist() == [6, stepwise.watch.correct[-1]]
    assert np.isfinite(compiled.network.parameters).all()


PLAIN = {"sgd": SGD, "momentum": Momentum, "adam": Adam}  # with the settings above by default


def plain_network(sizes, function="relu"):
    """The same network, to be trained by the plain kernels."""
    mlp = MLP(sizes, np.random.default_rng(0), function)
    mlp.weights[:], mlp.biases[:] = parameters(sizes)
    return mlp


@pytest.mark.parametrize(("sizes", "name", "on_rows", "function"), VARIANTS)
def test_steps_are_the_plain_kernels_steps(sizes, name, on_rows, function):
    fast, mlp = Run(sizes, name, on_rows, function), plain_network(sizes, function)
    stepper, tally = PLAIN[name](RATES[name]), Tally()
    images, labels = images_and_labels()
    for i in range(6):
        batch = fast.plan.order[fast.plan.starts[i] : fast.plan.starts[i + 1]]
        loss, gradients = mlp.loss_and_gradients(images[batch], labels[batch], tally)
        stepper.step(mlp, gradients, tally)
        np.testing.assert_allclose(fast.step(i), loss, rtol=2e-4)
    for found, wanted in zip(fast.unpacked(), mlp.weights + mlp.biases, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=2e-4)
    for operation, counters in zip(operation_names(function, name), fast.tallies[0], strict=True):
        np.testing.assert_array_equal(counters[0], tally.kernel(operation)[0], err_msg=operation)


@pytest.mark.parametrize("on_rows", [True, False])
@pytest.mark.parametrize("sizes", SIZES)
def test_an_evaluation_counts_the_plain_right_answers_in_chunks_of_any_size(sizes, on_rows):
    (images, labels), tally = images_and_labels(), Tally()
    right = np.count_nonzero(plain_network(sizes).predict(images, tally) == labels)
    case = Run(sizes, on_rows=on_rows)
    assert case.check() == right
    np.testing.assert_array_equal(case.tallies[1, 0, 0], tally.kernel("matmul_forward")[0])
    assert counting.by_kind(case.tallies[1, -1, 0]) == {"cmp": N_IMAGES * 3}  # 4 classes: 3 tests an image
    for capacity in (1, 20, 33):
        case.check_work = new_work(case.network, capacity, False)
        assert case.check() == right


@pytest.mark.parametrize("name", SETTINGS)
def test_two_runs_in_a_row_are_one_longer_run(name):
    whole, parts = Run(name=name), Run(name=name)
    whole.loop()
    plan = parts.plan
    for begin, end in ((0, 2), (2, 6)):
        parts.plan = plan._replace(
            starts=plan.starts[begin : end + 1], rates=plan.rates[begin:end], check_steps=np.zeros(0, np.int64)
        )
        assert parts.loop() == BUDGET
    for found, expected in zip(parts.arrays()[:-3], whole.arrays()[:-3], strict=True):
        np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(parts.tallies[0], whole.tallies[0])


def test_a_run_ends_at_the_first_check_that_reaches_the_target():
    whole = Run(check_steps=np.arange(1, 7), stop_at_hit=0, needed=0)
    assert whole.loop() == REACHED
    needed = int(whole.watch.correct.max())
    first = int(np.argmax(whole.watch.correct)) + 1
    case = Run(check_steps=np.arange(1, 7), needed=needed)
    assert case.loop() == REACHED
    assert case.watch.progress.tolist() == [first, needed]
    np.testing.assert_array_equal(case.at_hit, case.tallies)
    watched = Run(check_steps=np.arange(1, 7), needed=needed, stop_at_hit=0)
    assert watched.loop() == REACHED
    assert watched.watch.progress[0] == 6
    np.testing.assert_array_equal(watched.at_hit, case.tallies)  # the bill at the hit, though the run went on
    np.testing.assert_array_equal(watched.watch.correct, whole.watch.correct)


def test_rows_apart_are_evaluated_at_every_check_and_counted_by_themselves():
    rows = np.array([3, 4, 19])
    with_apart, stepwise, without = (Run(apart=rows), Run(apart=rows), Run())
    with_apart.watch = with_apart.watch._replace(apart=np.zeros(3, np.int64))
    assert with_apart.loop() == without.loop() == BUDGET
    expected = []
    for i in range(6):
        stepwise.step(i)
        if i + 1 in (1, 2, 5):
            tally = stepwise.tallies[2]
            expected.append(evaluate(stepwise.network, stepwise.data, rows, stepwise.check_work, tally))
    assert with_apart.watch.apart.tolist() == expected
    np.testing.assert_array_equal(with_apart.tallies[2], stepwise.tallies[2])
    assert with_apart.tallies[2].any()
    np.testing.assert_array_equal(with_apart.tallies[:2], without.tallies[:2])
    np.testing.assert_array_equal(with_apart.watch.correct, without.watch.correct)


def test_a_run_told_to_stop_ends_after_its_step():
    case = Run()
    case.watch.stop[0] = 1
    assert case.loop() == STOPPED
    assert case.watch.progress[0] == 1


def test_a_loss_that_is_not_finite_ends_the_run_where_it_happens():
    case = Run(rate=1e30)
    assert case.loop() == NOT_FINITE
    assert not np.isfinite(case.watch.losses[case.watch.progress[0] - 1])
    assert np.isfinite(case.watch.losses[: case.watch.progress[0] - 1]).all()


def test_a_plan_without_steps_does_nothing():
    case = Run(n_steps=0)
    before = case.network.parameters.copy()
    assert case.loop() == BUDGET
    np.testing.assert_array_equal(case.network.parameters, before)
    assert not case.tallies.any()


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("on_rows", [True, False])
def test_packing_and_unpacking_give_the_arrays_back(sizes, on_rows):
    case = Run(sizes, on_rows=on_rows)
    for found, expected in zip(case.unpacked(), itertools.chain(*parameters(sizes)), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert case.network.parameters.ctypes.data % 64 == 0


@pytest.mark.skipif(not hasattr(run, "signatures"), reason="plain Python has no signatures")
def test_depth_and_kind_of_images_share_one_compiled_loop():
    Run((11, 20, 4)).loop()
    compiled = len(run.signatures)
    Run((11, 70, 9, 4)).loop()
    Run((11, 4), on_rows=False).loop()
    assert len(run.signatures) == compiled
