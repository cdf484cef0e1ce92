"""The study's questions, each with its answer first: the verdict, and whether it survives what could explain it away.

Place in the data path: findings -> answers -> report, page. Every function turns findings into one `Section`; a
part that was not run is named there. Nothing is computed but medians for display. The rest is in `details`.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..article import ACCURACY_AFTER_PRETRAIN_PRINTED, PRETRAINED, SCRATCH, savings
from ..summary import BASELINE, TREATMENT
from ..wording import (
    EXPLAINED_POINTS,
    MEANING,
    OUTCOMES,
    PEOPLE,
    cell,
    n_missed,
    number,
    operations,
    p_value,
    pairs,
    percent,
    saved,
    several,
    spread,
    steps,
)
from .findings import Cell, Control, Findings, Tuned
from .sections import Section, Table, missing

CELLS = {
    "claim": "Claim cell (counted and stopped as the article does)",
    "claim_64": "The same for 784-64-10, which fits its arithmetic too",
    "honest": "Honest cell (every operation counted, stopped on held-out images)",
}
"""The cells of the verdict, for people."""

GONE = ("no material saving", "costs more")
"""Words of the tuned cell that say a saving is gone when both arms are tuned."""

_FIGURES = {
    "accuracy": "accuracy against operations, both arms",
    "cost": "cost to the target, run by run",
    "pairs": "cost with averages first against cost from scratch, pair by pair",
    "bill": "what the operations were spent on",
}
_SETTINGS = {
    "optimizer": "optimizer",
    "learning_rate": "learning rate",
    "batch_size": "images a step",
    "decay": "rate over the run",
    "pretrain_epochs": "epochs on the averages",
    "pretrain_rate_factor": "learning rate there, times",
}


def verdict(findings: Findings) -> Section:
    """Give the word of each cell, what stands beside it, and the article's numbers next to ours."""
    answer = []
    for name, title in CELLS.items():
        found: Cell | None = getattr(findings, name)
        part = "honest" if name == "honest" else "claim"
        if found is None:
            answer.append(f"{title}: not answered. {' '.join(missing(findings, part))}".rstrip())
        else:
            answer.append(f"{title}: {verdict_line(found)}")
    answer.append(qualifiers(findings))
    tables, notes = [], []
    claim = findings.claim
    if claim is not None:
        article = percent(float(savings()["flops"]))
        rank = f"{claim.article_rank} of these {claim.n_pairs}"
        answer.append(f"The article's single pair ({article}) lies above {rank}.")
        tables.append(_beside_the_article(claim))
        notes.append(
            f"Sign test against no saving: p {_equals(p_value(claim.sign_test_p))}. By expected cost, all spending of "
            f"an arm over its successes: {saved(claim.expected_costs, claim.n_pairs)}."
        )
    honest = findings.honest
    if honest is not None:
        held = [steps(honest.stable_steps.get(arm)) for arm in (BASELINE, TREATMENT)]
        at = f"mean accuracy stays at {percent(honest.target)} from step {held[0]} on from scratch"
        notes.append(f"Honest cell: {at}, from step {held[1]} on after the averages.")
    words = sorted({c.verdict.word for c in (findings.claim, findings.claim_64, findings.honest) if c is not None})
    notes += [f'"{word}" means: {MEANING.get(word, "see the rule")}.' for word in words]
    notes.append("The rule was written down before the runs. Intervals speak of other seeds, not of other images.")
    return Section("The verdict", answer, tables, notes, _FIGURES)


def verdict_line(found: Cell) -> str:
    """Write a cell's word with its numbers."""
    reason = f" ({found.verdict.reason})" if found.verdict.reason else ""
    misses = n_missed(found.first_hits)
    runs = f"{misses} run{'' if misses == 1 else 's'} missed"
    return f"{found.verdict.word.upper()}{reason}. The averages {saved(found.saved, found.n_pairs)}; {runs}."


