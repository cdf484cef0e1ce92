"""Lesson *claim*: a published saving, taken apart. Run it with `python -m nnlite.lessons.claim`, then read it here.

An article of December 2023 prints a dozen numbers and "30% less". Worked backwards they tell what was counted, in which
network, and what was not; six pairs of runs then show what one of each kind can establish. Left out: the study itself.
"""

from __future__ import annotations

import math
import statistics
from fractions import Fraction

import nnlite
from nnlite.datasets import Dataset
from nnlite.experiment import article
from nnlite.experiment.article import PRETRAINED, SCRATCH
from nnlite.experiment.config import BASELINE, TREATMENT, PairSettings, RunConfig
from nnlite.experiment.costs import ARTICLE, cost_at_stop
from nnlite.experiment.pool import run_all
from nnlite.experiment.records import RunRecord
from nnlite.experiment.stats import article_rank, binomial_tail, compare
from nnlite.kernels.jit import COMPILES, WITHOUT_NUMBA
from nnlite.lessons.checker import Change, Exercise, end, run

_REMEDY = "install numba" if WITHOUT_NUMBA else "unset NUMBA_DISABLE_JIT"
_TOO_SLOW = f"Kernels run as plain Python, which would take days: {_REMEDY}."

BATCH, CLASSES, PIXELS = article.BATCH_SIZE, article.N_CLASSES, article.N_PIXELS
EPOCHS, STEPS, SCRATCH_STEPS = PRETRAINED.pretrain_epochs, PRETRAINED.real_steps, SCRATCH.real_steps
PASSES, SCRATCH_PASSES = article.FORWARD_PASSES_PRINTED, article.FORWARD_PASSES_SCRATCH_PRINTED
FLOPS, SCRATCH_FLOPS = article.FLOPS_PRINTED, article.FLOPS_SCRATCH_PRINTED
SAVED = {name: f"{float(share):.1%}" for name, share in article.savings().items()}

WEIGHTS = {  # what a forward pass may count: so many weights for each hidden unit, and so many besides
    "first layer": (PIXELS, 0),
    "first layer, biases": (PIXELS + 1, 0),
    "both layers": (PIXELS + CLASSES, 0),
    "both layers, biases": (PIXELS + 1 + CLASSES, CLASSES),
}
N_PAIRS = 6  # the fewest that have a 95% interval, as section 7 finds


def solve(scratch_passes: int) -> tuple[Fraction, Fraction]:
    """Find F and B from passes x F + steps x B = FLOPs of both runs: two equations, two unknowns, Cramer's rule."""
    steps, scratch_steps = PRETRAINED.steps, SCRATCH.steps  # epochs included, one step each
    determinant = PASSES * scratch_steps - steps * scratch_passes
    forward = Fraction(FLOPS * scratch_steps - steps * SCRATCH_FLOPS, determinant)
    return forward, Fraction(PASSES * SCRATCH_FLOPS - FLOPS * scratch_passes, determinant)


F, B = map(int, solve(SCRATCH.forward_passes))  # both are whole, as section 2 shows


def hidden_units(counted: str, per_weight: int) -> Fraction:
    """Find how many hidden units make a pass of F operations; only a whole number is a network."""
    per_unit, besides = WEIGHTS[counted]
    return (Fraction(F, per_weight) - besides) / per_unit


def saving(n_steps: int, n_images: int) -> Fraction:
    """Compute the share saved as the article counts it, if so many steps of so many images follow the epochs."""
    step = n_images * F + B
    return 1 - (EPOCHS * (CLASSES * F + B) + n_steps * step) / Fraction(SCRATCH_STEPS * step)


def carry_out(dataset: Dataset, config: RunConfig, n_pairs: int) -> tuple[list[RunRecord], list[RunRecord]]:
    """Train from seeds 0, 1, ... with averages first and from scratch; return the runs of both kinds by seed."""
    runs_wanted = [(config, *run) for run in PairSettings(seeds=n_pairs).runs()]
    events = run_all(dataset, runs_wanted)
    runs = sorted((item for item in events if isinstance(item, RunRecord)), key=lambda record: record.seed)
    return [r for r in runs if r.arm == TREATMENT], [r for r in runs if r.arm == BASELINE]


def lesson() -> None:
    """Print the lesson: the article's numbers backwards, then its two runs more than once."""
    work_backwards()
    put_on_the_bill()
    run_pairs()


