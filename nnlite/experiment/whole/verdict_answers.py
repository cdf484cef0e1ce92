"""The verdict: the word of each cell with its numbers, the qualifiers beside it, the article's numbers next to ours.

Place in the data path: findings -> verdict_answers -> report, page. It turns findings into one `Section`; a part that
was not run is named there. Nothing is computed but medians for display and whether the claim stands by the
registered rule. The questions after it are in `answers`.
"""

from __future__ import annotations

from ...study.controls import CHEAP
from ..article import ACCURACY_AFTER_PRETRAIN_PRINTED, PRETRAINED, SCRATCH, savings
from ..config import ARMS
from ..summary import BASELINE, TREATMENT
from ..wording import (
    EXPLAINED_POINTS,
    MEANING,
    PEOPLE,
    PRICES,
    brief,
    p_value,
    pairs,
    percent,
    saved,
    several,
    spread,
    steps,
)
from .findings import Cell, Findings
from .sections import Section, Table, missing

CELLS = {
    "claim": "Claim cell (counted and stopped as the article does)",
    "claim_64": "The same for 784-64-10, which fits its arithmetic too",
    "honest": "Honest cell (every operation counted, stopped on held-out images)",
}
"""The cells of the verdict, for people."""

NAMES = {"claim": "claim cell", "claim_64": "claim cell with 784-64-10", "honest": "honest cell"}
"""The same in a few words."""

SHORT = {
    "reproduced": "Yes",
    "larger than claimed": "More than that",
    "direction only": "No: something is saved, but less",
    "no material saving": "No",
    "costs more": "No: it costs more",
    "saves, size not established": "Something is saved; whether it is as much stays open",
    "not established": "It stays open",
}
"""The answer to the title that each word of the claim cell gives."""

GONE = ("no material saving", "costs more")
"""Words of the tuned cell that say a saving is gone when both arms are tuned."""

_FIGURES = {
    "accuracy": "accuracy against operations, both arms",
    "cost": "cost to the target, run by run",
    "pairs": "cost with averages first against cost from scratch, pair by pair",
    "bill": "what the operations were spent on",
}


def verdict(findings: Findings) -> Section:
    """Give the word of each cell, what stands beside it, and the article's numbers next to ours."""
    claim = findings.claim
    answer = [f"{SHORT[claim.verdict.word]}. {standing(findings)}".rstrip()] if claim is not None else []
    for name, title in CELLS.items():
        found: Cell | None = getattr(findings, name)
        part = "honest" if name == "honest" else "claim"
        if found is None:
            answer.append(f"{title}: not answered. {' '.join(missing(findings, part))}".rstrip())
        else:
            answer.append(f"{title}: {verdict_line(found)}")
    answer += qualifiers(findings)
    tables, notes = [], []
    if claim is not None:
        answer.append(_the_articles_pair(claim))
    for key in ("claim", "claim_64"):
        found = getattr(findings, key)
        if found is None:
            continue
        tables.append(_beside_the_article(found, NAMES[key]))
        notes.append(
            f"The {NAMES[key]}: sign test against no saving, p {_equals(p_value(found.sign_test_p))}; the "
            f"article's pair saved more than {found.article_rank} of {found.n_pairs}; by expected cost, all spending "
            f"of an arm over its successes, the averages {saved(found.expected_costs, found.n_pairs)}."
        )
    honest = findings.honest
    if honest is not None:
        held = [steps(honest.stable_steps.get(arm)) for arm in (BASELINE, TREATMENT)]
        at = f"mean accuracy stays at {percent(honest.target)} for good from step {held[0]} on from scratch"
        notes.append(f"Honest cell: {at}, from step {held[1]} on after the averages.")
    words = sorted({c.verdict.word for c in (findings.claim, findings.claim_64, findings.honest) if c is not None})
    notes += [f'"{word}" means: {MEANING.get(word, "see the rule")}.' for word in words]
    notes += [
        f"In tables and figures {TREATMENT} is the arm that trains on the averages first, {BASELINE} the one that does "
        "not.",
        "The rule, margins and seeds were written down before the runs; what was decided later stands at the end of "
        "data/runs/preregistration.md, with its reason. Intervals speak of other seeds, not of other images.",
    ]
    return Section("The verdict", answer, tables, notes, _FIGURES)


def verdict_line(found: Cell) -> str:
    """Write a cell's word with its numbers."""
    reason = f" ({found.verdict.reason})" if found.verdict.reason else ""
    gone = [PEOPLE[arm] for arm, step in found.stable_steps.items() if step is None]
    if found.estimand == "E1":
        misses = f"{found.missed} run{'' if found.missed == 1 else 's'} missed"
    elif found.missed:
        misses = f"the mean accuracy {several(gone)} does not stay at the target"
    else:
        misses = "both arms' mean accuracy gets there for good"
    return f"{found.verdict.word.upper()}{reason}. The averages {saved(found.saved, found.n_pairs)}; {misses}."


