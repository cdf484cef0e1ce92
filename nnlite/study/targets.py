"""QUESTION: what becomes of the saving at other targets, after equal steps, on clothes, and stopped on other images?

Targets are read off whole curves, each run at its first hit. Predicted before the study: the averages give a head start
and nothing else. With the head start of a pair, scratch's steps to the accuracy of its other arm after phase 1,

    D(t) = mean steps saved at target t - mean head start

lies within 10 steps of 0 at every target. That held if one band for all targets does, and failed if the band lies
outside at one. A target that some run missed has no D. Nor has one that some pretrained run had met when phase 1 ended:
all that it can save is scratch's steps to there, fewer than the head start, even if there is nothing else.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ..experiment.config import BASELINE, TREATMENT, RunConfig
from ..experiment.costs import BILLS, EVERY_OPERATION
from ..experiment.records import RunRecord
from ..experiment.stats import MIN_PAIRS, median_interval
from ..experiment.wording import PEOPLE, cell, number, p_value, pairs, percent, saved, several, steps, steps_cell
from . import cells
from .comparisons import EQUIVALENCE_MARGIN, LEVEL, equivalence
from .document import Facts, Section, Table
from .estimands import Curves, Goal, Pairs, first_touch, for_good, target_of
from .protocol import BOTH, CLAIM, EPOCHS_5, EPOCHS_20, HONEST, TARGETS, WIDE, WIDE_TARGETS
from .resampling import Band, simultaneous_band
from .runs import Study, both_arms, once, question

MIN_REACHED = 0.95
"""Smallest share of pairs in which both runs reach a target that has a ratio."""

PREDICTION_MARGIN = 10.0
"""Largest distance of D(t) from 0 that was predicted, in steps."""

AFTER = {"500 steps": ("claim", CLAIM), "5 epochs": ("epochs-5", EPOCHS_5), "20 epochs": ("epochs-20", EPOCHS_20)}
"""The budgets at whose end both arms have made the same number of real steps: part and configuration."""

Floats = NDArray[np.float64]


@question("How does it depend on the target?", also=("epochs-5", "wide"))
def targets(study: Study) -> Section:
    """Answer how the saving depends on the target, and whether the prediction held."""
    rows, found, wide = at_targets(study), prediction(study), by_target(both_arms(study, "wide", WIDE), WIDE_TARGETS)
    within = "5 epochs" if "epochs-5" in study.parts else f"{CLAIM.max_steps} steps"
    facts = {"targets": rows, "targets_within": within, "prediction": found, "wide": wide}
    if not rows and not wide:
        return Section(facts=facts)
    told = [f"to {_target(r['target'])} the averages {saved(r['saved'], r['n_pairs'])}" for r in rows if r["saved"]]
    answer = [f"By the article's count, {'; '.join(dict.fromkeys([told[0], told[-1]]))}."] if told else []
    answer.append(what_became_of(found) if found else "The prediction was not tested.")
    tables = [_target_table(rows, f"The network of the claim, within {within}")] if rows else []
    if found and found["band"] is not None:
        tables.append(_band_table(found))
    if wide:
        tables.append(_target_table(wide, "512 hidden units, within 20 epochs"))
    pictures = {"steps-saved": "steps saved against the target"}
    return Section(answer, tables, pictures=pictures, facts=facts)


@once
def at_targets(study: Study) -> list[Facts]:
    """Compare both arms at every target of the claim's network, within the longest budget that was run."""
    return by_target(both_arms(study, *_longest(study)), TARGETS)


@once
def prediction(study: Study) -> Facts | None:
    """Test whether class averages give a head start and nothing else."""
    return predicted(both_arms(study, *_longest(study)), TARGETS)


def predicted(both: Pairs | None, wanted: Sequence[float]) -> Facts | None:
    """Bound D at every target that has one; None without a pair.

    `outcome_with_them` is the word if the targets that phase 1 had met were asked as well.
    """
    if both is None:
        return None
    treated, scratch = both
    n_images = scratch.n_images()
    after = [run.accuracy_after_pretrain for run in treated.runs]
    # Where phase 1 diverged, more than anyone can reach: then nothing has a D.
    needed = np.array([n_images + 1 if share is None else round(share * n_images) for share in after])
    hits = scratch.correct() >= needed[:, None]
    head_start = np.where(hits.any(axis=1), scratch.steps[hits.argmax(axis=1)], np.inf)
    gained = {}
    for target in wanted:
        plain, ours = (arm.first_steps(_goal(target)) for arm in (scratch, treated))
        if np.isfinite([plain, ours, head_start]).all():
            gained[target] = plain - ours
    met = [target for target in gained if _goal(target).target * n_images <= int(needed.max())]
    beyond = [target for target in gained if target not in met]
    band, outcome = _judged([gained[target] - head_start for target in beyond])
    return {
        "targets": beyond,
        "head_start": float(head_start.mean()),
        "steps_saved": [float(gained[target].mean()) for target in beyond],
        "band": band,  # of D
        "outcome": outcome,
        "met_by_phase_1": met,
        "outcome_with_them": _judged([gained[target] - head_start for target in gained])[1],
    }


