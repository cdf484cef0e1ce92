"""QUESTION: the headline, and the verdict: the word of each cell with its numbers, the article's beside ours.

Whether the claim stands or falls is read off the words by the registered rule; what depends on the controls, on tuning
and on the counting stands beside it.
"""

from __future__ import annotations

from ..experiment.article import ACCURACY_AFTER_PRETRAIN_PRINTED, PRETRAINED, SCRATCH, savings
from ..experiment.config import ARMS, BASELINE, TREATMENT
from ..experiment.costs import ARTICLE, EVERY_OPERATION, compared
from ..experiment.records import paired
from ..experiment.stats import CLAIMED, Interval
from ..experiment.wording import (
    MEANING,
    PRICES,
    brief,
    ends,
    number,
    p_value,
    pairs,
    percent,
    saved,
    several,
    spread,
    spread_in_percent,
    steps,
)
from ..experiment.wording import cell as interval
from . import controls
from .cells import IN_VERDICT, SHORT, by_the_other_estimand, by_what_ran, cell, cells, verdict_line
from .comparisons import EXPLAINED_MARGIN
from .document import Facts, Section, Table, row_of
from .estimands import Curves, Goal, for_good, target_of
from .protocol import CLAIM, FLAGS
from .runs import Study, once, question
from .settled import settlement

ANSWER = {
    "reproduced": "It does",
    "larger than claimed": "Saves more than claimed",
    "direction only": "Saves, but less than claimed",
    "no material saving": "Saves nothing that matters",
    "costs more": "Costs more",
    "saves, size not established": "Saves; whether as much as claimed stays open",
    "not established": "It stays open",
}
"""The answer to the title that each word of the claim cell gives."""

ROWS = {
    "claim": "the article's way",
    "claim_64": "64 units",
    "honest": "held-out images",
    "--learning-rate 2e-3": "no averages, rate x 2",
    "tuned": "tuned, first study",
}
"""The headline's rows: cells by their keys, and a flag that scratch may change instead."""

RULED_BY = ("honest", "controls", "tuned")
"""Parts that the registered rule looks at, beside the claim cell's own."""

GONE = ("no material saving", "costs more")
"""Words that say a saving is gone."""


@question("In short", needs=("claim",))
def headline(study: Study) -> Section:
    """Answer in one sentence and one table: four cells, and what twice the learning rate saves without averages."""
    rows = [row for key in ROWS if (row := _headline_row(study, key))]
    claim = cell(study, "claim")
    answer = (
        f"{ANSWER[claim['verdict'].word]}: counted and stopped as in the article the averages "
        f"{saved(claim['saved'], claim['n_pairs'])}, not {CLAIMED:.0%}."
    )
    beside = {
        "--learning-rate 2e-3": ("first_touch", "twice the learning rate without them"),
        "tuned": ("for_good", "tuned alike they"),
    }
    said = {
        key: f"{what} {_said(row[way])}" for row in rows if (key := row["key"]) in beside for way, what in [beside[key]]
    }
    if at_last := settlement(study):
        said["tuned"] = f"with both ways tuned, and settled by a second registration, they {brief(at_last['saved'])}"
    if said:
        answer += f" {'; '.join(said.values()).capitalize()}."
    lines = [
        [
            ROWS[row["key"]],
            str(row["n_pairs"]),
            *(
                interval(row[way]) if row["estimand"] == estimand else number(row[way].median)
                for way, estimand in (("first_touch", "E1"), ("for_good", "E2"))
            ),
            number(row["ran"].median),
        ]
        for row in rows
    ]
    caption = (
        "Saved, % (95% as registered; below 0: cost more), by the article's count, held-out and tuned by dense "
        "operations, zeros skipped by those that ran:"
    )
    table = Table(["", "n", "first touch", "for good", "zeros skipped"], lines, caption)
    pictures = {"pairs": "cost with averages first against cost from scratch, pair by pair"}
    return Section([answer], [table], pictures=pictures, facts={"headline": rows})


def _headline_row(study: Study, key: str) -> Facts | None:
    """What is saved by either estimand, and by what ran at each run's first touch; None where that was not run."""
    if key in FLAGS:
        return _flag_row(study, key)
    if (found := cells(study, [key]).get(key)) is None:
        return None
    ways = {"E1": "first_touch", "E2": "for_good"}
    own = ways.pop(found["estimand"])
    (other,) = ways.values()
    return {
        "key": key,
        "n_pairs": found["n_pairs"],
        "estimand": found["estimand"],
        own: found["saved"],
        other: by_the_other_estimand(found),
        "ran": by_what_ran(found)["saved"],
    }


@once
def _flag_row(study: Study, name: str) -> Facts | None:
    found = next((row for row in controls.flags(study) if row["name"] == name), None)
    runs = paired(study.runs("flags", BASELINE, FLAGS[name]), study.runs("claim", BASELINE, CLAIM))
    if found is None or not runs[0]:
        return None
    arms = Curves(runs[0]), Curves(runs[1])
    return {
        "key": name,
        "n_pairs": found["n_pairs"],
        "estimand": "E1",
        "first_touch": found["saved"].interval,
        "for_good": for_good(arms, ARTICLE, Goal(target_of(runs[1][0]))),
        "ran": compared(runs, EVERY_OPERATION, executed=True).interval,
    }


def _said(saving: Interval) -> str:
    """saved 33.7%; cost 9.0% more."""
    return brief(Interval(saving.median, None, None))


