"""Controls, flags and settings on runs whose bills are whole numbers of steps, p-values against SciPy."""

from __future__ import annotations

import math

import pytest
from made import record
from scipy import stats as scipy_stats

from nnlite.experiment.config import EXPLANATORY
from nnlite.experiment.stats import Comparison, Interval
from nnlite.study import controls as question
from nnlite.study.controls import conclusion, descriptive, explained_by, flags, settings
from nnlite.study.protocol import BATCH_16, CLAIM, CONTROLS, SETTINGS, TWICE_THE_RATE
from nnlite.study.runs import Study

AVERAGING = 5_000  # operations of phase data


def run(arm, seed, hit, config=CONTROLS, phase_1=0, after=None, diverged=False):
    """A run whose article's bill, F = 1, is 66 a step of 64 images, as much for each of its steps of phase 1."""
    steps = config.max_steps if hit is None else hit
    passes = {"train": {"steps": steps, "images_forward": 64 * steps, "images_backward": 64 * steps}}
    dense = {"train": {"matmul_forward": {"fma": 1_000 * steps}}}
    if phase_1:
        images = 64 * phase_1
        passes["pretrain"] = {"steps": phase_1, "images_forward": images, "images_backward": images}
        dense["pretrain"] = {"matmul_forward": {"fma": 1_000 * phase_1}}
        dense["data"] = {"class_sums": {"add": AVERAGING}}
    return record(
        arm,
        seed,
        config={**config.to_record(784, 10), "article_pass": 1},
        status="diverged" if diverged else "budget" if hit is None else "reached",
        reached=hit is not None,
        steps_to_target=hit,
        passes=passes,
        counts={"dense": dense, "executed": {}},
        accuracy_after_pretrain=after,
    )


def arm(name, hits, **changes):
    return [run(name, seed, hit, **changes) for seed, hit in enumerate(hits)]


def claim(n_pairs=20, scratch=100, means=70):
    """Class-means take 10 steps of phase 1: ratio (70 + 10) / 100 in every pair."""
    return arm("scratch", [scratch] * n_pairs, config=CLAIM) + arm(
        "class-means", [means] * n_pairs, config=CLAIM, phase_1=10, after=0.8
    )


def controls(claim_records, control_records):
    return question.controls(Study({"claim": claim_records, "controls": control_records}))


def test_class_means_come_first_as_the_reference():
    first, control = controls(claim(), arm("warm-up", [95] * 20))
    assert (first["arm"], first["outcome"], first["n_pairs"]) == ("class-means", "reference", 20)
    assert first["saved"].interval.median == pytest.approx(1 - 80 / 100)
    # flop: 2 x 1,000 x 80 + 5,000 of 2 x 1,000 x 100
    assert first["saved_every_operation"].interval.median == pytest.approx(1 - 165_000 / 200_000)
    assert (first["after_pretrain"], first["explanation"], first["explains_p"]) == (0.8, None, None)
    assert control["saved"].interval.median == pytest.approx(0.05)
    assert control["after_pretrain"] is None


def test_a_control_that_saves_as_much_explains_and_one_that_saves_less_is_worse():
    # Class-means save 17.5% of every operation, the margin is 5 points: 87 steps (13%) explain, 88 (12%) are worse,
    # half of each is open.
    runs = arm("medoid", [87] * 20) + arm("permuted", [88] * 20) + arm("exemplar", [87, 88] * 10)
    found = {c["arm"]: c for c in controls(claim(), runs)}
    assert {name: c["outcome"] for name, c in found.items()} == {
        "class-means": "reference",
        "exemplar": "open",
        "medoid": "explains",
        "permuted": "worse",
    }
    assert explained_by(list(found.values())) == ["medoid"]
    # Of eight, the smallest is charged eight times: 8 / 2^20.
    assert (found["medoid"]["explains_p"], found["permuted"]["worse_p"]) == (8 / 2**20, 8 / 2**20)


def test_controls_are_tested_on_the_full_bill_and_again_by_the_articles_count():
    # By the article's count class-means save 20%, and 87 steps (13%) are more than 5 points worse.
    runs = arm("medoid", [87] * 20) + arm("permuted", [84] * 20)
    # 80 steps and 10 of phase 1: 10% by the article's count, worse; every operation, 185,000 of 200,000 and worse, too.
    runs += arm("exemplar", [80] * 20, phase_1=10)
    _, exemplar, medoid, permuted = controls(claim(), runs)
    assert [c["outcome"] for c in (medoid, permuted, exemplar)] == ["explains", "explains", "worse"]
    assert [c["outcome_as_article"] for c in (medoid, permuted, exemplar)] == ["worse", "explains", "worse"]
    # Both arms average here: 1 - 0.925 less 1 - 0.825.
    assert exemplar["explanation"].difference == pytest.approx(-0.10)
    assert medoid["explanation"].difference == pytest.approx(0.13 - 0.175)


