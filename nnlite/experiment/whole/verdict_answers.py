"""The verdict: the word of each cell with its numbers, the qualifiers beside it, the article's numbers next to ours.

Place in the data path: findings -> verdict_answers -> report, page. It turns findings into one `Section`; a part that
was not run is named there. Nothing is computed but medians for display. The questions after it are in `answers`.
"""

from __future__ import annotations

from ..article import ACCURACY_AFTER_PRETRAIN_PRINTED, PRETRAINED, SCRATCH, savings
from ..summary import BASELINE, TREATMENT
from ..wording import MEANING, PEOPLE, PRICES, brief, p_value, pairs, percent, saved, several, spread, steps
from .findings import Cell, Findings
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
    answer += qualifiers(findings)
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
    gone = [PEOPLE[arm] for arm, step in found.stable_steps.items() if step is None]
    if found.estimand == "E1":
        misses = f"{found.missed} run{'' if found.missed == 1 else 's'} missed"
    elif found.missed:
        misses = f"the mean {several(gone)} does not stay at the target"
    else:
        misses = "the means of both arms stay at the target"
    return f"{found.verdict.word.upper()}{reason}. The averages {saved(found.saved, found.n_pairs)}; {misses}."


def qualifiers(findings: Findings) -> list[str]:
    """Write the three qualifiers of the verdict, a paragraph each; one that cannot be told says why."""
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
        if word == "not established":
            tuned = f"open (tuned: {word})."
    counting = _counting(findings)
    return [f"Explained by: {explained}", f"Gone when tuned: {tuned}", f"Depends on the counting: {counting}"]


def _counting(findings: Findings) -> str:
    """Whether the claim cell's word is one for all cost models; what else depends on what is counted."""
    if findings.claim is None:
        return f"not known. {' '.join(missing(findings, 'claim'))}".rstrip()
    names = [PRICES[model] for model in findings.claim.depends_on_counting]
    found = f"yes, the claim cell has another word for {several(names)}." if names else "no"
    found += "" if names else ", the claim cell has one word for all cost models."
    cells = [("claim", findings.claim), *([("honest", findings.honest)] if findings.honest else [])]
    if findings.honest and findings.honest.depends_on_counting:
        names = [PRICES[model] for model in findings.honest.depends_on_counting]
        found += f" The honest cell also has another word for {several(names)}."
    ran = [
        f"{row.word} in the {name} cell, {brief(row.saved, row.n_pairs)}"
        for name, cell in cells
        for row in cell.sensitivity
        if (row.model, row.counting) == ("flop", "executed")
    ]
    return f"{found} By operations that ran, zeros skipped: {'; '.join(ran)}." if ran else found


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
    rows.append(["saved, the article's count", percent(float(savings()["flops"])), spread(saving, in_percent=True)])
    caption = f"The claim cell beside the article; {pairs(claim.n_pairs)}, seeds {claim.seeds[0]} to {claim.seeds[1]}:"
    return Table(["", "article", "median (range)"], rows, caption)


def _equals(p: str) -> str:
    return p if p.startswith("<") else f"= {p}"
