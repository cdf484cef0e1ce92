"""The paired experiment (784-128-10, Adam 1e-3, batch 64, to 90% on the test set) on all cores.

*Same work*: every library trains both arms of the same seeds from the same weights over the same batches and looks at
all 10,000 test images after every step. nnlite runs two threads in one process; a peer gets one pinned process a
core, fed run by run from one queue. Loading, converting and compiling are outside the time for all. The steps found
are compared run by run: libraries round differently, so a run may stop one check apart, and the table says in how
many it did. Before it is timed every process proves its training against the reference.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
from contextlib import ExitStack

from bench.measure import CPUS, ROUNDS, WORK_CPU, Times, Worker, interleave, ratio, table
from bench.problem import Spec
from bench.worker import ARMS

ARTICLE = Spec(hidden=(128,), optimizer="adam", learning_rate=1e-3)
PEERS = ("numpy", "torch", "jax")  # scikit-learn and torch.compile are slower stepwise: see the training section
DECIDED = "nnlite, exact decisions"
PAIRS = 2  # a round
SEEDS = (1, 2, 4, 16)
_ONCE = 16  # so many pairs are timed once


def run(rounds: int = ROUNDS) -> str:
    """Measure everything here and return it as Markdown."""
    return "\n".join([_same_work(rounds), _growth(rounds)])


def _same_work(rounds: int) -> str:
    steps: dict[str, dict[tuple[str, int], int]] = {key: {} for key in ("nnlite", DECIDED, *PEERS)}
    with ExitStack() as stack:
        nnlite = stack.enter_context(Worker("nnlite", ARTICLE, CPUS))
        pools = {key: [stack.enter_context(Worker(key, ARTICLE, [cpu])) for cpu in CPUS] for key in PEERS}
        errors = {key: "; ".join(sorted({worker.prove() for worker in pool})) for key, pool in pools.items()}
        errors["nnlite"] = errors[DECIDED] = nnlite.prove()
        for worker in itertools.chain(*pools.values()):
            worker.ask("warm")
        nnlite.ask("arms 0")
        nnlite.ask("decided 0")
        turns = dict.fromkeys(steps, 0)

        def next_seeds(key: str) -> list[int]:
            turns[key] += 1
            return list(range((turns[key] - 1) * PAIRS, turns[key] * PAIRS))

        def by_nnlite(key: str, command: str) -> float:
            seeds = next_seeds(key)
            answer = nnlite.ask(f"{command} " + " ".join(map(str, seeds)))
            steps[key].update(zip([(arm, seed) for seed in seeds for arm in ARMS], answer["value"], strict=True))
            return answer["seconds"] / PAIRS

        def by_processes(key: str) -> float:
            start = time.perf_counter()
            steps[key].update(_drain(pools[key], [(arm, seed) for seed in next_seeds(key) for arm in ARMS]))
            return (time.perf_counter() - start) / PAIRS

        tasks = {
            "nnlite": lambda: by_nnlite("nnlite", "arms"),
            DECIDED: lambda: by_nnlite(DECIDED, "decided"),
            **{key: (lambda key=key: by_processes(key)) for key in PEERS},
        }
        times = interleave(tasks, rounds)
    titles = (
        f"### Same work: full evaluation after every step, {len(CPUS)} cores, {PAIRS} pairs a round\n",
        "### Same answer by less work: nnlite with exact decisions, the peers as above\n",
    )
    head = ("library", "s a pair", "it / nnlite", "same steps as nnlite", "errors: loss, parameters", "rounds")
    parts = []
    for title, ours in zip(titles, ("nnlite", DECIDED), strict=True):
        rows = [
            [
                key,
                times[key].show(1, 2),
                "" if key == ours else ratio(times[key], times[ours]),
                _agreement(steps["nnlite"], steps[key]),
                errors[key],
                len(times[key].seconds),
            ]
            for key in (ours, *PEERS)
        ]
        parts.append(f"{title}\n{table(head, rows)}")
    return "\n".join(parts)


def _drain(workers: list[Worker], runs: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Let the workers take runs from one queue until it is empty."""
    waiting: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
    for each in runs:
        waiting.put(each)
    found: dict[tuple[str, int], int] = {}

    def serve(worker: Worker) -> None:
        while True:
            try:
                arm, seed = waiting.get_nowait()
            except queue.Empty:
                return
            found[arm, seed] = worker.ask(f"arm {arm} {seed}")["value"]

    threads = [threading.Thread(target=serve, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(found) != len(runs):
        raise RuntimeError("a worker ended before its runs were done; its message is above")
    return found


def _agreement(ours: dict[tuple[str, int], int], theirs: dict[tuple[str, int], int]) -> str:
    same = sum(ours[each] == theirs[each] for each in ours)
    apart = max((abs(ours[each] - theirs[each]) for each in ours), default=0)
    return f"{same} of {len(ours)}" + (f" (at most {apart} apart)" if apart else "")


def _growth(rounds: int) -> str:
    """Time nnlite alone over the number of seeds and of workers."""
    with Worker("nnlite", ARTICLE, CPUS) as both, Worker("nnlite", ARTICLE, [WORK_CPU]) as one:

        def times(worker: Worker, n: int) -> Times:
            command = "arms " + " ".join(map(str, range(n)))
            return interleave({"": lambda: worker.ask(command)["seconds"]}, 1 if n >= _ONCE else rounds)[""]

        errors = {both.prove(), one.prove()}
        for worker in (both, one):
            worker.ask("arms 0")  # loads what is compiled already
        by_seeds = [[n, (t := times(both, n)).per(n).show(1, 3), len(t.seconds)] for n in SEEDS]
        commands = {"1 worker": one, f"{len(CPUS)} workers": both}
        seeds = "arms " + " ".join(map(str, range(4)))
        by_workers = interleave({key: (lambda w=w: w.ask(seeds)["seconds"]) for key, w in commands.items()}, rounds)
    first, last = by_workers.values()
    rows = [[key, t.per(4).show(1, 3), len(t.seconds)] for key, t in by_workers.items()]
    return (
        f"### Growth with seeds: nnlite, {len(CPUS)} threads\n\n{table(('pairs', 's a pair', 'rounds'), by_seeds)}\n"
        f"### Growth with workers: nnlite, 4 pairs\n\n{table(('workers', 's a pair', 'rounds'), rows)}\n"
        f"Throughput of {len(CPUS)} workers / of one: {ratio(first, last)}. "
        f"Errors against the reference: {'; '.join(sorted(errors))}.\n"
    )