def _judged(differences: Sequence[Floats]) -> tuple[Band | None, str]:
    """The band of D, a column (n_pairs,) a target, and the word: open with fewer pairs than a verdict needs."""
    band = simultaneous_band(np.stack(differences, axis=1)) if differences else None
    if band is None or len(differences[0]) < MIN_PAIRS:
        return band, "open"
    if band.low.min() >= -PREDICTION_MARGIN and band.high.max() <= PREDICTION_MARGIN:
        return band, "held"
    outside = (band.low > PREDICTION_MARGIN) | (band.high < -PREDICTION_MARGIN)
    return band, "failed" if outside.any() else "open"


def by_target(both: Pairs | None, wanted: Sequence[float]) -> list[Facts]:
    """Compare both arms at each target; no interval where under 95% of pairs reach it, both runs of them."""
    if both is None:
        return []
    treated, scratch = both
    rows = []
    for goal in map(_goal, wanted):
        plain, ours = scratch.first_steps(goal), treated.first_steps(goal)
        hit, treated_hit = np.isfinite(plain), np.isfinite(ours)
        row: Facts = {
            "target": float(goal.target),
            "n_pairs": len(scratch),
            "reached": {BASELINE: float(hit.mean()), TREATMENT: float(treated_hit.mean())},
            "scratch_steps": float(plain.mean()),
        }
        row |= dict.fromkeys(("steps_saved", *BILLS))
        if np.mean(hit & treated_hit) >= MIN_REACHED:
            # A miss saved or lost infinitely many steps; two misses saved none.
            gained = np.subtract(plain, ours, out=np.zeros_like(plain), where=hit | treated_hit)
            row["steps_saved"] = median_interval(gained)
            row |= {name: first_touch(both, bill, goal).interval for name, bill in BILLS.items()}
        rows.append(row)
    return rows


def _longest(study: Study) -> tuple[str, RunConfig]:
    """The same runs, which the claim cell ends after 500 steps."""
    return ("epochs-5", EPOCHS_5) if "epochs-5" in study.parts else ("claim", CLAIM)


def _goal(target: float) -> Goal:
    return Goal(Fraction(str(target)))


def _target_table(rows: Sequence[Facts], caption: str) -> Table:
    """Targets: steps from scratch, steps saved, and the saving by both bills."""

    def missed(row: Facts) -> str:
        return str(sum(round((1 - share) * row["n_pairs"]) for share in row["reached"].values()))

    def steps_saved(row: Facts) -> str:
        reach = f"{', '.join(percent(share, 0) for share in row['reached'].values())} reach"
        return reach if row["steps_saved"] is None else steps_cell(row["steps_saved"])

    columns = {
        "target": lambda row: _target(row["target"]),
        "scratch": lambda row: steps(row["scratch_steps"]),
        "missed": missed,
        "steps saved (95%)": steps_saved,
        "article's count, %": lambda row: cell(row["saved"]),
        "dense operations, %": lambda row: cell(row["saved_every_operation"]),
    }
    n_pairs = " or ".join(map(str, sorted({row["n_pairs"] for row in rows})))
    return Table.of(rows, columns, f"{caption}; {n_pairs} pairs; scratch: its mean steps; saved: medians.")


def what_became_of(found: Facts) -> str:
    """The prediction in a sentence, its word, and what was left out."""
    told = (
        f"Predicted: averages give a head start, here {found['head_start']:.0f} steps, and nothing else: the steps "
        f"saved are that many at every target, give or take {PREDICTION_MARGIN:.0f}. "
    )
    told += {"held": "It held", "failed": "It failed", "open": "It stays open"}[found["outcome"]]
    if found["outcome"] == "failed":
        band = found["band"]
        sides = {"more is saved": band.low > PREDICTION_MARGIN, "less is saved": band.high < -PREDICTION_MARGIN}
        at = {side: [_target(t) for t in np.array(found["targets"])[outside]] for side, outside in sides.items()}
        told += ": " + "; ".join(f"at {several(failed)} {side}" for side, failed in at.items() if failed)
    if not found["met_by_phase_1"]:
        return f"{told}."
    met = several([_target(target) for target in found["met_by_phase_1"]])
    return (
        f"{told}. Left out, as decided after the claim cell: {met}, which some pretrained run met as phase 1 ended "
        f"(with them: {found['outcome_with_them']})."
    )