def test_p_values_are_scipys_sign_tests_with_holms_adjustment_over_the_eight():
    n_near = dict(zip(EXPLANATORY, (20, 17, 16, 15, 14, 13, 3, 10), strict=True))  # of 20 pairs, within the margin
    runs = [r for name, n in n_near.items() for r in arm(name, [80] * n + [99] * (20 - n))]
    found = {c["arm"]: c for c in controls(claim(), runs)}

    def holm(p_values):
        """p_i times the number of p-values not below it, and at least as much as any smaller one's."""
        ordered = sorted(p_values)
        raised = [min(1.0, (8 - i) * p) for i, p in enumerate(ordered)]
        return [max(raised[: ordered.index(p) + 1]) for p in p_values]

    for field, counts in (("explains_p", n_near.values()), ("worse_p", [20 - n for n in n_near.values()])):
        ref = holm([scipy_stats.binomtest(n, 20, alternative="greater").pvalue for n in counts])
        comp = [found[name][field] for name in EXPLANATORY]
        assert comp == pytest.approx(ref), field
    # 16 of 20: p = 6,196 / 2^20 = 0.0059, third of eight: 6 x 0.0059 = 0.035; 15 of 20: 5 x 0.0207 = 0.10.
    assert [found[name]["outcome"] for name in EXPLANATORY[:4]] == ["explains", "explains", "explains", "open"]
    assert found["warm-up"]["outcome"] == "worse"  # 17 of 20 save less: 0.0013, first of eight: 0.010


def test_a_control_without_runs_still_counts_in_the_family():
    found = controls(claim(), arm("medoid", [80] * 20))
    assert [c["arm"] for c in found] == ["class-means", "medoid"]
    assert found[1]["explains_p"] == 8 / 2**20
    assert controls([], []) == controls(claim(), []) == controls([], arm("medoid", [80] * 20)) == []


def test_a_hit_after_the_controls_budget_is_a_miss_for_every_arm():
    late = arm("scratch", [301] * 3, config=CLAIM) + arm("class-means", [301] * 3, config=CLAIM, phase_1=10)
    first, control = controls(late, arm("medoid", [300] * 3))
    assert (first["saved"].both_missed, first["saved"].reductions) == (3, [0.0] * 3)
    assert (control["saved"].scratch_missed, control["saved"].reductions) == (3, [1.0] * 3)


def test_a_run_that_stands_there_twice_is_refused():
    with pytest.raises(ValueError, match="claim, scratch: a seed stands there twice"):
        controls(claim(3) + claim(3), arm("medoid", [80] * 3))


def test_a_diverged_control_is_a_miss_and_stays_in():
    runs = [run("medoid", 0, None, diverged=True), *arm("medoid", [80] * 20)[1:]]
    control = controls(claim(), runs)[1]
    assert (control["n_pairs"], control["saved"].arm_missed) == (20, 1)
    assert control["saved"].reductions[0] == -math.inf
    assert control["outcome"] == "explains"  # 19 of 20


def test_other_arms_are_described_over_the_seeds_that_both_have():
    runs = [run("noise", seed, 90, phase_1=5, after=after) for seed, after in ((2, 0.5), (1, 0.3), (99, 0.9))]
    (found,) = descriptive(Study({"claim": claim(), "descriptive": runs}))
    assert (found["arm"], found["n_pairs"], found["outcome"]) == ("noise", 2, "descriptive")
    assert found["saved"].reductions == pytest.approx([0.05, 0.05])  # (90 + 5) / 100
    assert found["after_pretrain"] == pytest.approx(0.4)
    assert (found["explanation"], found["explains_p"], found["worse_p"]) == (None, None, None)


def judged(**outcomes):
    """Class-means at 20% and eight controls at 1% to 8%, each 2 points either way."""
    names = ["class-means", *EXPLANATORY]
    found = []
    for i, name in enumerate(names):
        saved = Interval(0.20, 0.18, 0.22) if i == 0 else Interval(i / 100, i / 100 - 0.02, i / 100 + 0.02)
        comparison = Comparison([saved.median] * 100, saved, 0, 0, 0)
        outcome = outcomes.get(name.replace("-", "_"), "worse" if i else "reference")
        found.append({"arm": name, "n_pairs": 100, "saved_every_operation": comparison, "outcome": outcome})
    return found


def test_cheap_steps_if_real_batches_or_exemplars_explain_it():
    said = "Cheap steps: fresh batches of ten saved 1.0% (-1.0% to 3.0%), at most 5 points less than the averages; the "
    said += "class averages saved 20.0% (18.0% to 22.0%) (100 pairs, every dense operation counted)."
    assert conclusion(judged(fresh_batches="explains")) == said
    both = conclusion(judged(exemplar="explains", closed_form="explains"))
    assert both.startswith("Cheap steps: one fixed image a class saved 2.0%")
    assert "closed-form" not in both


