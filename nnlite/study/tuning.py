"""QUESTION: is anything left when both arms are tuned alike?

Both arms have the same draws of settings and the same budget; what is best on three seeds meets its like on fresh ones,
and the winners meet on the main seeds: the tuned cell. How a setting is scored and chosen is in `protocol`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..experiment.config import TREATMENT, RunConfig
from ..experiment.costs import EVERY_OPERATION, PHASES, cost_at_checks, spent_at_stop
from ..experiment.records import RunRecord
from ..experiment.stats import MAX_WIDTH
from ..experiment.wording import PEOPLE, brief, operations, percent, saved, several, steps
from .cells import by_the_other_estimand, cell
from .document import Facts, Section, Table
from .protocol import BOTH, best, by_arm, score
from .runs import Study, once, question

SETTINGS = {
    "optimizer": "optimizer",
    "learning_rate": "learning rate",
    "batch_size": "images a step",
    "decay": "rate over the run",
    "pretrain_epochs": "epochs on the averages",
    "pretrain_rate_factor": "learning rate there, times",
}
"""What was drawn, for people; the last two for the pretrained arm alone."""

SHOWN_DRAWS = (1, 2, 4, 8, 16, 32, 64)


@question("Is it still there when both are tuned?", needs=("honest", "tuning", "finals", "tuned"))
def tuned(study: Study) -> Section:
    """Answer what is left when both arms are tuned alike."""
    found = search(study)
    reason = f" ({word.reason})" if (word := found["cell"]["verdict"]).reason else ""
    answer = [
        _in_all_ways(found["cell"]),
        f"Registered word: {word.word.upper()}{reason}. Untuned, the held-out cell: the averages "
        f"{saved(found['untuned'], cell(study, 'honest')['n_pairs'])}.",
        *_on_the_width(found["cell"]),
    ]
    winners, scores = found["winners"], found["scores"]
    rows = [[label, *(_setting(winners[arm].get(name)) for arm in BOTH)] for name, label in SETTINGS.items()]
    rows.append(["operations of the search", *(operations(found["search_cost"][arm]) for arm in BOTH)])
    people = [PEOPLE[arm] for arm in BOTH]
    best_of = [
        [str(k), *(_expected(found["expected_best"][arm][k - 1]) for arm in BOTH)]
        for k in SHOWN_DRAWS
        if k <= min(map(len, scores.values()))
    ]
    never = [f"{sum(map(math.isinf, scores[arm]))} of {len(scores[arm])} {PEOPLE[arm]}" for arm in BOTH]
    tables = [
        Table(["best settings found", *people], rows),
        Table(
            ["draws", *people],
            best_of,
            f"Operations to the target, expected best of k draws, of which {several(never)} never get there:",
        ),
    ]
    return Section(answer, tables, facts={"tuned": found})


@once
def search(study: Study) -> Facts:
    """Put the tuned cell together with what found its settings, and what that cost."""
    tried = study.by_configuration("tuning")
    scores = {arm: [score(tried.get((config, arm), [])) for config in by_arm(arm)] for arm in BOTH}
    searched = [*study.parts["tuning"], *study.parts["finals"]]
    return {
        "cell": cell(study, "tuned"),
        "winners": {arm: _drawn(arm, best(arm, study.parts["finals"], 1)[0]) for arm in BOTH},
        "scores": scores,  # mean cost at E2 of every draw, inf for none
        "expected_best": {arm: expected_best(values) for arm, values in scores.items()},
        "search_cost": {arm: sum(all_spent(run) for run in searched if run.arm == arm) for arm in BOTH},
        "untuned": cell(study, "honest")["saved"],
    }


def expected_best(scores: Sequence[float]) -> list[float]:
    """Return the expected best score of k of the settings drawn without replacement, for k = 1, 2, .. all of them.

    sum over i of s_(i) C(n - i, k - 1) / C(n, k), scores sorted; infinite while a draw of k may hold no setting that
    reaches.

    Source
    ------
    Dodge et al., Show Your Work, EMNLP 2019, section 3 (there with replacement).

    Examples
    --------
    Of 1, 2 and 4: the mean 7/3; of pairs (1, 2), (1, 4), (2, 4) the mean best (1 + 1 + 2) / 3; the best of all.

    >>> [round(value, 4) for value in expected_best([4, 1, 2])]
    [2.3333, 1.3333, 1.0]
    """
    ordered, n = sorted(scores), len(scores)
    expected = []
    for k in range(1, n + 1):
        weights = [math.comb(n - 1 - i, k - 1) for i in range(n)]
        total = sum(weight * value for weight, value in zip(weights, ordered, strict=True) if weight)
        expected.append(total / math.comb(n, k))
    return expected


def all_spent(run: RunRecord) -> int:
    """Price a run of a search to the end of its budget with every look, since the looks are what ranks the settings.

    Of one that diverged between two looks, all that its kernels had counted.
    """
    at_looks = cost_at_checks(run, EVERY_OPERATION.model, PHASES)
    return max(spent_at_stop(run, EVERY_OPERATION.model, PHASES), int(at_looks.max(initial=0)))


def _drawn(arm: str, config: RunConfig) -> Facts:
    """What was drawn of a winner; the rest is the held-out cell's."""
    return {name: getattr(config, name) for name in SETTINGS if arm == TREATMENT or not name.startswith("pretrain")}


def _in_all_ways(contest: Facts) -> str:
    """Say from which steps on both arms' mean stays at the target, and what is saved then, at first touch, nearby."""
    at = [steps(contest["stable_steps"][arm]) for arm in BOTH]
    bill, own = EVERY_OPERATION, {"estimand": contest["estimand"], "model": EVERY_OPERATION.model}
    near = [
        f"to {percent(row['target'])} it {brief(row['saved'])}"
        for row in contest["sensitivity"]
        if row["scope"] == bill.scope and own.items() <= row.items() and row["target"] != contest["target"]
    ]
    return (
        f"The mean accuracy stays at {percent(contest['target'])} from step {at[0]} on from scratch and from step "
        f"{at[1]} on after averages first, which {saved(contest['saved'], contest['n_pairs'])}. At first touch "
        f"it {brief(by_the_other_estimand(contest))}, by expected cost it {brief(contest['expected_costs'])}, "
        f"{', '.join(near)}."
    )


def _on_the_width(contest: Facts) -> list[str]:
    """Say what an interval that is only too wide still says."""
    saving = contest["saved"]
    too_wide = saving.ends and saving.ends[1] - saving.ends[0] > MAX_WIDTH
    if contest["verdict"].word != "not established" or not saving.sign or not too_wide:
        return []
    return [
        f"All of the interval lies {'below' if saving.sign < 0 else 'above'} nothing saved; the rule withholds its "
        "word because of the width. The number of pairs was planned from the spread of single runs, as registered, "
        "not from that of the ratio judged here."
    ]


def _setting(value: object) -> str:
    if value is None:
        return "-"
    if value == "linear":
        return "falls to 0"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _expected(cost: float) -> str:
    return operations(cost) if math.isfinite(cost) else "-"