def _band_table(found: Facts) -> Table:
    band = found["band"]
    columns = found["targets"], found["steps_saved"], band.mean, band.low, band.high
    rows = [
        [_target(target), f"{gained:.1f}", f"{middle:.1f}", f"{low:.1f} to {high:.1f}"]
        for target, gained, middle, low, high in zip(*columns, strict=True)
    ]
    caption = (
        f"It holds if the band, one for all targets together, lies within {PREDICTION_MARGIN:.0f} steps of 0 at each; "
        "it fails if the band lies wholly outside at one:"
    )
    return Table(["target", "mean steps saved", "less the head start", "95% band"], rows, caption)


def _target(share: float) -> str:
    """88% and 78.2%."""
    return percent(share).replace(".0%", "%")


@question("Are both equally good later?", also=("epochs-5", "epochs-20"))
def equal_steps(study: Study) -> Section:
    """Answer whether both arms are equally accurate on the test set after the same number of real steps."""
    rows = [at_the_end(name, *both) for name, about in AFTER.items() if (both := both_arms(study, *about))]
    if not rows:
        return Section(facts={"equal_steps": rows})
    answer = (
        f"Called the same if it is shown that mean accuracies are less than {number(EQUIVALENCE_MARGIN, 2)} points "
        f"apart: {'; '.join(map(how_far_apart, rows))}."
    )
    columns = {
        "after step": lambda row: f"{row['steps']:,}",
        "pairs": lambda row: str(row["n_pairs"]),
        PEOPLE[BASELINE]: lambda row: percent(row["scratch"], 2),
        PEOPLE[TREATMENT]: lambda row: percent(row["class_means"], 2),
        "points apart (95%)": lambda row: cell(row["difference"], 2),
        "p": lambda row: p_value(row["test"].p_value),
    }
    return Section([answer], [Table.of(rows, columns)], facts={"equal_steps": rows})


def at_the_end(name: str, treated: Curves, scratch: Curves) -> Facts:
    """Both arms at the last check of their budget; a run that diverged before gets nothing right there."""
    ours, plain = (arm.correct()[:, -1] / arm.n_images() for arm in (treated, scratch))
    return {
        "name": name,
        "steps": int(scratch.steps[-1]),
        "n_pairs": len(scratch),
        "scratch": float(plain.mean()),
        "class_means": float(ours.mean()),
        "test": equivalence(ours, plain),
        "difference": median_interval(ours - plain),
    }


def how_far_apart(row: Facts) -> str:
    """Shown to be the same comes first: a difference may be sure and yet too small to matter."""
    difference = row["difference"]
    middle, ends = difference.median, difference.ends
    word = "they differ" if difference.sign else "not shown to be the same"
    if row["test"].p_value < LEVEL:
        word = "shown to be the same"
    apart = number(abs(middle), 2)
    ahead = PEOPLE[TREATMENT if middle > 0 else BASELINE]
    found = f"{ahead} is {apart} points better in the median pair" if float(apart) else "neither is better"
    name = row["name"] if row["name"].endswith("steps") else f"{row['name']} ({row['steps']:,} steps)"
    if ends and middle < 0:
        ends = -ends[1], -ends[0]  # how far the arm that is better is ahead
    return f"after {name} {found} ({_known(ends)}{pairs(row['n_pairs'])}): {word}"


def _known(ends: tuple[float, float] | None) -> str:
    """The ends of an interval of points, where it has any."""
    return f"95% interval {number(ends[0], 2)} to {number(ends[1], 2)}; " if ends else ""


@question("Is it the same with clothes instead of digits (Fashion-MNIST)?", needs=("fashion",))
def fashion(study: Study) -> Section:
    """Answer whether it is the same with pictures of clothes."""
    found, runs = cells.cell(study, "fashion"), both_arms(study, *cells.CELLS["fashion"][1:3])
    rows = by_target(runs, matched_targets(study))
    facts = {"fashion": found, "fashion_targets": rows}
    answer = [f"To {_target(found['target'])} of the test images: {cells.verdict_line(found)}"]
    caption = "Targets that match those of MNIST on scratch's own mean curve"
    return Section(answer, [_target_table(rows, caption)] if rows else [], facts=facts)


def matched_targets(study: Study) -> list[float]:
    """Map the targets to clothes, on scratch's curves of both data sets; empty where a part is missing."""
    runs = study.runs("claim", BASELINE, CLAIM), study.runs("fashion", BASELINE)
    return matched(Curves(runs[0]), Curves(runs[1]), TARGETS) if all(runs) else []


