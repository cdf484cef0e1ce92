"""What a run had spent at each of its checks, against the bills of runs that ended there."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from nnlite import MLP, SGD, Adam, Momentum, Tally, class_means
from nnlite.experiment.costs import (
    EVERY_OPERATION,
    MEASURES,
    PHASES,
    Bill,
    agrees_at_stop,
    cost_at_checks,
    cost_at_stop,
)
from nnlite.experiment.records import RunRecord
from nnlite.flops import COST_MODELS
from nnlite.schedule import TO_END
from nnlite.training import Checks, count_scaling, epochs, evaluate, train

OPTIMIZERS = {"sgd": SGD, "momentum": Momentum, "adam": Adam}
N_IMAGES, N_FEATURES, N_CLASSES, N_CHECKED = 14, 5, 3, 6
CHECK_STEPS = [1, 2, 4, 7, 9]
NEVER, AT_ONCE = N_CHECKED + 1, 0  # right answers that end a run
F = 17  # any number: the article's forward pass is what the record says it is

SCOPES = [("data",), ("pretrain",), ("train",), ("evaluate",), ("data", "pretrain", "train"), PHASES]


def carry_out(
    n_steps=9, needed=NEVER, arm="class-means", hidden=(4,), activation="relu", optimizer="adam", to_target=False
):
    """Train as the experiment does: 2 epochs on 3 averages, then batches of 4 of 14 images; keep the record."""
    rng = np.random.default_rng(0)
    images, labels = rng.random((N_IMAGES, N_FEATURES), np.float32), np.arange(N_IMAGES) % N_CLASSES
    looked_at, right = images[:N_CHECKED], labels[:N_CHECKED]
    mlp, stepper, tally = MLP((N_FEATURES, *hidden, N_CLASSES), rng, activation), OPTIMIZERS[optimizer](0.1), Tally()
    schedule = epochs(np.arange(N_IMAGES), 4, n_steps, 0.1, rng)
    rows_read, n_epochs = np.arange(0), 0
    if arm == "class-means":
        means, rows_read, n_epochs = class_means(images, labels, tally=tally), np.arange(N_IMAGES), 2
        for _ in range(n_epochs):
            with tally.phase("pretrain"):
                train(mlp, stepper, means, np.arange(3), epochs(np.arange(3), 3, 1, 0.1), tally=tally)
            evaluate(mlp, looked_at, right, tally, "evaluate" if to_target else "report")
    steps = np.array([step for step in CHECK_STEPS if step <= n_steps])
    checks = Checks(looked_at, right, steps, needed, look=TO_END)
    outcome = train(mlp, stepper, images, labels, schedule, checks, tally)

    def read(n):
        return np.union1d(rows_read, schedule.images_of(n))

    with outcome.tally.phase("data"):
        count_scaling(images, read(outcome.steps), outcome.tally.kernel("scale_pixels"))
    with outcome.tally.phase("evaluate"):
        count_scaling(looked_at, np.arange(N_CHECKED), outcome.tally.kernel("scale_pixels"))
    return RunRecord(
        arm=arm,
        seed=0,
        config={
            "hidden_layer_sizes": list(hidden),
            "activation": activation,
            "optimizer": optimizer,
            "article_pass": F,
            "pretrain_target": 1.0 if to_target else None,
            "evaluate": "full",
        },
        dataset={"n_features": N_FEATURES, "n_classes": N_CLASSES},
        status=outcome.status,
        reached=outcome.status == "reached",
        steps_to_target=None,
        pretrain_epochs=n_epochs,
        accuracy_after_pretrain=None,
        accuracy_at_stop=None,
        passes=outcome.tally.passes(),
        counts=outcome.tally.to_record(),
        checks=[list(check) for check in outcome.checks],
        images_seen=[int(schedule.starts[step]) for step, _ in outcome.checks],
        images_read=[len(read(step)) for step, _ in outcome.checks],
        n_checked=N_CHECKED,
    )


def bill(record, model, phases):
    return record.tally().total(model, phases, article_pass=F)


RUNS = {
    "pretrained with adam": {},
    "from scratch with adam": {"arm": "scratch"},
    "pretrained to a target with momentum and two hidden layers of sigmoid": {
        "optimizer": "momentum",
        "hidden": (4, 3),
        "activation": "sigmoid",
        "to_target": True,
    },
    "from scratch with sgd and tanh": {"arm": "scratch", "optimizer": "sgd", "activation": "tanh"},
}


@pytest.mark.parametrize("run", RUNS)
def test_every_check_costs_what_a_run_that_ends_there_costs(run):
    whole = carry_out(**RUNS[run])
    assert [step for step, _ in whole.checks] == CHECK_STEPS
    for check, step in enumerate(CHECK_STEPS):
        ended = carry_out(step, **RUNS[run])
        assert ended.passes["train"]["steps"] == step
        for model in COST_MODELS:
            for phases in SCOPES:
                assert cost_at_checks(whole, model, phases)[check] == bill(ended, model, phases), (model, phases)


def test_a_bill_closed_early_prices_the_checks_after_it():
    """Both runs do the same; one stopped counting at its first check."""
    early, late = carry_out(needed=AT_ONCE), carry_out()
    assert early.passes["train"]["steps"] == 1
    assert late.passes["train"]["steps"] == 9
    for model in (*COST_MODELS, *MEASURES):
        assert cost_at_checks(early, model, PHASES).tolist() == cost_at_checks(late, model, PHASES).tolist()
    assert agrees_at_stop(early)
    assert agrees_at_stop(late)


def test_measures_count_steps_images_and_images_read():
    """Batches of 4, 4, 4 and 2; pretraining is 2 steps of 3 images; the averages read all 14."""
    means, scratch = carry_out(), carry_out(arm="scratch")
    assert cost_at_checks(scratch, "steps").tolist() == [1, 2, 4, 7, 9]
    assert cost_at_checks(means, "steps").tolist() == [3, 4, 6, 9, 11]
    assert cost_at_checks(scratch, "images").tolist() == [4, 8, 14, 26, 32]
    assert cost_at_checks(means, "images").tolist() == [10, 14, 20, 32, 38]
    assert cost_at_checks(means, "images", ["train"]).tolist() == [4, 8, 14, 26, 32]
    assert cost_at_checks(scratch, "images_read").tolist() == [4, 8, 14, 14, 14]
    assert cost_at_checks(means, "images_read").tolist() == [14] * 5


def test_a_run_costs_what_it_had_spent_at_its_stop_and_a_miss_is_infinite():
    stopped = carry_out(4, needed=0)
    assert stopped.reached
    assert cost_at_stop(stopped, Bill("steps", "training")) == 2 + 1  # at the first check, after pretraining
    assert cost_at_stop(stopped, Bill("images", "training")) == 2 * 3 + 4
    assert cost_at_stop(stopped, EVERY_OPERATION) == cost_at_checks(stopped)[0]
    executed = stopped.tally().total("flop", EVERY_OPERATION.phases, executed=True)
    assert cost_at_stop(stopped, EVERY_OPERATION, executed=True) == executed
    missed = replace(stopped, reached=False)
    assert cost_at_stop(missed, EVERY_OPERATION) == math.inf


def test_scaling_is_paid_once_for_each_distinct_image():
    record = carry_out(arm="scratch")
    assert cost_at_checks(record, "flop", ["data"]).tolist() == [5 * n for n in (4, 8, 14, 14, 14)]  # 5 pixels an image
    assert cost_at_checks(record, "mac", ["data"]).tolist() == [0] * 5  # a division is no multiply-add


def test_images_that_are_floats_are_not_scaled():
    record = carry_out(arm="scratch")
    dense = {**record.counts["dense"], "data": {}}
    dense["evaluate"] = {name: kinds for name, kinds in dense["evaluate"].items() if name != "scale_pixels"}
    unscaled = replace(record, counts={**record.counts, "dense": dense})
    assert cost_at_checks(unscaled, "flop", ["data"]).tolist() == [0] * 5
    assert agrees_at_stop(unscaled)


def test_evaluating_every_so_many_steps_charges_as_many_checks():
    """One check: 6 images of (5 x 4 + 4 x 3) fma, 4 cmp of relu and 2 of argmax; 6 x 5 div before the first."""
    record, check, scaling = carry_out(), 6 * (2 * 32 + 4 + 2), 30
    made = cost_at_checks(record, "flop", ["evaluate"])
    assert made.tolist() == [scaling + n * check for n in (1, 2, 3, 4, 5)]  # at steps 1, 2, 4, 7, 9
    every = cost_at_checks(record, "flop", ["evaluate"], evaluate_every=1)
    assert every.tolist() == [scaling + n * check for n in (1, 2, 4, 7, 9)]
    fourth = cost_at_checks(record, "flop", ["evaluate"], evaluate_every=4)
    assert fourth.tolist() == [0, 0, scaling + check, scaling + check, scaling + 2 * check]


def test_pretraining_that_comes_later_is_paid_later():
    first = carry_out()
    later, scratch = replace(first, pretrain_after=4), carry_out(arm="scratch")
    for model in COST_MODELS:
        before = cost_at_checks(first, model, ["pretrain"])
        assert cost_at_checks(later, model, ["pretrain"]).tolist() == [0, 0, 0, *before[3:]]
    averaging = 14 * 5 + 3 * 5  # sums, then means; scaling has its own time
    without = cost_at_checks(replace(later, images_read=scratch.images_read), "flop", ["data"])
    assert without.tolist() == [5 * 4, 5 * 8, 5 * 14, 5 * 14 + averaging, 5 * 14 + averaging]


@pytest.mark.parametrize("field", ["images_seen", "images_read"])
def test_a_wrong_number_at_the_stop_is_found(field):
    record = carry_out()
    assert agrees_at_stop(record)
    wrong = [*getattr(record, field)[:-1], getattr(record, field)[-1] + 1]
    assert not agrees_at_stop(replace(record, **{field: wrong}))


@pytest.mark.parametrize(
    ("phase", "kernel"),
    [
        ("data", "scale_pixels"),
        ("pretrain", "matmul_grad_weight"),
        ("train", "adam_update"),
        ("train", "argmax"),
        ("evaluate", "matmul_forward"),
    ],
)
def test_a_kernel_that_booked_one_operation_more_is_found(phase, kernel):
    record = carry_out()
    tally = record.tally()
    with tally.phase(phase):
        tally.kernel(kernel)[0] += 1  # dense
    assert not agrees_at_stop(replace(record, counts=tally.to_record()))


def test_a_run_that_diverged_agrees_where_it_ended():
    """The last step is no check: a run that diverged is not looked at."""
    record = carry_out()
    ended = carry_out(8)
    assert [step for step, _ in ended.checks] == [1, 2, 4, 7]
    assert agrees_at_stop(ended)
    assert cost_at_checks(ended).tolist() == cost_at_checks(record)[:4].tolist()


def test_a_run_that_never_trained_has_no_costs_and_nothing_to_disagree_with():
    record = replace(
        carry_out(), checks=[], images_seen=[], images_read=[], passes={}, counts={"dense": {}, "executed": {}}
    )
    assert cost_at_checks(record).tolist() == []
    assert agrees_at_stop(record)


def test_a_bill_that_ends_before_a_later_pretraining_cannot_price_it():
    ended = replace(carry_out(needed=AT_ONCE, arm="scratch"), pretrain_after=4)
    with pytest.raises(ValueError, match="its bill ends before its pretraining after step 4"):
        cost_at_checks(ended)
    assert agrees_at_stop(ended)


def test_what_cannot_be_priced_is_refused():
    record = carry_out()
    with pytest.raises(ValueError, match=r"cost model 'flops': unknown; there are flop, .*, images_read"):
        cost_at_checks(record, "flops")
    with pytest.raises(ValueError, match="phases report: unknown; there are data, pretrain, train, evaluate"):
        cost_at_checks(record, "flop", ["report", "train"])
    with pytest.raises(ValueError, match=r"expected images_seen and images_read at 5 checks, found 0 and 5"):
        cost_at_checks(replace(record, images_seen=[]))
