"""The choice between the plain and the compiled form of a run: who takes which, and that both mean the same."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import reference
from counting import by_kind, new_tally

from nnlite import MLP, SGD, Tally, compiled
from nnlite.closed_forms import step_counts
from nnlite.kernels.fast.rows import Rows
from nnlite.kernels.fast.target import has_fma
from nnlite.kernels.ops import DENSE, EXECUTED
from nnlite.schedule import DECIDE, TO_END, TO_HIT
from nnlite.training import Checks, count_scaling, epochs, evaluate, prepare_images, train

pytestmark = pytest.mark.kernels

PIXELS = np.zeros((12, 20), np.uint8)  # 3 of 20 pixels are not zero: dark enough for rows
PIXELS[np.arange(12)[:, None], (np.arange(12) % 3)[:, None] + [0, 5, 9]] = 51
LABELS = np.arange(12) % 3


def floats():
    return PIXELS / np.float32(255)


def run(images, dtype=np.float32):
    """Six steps, two checks, and a last look; return its outcome, the right answers, the bill."""
    mlp, tally = MLP((20, 4, 3), np.random.default_rng(0), dtype=dtype), Tally()
    checks = Checks(images, LABELS, np.array([1, 6]), needed=13)
    outcome = train(mlp, SGD(0.5), images, LABELS, epochs(np.arange(12), 5, 6, 0.5), checks, tally)
    return outcome, evaluate(mlp, images, LABELS, tally, phase="report"), tally


def prepared():
    return prepare_images([PIXELS], floats)


def test_dark_bytes_become_rows_unless_the_environment_says_plain(monkeypatch):
    monkeypatch.delenv("NNLITE_KERNELS", raising=False)
    assert isinstance(prepared(), Rows)
    bright = np.full((12, 20), 51, np.uint8)
    for pixels in (bright, PIXELS.astype(np.float32)):
        np.testing.assert_array_equal(prepare_images([pixels], floats), floats())
    monkeypatch.setenv("NNLITE_KERNELS", "plain")
    np.testing.assert_array_equal(prepared(), floats())


def test_both_forms_have_one_dense_bill_and_the_same_checks(monkeypatch):
    monkeypatch.setenv("NNLITE_KERNELS", "fast")
    fast, fast_correct, fast_bill = run(prepared())
    monkeypatch.setenv("NNLITE_KERNELS", "plain")
    plain, plain_correct, plain_bill = run(prepared())
    assert fast.checks == plain.checks
    assert (fast.status, fast.steps, fast_correct) == (plain.status, plain.steps, plain_correct)
    dense = plain_bill.to_record()["dense"]
    for phase in ("evaluate", "report"):
        assert dense[phase].pop("correct_count") == {}  # free, and no kernel of its own in the compiled form
    assert fast_bill.to_record()["dense"] == dense
    assert fast_bill.passes() == plain_bill.passes()
    executed = fast_bill.counts()
    assert executed["train"]["matmul_forward"]["fma" if has_fma() else "mul"] > 0  # plain loops fuse nothing
    assert executed != plain_bill.counts()
    for a, b in zip(fast.network.parameters(), plain.network.parameters(), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)


def test_without_fma_a_mul_and_an_add_are_booked_for_each(monkeypatch):
    monkeypatch.setenv("NNLITE_KERNELS", "fast")
    bills = []
    for answer in (True, False):
        monkeypatch.setattr(compiled, "has_fma", lambda answer=answer: answer)
        bills.append(run(prepared())[2])
    fused, unfused = bills
    assert unfused.to_record()["dense"] == fused.to_record()["dense"]
    expected = {phase: reference.executed(kernels) for phase, kernels in fused.counts().items()}
    assert {
        phase: {name: Counter(kinds) for name, kinds in of.items()} for phase, of in unfused.counts().items()
    } == expected
    assert unfused.total(executed=True) == fused.total(executed=True)  # a multiply-add is two operations either way


@pytest.mark.parametrize(("needed", "look", "steps"), [(13, TO_HIT, 12), (8, TO_HIT, 3), (8, TO_END, 3)])
def test_images_apart_are_looked_at_after_each_check_and_decide_nothing(monkeypatch, needed, look, steps):
    """In both forms alike; `report` pays for those up to the stop: the hit's own come after it."""
    found, alone = [], []
    for kernels in ("fast", "plain"):
        monkeypatch.setenv("NNLITE_KERNELS", kernels)
        images, check_steps, outcomes = prepared(), np.arange(1, 13), []
        for apart in (np.array([1, 5, 9, 10, 11]), np.array([0]), None):
            mlp, tally = MLP((20, 4, 3), np.random.default_rng(0)), Tally()
            checks = Checks(images, LABELS, check_steps, needed, look, apart=apart)
            outcomes.append(train(mlp, SGD(0.5), images, LABELS, epochs(np.arange(12), 5, 12, 0.5), checks, tally))
        five, one, without = outcomes
        assert five.checks == one.checks == without.checks
        assert five.steps == without.steps == steps  # 8 of 12 are right after step 3, and all 12 never
        assert five.tally.counts()["train"] == without.tally.counts()["train"]
        assert (len(five.apart), without.apart) == (len(five.checks), [])
        n_looks = 12 if needed == 13 else steps - 1
        assert five.tally.passes()["report"]["images_forward"] == 5 * n_looks
        assert "report" not in without.tally.passes()
        found.append([five.apart, one.apart, five.checks, five.tally.passes()])
        networks = [trained(images, n_steps) for n_steps in check_steps[: len(five.checks)]]
        alone.append([evaluate(mlp, images, LABELS, rows=np.array([1, 5, 9, 10, 11])) for mlp in networks])
    assert found[0] == found[1]
    assert [five for five, _, _, _ in found] == alone
    assert len(set(alone[0])) > 1  # they rise


