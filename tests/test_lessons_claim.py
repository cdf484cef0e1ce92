"""The lesson on the claim: its arithmetic is exact, its six pairs add up."""

from __future__ import annotations

from fractions import Fraction

import pytest
from lesson_output import printed_by
from made import small_config, small_dataset

from nnlite.experiment import article
from nnlite.lessons import claim

EPOCHS, STEP = 28 * 12, 66  # the article's cost of the epochs and of a step of 64 images, in F


def printed(without_jit="0"):
    return printed_by("claim", without_jit)


def columns(start):
    """The words of the one line that starts so."""
    (line,) = [line[len(start) :].split() for line in printed().splitlines() if line.startswith(start)]
    return line


def saving(steps, scratch_steps):
    """In percent with one decimal, as it is printed."""
    return f"{float(1 - Fraction(EPOCHS + STEP * steps, STEP * scratch_steps)):.1%}"


def six_pairs():
    return [[int(n) for n in columns(f"  steps {kind} ")] for kind in ("after averages", "from scratch")]


def test_the_printed_totals_lead_to_one_pass_and_one_backward_step():
    assert claim.solve(214 * 64) == (100_480, 200_960)
    assert (claim.F, claim.B) == (article.FORWARD_PASS, article.BACKWARD_PASS)


@pytest.mark.parametrize("scratch_passes", [13_482, 13_696, 20_000])
def test_what_is_solved_for_gives_both_totals_back(scratch_passes):
    forward, backward = claim.solve(scratch_passes)
    assert 9_560 * forward + 173 * backward == 995_354_880
    assert scratch_passes * forward + 214 * backward == 1_419_179_520


def test_the_scratch_passes_as_printed_would_need_work_below_zero():
    forward, backward = claim.solve(13_482)
    assert forward.denominator > 1
    assert backward < 0
    assert "  13,482 = 214 x 63:    F = 113,462.1    B = -516,432.7\n" in printed()


def test_only_the_first_layer_with_its_biases_has_a_whole_number_of_units():
    whole = {
        (counted, n): int(units)
        for counted in claim.WEIGHTS
        for n in (1, 2)
        if (units := claim.hidden_units(counted, n)).denominator == 1
    }
    # 100,480 = 785 x 128 = 2 x 785 x 64
    assert whole == {("first layer, biases", 1): 128, ("first layer, biases", 2): 64}
    assert claim.hidden_units("both layers, biases", 1) == Fraction(100_480 - 10, 784 + 1 + 10)


def test_the_saving_at_the_articles_own_steps_is_the_articles():
    assert claim.saving(145, 64) == article.savings()["flops"] == 1 - Fraction(28 * 12 + 145 * 66, 214 * 66)


def test_every_omission_stands_with_what_it_makes_of_the_saving():
    wanted = {
        "nothing": ["29.9%"],
        "output layer and activations: a larger F": ["29.9%"],  # F cancels
        "backward for every image, not every step": ["30.2%"],  # 1 - 9,560 / 13,696
        "averaging 60,000 images": ["47,047,840", "26.5%"],  # 1 - (995,354,880 + 47,047,840) / 1,419,179,520
        "one look at 10,000 test images": ["1,004,800,000", "17.5%"],  # 10,000 x 100,480 on both bills
        "such a look after every step": ["32.2%"],  # 145 of them against 214
    }
    assert {omission: columns(f"  {omission} ") for omission in wanted} == wanted
    assert "1.013 x forward" in printed()  # (784 x 128 + 2 x 128 x 10) / (784 x 128 + 128 x 10) = 102,912 / 101,632


def test_six_pairs_are_priced_as_the_article_prices_its_own():
    treated, scratch = six_pairs()
    assert columns("  seed ") == [str(seed) for seed in range(6)]
    assert columns("  saved ") == [saving(*pair) for pair in zip(treated, scratch, strict=True)]
    assert len(set(columns("  saved "))) > 1  # they differ from seed to seed
    assert all(50 < steps < 300 for steps in treated + scratch)


def test_runs_that_are_no_pair_and_the_interval_are_those_of_the_steps_above():
    treated, scratch = six_pairs()
    cheapest, dearest = saving(max(treated), min(scratch)), saving(min(treated), max(scratch))
    # at least the article's: its 1 - 9,906 / 14,124, compared as a fraction
    n_above = sum((EPOCHS + STEP * t) * 14_124 <= 9_906 * STEP * s for t in treated for s in scratch)
    assert f"  36 savings, {cheapest} to {dearest}, the article's or more in {n_above}.\n" in printed()
    in_order = sorted(columns("  saved "), key=lambda percent: float(percent[:-1]))
    assert f"smallest and the largest saving, {in_order[0]} and {in_order[-1]}.\n" in printed()
    below = sum(float(percent[:-1]) < 29.86 for percent in in_order)  # 29.864%
    assert f"The article's 29.9% lies above {below} of these 6.\n" in printed()


def test_the_fewest_pairs_with_an_interval_are_six():
    # all on one side of the median: 2 / 2^5 = 6.25%, 2 / 2^6 = 3.125%
    assert [columns(f"  n = {n} ")[-1] for n in (1, 5, 6)] == ["100.0%", "6.2%", "3.1%"]


def test_without_compiled_kernels_the_arithmetic_stands_and_the_pairs_are_left_out():
    before, after = printed("1").split("\n6. ")
    assert before == printed().split("\n6. ")[0]
    assert "unset NUMBA_DISABLE_JIT" in after
    assert "steps from scratch" not in after


def test_carried_out_pairs_come_by_seed_and_by_kind(tmp_path):
    treated, scratch = claim.carry_out(small_dataset(tmp_path), small_config(), 3)
    assert [(r.arm, r.seed) for r in treated] == [("class-means", seed) for seed in range(3)]
    assert [(r.arm, r.seed) for r in scratch] == [("scratch", seed) for seed in range(3)]
