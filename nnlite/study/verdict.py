"""QUESTION: the verdict: the word of each cell with its numbers, the article's beside ours, and three qualifiers.

Whether the claim stands or falls is read off the words by the registered rule.
"""

from __future__ import annotations

from ..experiment.article import ACCURACY_AFTER_PRETRAIN_PRINTED, PRETRAINED, SCRATCH, savings
from ..experiment.config import ARMS, BASELINE, TREATMENT
from ..experiment.wording import MEANING, PRICES, brief, p_value, pairs, percent, saved, several, spread, steps
from . import controls
from .cells import CELLS, IN_VERDICT, cell, verdict_line
from .comparisons import EXPLAINED_MARGIN
from .document import Facts, Section, Table
from .runs import Study

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
"""Words that say a saving is gone."""


def verdict(study: Study) -> Section:
    """Give the word of each cell, what stands beside it, and the article's numbers next to ours."""
    of = {key: cell(study, key) for key in IN_VERDICT}
    told: list[str] = []
    answer, tables, notes = [], [], []
    for key, (title, short) in IN_VERDICT.items():
        if (found := of[key]) is None:
            answer.append(" ".join([f"{title}: not answered.", *study.missing(CELLS[key][1])]))
            continue
        answer.append(f"{title}: {verdict_line(found)}")
        told.append(found["verdict"].word)
        if found["estimand"] == "E1":
            tables.append(_beside_the_article(found, short))
            notes.append(_tested(found, short))
        else:
            held = [steps(found["stable_steps"][arm]) for arm in (BASELINE, TREATMENT)]
            at = f"mean accuracy stays at {percent(found['target'])} for good from step {held[0]} on from scratch"
            notes.append(f"Honest cell: {at}, from step {held[1]} on after the averages.")
    answer += qualifiers(study)
    if claim := of["claim"]:
        answer = [f"{SHORT[claim['verdict'].word]}. {standing(study)}".rstrip(), *answer, _the_articles_pair(claim)]
    notes += [f'"{word}" means: {MEANING[word]}.' for word in sorted(set(told))]
    pictures = {
        "accuracy": "accuracy against operations, both arms",
        "pairs": "cost with averages first against cost from scratch, pair by pair",
    }
    return Section("The verdict", answer, tables, notes, pictures, facts=of)


def standing(study: Study) -> str:
    """Say whether the claim stands or falls by the registered rule; empty while a cell or the controls are missing."""
    of = [cell(study, key) for key in ("claim", "honest", "tuned")]
    if None in of or not controls.controls(study):
        return ""
    claim, honest, tuned = (found["verdict"].word for found in of if found)
    if honest in GONE or tuned in GONE:
        return f"By the rules set beforehand the claim falls: honest cell {honest}, tuned {tuned}."
    explained_by = controls.explained_by(controls.controls(study))
    against = {
        "its cell does not say reproduced": claim != "reproduced",
        "the honest cell is not established": honest == "not established",
        "a control of cheap steps explains it": bool(controls.CHEAP.keys() & set(explained_by)),
        "whether it is gone when tuned stays open": tuned == "not established",
    }
    why = [reason for reason, holds in against.items() if holds]
    if not why:
        return "By the rules set beforehand the claim stands."
    return (
        f"By the rules set beforehand the claim does not stand ({'; '.join(why)}) and does not fall (neither the "
        f"honest nor the tuned cell says {' or '.join(GONE)})."
    )