def trained(images, n_steps):
    mlp = MLP((20, 4, 3), np.random.default_rng(0))
    train(mlp, SGD(0.5), images, LABELS, epochs(np.arange(12), 5, n_steps, 0.5))
    return mlp


def test_a_float64_network_takes_the_plain_form_and_refuses_rows(monkeypatch):
    monkeypatch.setenv("NNLITE_KERNELS", "fast")
    _, _, bill = run(floats(), np.float64)
    counts = bill.to_record()
    assert counts["executed"]["train"] == reference.executed(
        reference.added(*(step_counts((20, 4, 3), "relu", "sgd", n) for n in (5, 5, 2, 5, 5, 2)))
    )
    with pytest.raises(TypeError, match="expected a float array"):
        run(prepared(), np.float64)


def test_an_unknown_choice_is_refused(monkeypatch):
    monkeypatch.setenv("NNLITE_KERNELS", "quick")
    with pytest.raises(ValueError, match="NNLITE_KERNELS=quick: must be fast or plain"):
        run(floats())


def test_scaling_divides_each_pixel_once_and_in_rows_those_that_are_not_zero(monkeypatch):
    monkeypatch.setenv("NNLITE_KERNELS", "fast")
    chosen = np.array([0, 3, 4, 7, 11])
    for images, executed in [
        (floats(), {"div": 5 * 20}),
        (prepared(), {"div": 5 * 3, "cmp": 2 * 5 * 20}),  # every pixel is looked at to count and again to fill
    ]:
        counters = new_tally() + 7
        count_scaling(images, chosen, counters)
        assert by_kind(counters[DENSE] - 7) == {"div": 5 * 20}
        assert by_kind(counters[EXECUTED] - 7) == executed


def test_a_decision_has_the_dense_bill_of_the_evaluation_it_is_and_executes_less(monkeypatch):
    monkeypatch.setenv("NNLITE_KERNELS", "fast")
    pixels, labels = np.tile(PIXELS, (20, 1)), np.tile(LABELS, 20)  # 240 images: four chunks of 64
    images = prepare_images([pixels], lambda: pixels / np.float32(255))
    bills = []
    for look in (DECIDE, TO_HIT):
        mlp, tally = MLP((20, 4, 3), np.random.default_rng(0)), Tally()
        checks = Checks(images, labels, np.array([1, 2, 3]), needed=240, look=look)
        train(mlp, SGD(0.001), images, labels, epochs(np.arange(12), 5, 3, 0.001), checks, tally)
        bills.append(tally)
    decided, full = bills
    assert decided.counts(executed=False)["evaluate"] == full.counts(executed=False)["evaluate"]
    seen = [bill.passes()["evaluate"]["images_forward"] for bill in bills]
    assert seen[1] == 3 * 240
    assert seen[0] == 3 * 64  # one wrong answer settles it, and the first chunk has one