def test_the_direction_if_the_formula_explains_it_and_all_three_controls_are_worse():
    said = conclusion(judged(closed_form="explains", means_10="explains"))
    assert said.startswith(
        "Not cheap steps: taught by as many steps, the class averages saved 20.0% (18.0% to 22.0%), "
    )
    rest = "but fresh batches of ten saved 1.0% (-1.0% to 3.0%), one fixed image a class saved 2.0% (0.0% to 4.0%) and "
    assert rest + "averages under wrong labels saved 6.0% (4.0% to 8.0%) (100 pairs" in said
    assert "word: the averages' direction, as the closed-form start saved 5.0% (3.0% to 7.0%) and averages of" in said
    assert said.endswith("ten images a class saved 4.0% (2.0% to 6.0%), at most 5 points less than the averages.")


def test_a_control_that_saves_more_than_the_averages_is_not_called_less():
    found = judged(closed_form="explains")
    more = Comparison([0.459] * 100, Interval(0.459, 0.444, 0.481), 0, 0, 0)
    found = [{**c, "saved_every_operation": more} if c["arm"] == "closed-form" else c for c in found]
    said = conclusion(found)
    assert "the closed-form start saved 45.9% (44.4% to 48.1%), more than the averages." in said
    less = Comparison([-0.031] * 100, Interval(-0.031, -0.033, -0.024), 0, 0, 0)
    worse = [{**c, "saved_every_operation": less} if c["arm"] == "exemplar" else c for c in found]
    assert "one fixed image a class cost 3.1% more (2.4% to 3.3%)" in conclusion(worse)
    both = [{**c, "outcome": "explains"} if c["arm"] == "means-10" else c for c in found]  # which saves 4%
    assert "at most 5 points less than the averages" in conclusion(both)


@pytest.mark.parametrize("outcomes", [{}, {"closed_form": "explains", "permuted": "open"}, {"medoid": "explains"}])
def test_neither_alone_otherwise(outcomes):
    said = conclusion(judged(**outcomes))
    assert said.startswith(
        "Neither alone: beside the class averages saved 20.0% (18.0% to 22.0%), the closed-form start saved"
    )
    permuted = "open" if "permuted" in outcomes else "worse"
    assert said.endswith(f"saved 6.0% (4.0% to 8.0%): {permuted} (100 pairs, every dense operation counted).")


def test_nothing_is_said_while_a_deciding_control_is_missing():
    assert conclusion([]) == ""
    assert conclusion([c for c in judged() if c["arm"] != "permuted"]) == ""
    assert conclusion([c for c in judged() if c["arm"] != "warm-up"]) != ""  # it does not decide


def test_a_flag_is_compared_with_plain_scratch_of_the_same_seeds():
    runs = arm("scratch", [60, 50, 301], config=TWICE_THE_RATE) + arm("scratch", [40, 400, 500], config=BATCH_16)
    rate, batch = flags(Study({"claim": claim(3), "flags": runs}))
    assert (rate["name"], rate["n_pairs"], rate["scratch_steps"]) == ("--learning-rate 2e-3", 3, 60)
    assert rate["saved"].reductions == pytest.approx([0.4, 0.5, -math.inf])  # after its budget of 300
    assert batch["name"] == "--batch-size 16"
    assert batch["saved"].reductions == pytest.approx([0.6, -3.0, -4.0])  # its budget is 500
    assert flags(Study({"claim": claim(3), "flags": runs[:3]})) == [rate]


def test_settings_find_their_own_scratch_or_that_of_the_claim_or_of_the_flags():
    own, longer = SETTINGS["32 hidden"], SETTINGS["56 epochs"]
    records = [
        *arm("scratch", [200] * 2, config=own),
        *arm("class-means", [90] * 2, config=own, phase_1=10),
        *arm("class-means", [30] * 2, config=longer, phase_1=20),
        *arm("class-means", [20] * 2, config=TWICE_THE_RATE, phase_1=10),
        *arm("scratch", [40], config=TWICE_THE_RATE),
        *arm("class-means", [20], config=SETTINGS["batch 256"]),
    ]
    flagged = arm("scratch", [40] * 5, config=TWICE_THE_RATE)
    found = settings(Study({"settings": records, "claim": claim(2), "flags": flagged}))
    assert [(s["name"], s["n_pairs"], s["scratch_steps"]) for s in found] == [
        ("56 epochs", 2, 100),  # 1 - (30 + 20) / 100
        ("32 hidden", 2, 200),  # 1 - (90 + 10) / 200
        ("rate x 2", 2, 40),  # 1 - (20 + 10) / 40
    ]
    assert [s["saved"].interval.median for s in found] == pytest.approx([0.5, 0.5, 0.25])
    # flop: 2 x 1,000 (20 + 10) + 5,000 of 2 x 1,000 x 40
    assert found[2]["saved_every_operation"].interval.median == pytest.approx(1 - 65_000 / 80_000)
