"""The December 2023 article's printed figures and its own accounting, recomputed from the structure it describes.

Place in the data path: beside it. The figures depend on no data set and no run; the report sets them next to what was
measured. Whole numbers and exact fractions throughout; a float is made only for JSON, a rounded percentage only for
people. Left out: the experiment, nnlite's own counting (`nnlite.flops`), which the article did not use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import pairwise

FORWARD_PASSES_PRINTED, FORWARD_PASSES_SCRATCH_PRINTED = 9_560, 13_482
FLOPS_PRINTED, FLOPS_SCRATCH_PRINTED = 995_354_880, 1_419_179_520
"""As the article prints them: pretrained, then from scratch."""

ACCURACY_AFTER_PRETRAIN_PRINTED = Fraction("0.80")
"""After the 28 epochs on averages; the article says about."""

ACCURACY_PRINTED, ACCURACY_SCRATCH_PRINTED = Fraction("0.900"), Fraction("0.901")
SAVED_PRINTED = Fraction("0.30")

BATCH_SIZE = 64
N_CLASSES = 10
N_PIXELS = 28 * 28
N_TRAIN_IMAGES, N_TEST_IMAGES = 60_000, 10_000
LAYER_SIZES = {"article": (784, 128, 10), "article-64": (784, 64, 10)}
"""The two networks that the article's operations fit; it names neither."""


@dataclass(frozen=True)
class ArticleRun:
    """One of the article's two runs: epochs on the ten class averages, then steps on real batches."""

    pretrain_epochs: int  # one step each, on N_CLASSES images
    real_steps: int  # one batch each, of BATCH_SIZE images

    @property
    def steps(self) -> int:
        """All updates of the run."""
        return self.pretrain_epochs + self.real_steps

    @property
    def forward_passes(self) -> int:
        """Images that went through the network."""
        return N_CLASSES * self.pretrain_epochs + BATCH_SIZE * self.real_steps

    @property
    def pretrain_flops(self) -> int:
        """epochs x (10 F + B)."""
        return self.pretrain_epochs * (N_CLASSES * FORWARD_PASS + BACKWARD_PASS)

    @property
    def train_flops(self) -> int:
        """steps x (64 F + B)."""
        return self.real_steps * (BATCH_SIZE * FORWARD_PASS + BACKWARD_PASS)

    @property
    def flops(self) -> int:
        """The run's total in the article's accounting."""
        return self.pretrain_flops + self.train_flops


def article_pass(layer_sizes: Sequence[int], preset: str = "article") -> int:
    """Count one forward pass of one image as the article does: the first layer and its bias, nothing else.

    F = (n_in + 1) x n_hidden, one operation a weight; twice that in preset article-64, where a multiply-add is two.

    Parameters
    ----------
    layer_sizes : sequence of int
        n_in, hidden sizes, n_classes.
    preset : str
        The preset that the run belongs to; only "article-64" differs.

    Returns
    -------
    int
        F, the same for both readings of the article.

    Raises
    ------
    ValueError
        If there are fewer than two sizes or one is below 1.

    Examples
    --------
    >>> article_pass((784, 128, 10)), article_pass((784, 64, 10), "article-64")
    (100480, 100480)
    """
    if len(layer_sizes) < 2 or min(layer_sizes) < 1:
        raise ValueError(f"layer_sizes: expected at least two sizes of 1 or more, found {tuple(layer_sizes)}")
    return (layer_sizes[0] + 1) * layer_sizes[1] * (2 if preset == "article-64" else 1)


def backward_ratio(layer_sizes: Sequence[int]) -> Fraction:
    """Divide the multiply-adds of one image's backward pass by those of its forward pass.

    Forward: sum of n_in n_out over layers. Backward: the same for the weights' gradients, and again for the inputs'
    gradients of every layer but the first, whose input is the image.

    Examples
    --------
    784 x 128 + 128 x 10 = 101,632 forward; 101,632 + 1,280 backward.

    >>> backward_ratio((784, 128, 10)) == Fraction(102_912, 101_632)
    True
    """
    products = [n_in * n_out for n_in, n_out in pairwise(layer_sizes)]
    return Fraction(sum(products) + sum(products[1:]), sum(products))


FORWARD_PASS = article_pass(LAYER_SIZES["article"])
BACKWARD_PASS = 2 * FORWARD_PASS
"""Charged once per step by the article, whatever the number of images in it."""

