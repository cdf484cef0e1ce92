"""A training step, an evaluation of 10,000 images, and how both grow: nnlite beside its peers, one pinned core.

From 784-128-10, batch 64, one axis at a time is varied; torch.compile, which compiles for half a minute at every size,
is in the tables of the three main shapes only. A step is gather, forward, loss, backward and update.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

from bench import figures
from bench.measure import ROUNDS, Times, Worker, interleave, ratio, show_errors, table
from bench.peers import PEERS
from bench.problem import Spec

BASE = Spec(hidden=(128,), optimizer="sgd", learning_rate=0.1)
HEADLINE = (
    replace(BASE, hidden=(64,)),
    BASE,
    replace(BASE, optimizer="adam", learning_rate=1e-3),
)
HIDDEN = (32, 64, 128, 256, 512)
BATCHES = (16, 64, 256)
SAMPLES = (15_000, 60_000)
GROWING = tuple(key for key in PEERS if key != "torch-compile")


def run(rounds: int = ROUNDS) -> str:
    """Measure everything here and return it as Markdown."""
    parts = [_headline(spec, rounds) for spec in HEADLINE]
    by_hidden = {n: _steps(replace(BASE, hidden=(n,)), rounds) for n in HIDDEN}
    parts.append(_growth("hidden units", by_hidden))
    by_batch = {n: by_hidden[128] if n == 64 else _steps(replace(BASE, batch_size=n), rounds) for n in BATCHES}
    parts.append(_growth("batch size", by_batch))
    epochs = {n: _steps(replace(BASE, n_train=n, n_steps=n // BASE.batch_size), rounds, whole=True) for n in SAMPLES}
    parts.append(_growth("samples (time of an epoch)", epochs, unit=1e-3, unit_name="ms"))
    parts.append(figures.time_against_hidden(by_hidden))
    return "\n".join(parts)


def _headline(spec: Spec, rounds: int) -> str:
    with ExitStack() as stack:
        workers = {key: stack.enter_context(Worker(key, spec)) for key in PEERS}
        proofs = {key: worker.ask("prove") for key, worker in workers.items()}
        steps = interleave(_tasks(workers, proofs, "train"), rounds)
        evaluations = interleave(_tasks(workers, proofs, "evaluate"), rounds)
    rows = []
    for key, worker in workers.items():
        proof = proofs[key]
        errors = show_errors(proof)
        if not proof["same_work"]:
            rows.append([worker.about["name"], "not the same work", "", "", "", errors, "", ""])
            continue
        rows.append(
            [
                worker.about["name"],
                steps[key].per(spec.n_steps).show(1e-6, 0),
                ratio(steps["nnlite"], steps[key]) if "nnlite" in steps else "",
                evaluations[key].show(1e-3, 1),
                ratio(evaluations["nnlite"], evaluations[key]) if "nnlite" in evaluations else "",
                errors,
                f"{worker.about['prepare']:.1f} + {worker.about['first_call'] - steps[key].median:.1f}",
                f"{steps[key].disturbed}, {evaluations[key].disturbed}",
            ]
        )
    header = (
        "library", "us a step", "nnlite / it", "ms an evaluation", "nnlite / it", "errors: loss, parameters",
        "s: data + compile", "disturbed rounds",
    )  # fmt: skip
    versions = "".join(f"- {w.about['name']}: {w.about['version']}; {w.about['blas']}\n" for w in workers.values())
    title = f"### 784-{'-'.join(map(str, spec.hidden))}-10, {spec.optimizer}, batch {spec.batch_size}\n"
    return f"{title}\n{table(header, rows)}\n{versions}"


def _tasks(workers: dict[str, Worker], proofs: dict[str, dict], command: str):
    """Ask only those who do the same work."""
    return {key: (lambda w=w: w.ask(command)) for key, w in workers.items() if proofs[key]["same_work"]}


def _steps(spec: Spec, rounds: int, whole: bool = False) -> dict[str, Times]:
    """Time all proved peers on one problem: a step, or the whole call."""
    with ExitStack() as stack:
        workers = {key: stack.enter_context(Worker(key, spec)) for key in GROWING}
        proofs = {key: worker.ask("prove") for key, worker in workers.items()}
        times = interleave(_tasks(workers, proofs, "train"), rounds)
    return times if whole else {key: t.per(spec.n_steps) for key, t in times.items()}


def _growth(axis: str, columns: dict[int, dict[str, Times]], unit: float = 1e-6, unit_name: str = "us a step") -> str:
    rows = [
        [key, *(times[key].show(unit, 0) if key in times else "not the same work" for times in columns.values())]
        for key in GROWING
    ]
    return f"### Growth with {axis}: {unit_name}\n\n{table(['library', *columns], rows)}"
