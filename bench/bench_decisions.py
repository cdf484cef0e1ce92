"""Exact decisions beside full evaluations, over the same real runs (784-128-10, Adam 1e-3, batch 64, to 90%).

A decision says whether the target is reached and looks at as few of the 10,000 test images as that takes. Its cost is
measured on one core: what a run takes beyond the same steps without any check, by decisions over by full evaluations.
That it finds the same step, and that a full evaluation there gives the accuracy it reports, is held run by run over
more seeds on all cores.
"""

from __future__ import annotations

from bench.bench_experiment import ARTICLE
from bench.measure import CPUS, ROUNDS, Times, Worker, ratio, table

_SEEDS_PER_ROUND = 10  # 70 by default; `--only decisions --rounds 20` follows 200
_TIMED_SEEDS = 10  # two runs each


def run(rounds: int = ROUNDS) -> str:
    """Measure and compare, and return Markdown."""
    with Worker("nnlite", ARTICLE) as one, Worker("nnlite", ARTICLE, CPUS) as all_cores:
        errors = {one.prove(), all_cores.prove()}
        one.ask("follow 0")  # compiles
        n_timed = _TIMED_SEEDS if rounds >= ROUNDS else rounds
        timed = [each for seed in range(n_timed) for each in one.ask(f"follow {seed}")["value"]]
        seeds = range(_SEEDS_PER_ROUND * rounds)
        followed = all_cores.ask("follow " + " ".join(map(str, seeds)))["value"]
    title = f"Errors against the reference: {'; '.join(sorted(errors))}.\n"
    return f"{title}\n{_costs(timed)}\n{_same_answers(followed, len(seeds))}"


def _costs(runs: list[dict]) -> str:
    """Per check and run: seconds, and images looked at."""

    def a_check(form: str) -> Times:
        """Seconds beyond training alone, over the number of checks."""
        return Times(tuple((r[f"seconds_{form}"] - r["seconds_unchecked"]) / r["steps_full"] for r in runs))

    def share(form: str) -> Times:
        """Images looked at over all of every check."""
        return Times(tuple(r[f"looked_{form}"] / (r[f"steps_{form}"] * r["n_images"]) for r in runs))

    full, decided = a_check("full"), a_check("decided")
    rows = [
        ["full evaluation", full.show(1e-3, 2), "", share("full").show(1, 3), len(runs)],
        ["decision", decided.show(1e-3, 2), ratio(decided, full), share("decided").show(1, 3), len(runs)],
    ]
    header = ("check", "ms a check, mean over a run", "it / full evaluation", "share of the images looked at", "runs")
    return f"### Cost, one core\n\n{table(header, rows)}"


def _same_answers(runs: list[dict], n_seeds: int) -> str:
    """Count the runs in which the two forms differ."""
    apart = sum(r["steps_full"] != r["steps_decided"] for r in runs)
    reported = sum(not r["correct_decided"] == r["recounted"] == r["correct_full"] for r in runs)
    rows = [
        ["the step found is not the full evaluations'", apart],
        ["the right answers reported at the stop are not those of a full evaluation", reported],
    ]
    title = f"### Same answer: {n_seeds} seeds, {len(runs)} runs, {sum(r['steps_full'] for r in runs)} checks"
    return f"{title}\n\n{table(('mismatch, which must be 0', 'runs'), rows)}"