def matched(digits: Curves, clothes: Curves, wanted: Sequence[float]) -> list[float]:
    """Return the mean accuracy on clothes, to 0.001, at each step from which the mean on digits stays at a target."""
    stable = [step for target in wanted if (step := digits.stable_step(_goal(target))) is not None]
    means = clothes.correct()[:, np.searchsorted(clothes.steps, stable)].mean(axis=0) / clothes.n_images()
    return [round(mean, 3) for mean in means.tolist()]


@question("What does stopping on the test set do?", also=("claim", "honest"))
def stopping_on_test(study: Study) -> Section:
    """Answer what stopping on the test set does: how it flatters, and what the held-out cell would have said."""
    rows = [row for arm in BOTH if (row := optimism(study.runs("claim", arm, CLAIM)))]
    found = None
    if runs := both_arms(study, *cells.CELLS["honest"][1:3]):
        honest = cells.cell(study, "honest")
        found = {**stops(*runs), "saved_by_validation": honest["saved"]}
    answer = [" ".join(flattery(row) for row in rows)] if rows else []
    if found:
        by_test, by_validation = (saved(found[f"saved_by_{on}"], honest["n_pairs"]) for on in ("test", "validation"))
        answer.append(
            f"The held-out cell's runs, stopped on test instead: {by_test}; on held-out images: {by_validation}."
        )
        read = [
            f"{percent(statistics.median(accuracy), 2)} {PEOPLE[arm]} (median of {len(accuracy)})"
            for arm, accuracy in found["test_accuracy_at_stop"].items()
            if accuracy
        ]
        if read:
            answer.append(f"Where they stop on held-out images, so much of test is right: {'; '.join(read)}.")
    return Section(answer, facts={"optimism": rows, "stops": found})


def optimism(runs: Sequence[RunRecord]) -> Facts | None:
    """Measure what stopping on the images that are reported adds: stop on one random half of them, read the other.

    accuracy(half that stops the run) - accuracy(other half), at the run's first hit on the first; the mean of both
    turns, in which a half that is easier by chance cancels. Runs that missed on a half are left out.
    """
    if not runs:
        return None
    curves, turns = Curves(runs), []
    for half, other in (("apart", "rest"), ("rest", "apart")):
        checks = curves.first_checks(Goal(target_of(runs[0]), images=half))
        turns.append([_accuracy_at(checks, curves, images) for images in (half, other)])
    at_stop, elsewhere = np.mean(turns, axis=0)
    stopped = np.isfinite(at_stop)
    if not stopped.any():
        return None
    at_stop, elsewhere = at_stop[stopped], elsewhere[stopped]
    return {
        "arm": runs[0].arm,
        "n_runs": len(at_stop),
        "at_stop": statistics.fmean(at_stop),
        "elsewhere": statistics.fmean(elsewhere),
        "difference": median_interval(at_stop - elsewhere),
    }


def stops(treated: Curves, scratch: Curves) -> Facts:
    """Stop runs of the held-out cell on test, E2 and every operation; and read test where validation stops each."""
    on_test, accuracy = Goal(_goal(CLAIM.target).target, images="apart"), {}
    for arm, curves in ((BASELINE, scratch), (TREATMENT, treated)):
        read = _accuracy_at(curves.first_checks(_goal(HONEST.target)), curves, "apart")
        accuracy[arm] = read[np.isfinite(read)].tolist()
    by_test = for_good((treated, scratch), EVERY_OPERATION, on_test)
    return {"saved_by_test": by_test, "test_accuracy_at_stop": accuracy}


def _accuracy_at(checks: NDArray[np.int64], curves: Curves, images: str) -> Floats:
    """The share of these images that each run had right at its check; NaN where it has none."""
    hit = checks < len(curves.steps)
    right = curves.correct(images)[np.arange(len(curves)), np.where(hit, checks, 0)]
    return np.where(hit, right / curves.n_images(images), np.nan)


def flattery(row: Facts) -> str:
    """Say what stopping on the images that are reported does to an arm, as its interval allows."""
    arm, difference = PEOPLE[row["arm"]], row["difference"]
    middle, source = difference.median, f"({_known(difference.ends)}{row['n_runs']} runs)"
    if difference.sign > 0:
        return f"It flatters {arm} by {number(middle, 2)} points {source}."
    if difference.sign < 0:
        return f"It is no flattery of {arm}, which does {number(-middle, 2)} points worse where it stops {source}."
    return f"It is not shown to flatter {arm}: {number(middle, 2)} points {source}."
