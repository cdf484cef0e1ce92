"""The whole study as one Markdown page, data/runs/README.md, for a reader who knows no statistics.

Place in the data path: findings -> answers, details -> page. The sections are those of `report`; here they stand
between the question, the method, how to repeat it, the limits and prior art. No measured number is in the template.
Left out: drawing the figures, writing the file.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..article import FLOPS_PRINTED, FLOPS_SCRATCH_PRINTED, PRETRAINED, SAVED_PRINTED
from ..stats import interval_ranks
from ..verdict import CLAIMED_HIGH, CLAIMED_LOW
from .protocol import CLAIM, HONEST_TARGET, MAIN_SEEDS

PRIOR_ART = (
    (
        "Class-average images are a baseline for small training sets",
        "Wang et al. 2018, *Dataset Distillation*, arXiv:1811.10959",
    ),
    ("SGD learns the class means first", "Refinetti et al. 2022, arXiv:2211.11567"),
    ("Gains of a curriculum that vanish once Adam is tuned", "arXiv:2308.12202"),
    ("Gains of efficient training that vanish against a baseline with a schedule of its own", "arXiv:2307.06440"),
    ("Warm starts that generalise worse", "Ash and Adams 2019, arXiv:1910.08475"),
)
"""What others found before, and where."""

_FIRST, _N = MAIN_SEEDS[0], len(MAIN_SEEDS)
_LOW, _HIGH = interval_ranks(_N) or (1, _N)

_QUESTION = f"""\
An article of December 2023 trains a small network to read handwritten digits (MNIST). Before the real images it
shows the network only ten: the average of all images of each digit, {PRETRAINED.pretrain_epochs} times. Then it
trains on real images until {CLAIM.target:.0%} of the test images are read right. It reports {FLOPS_PRINTED:,}
operations, against {FLOPS_SCRATCH_PRINTED:,} without the averages: "{float(SAVED_PRINTED):.0%} less". One run
of each kind. Does it hold, how far, and is it the averages that do it?"""

_METHOD = f"""\
A *run* trains one network from one *seed*: a number that fixes its initial values and the order of the images. A
*pair* is two runs of one seed, one *from scratch*, one with *averages first*. The *saving* of a pair is how much
less the second cost, as a share of the first. Everything is kept of every run, and what took too long is a *miss*:
counted, never dropped.

The *claim cell* does as the article did: stop at the first look at which the target is met on the test set, count
as the article counts; its saving is the median of the pairs. The *honest cell* trains on 50,000 images, decides on
10,000 others that it holds out ({HONEST_TARGET:.1%} of them, where the test set is at the article's target), counts
every operation, scaling and averaging included, and takes the point from which the mean accuracy stays there *for
good*.

A *95% interval* is made so that, of a hundred studies with other seeds, about 95 would have the true saving inside
theirs. Its ends decide the word of the *verdict*: *reproduced*, for example, needs the whole of it between
{CLAIMED_LOW:.0%} and {CLAIMED_HIGH:.0%}. Rule, margins, controls and seeds were written down before any run of the
study; what was changed later stands there with its date and reason: [preregistration.md](preregistration.md)."""

_MIND = """\
## What would change our mind

The claim would stand if the claim cell said *reproduced*, the honest cell agreed in direction, no control of cheap
steps explained it, and it were not gone when tuned. It would fall if the honest or the tuned cell said *no material
saving* or *costs more*. The verdict above begins with where it stands by these rules. Seeds that nobody has looked
at, on another machine, are the first thing to try."""

_REPEAT = f"""\
## How to repeat it

| what | command |
| --- | --- |
| all of it, some hours; stop whenever you like, the same command goes on | `nnlite --full --out runs` |
| one part; `--part list` names them | `nnlite --part NAME --out runs` |
| this page's numbers and figures from the kept runs, no training | `nnlite --report data/runs --figures data/figures` |
| the same as JSON | `nnlite --report data/runs --json` |
| a hundred seeds of your own | `nnlite --seeds 100 --first-seed 30000` |

## How to check it by hand

Each `NAME.jsonl.xz` here is a text file, one line a run; main seeds start at {_FIRST}. To see one:
`xz -dc claim.jsonl.xz | head -1`. `python data/runs/check.py` repeats the headlines in some thirty lines of NumPy
that share no code with nnlite. Or take the {_N} savings of the claim cell, sort the column and count: the median
lies between numbers {_N // 2} and {_N // 2 + 1}, the ends of the 95% interval are numbers {_LOW} and {_HIGH}. The true
median lies below the lower end as rarely as a coin thrown {_N} times shows fewer than {_LOW} heads; the same holds
above the upper end."""

_LIMITS = """\
## Limits

- One data set, one kind of network; Fashion-MNIST is the only look elsewhere. Nothing follows for others.
- Intervals speak of other seeds: initial values, order, split. They do not speak of other images.
- MNIST's test set has been reused for decades, and the claim cell even stops on it, as the article does.
- The first touch of a target is optimistic: accuracy goes up and down, and the first look above it is partly luck.
  Both arms have that luck; the honest cell asks for good instead.
- The article names no optimizer, rate, initial values or hidden size. Only the hidden size follows from its
  arithmetic; the others are ours, and its settings were probably not these.
- Operations are not seconds. What a look at the accuracy costs is on no bill but where the table says so."""


def around(title: str, verdict: str, others: Sequence[str]) -> str:
    """Put the sections between the question, the method, how to repeat it, the limits and prior art."""
    prior = [f"- {finding}: {where}." for finding, where in PRIOR_ART]
    blocks = [
        f"# {title}",
        _QUESTION,
        verdict,
        f"## The method\n\n{_METHOD}",
        *others,
        _MIND,
        _REPEAT,
        _LIMITS,
        "## Prior art\n\n" + "\n".join(prior),
        "This page is generated: every measured number in it comes from the records in this folder.",
    ]
    return "\n\n".join(blocks) + "\n"