PRETRAINED, SCRATCH = ArticleRun(pretrain_epochs=28, real_steps=145), ArticleRun(pretrain_epochs=0, real_steps=214)

PRINTED_SCRATCH_BATCH = FORWARD_PASSES_SCRATCH_PRINTED // SCRATCH.real_steps
"""Images a batch that the printed forward passes of the scratch run come to: 63, where every other figure has 64."""

AVERAGING = N_TRAIN_IMAGES * N_PIXELS + N_CLASSES * N_PIXELS
"""Additions and divisions that make the ten averages; the article charges nothing for them."""

EVALUATION = N_TEST_IMAGES * FORWARD_PASS
"""One look at the test set in the article's terms; it charges nothing for any."""


def savings() -> dict[str, Fraction]:
    """Compute what was saved, 1 - pretrained / scratch: by the article's figures, then with each omission put right.

    Returns
    -------
    dict of str to Fraction
        `forward_passes_printed`, `forward_passes`, `flops` are the article's own three; `steps` is the share of
        updates; every `flops_with_...` puts one omission on both runs' bills.

    Examples
    --------
    >>> [f"{float(saved):.1%}" for saved in savings().values()][:3]
    ['29.1%', '30.2%', '29.9%']
    """
    pretrained, scratch = Fraction(PRETRAINED.flops), Fraction(SCRATCH.flops)
    looks = EVALUATION * PRETRAINED.real_steps, EVALUATION * SCRATCH.real_steps
    return {
        "forward_passes_printed": 1 - Fraction(FORWARD_PASSES_PRINTED, FORWARD_PASSES_SCRATCH_PRINTED),
        "forward_passes": 1 - Fraction(PRETRAINED.forward_passes, SCRATCH.forward_passes),
        "flops": 1 - pretrained / scratch,
        "steps": 1 - Fraction(PRETRAINED.steps, SCRATCH.steps),
        "flops_with_averaging": 1 - (pretrained + AVERAGING) / scratch,
        "flops_with_one_evaluation": 1 - (pretrained + EVALUATION) / (scratch + EVALUATION),
        "flops_with_evaluation_every_step": 1 - (pretrained + looks[0]) / (scratch + looks[1]),
        # Phase 1 ended at about 80% of the test images, which someone had to look at as well.
        "flops_with_evaluation_in_both_phases": 1 - (pretrained + EVALUATION * PRETRAINED.steps) / (scratch + looks[1]),
        # Then the bill is proportional to images, whatever a backward pass costs.
        "flops_with_backward_per_image": 1 - Fraction(PRETRAINED.forward_passes, SCRATCH.forward_passes),
    }


def accounting() -> dict[str, object]:
    """Lay out the whole accounting for JSON: operations as whole numbers, savings and ratios as fractions of 1.

    Returns
    -------
    dict
        Printed figures under `printed`, the two runs under `pretrained` and `scratch`, all else recomputed.

    Examples
    --------
    >>> accounting()["averaging"], accounting()["evaluation"]
    (47047840, 1004800000)
    """
    totals = ("steps", "forward_passes", "pretrain_flops", "train_flops", "flops")
    runs = {
        name: {**asdict(run), **{total: getattr(run, total) for total in totals}}
        for name, run in (("pretrained", PRETRAINED), ("scratch", SCRATCH))
    }
    return {
        "model": "article-2023",
        "printed": {
            "forward_passes": {"pretrained": FORWARD_PASSES_PRINTED, "scratch": FORWARD_PASSES_SCRATCH_PRINTED},
            "flops": {"pretrained": FLOPS_PRINTED, "scratch": FLOPS_SCRATCH_PRINTED},
            "accuracy": {
                "after_pretrain": float(ACCURACY_AFTER_PRETRAIN_PRINTED),
                "pretrained": float(ACCURACY_PRINTED),
                "scratch": float(ACCURACY_SCRATCH_PRINTED),
            },
            "saved": float(SAVED_PRINTED),
        },
        "forward_pass": FORWARD_PASS,
        "backward_pass": BACKWARD_PASS,
        "batch_size": BATCH_SIZE,
        "batch_size_of_printed_scratch_passes": PRINTED_SCRATCH_BATCH,
        **runs,
        "averaging": AVERAGING,
        "evaluation": EVALUATION,
        "backward_ratio": float(backward_ratio(LAYER_SIZES["article"])),
        "saved": {name: float(saved) for name, saved in savings().items()},
    }


