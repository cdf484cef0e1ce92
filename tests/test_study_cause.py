"""Other images in the closed-form start, on runs whose bill is so much a step: savings are hand-worked."""

from __future__ import annotations

import pytest
from test_study_controls import run

from nnlite.experiment.stats import Interval
from nnlite.study import cause as module
from nnlite.study.cause import cause, causes
from nnlite.study.runs import Study
from nnlite.study.second_protocol import CHOSEN, DECIDED, GAINS, STARTS, with_gain

N = 20
SCRATCH = 100  # steps
STEPS = dict(zip(STARTS, (50, 60, 70, 72, 90, 120), strict=True))  # so a saving of 50, 40, 30, 28, 10 and -20%


def gains(best=8.0, best_of_mean=16.0):
    """Runs that choose: the best gain takes 40 steps, every other 80."""
    chosen = dict(zip(CHOSEN, (best, best_of_mean), strict=True))
    return [
        run(arm, seed, 40 if gain == chosen[arm] else 80, with_gain(gain))
        for arm in CHOSEN
        for gain in GAINS
        for seed in range(3)
    ]


def starts(steps=STEPS, shown=(4.0, 8.0, 16.0), means=80):
    """Every start costs the same at every gain; class-means `means` steps."""
    records = [run("scratch", seed, SCRATCH, DECIDED) for seed in range(N)]
    records += [run("class-means", seed, means, DECIDED, after=0.8) for seed in range(N)]
    for gain in shown:
        for arm, hit in steps.items():
            records += [run(arm, seed, hit, with_gain(gain), after=0.5) for seed in range(N)]
    return records


def found(**changes):
    return causes(Study({"start-gains": gains(), "start-images": starts(**changes)}))


def test_every_start_is_compared_with_scratch_at_every_gain():
    rows = found()["starts"]
    assert [(row["arm"], row["gain"]) for row in rows] == [(arm, gain) for gain in (4, 8, 16) for arm in STARTS]
    saved = {row["arm"]: row["saved_every_operation"] for row in rows if row["gain"] == 8}
    assert {arm: round(saving.median, 9) for arm, saving in saved.items()} == {
        arm: round(1 - hit / SCRATCH, 9) for arm, hit in STEPS.items()
    }
    assert saved["closed-form"] == rows[0]["saved"]  # F (images + 2 steps) is as much a step


def test_the_start_is_the_global_means_saving_and_the_rest_is_the_averages_pair_by_pair():
    facts = found()
    assert facts["chosen_gains"] == {"closed-form": 8.0, "closed-form-global-mean": 16.0}
    assert facts["averages_more"].median == pytest.approx(0.1)
    assert facts["averages_more_word"] == "add to the start"
    # 40% - 50% / 2: of the 50% more than half is the start
    assert facts["start_less_half"].median == pytest.approx(0.15)
    assert facts["start_share_word"] == "more than half"


@pytest.mark.parametrize(
    ("mean", "word", "share"),
    [
        (50, "add nothing", "more than half"),
        (54, "add to the start", "more than half"),
        (45, "add nothing", "more than half"),
        (44, "open", "more than half"),  # 6 points less than the start alone: more than the margin
        (75, "add to the start", "about half"),
        (80, "add to the start", "less than half"),
    ],
)
def test_the_registered_words_follow_from_the_intervals(mean, word, share):
    facts = found(steps={**STEPS, "closed-form-global-mean": mean})
    assert (facts["averages_more_word"], facts["start_share_word"]) == (word, share)


def test_a_miss_of_both_starts_is_no_difference_and_of_one_is_infinite():
    both = found(steps={**STEPS, "closed-form": None, "closed-form-global-mean": None})
    assert both["averages_more"].median == 0
    one = found(steps={**STEPS, "closed-form-global-mean": None})
    assert one["averages_more"].median == float("inf")


def test_starts_without_classes_that_pass_the_first_test_are_told():
    outcomes = {row["arm"]: row["outcome"] for row in found()["explains"]}  # the averages taught by steps saved 20%
    assert outcomes == {
        "closed-form-global-mean": "explains",
        "closed-form-pixels": "explains",
        "closed-form-noise": "explains",
        "closed-form-wrong-labels": "worse",
        "closed-form-exemplar": "worse",
    }
    study = Study({"start-gains": gains(), "start-images": starts()})
    text = " ".join(cause(study).answer)
    assert "says nothing about the averages: the global mean ten times, averages with shuffled pixels and noise" in text


def test_without_such_a_start_the_first_word_may_stand():
    study = Study({"start-gains": gains(), "start-images": starts(means=20)})
    assert "No start without class information passes" in cause(study).answer[1]


def test_the_difference_shown_is_that_of_savings_with_a_two_sided_interval():
    row = next(row for row in found()["explains"] if row["arm"] == "closed-form-noise")
    assert row["difference"].median == pytest.approx(0.08)  # 28% less 20%
    assert (row["difference"].low, row["difference"].high) == (row["difference"].median,) * 2


def test_what_steps_teach_comes_from_the_first_study(monkeypatch):
    def row(arm, *saved):
        return {"arm": arm, "n_pairs": 30, "saved_every_operation": Compared(Interval(*saved))}

    class Compared:
        def __init__(self, interval):
            self.interval = interval

    rows = [row("class-means", 0.2, 0.18, 0.22), row("permuted", -0.16, -0.2, -0.1), row("exemplar", -0.04, -0.06, 0)]
    rows.append(row("means-10", 0.1, 0.08, 0.12))
    monkeypatch.setattr(module.controls, "controls", lambda study: rows)
    monkeypatch.setattr(module.controls, "descriptive", lambda study: [row("noise", -0.13, -0.15, -0.1)])
    study = Study({"start-gains": gains(), "start-images": starts()})
    told = cause(study).answer[-1]
    assert told.startswith("Taught by steps, these help: the averages saved 20.0% (18.0% to 22.0%), averages of ten")
    assert "; these do not: averages under wrong labels cost 16.0% more" in told
    rows[1] = row("permuted", 0.1, 0.05, 0.15)
    helping, others = cause(Study(study.parts)).answer[-1].split("; these do not: ")
    assert "averages under wrong labels saved 10.0%" in helping
    assert "wrong labels" not in others


@pytest.mark.parametrize("part", ["start-gains", "start-images"])
def test_a_missing_part_leaves_the_question_open(part):
    parts = {"start-gains": gains(), "start-images": starts()}
    section = cause(Study({name: records for name, records in parts.items() if name != part}))
    assert section.answer == []
    assert part in " ".join(section.lacking)