def work_backwards() -> None:
    """Print how the article's numbers lead to F, to B and to the network."""
    print("1. What an article prints of two runs on MNIST, to the same accuracy\n")
    print(f"  {'':24}{'averages first':>16}{'from scratch':>16}")
    print(f"  {'epochs on ten averages':24}{EPOCHS:16}{'-':>16}")
    print(f"  {f'steps of {BATCH} images':24}{STEPS:16}{SCRATCH_STEPS:16}")
    print(f"  {'forward passes':24}{PASSES:16,}{SCRATCH_PASSES:16,}")
    print(f"  {'FLOPs':24}{FLOPS:16,}{SCRATCH_FLOPS:16,}")
    print(f"  {'FLOPs a pass (our line)':24}{FLOPS / PASSES:16,.1f}{SCRATCH_FLOPS / SCRATCH_PASSES:16,.1f}")
    print(f'\n  "{float(article.SAVED_PRINTED):.0%} less". Paid by the pass alone, our line would say one thing twice.')
    print("  So something is paid by the step: say F for an image forward, B for a step.")

    print("\n2. Two totals, two unknowns; an epoch is one step of ten images\n")
    batches, all_steps = SCRATCH.forward_passes, PRETRAINED.steps
    print(f"  {PASSES:6,} F + {all_steps} B = {FLOPS:13,}    as {EPOCHS} x {CLASSES} + {STEPS} x {BATCH} = {PASSES:,}")
    print(f"  {batches:6,} F + {SCRATCH_STEPS} B = {SCRATCH_FLOPS:13,}    as {SCRATCH_STEPS} x {BATCH} = {batches:,}")
    print(f"\n  But the article prints {SCRATCH_PASSES:,}. Solved with either:\n")
    for passes in (SCRATCH_PASSES, batches):
        (f, b), images = map(float, solve(passes)), passes // SCRATCH_STEPS
        print(f"  {passes:,} = {SCRATCH_STEPS} x {images}:    F = {f:9,.1f}    B = {b:10,.1f}")
    print(f"\n  Work cannot be below zero: batches were of {BATCH}, a printed number is wrong.")
    print(f"  B is {B // F} F, and paid once a step, though {BATCH} images go backward in it.")

    print(f"\n3. Which network takes F = {F:,}? Units of its hidden layer, if a pass is\n")
    print(f"  {'':24}{'1 FLOP a weight':>16}{'2 a weight':>16}")
    for counted in WEIGHTS:
        print(f"  {counted:24}" + "".join(f"{float(hidden_units(counted, n)):16.2f}" for n in (1, 2)))
    networks = " or ".join("-".join(map(str, sizes)) for sizes in article.LAYER_SIZES.values())
    print(f"\n  {networks}, its output layer not counted; nothing else is whole.")


def put_on_the_bill() -> None:
    """Print what the article's totals leave out and what each omission makes of the saving."""
    print(f"\n4. F cancels: with B = {B // F} F the saving is the same for every network\n")
    epoch, step = CLASSES + B // F, BATCH + B // F
    print(f"  1 - ({EPOCHS} x {epoch} + {STEPS} x {step}) / ({SCRATCH_STEPS} x {step}) = {SAVED['flops']}")
    print(f"  By passes it is {SAVED['forward_passes']}, by passes as printed {SAVED['forward_passes_printed']}.")

    print("\n5. What was left out, and what is saved when that alone is charged\n")
    print(f"  {'':42}{'FLOPs':>14}{'saved':>9}")
    for omission, flops, name in (
        ("nothing", "", "flops"),
        ("output layer and activations: a larger F", "", "flops"),
        ("backward for every image, not every step", "", "flops_with_backward_per_image"),
        (f"averaging {article.N_TRAIN_IMAGES:,} images", f"{article.AVERAGING:,}", "flops_with_averaging"),
        (f"one look at {article.N_TEST_IMAGES:,} test images", f"{article.EVALUATION:,}", "flops_with_one_evaluation"),
        ("such a look after every step", "", "flops_with_evaluation_every_step"),
    ):
        print(f"  {omission:42}{flops:>14}{SAVED[name]:>9}")
    ratio = float(article.backward_ratio(article.LAYER_SIZES["article"]))
    print("\n  One look costs more than the whole run that it ends. For an image, backward is")
    print(f"  {ratio:.3f} x forward, not {B // F} x: nothing needs the gradient of a pixel. And averages")
    print(f"  use {article.N_TRAIN_IMAGES:,} labels; from scratch, {SCRATCH.forward_passes:,} were enough.")


