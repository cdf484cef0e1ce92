"""Lesson *verdict*: from pairs of runs to one word. Run it with `python -m nnlite.lessons.verdict`, then read it here.

Ten savings in order and a coin give an interval, a test and a place for runs that never got there; a rule makes a word
of the interval. Then the rule is tried on studies whose truth is known. Left out: training, where savings come from.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import nnlite
from nnlite.experiment.config import BASELINE, TREATMENT
from nnlite.experiment.costs import ARTICLE, compared
from nnlite.experiment.records import paired, read_records
from nnlite.experiment.stats import (
    CLAIMED_HIGH,
    CLAIMED_LOW,
    IMMATERIAL,
    MAX_WIDTH,
    MIN_PAIRS,
    Interval,
    binomial_tail,
    interval_ranks,
    median_interval,
    sign_test,
    verdict,
)
from nnlite.lessons.checker import Change, Exercise, end, run
from nnlite.lessons.planted import N_STUDIES, Savings, look_after_every_pair, simulated
from nnlite.study.protocol import CLAIM

RECORDS = Path(nnlite.__file__).parents[1] / "data" / "runs" / "claim.jsonl.xz"  # in a clone
N_FEW = 10
EFFECT = 0.20  # the true saving of simulated pairs, where no runs are kept


def savings(path: Path = RECORDS) -> tuple[Savings, str]:
    """Return the savings of pairs by seed, and where they are from: kept runs if there are any, else simulated ones."""
    if not path.exists():
        return simulated(np.random.default_rng(0), 100, EFFECT), "simulated: no kept runs here"
    records = [record for record in read_records(path) if record.run_config == CLAIM]
    arms = ([record for record in records if record.arm == arm] for arm in (TREATMENT, BASELINE))
    both = paired(*arms)
    found = compared(both, ARTICLE)
    return np.array(found.reductions), f"kept runs, seeds {both[0][0].seed} to {both[0][-1].seed}"


def interval(saved: Savings) -> Interval:
    """Bound the median of savings; as ratios, so that a run that never got there is infinite."""
    return median_interval(1 - saved).as_reduction()


def word(saved: Savings) -> str:
    """Judge savings by the rule."""
    found = interval(saved)
    return verdict(len(saved), 0.0, found.low, found.high).word


def lesson() -> None:
    """Print the lesson: a column in order, its interval, its test, its misses; then the rule and what it is worth."""
    every, source = savings()
    few = every[:N_FEW]
    sort_and_count(few, source)
    ask_the_coin(few)
    let_one_miss(few)
    take_more(every)
    judge()
    plant_effects()


def sort_and_count(few: Savings, source: str) -> None:
    """Print ten savings in order, and why the second and the ninth bound the median."""
    print(f"1. What {N_FEW} pairs saved ({source})\n")
    print("  by seed   " + _row(few))
    print("  in order  " + _row(np.sort(few)))
    print("  number    " + "".join(f"{i:6}" for i in range(1, len(few) + 1)))
    print("\n  Where is the true median, of all seeds there are? A pair lies above or below")
    print("  it as a coin falls. So it is as rare to have few on a side as few heads:\n")
    for k in range(3):
        chance = 2 * binomial_tail(N_FEW, k)
        print(
            f"  at most {k} of {N_FEW} on one side: {chance.numerator * 1024 // chance.denominator:3} of 1024"
            f"  {float(chance):6.1%}"
        )
    low, high = interval_ranks(N_FEW) or (1, N_FEW)
    found = interval(few)
    print(f"\n  At most {low - 1} is rarer than 5%, at most {low} is not. So numbers {low} and {high} hold the true")
    print(f"  median with 95% confidence: {_share(found.low)} to {_share(found.high)}. No curve was fitted.")


def ask_the_coin(few: Savings) -> None:
    """Print the sign test, and that it is the interval read backwards."""
    print("\n2. Could the true median be this? The sign test asks the coin\n")
    inside = np.sort(few)[1] + 1e-6
    for value in (0.0, np.sort(few)[0] + 1e-6, inside, few.max() + 0.01):
        p = sign_test(few, value)
        print(
            f"  saved {_share(value):>6}?  {np.count_nonzero(few > value):3} of {N_FEW} above  p = {p:6.3f}"
            f"  {'possible' if p > 0.05 else 'ruled out'}"
        )
    print("\n  What is not ruled out is the interval: one is the other, read backwards.")


def let_one_miss(few: Savings) -> None:
    """Print what one run that never gets there does to the median, and to the mean."""
    print("\n3. One run never gets there\n")
    with_miss = few.copy()
    with_miss[np.argmax(few)] = -math.inf  # the luckiest seed's
    dropped = np.delete(few, np.argmax(few))
    print(f"  {'':22}{'median':>8}   {'95% interval':20}{'mean':>8}")
    for name, saved in (("all arrive", few), ("the best one misses", with_miss), ("it is left out", dropped)):
        found = interval(saved)
        ends = f"{_share(found.low)} to {_share(found.high)}"
        print(f"  {name:22}{_share(found.median):>8}   {ends:20}{_share(float(np.mean(saved))):>8}")
    print("\n  A cost without end cannot be averaged, but it has a place in the order: last.")
    print("  To leave it out would say that a method is good wherever it works.")


def take_more(every: Savings) -> None:
    """Print what more pairs give."""
    print("\n4. Why ten pairs cannot say it\n")
    print(f"  {'pairs':>7}{'numbers':>11}   {'95% interval':18}{'points wide':>12}   word")
    for n in (n for n in (N_FEW, MIN_PAIRS, 50, 100) if n <= len(every)):
        low, high = interval_ranks(n) or (1, n)
        found = interval(every[:n])
        ends, wide = f"{_share(found.low)} to {_share(found.high)}", 100 * ((found.high or 0) - (found.low or 0))
        print(f"  {n:7}{f'{low} and {high}':>11}   {ends:18}{wide:12.1f}   {word(every[:n])}")
    print("\n  Ten times the pairs make it about a third as wide: it shrinks as 1 / sqrt(n).")


def judge() -> None:
    """Print the rule, an interval for each of its lines."""
    print("\n5. The rule: the first line that fits\n")
    print(f"  {'pairs':>7}   {'interval':14}word")
    for n, low, high in (
        (N_FEW, 0.28, 0.33),
        (100, CLAIMED_LOW + 0.03, CLAIMED_HIGH - 0.02),
        (100, CLAIMED_HIGH + 0.01, CLAIMED_HIGH + 0.05),
        (100, 0.01, IMMATERIAL - 0.01),
        (100, -0.09, -0.02),
        (100, 0.19, CLAIMED_LOW - 0.01),
        (100, 0.22, CLAIMED_LOW + 0.03),
        (100, -0.02, 0.07),
    ):
        print(f"  {n:7}   {f'{low:.0%} to {high:.0%}':14}{verdict(n, 0.0, low, high).word}")
    print(f"\n  Below {MIN_PAIRS} pairs, or wider than {MAX_WIDTH:.0%}, it establishes nothing. It was written down")
    print("  before the runs: a rule made afterwards fits what came out.")


def plant_effects() -> None:
    """Print how often the rule names a saving that was planted."""
    rng = np.random.default_rng(1)
    wanted = {0.0: "no material saving", 0.15: "direction only", 0.30: "reproduced"}
    print(f"\n6. Is the rule any good? {N_STUDIES} simulated studies of a known saving\n")
    print(f"  {'true saving':14}{'its word':22}" + "".join(f"{f'{n} pairs':>11}" for n in (10, 30, 100)))
    n_false = 0
    for effect, name in wanted.items():
        true = {name, "not established", *(["saves, size not established"] if effect else [])}
        words = {n: Counter(word(simulated(rng, n, effect)) for _ in range(N_STUDIES)) for n in (10, 30, 100)}
        n_false += sum(n for found in words.values() for given, n in found.items() if given not in true)
        print(f"  {effect:<14.0%}{name:22}" + "".join(f"{found[name] / N_STUDIES:11.0%}" for found in words.values()))
    print("\n  Else it says 'not established', or leaves the size open. Of all these studies,")
    print(f"  {3 * len(wanted) * N_STUDIES:,}, {n_false} got a word that is false.")


def _row(saved: Sequence[float] | Savings) -> str:
    return "".join(f"{share:6.0%}" for share in saved)


def _share(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}" if math.isfinite(share) else "missed"


EXERCISES = [
    Exercise(
        "Of 40 pairs in order, which numbers are the ends of the 95% interval?\nAnswer with the lower one.",
        lambda: (interval_ranks(40) or (0, 0))[0],
        "add up the ways of 0, 1, 2 .. heads in 40 tosses while twice the sum\nis at most 5% of 2^40",
        "one below that would do with less than 5%, one above would not",
    ),
    Exercise(
        "11 of 12 pairs saved something. The p-value of the sign test is how many\n4096ths?",
        lambda: int(2 * binomial_tail(12, 1) * 4096),
        "none below, one below, and the same on the other side",
        "1 + 12 ways on either side: far below 5% of 4096, so something is saved",
    ),
    Exercise(
        "In 5 of 100 pairs only the run with averages misses. The lower end of the\n"
        "interval is which number, in order, of the 95 savings that are left?",
        lambda: (interval_ranks(100) or (0, 0))[0] - 5,
        "where in the order of all 100 do the misses stand?",
        "the misses come before all others, as the five that saved least",
    ),
]

CHANGE = Change(
    "Nothing is saved, in truth. Do not wait for 100 pairs: from the sixth pair\n"
    "on do the sign test after each, and stop as soon as p is at most 0.05. How\n"
    "many of 200 studies find a difference that is not? Write it, then look.",
    look_after_every_pair,
)

if __name__ == "__main__":
    end(run("verdict", lesson, EXERCISES, CHANGE))