def accounting_text() -> str:
    """Write the accounting for people, in at most 80 columns.

    Returns
    -------
    str
        Lines without a final newline. Every figure is computed; where it is also printed in the article, both stand.

    Examples
    --------
    >>> print("\\n".join(accounting_text().splitlines()[3:6]))
    One image                                                              FLOPs
      forward   F = 785 x 128, or 2 x 785 x 64                           100,480
      backward  B = 2 F, charged once per step                           200,960
    """
    run, scratch, n_in = PRETRAINED, SCRATCH, N_PIXELS + 1
    epochs, steps, batch = run.pretrain_epochs, run.real_steps, BATCH_SIZE
    ratio = f"{float(backward_ratio(LAYER_SIZES['article'])):.3f}"
    sizes = {preset: "-".join(str(size) for size in sizes) for preset, sizes in LAYER_SIZES.items()}
    saved = {name: f"{float(share):.1%}" for name, share in savings().items()}
    lines = [
        "The December 2023 article's accounting, recomputed from its structure",
        "(cost model article-2023: the article's operations, not all that run)",
        "",
        _row("One image", "FLOPs"),
        _row(
            f"  forward   F = {n_in} x {LAYER_SIZES['article'][1]}, or 2 x {n_in} x {LAYER_SIZES['article-64'][1]}",
            FORWARD_PASS,
        ),
        _row("  backward  B = 2 F, charged once per step", BACKWARD_PASS),
        "F is the first layer with its bias and nothing else: one operation a weight",
        f"in a {sizes['article']} network, or two in a {sizes['article-64']} network.",
        "",
        _row("FLOPs", "averages first", "from scratch"),
        _row(f"  {epochs} epochs on averages, {epochs} x ({N_CLASSES} F + B)", run.pretrain_flops, "-"),
        _row(f"  {steps} batches, {steps} x ({batch} F + B)", run.train_flops, "-"),
        _row(f"  {scratch.real_steps} batches, {scratch.real_steps} x ({batch} F + B)", "-", scratch.train_flops),
        _row("  total", run.flops, scratch.flops),
        _row("  the article prints", FLOPS_PRINTED, FLOPS_SCRATCH_PRINTED),
        "",
        _row("Forward passes", "averages first", "from scratch"),
        _row(f"  {epochs} x {N_CLASSES} + {steps} x {batch}", run.forward_passes, "-"),
        _row(f"  {scratch.real_steps} x {batch}", "-", scratch.forward_passes),
        _row("  the article prints", FORWARD_PASSES_PRINTED, FORWARD_PASSES_SCRATCH_PRINTED),
        f"A contradiction: {FORWARD_PASSES_SCRATCH_PRINTED:,} is {scratch.real_steps} x {PRINTED_SCRATCH_BATCH}; "
        f"every other figure has batches of {batch}.",
        "",
        _row(f'Saved, by the article\'s own figures ("{float(SAVED_PRINTED):.0%} less")', "saved"),
        _row("  forward passes, as printed", saved["forward_passes_printed"]),
        _row(f"  forward passes, batches of {batch} in both runs", saved["forward_passes"]),
        _row("  FLOPs, as printed", saved["flops"]),
        "",
        _row(f"Not counted, and what each alone makes of {saved['flops']}", "FLOPs", "saved"),
        _row(f"  averaging {N_TRAIN_IMAGES:,} images", AVERAGING, saved["flops_with_averaging"]),
        _row(f"  {N_TEST_IMAGES:,} test images, once in each run", EVALUATION, saved["flops_with_one_evaluation"]),
        _row("  the same after every real batch", "", saved["flops_with_evaluation_every_step"]),
        _row("  and after every epoch on averages", "", saved["flops_with_evaluation_in_both_phases"]),
        _row("  backward for every image, not every step", "", saved["flops_with_backward_per_image"]),
        "One look at the test set costs more than the whole pretrained run it reports.",
        f"Backward is {ratio} x forward in multiply-adds, not 2 x: the images need no",
        "gradient. Missing from both runs, too: output layer, relu, softmax and loss",
        f"(per image) and the update (per step: {run.steps} against {scratch.steps}, {saved['steps']} fewer).",
    ]
    return "\n".join(lines)


def _row(label: str, *cells: int | str) -> str:
    """One line of 76 columns: the label, then cells of 16 columns, whole numbers with thousands separators."""
    texts = [f"{cell:,}" if isinstance(cell, int) else cell for cell in cells]
    return label.ljust(76 - 16 * len(texts)) + "".join(text.rjust(16) for text in texts)