def qualifiers(findings: Findings) -> str:
    """Write the three qualifiers of the verdict; one that cannot be told says why."""
    known = {control.arm for control in findings.controls if control.outcome != "reference"}
    if not known:
        explained = f"not known. {' '.join(missing(findings, 'controls'))}".rstrip()
    else:
        explained = f"{several(findings.explained_by)}." if findings.explained_by else "none of the controls."
    if findings.tuned is None:
        tuned = f"not known. {' '.join(missing(findings, 'tuned'))}".rstrip()
    else:
        word = findings.tuned.cell.verdict.word
        tuned = f"yes ({word})." if word in GONE else f"no (tuned: {word})."
    counting = "; ".join(
        f"{cell.name} cell {_counted_otherwise(cell)}" for cell in (findings.claim, findings.honest) if cell is not None
    )
    return f"Explained by: {explained} Gone when tuned: {tuned} Depends on the counting: {counting or 'not known'}."


def _counted_otherwise(cell: Cell) -> str:
    """Whether a cell's word is the same under every cost model."""
    names = cell.depends_on_counting
    return f"yes, another word by {several(names)}" if names else "no, one word under every cost model"


def averages_or_steps(findings: Findings) -> Section:
    """Answer whether it is the averages or just cheap steps, by the eight controls."""
    title, controls = "Is it the averages, or just cheap steps?", findings.controls
    if not controls:
        return Section(title, ["Not answered.", *missing(findings, "claim", "controls")])
    tested = [c for c in controls if c.explanation is not None]
    rows = []
    for control in tested:
        assert control.explanation is not None
        e = control.explanation
        limits = "(none)" if e.low is None or e.high is None else f"({number(e.low)} to {number(e.high)})"
        row = [control.arm, f"{number(e.difference)} {limits}", p_value(control.explains_p), p_value(control.worse_p)]
        rows.append([*row, OUTCOMES.get(control.outcome, control.outcome)])
    head = ["control", "difference, points", "p explains", "p does not", "explains it?"]
    tables = [
        saving_table(controls, "What each saves against scratch, n pairs, to step 300; phase 1: accuracy after it.")
    ]
    if rows:
        tables.append(
            Table(head, rows, "Its saving less the averages' own, pair by pair (bounds of 95% on each side):")
        )
    notes = [
        f"A control explains the saving if it saves at most {EXPLAINED_POINTS} points less than the averages "
        "(one-sided sign tests, p adjusted over the eight by Holm). `nnlite --list-arms` says what each is.",
        "Below 0, it cost more than training from scratch.",
        *missing(findings, "claim", "controls"),
    ]
    return Section(
        title,
        [findings.averages_or_steps or "Not answered."],
        tables,
        notes,
        {"controls": "savings of the controls, with intervals"},
    )


def saving_table(controls: Sequence[Control], caption: str) -> Table:
    """Lay out arms against scratch: by the article's counting and by every operation, with n and misses."""
    head = ["", "n", "missed", "phase 1", "saved, % (95%)", "every operation, %"]
    rows = [
        [
            control.arm,
            str(control.n_pairs),
            str(n_missed(control.saved)),
            "-" if control.after_pretrain is None else percent(control.after_pretrain, 0),
            cell(control.saved.interval),
            cell(control.saved_every_operation.interval),
        ]
        for control in controls
    ]
    return Table(head, rows, caption)


def one_flag(findings: Findings) -> Section:
    """Answer what one flag saves without any pretraining."""
    title, flags = "What does one flag save, without pretraining?", findings.flags
    if not flags:
        return Section(title, ["Not answered.", *missing(findings, "claim", "flags")])
    sentence = "; ".join(f"{flag.name} alone {saved(flag.saved.interval, flag.n_pairs)}" for flag in flags)
    answer = [f"{sentence[0].upper()}{sentence[1:]}, from scratch and by the article's counting."]
    claim = findings.claim
    if claim is not None:
        beaten = [flag.name for flag in flags if flag.saved.interval.median > claim.saved.median]
        than = f"The averages {saved(claim.saved, claim.n_pairs)}"
        answer.append(f"{than}, less than {several(beaten)}." if beaten else f"{than}, more than any of these.")
    rows = [
        [
            flag.name,
            str(flag.n_pairs),
            str(n_missed(flag.saved)),
            steps(flag.scratch_steps),
            cell(flag.saved.interval),
            cell(flag.saved_every_operation.interval),
        ]
        for flag in flags
    ]
    head = ["one thing changed", "n", "missed", "steps", "saved, % (95%)", "every operation, %"]
    notes = ["A saving smaller than these is no reason to pretrain.", *missing(findings, "flags")]
    return Section(
        title,
        answer,
        [Table(head, rows, "The same network from scratch, n pairs with and without the flag; steps: median with it.")],
        notes,
    )