def beside_the_first_screen(study: Study) -> dict[str, dict[str, str]]:
    """Return what `experiment.report` prints beside its own runs: by preset, the cells of a column and what else saves.

    Empty without the records of the claim cell, of the flag and of the tuned cell.
    """
    rows = {row["key"]: row for key in ROWS if (row := _headline_row(study, key))}
    if not {"claim", "claim_64", "--learning-rate 2e-3", "tuned"} <= rows.keys():
        return {}
    flag, at_last = rows["--learning-rate 2e-3"], settlement(study)
    tuned = at_last["saved"] if at_last else rows["tuned"]["for_good"]
    other = (
        f"Registered too: twice the learning rate instead of averages {brief(flag['first_touch'])}; with settings "
        f"tuned for each way, averages first {brief(tuned)}."
    )
    found = {}
    for preset, key in (("article", "claim"), ("article-64", "claim_64")):
        claim = cell(study, key)
        scratch, then = (spread(claim["first_hit_steps"][arm]) for arm in (BASELINE, TREATMENT))
        every = row_of(claim["sensitivity"], model=EVERY_OPERATION.model)["saved"]
        found[preset] = {
            "n_pairs": f"{pairs(claim['n_pairs'])}, registered",
            "scratch": scratch,
            "after": spread_in_percent(claim["after_pretrain"]),
            "then": then,
            "saved": f"{percent(claim['saved'].median, 0)} ({ends(claim['saved'].low, claim['saved'].high, 0)})",
            "every": f"{percent(every.median, 0)} ({ends(every.low, every.high, 0)})",
            "else": "By the registered pairs, whose rules were written down before the runs: "
            f"{MEANING[claim['verdict'].word]}. {other}",
        }
    return found


@question("Does the claim stand?", needs=("claim",), also=RULED_BY)
def verdict(study: Study) -> Section:
    """Give the word of each cell, what stands beside it, and the article's numbers next to ours."""
    of, told = cells(study, IN_VERDICT), list[str]()
    ruled = study.has(*RULED_BY)
    answer, tables, notes = [standing(study) if ruled else "By the rules set beforehand that stays open."], [], []
    for key, found in of.items():
        title, short = IN_VERDICT[key]
        answer.append(f"{title}: {verdict_line(found)}")
        told.append(found["verdict"].word)
        if found["estimand"] == "E1":
            tables.append(_beside_the_article(found, short))
            notes.append(_tested(found, short))
    answer += [*(qualifiers(study) if ruled else []), _the_articles_pair(of["claim"])]
    notes += [f'"{word}" means: {MEANING[word]}.' for word in sorted(set(told))]
    pictures = {"accuracy": "accuracy against operations, both arms"}
    return Section(answer, tables, notes, pictures, facts=of)


def standing(study: Study) -> str:
    """Say whether the claim stands or falls by the registered rule."""
    claim, held_out, tuned = (cell(study, key)["verdict"].word for key in ("claim", "honest", "tuned"))
    if held_out in GONE or tuned in GONE:
        return f"By the rules set beforehand it falls: {SHORT['honest']} {held_out}, tuned {tuned}."
    at_last = settlement(study)
    settled = ""
    if at_last and at_last["verdict"].word in GONE:
        settled = f" With the second registration's word for tuned against tuned, {at_last['verdict'].word}, it falls."
    explained_by = controls.explained_by(controls.controls(study))
    against = {
        "its cell does not say reproduced": claim != "reproduced",
        "the held-out cell is not established": held_out == "not established",
        "a control of cheap steps explains it": bool(controls.CHEAP.keys() & set(explained_by)),
        "whether it is gone when tuned stays open": tuned == "not established",
    }
    why = [reason for reason, holds in against.items() if holds]
    if not why:
        return "By the rules set beforehand it stands."
    return (
        f"By the rules set beforehand it neither stands ({'; '.join(why)}) nor falls (neither the held-out nor the "
        f"tuned cell says {' or '.join(GONE)}).{settled}"
    )


def qualifiers(study: Study) -> list[str]:
    """Write the three qualifiers of the verdict, a paragraph each."""
    by = "; ".join(f"{arm} ({ARMS[arm]})" for arm in controls.explained_by(controls.controls(study)))
    margin = f"within {100 * EXPLAINED_MARGIN:.0f} points; the registered word for such a control is explains"
    as_much = f"{by}; {margin}." if by else "none of the controls."
    word = cell(study, "tuned")["verdict"].word
    gone = "open" if word == "not established" else "no"
    tuned = f"yes ({word})." if word in GONE else f"{gone} (tuned: {word})."
    if at_last := settlement(study):
        word = at_last["verdict"].word
        tuned += f" Settled by the second registration: {'yes' if word in GONE else 'no'} ({word})."
    return [
        f"Saves as much as the averages: {as_much}",
        f"Gone when tuned: {tuned}",
        f"Depends on the counting: {_counting(study)}",
    ]


def _counting(study: Study) -> str:
    """Whether a count turns the sign or the word: by what ran, and by the cost models that count shapes."""
    of = {short: cell(study, key) for key, (_, short) in IN_VERDICT.items()}
    ran = {short: by_what_ran(found)["saved"] for short, found in of.items()}
    turned = any((ran[short].median < 0) != (found["saved"].median < 0) for short, found in of.items())
    another = {
        short: f"the {short} has another word under {several([PRICES[model] for model in models])}"
        for short, found in of.items()
        if (models := found["depends_on_counting"])
    }
    by_ran = "; ".join(f"{brief(saving)} in the {short}" for short, saving in ran.items())
    one = f"the claim cell has one word under the {len(PRICES)} cost models that count by the shape of the network"
    by_shape = [*([] if "claim cell" in another else [one]), *another.values()]
    yes = "yes" if turned or "claim cell" in another else "no"
    return f"{yes}. By operations that ran, zeros skipped, the averages {by_ran}. As registered: {'; '.join(by_shape)}."


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