def run_pairs() -> None:
    """Print six pairs of runs, what one run of each kind could have shown, and what an interval is."""
    print("\n6. The same two runs by nnlite, each from six seeds\n")
    if not COMPILES:
        print(f"  {_TOO_SLOW}")
        return
    print("  (seconds with the fast kernels; they are compiled once, in half a minute)\n", flush=True)
    treated, scratch = carry_out(nnlite.load_dataset("mnist"), RunConfig(), N_PAIRS)
    # The article's price of a run: F a pass and B a step, of passes counted while they ran.
    ours, theirs = ([cost_at_stop(record, ARTICLE) for record in records] for records in (treated, scratch))
    saved, claimed = compare(ours, theirs).reductions, float(article.savings()["flops"])
    print("  seed                  " + "".join(f"{record.seed:8}" for record in scratch))
    print("  steps from scratch    " + "".join(f"{record.steps_to_target!s:>8}" for record in scratch))
    print("  steps after averages  " + "".join(f"{record.steps_to_target!s:>8}" for record in treated))
    print("  saved                 " + "".join(f"{share:8.1%}" for share in saved))
    print(f"\n  The article's {claimed:.1%} lies above {article_rank(saved, claimed)} of these {N_PAIRS}.")
    print("\n  Both runs of a seed start from the same network and see the same images in the")
    print("  same order. Without that, any run of one kind may meet any of the other:")
    any_two = [1 - one / other for one in ours for other in theirs]
    n_above = len(any_two) - article_rank(any_two, claimed)
    print(f"  {len(any_two)} savings, {min(any_two):.1%} to {max(any_two):.1%}, the article's or more in {n_above}.")

    print("\n7. An interval: where is the true median, of all seeds there are?\n")
    print("  A pair saves more than that or less, as a coin falls. All n on one side:\n")
    for n in (1, N_PAIRS - 1, N_PAIRS):
        print(f"  n = {n}    2 of {2**n:2} outcomes, {float(2 * binomial_tail(n, 0)):6.1%}")
    print("\n  From one pair nothing follows; from six, that with 95% confidence the median")
    print(f"  lies between the smallest and the largest saving, {min(saved):.1%} and {max(saved):.1%}.")
    print("  More pairs, a narrower interval: python -m nnlite.experiment --seeds 100")


EXERCISES = [
    Exercise(
        "The same steps, but in batches of 16: how many thousandths would the\n"
        "article have saved, rounded to a whole number?",
        lambda: round(1000 * saving(STEPS, 16)),
        "as in section 4; what does a step cost now, in F? An epoch costs the same",
        "a step costs 18 F now, so the epochs cost 19 steps of 214 and not 5",
    ),
    Exercise(
        "After the epochs, how many steps of 64 at most can follow for less than the\nrun from scratch costs?",
        lambda: next(n for n in range(SCRATCH_STEPS, 0, -1) if saving(n, BATCH) > 0),
        "how many steps do the epochs cost? A part of one is one too many",
        "28 x 12 / 66 is a little over five steps, and they leave 214 less six",
    ),
    Exercise(
        "Twenty pairs fall in 2^20 ways above and below the true median. In how many\n"
        "of them are 5 or fewer on one of the sides?",
        lambda: int(2 * binomial_tail(20, 5) * 2**20),
        "add up the ways to choose 0, 1, ... 5 of twenty; there are two sides",
        "4.1% of 2^20, so numbers 6 and 15 of twenty are a 95% interval",
    ),
]


def double_the_rate() -> None:
    """Print what both kinds of runs need at twice the learning rate."""
    if not COMPILES:
        print(f"  {_TOO_SLOW}")
        return
    print(f"  Medians of {N_PAIRS} pairs, the article's count\n", flush=True)
    print(f"  {'':15}{'steps':>8}{'steps after':>14}{'averages':>12}{'the rate alone':>18}")
    print(f"  {'learning rate':15}{'scratch':>8}{'averages':>14}{'save':>12}{'saves':>18}")
    before: list[float] = []
    for rate in (1e-3, 2e-3):
        runs = carry_out(nnlite.load_dataset("mnist"), RunConfig(learning_rate=rate), N_PAIRS)
        treated, scratch = ([record.steps_to_target or math.inf for record in kind] for kind in runs)
        before = before or scratch
        epochs = EPOCHS * (CLASSES + 2) / (BATCH + 2)  # what they cost, in steps
        by_averages = statistics.median(1 - (epochs + t) / s for t, s in zip(treated, scratch, strict=True))
        by_rate = statistics.median(1 - s / slow for s, slow in zip(scratch, before, strict=True))
        steps = f"{statistics.median(scratch):8g}{statistics.median(treated):14g}"
        print(f"  {rate:<15g}{steps}{by_averages:12.0%}{by_rate:18.0%}")
    print("\n  One setting, free of charge, saves more than the averages and leaves them less")
    print("  to save. What a trick saves depends on how well the run beside it was tuned.")
    print("  Six pairs only hint at it; the study has a hundred: nnlite/study/controls.py.")


CHANGE = Change(
    "Double the learning rate of both kinds of runs, to 2e-3. Do the averages\n"
    "save more then, or less? And what does the rate save alone, without any\n"
    "averages? Write down two shares, then look (half a minute).",
    double_the_rate,
)

if __name__ == "__main__":
    end(run("claim", lesson, EXERCISES, CHANGE))