def tuned(findings: Findings) -> Section:
    """Answer what is left when both arms are tuned alike."""
    title, found = "Is it still there when both are tuned?", findings.tuned
    lacking = missing(findings, "tuning", "finals", "tuned")
    if found is None:
        return Section(title, ["Not answered.", *lacking])
    contest = found.cell
    answer = [
        f"Tuned against tuned: {verdict_line(contest)} Untuned, the honest cell: "
        f"the averages {saved(found.untuned, findings.honest.n_pairs if findings.honest else contest.n_pairs)}."
    ]
    arms = [arm for arm in (BASELINE, TREATMENT) if arm in found.winners]
    head = ["best settings found", *(PEOPLE[arm] for arm in arms)]
    rows = [[label, *(_setting(found.winners[arm], key, arm) for arm in arms)] for key, label in _SETTINGS.items()]
    rows.append(["operations of the search", *(operations(found.search_cost.get(arm, 0)) for arm in arms)])
    notes = [
        "Both arms had the same draws of settings and the same budget. A draw's score is the mean cost of three runs, "
        "every operation counted, at the step from which their mean accuracy stays at the target.",
        *lacking,
    ]
    return Section(
        title,
        answer,
        [Table(head, rows), _search_table(found, arms)],
        notes,
        {"tuning": "best cost found against number of draws"},
    )


def _beside_the_article(claim: Cell) -> Table:
    scratch, then = (claim.first_hit_steps.get(arm, []) for arm in (BASELINE, TREATMENT))
    rows = [
        ["steps from scratch", str(SCRATCH.real_steps), spread(scratch) if scratch else "-"],
        [
            f"right after {PRETRAINED.pretrain_epochs} epochs on averages",
            f"~{float(ACCURACY_AFTER_PRETRAIN_PRINTED):.0%}",
            spread(claim.after_pretrain, in_percent=True) if claim.after_pretrain else "-",
        ],
        ["then, steps", str(PRETRAINED.real_steps), spread(then) if then else "-"],
    ]
    saving = claim.first_hits.reductions
    rows.append(["saved, article's counting", percent(float(savings()["flops"])), spread(saving, in_percent=True)])
    caption = f"The claim cell beside the article; {pairs(claim.n_pairs)}, seeds {claim.seeds[0]} to {claim.seeds[1]}:"
    return Table(["", "article", "median (range)"], rows, caption)


def _search_table(found: Tuned, arms: Sequence[str]) -> Table:
    n_draws = max((len(found.expected_best[arm]) for arm in arms if arm in found.expected_best), default=0)
    counts = [k for k in (1, 2, 4, 8, 16, 32, 64, 128) if k <= n_draws]
    curves = [found.expected_best.get(arm, []) for arm in arms]
    rows = [[str(k), *(operations(curve[k - 1]) if k <= len(curve) else "-" for curve in curves)] for k in counts]
    return Table(["draws", *(PEOPLE[arm] for arm in arms)], rows, "Operations to the target, expected best of k draws:")


def _setting(winner: dict[str, object], key: str, arm: str) -> str:
    if key.startswith("pretrain") and arm == BASELINE:
        return "-"
    value = winner.get(key, "-")
    return f"{value:g}" if isinstance(value, float) else str(value)


def _equals(p: str) -> str:
    return p if p.startswith("<") else f"= {p}"