def qualifiers(study: Study) -> list[str]:
    """Write the three qualifiers of the verdict, a paragraph each; one that cannot be told says why."""
    explained = tuned = counting = "not known."
    found, judged = controls.controls(study), cell(study, "tuned")
    if len(found) > 1:
        by = "; ".join(f"{arm} ({ARMS[arm]})" for arm in controls.explained_by(found))
        margin = f"To explain is to save more, or less by at most {100 * EXPLAINED_MARGIN:.0f} points."
        explained = f"{by}. {margin}" if by else "none of the controls."
    if judged:
        word = judged["verdict"].word
        gone = "open" if word == "not established" else "no"
        tuned = f"yes ({word})." if word in GONE else f"{gone} (tuned: {word})."
    if cell(study, "claim"):
        counting = _counting(study)
    told = {
        "Explained by": (explained, "controls"),
        "Gone when tuned": (tuned, "tuned"),
        "Depends on the counting": (counting, "claim"),
    }
    return [" ".join([f"{name}: {answer}", *study.missing(part)]) for name, (answer, part) in told.items()]


def _counting(study: Study) -> str:
    """Whether the claim cell's word is one under all cost models; what else depends on what is counted."""
    of = {short: found for key, (_, short) in IN_VERDICT.items() if (found := cell(study, key))}
    another = {
        short: f"the {short} has another word under {several([PRICES[model] for model in models])}."
        for short, found in of.items()
        if (models := found["depends_on_counting"])
    }
    one = f"has one word under the {len(PRICES)} cost models that count by the shape of the network."
    claim = another.pop("claim cell", "")
    told = [f"yes, {claim}" if claim else f"no, the claim cell {one}"]
    told += [f"T{sentence[1:]}" for sentence in another.values()]
    ran = [
        f"{row['word']} in the {short}, {brief(row['saved'], row['n_pairs'])}"
        for short, found in of.items()
        for row in found["sensitivity"]
        if (row["model"], row["counting"]) == ("flop", "executed")
    ]
    return " ".join([*told, f"Apart from that rule, by operations that ran, zeros skipped: {'; '.join(ran)}."])


def _the_articles_pair(claim: Facts) -> str:
    """Where the article's run of each kind lies among ours."""
    theirs = (
        (SCRATCH.real_steps, "steps from scratch", claim["first_hit_steps"][BASELINE]),
        (PRETRAINED.real_steps, "after the averages", claim["first_hit_steps"][TREATMENT]),
    )
    outside = [
        f"{n} {what} (here {steps(min(ours))} to {steps(max(ours))})"
        for n, what, ours in theirs
        if not min(ours) <= n <= max(ours)
    ]
    article = percent(float(savings()["flops"]))
    told = f"The article's single pair ({article}) lies above {claim['article_rank']} of these {claim['n_pairs']}."
    but = f"But {several(outside)} did not occur, so its settings, which it does not give, were probably others."
    return f"{told} {but}" if outside else told


def _beside_the_article(claim: Facts, name: str) -> Table:
    scratch, then = (claim["first_hit_steps"][arm] for arm in (BASELINE, TREATMENT))
    after, printed = claim["after_pretrain"], f"~{float(ACCURACY_AFTER_PRETRAIN_PRINTED):.0%}"
    phase_1 = f"right after {PRETRAINED.pretrain_epochs} epochs on averages"
    saving = spread(claim["first_hits"].reductions, in_percent=True)
    rows = [
        ["steps from scratch", str(SCRATCH.real_steps), spread(scratch)],
        [phase_1, printed, spread(after, in_percent=True) if after else "-"],
        ["then, steps", str(PRETRAINED.real_steps), spread(then)],
        ["saved, the article's count", percent(float(savings()["flops"])), saving],
    ]
    seeds = f"seeds {claim['seeds'][0]} to {claim['seeds'][1]}"
    caption = f"The {name} beside the article; {pairs(claim['n_pairs'])}, {seeds}:"
    return Table(["", "article", "median (range)"], rows, caption)


def _tested(claim: Facts, name: str) -> str:
    p, n_pairs = p_value(claim["sign_test_p"]), claim["n_pairs"]
    return (
        f"The {name}: sign test against no saving, p {p if p.startswith('<') else f'= {p}'}; the article's pair saved "
        f"more than {claim['article_rank']} of {n_pairs}; by expected cost, all spending of an arm over its successes, "
        f"the averages {saved(claim['expected_costs'], n_pairs)}."
    )