def standing(findings: Findings) -> str:
    """Say whether the claim stands or falls by the registered rule; empty while a cell or the controls are missing."""
    if not (findings.claim and findings.honest and findings.tuned and findings.controls):
        return ""
    cells = findings.claim, findings.honest, findings.tuned.cell
    claim, honest, tuned = (cell.verdict.word for cell in cells)
    if honest in GONE or tuned in GONE:
        return f"By the rules set beforehand the claim falls: honest cell {honest}, tuned {tuned}."
    against = {
        "its cell does not say reproduced": claim != "reproduced",
        "the honest cell is not established": honest == "not established",
        "a control of cheap steps explains it": bool(CHEAP.keys() & set(findings.explained_by)),
        "whether it is gone when tuned stays open": tuned == "not established",
    }
    why = [reason for reason, holds in against.items() if holds]
    if not why:
        return "By the rules set beforehand the claim stands."
    return (
        f"By the rules set beforehand the claim does not stand ({'; '.join(why)}) and does not fall (neither the "
        f"honest nor the tuned cell says {' or '.join(GONE)})."
    )


def qualifiers(findings: Findings) -> list[str]:
    """Write the three qualifiers of the verdict, a paragraph each; one that cannot be told says why."""
    known = {control.arm for control in findings.controls if control.outcome != "reference"}
    if not known:
        explained = f"not known. {' '.join(missing(findings, 'controls'))}".rstrip()
    else:
        explained = "none of the controls."
        if findings.explained_by:
            what = "; ".join(f"{arm} ({ARMS[arm]})" for arm in findings.explained_by)
            explained = f"{what}. To explain is to save more, or less by at most {EXPLAINED_POINTS} points."
    if findings.tuned is None:
        tuned = f"not known. {' '.join(missing(findings, 'tuned'))}".rstrip()
    else:
        word = findings.tuned.cell.verdict.word
        tuned = f"yes ({word})." if word in GONE else f"no (tuned: {word})."
        if word == "not established":
            tuned = f"open (tuned: {word})."
    counting = _counting(findings)
    return [f"Explained by: {explained}", f"Gone when tuned: {tuned}", f"Depends on the counting: {counting}"]


def _counting(findings: Findings) -> str:
    """Whether the claim cell's word is one under all cost models; what else depends on what is counted."""
    if findings.claim is None:
        return f"not known. {' '.join(missing(findings, 'claim'))}".rstrip()
    names = [PRICES[model] for model in findings.claim.depends_on_counting]
    models = f"the {len(PRICES)} cost models that count by the shape of the network"
    found = f"no, the claim cell has one word under {models}."
    if names:
        found = f"yes, the claim cell has another word under {several(names)}."
    cells: dict[str, Cell] = {name: cell for name in NAMES if (cell := getattr(findings, name)) is not None}
    for name, other in cells.items():
        if other.depends_on_counting and name != "claim":
            names = [PRICES[model] for model in other.depends_on_counting]
            found += f" The {NAMES[name]} has another word under {several(names)}."
    ran = [
        f"{row.word} in the {NAMES[name]}, {brief(row.saved, row.n_pairs)}"
        for name, other in cells.items()
        for row in other.sensitivity
        if (row.model, row.counting) == ("flop", "executed")
    ]
    if not ran:
        return found
    return f"{found} Apart from that rule, by operations that ran, zeros skipped: {'; '.join(ran)}."


def _the_articles_pair(claim: Cell) -> str:
    """Where the article's run of each kind lies among ours."""
    theirs = {
        BASELINE: (SCRATCH.real_steps, "steps from scratch"),
        TREATMENT: (PRETRAINED.real_steps, "after the averages"),
    }
    outside = [
        f"{n} {what} (here {steps(min(found))} to {steps(max(found))})"
        for arm, (n, what) in theirs.items()
        if (found := claim.first_hit_steps.get(arm)) and not min(found) <= n <= max(found)
    ]
    article = percent(float(savings()["flops"]))
    told = f"The article's single pair ({article}) lies above {claim.article_rank} of these {claim.n_pairs}."
    if not outside:
        return told
    return (
        f"{told} But {several(outside)} did not occur, so its settings, which it does not give, were probably others."
    )


def _beside_the_article(claim: Cell, name: str) -> Table:
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
    rows.append(["saved, the article's count", percent(float(savings()["flops"])), spread(saving, in_percent=True)])
    seeds = f"seeds {claim.seeds[0]} to {claim.seeds[1]}"
    caption = f"The {name} beside the article; {pairs(claim.n_pairs)}, {seeds}:"
    return Table(["", "article", "median (range)"], rows, caption)


def _equals(p: str) -> str:
    return p if p.startswith("<") else f"= {p}"
