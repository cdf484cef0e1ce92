"""One library in one process: prepares a problem, then answers each line on stdin with one line of JSON.

`python -m bench.worker PEER CPUS SPEC`, CPUS as "1" or "0,1". Commands: `prove`, `train`, `evaluate`, `warm` (compile
the shapes of the paired experiment), `arm ARM SEED`, `arms SEED...` (both arms of these seeds, in as many threads as
there are CPUs), `decided SEEDS...` (nnlite by exact decisions), `follow SEEDS...` (both ways, for `bench_decisions`),
`memory`, `quit`. Answers to timed commands hold wall and CPU seconds: where they differ, another
program used the core.
"""

from __future__ import annotations

import json
import os
import sys

ARMS = ("scratch", "class-means")
PRETRAINING_EPOCHS = 28
TARGET = 9_000  # right answers of 10,000


def _isolate(cpus: set[int]) -> None:
    """Pin this process before any library counts the cores; let OpenBLAS choose its own kernel."""
    os.sched_setaffinity(0, cpus)
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):
        os.environ.pop(name, None)


def _blas() -> str:
    """Name what threadpoolctl sees, in one line."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return "threadpoolctl is not installed"
    found = (
        f"{pool['internal_api']} {pool.get('version') or ''} {pool.get('architecture', '')} x{pool['num_threads']}"
        for pool in threadpool_info()
    )
    return "; ".join(sorted({" ".join(each.split()) for each in found}))


def _run_arm(peer, problem, arm: str, seed: int) -> int:
    """Train one arm of the paired experiment step by step, the whole test set after every step; return the steps."""
    from bench.problem import batches, initial_parameters

    if hasattr(peer, "run_arm"):
        return peer.run_arm(arm, seed, TARGET)
    peer.reset(*initial_parameters(problem.spec.hidden, seed))
    if arm == "class-means":
        peer.run_steps(problem.mean_rows.repeat(PRETRAINING_EPOCHS, axis=0))
    for step, rows in enumerate(batches(problem.spec.n_train, problem.spec.batch_size, seed), start=1):
        peer.run_steps(rows[None])
        if peer.evaluate() >= TARGET:
            return step
    raise AssertionError("batches never end")


def _run_arms(peer, problem, seeds: list[int], threads: int) -> list[int]:
    """Both arms of every seed, threads of them at a time."""
    return _in_threads(lambda arm, seed: _run_arm(peer, problem, arm, seed), seeds, threads)


def _decide_arms(peer, seeds: list[int], threads: int) -> list[int]:
    """The same, with exact decisions instead of full evaluations: nnlite alone has them."""
    return _in_threads(lambda arm, seed: peer.decide_arm(arm, seed, TARGET), seeds, threads)


def _in_threads(run, seeds: list[int], threads: int) -> list:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(run, arm, seed) for seed in seeds for arm in ARMS]
        return [future.result() for future in futures]


def _timed(function, *arguments) -> dict:
    import time

    wall, cpu = time.perf_counter(), time.process_time()
    value = function(*arguments)
    return {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "value": value}


def _answer(peer, problem, command: str, words: list[str], n_cpus: int) -> dict:
    from dataclasses import asdict

    from bench.problem import prove

    match command:
        case "prove":
            proof = prove(peer, problem)
            return {**asdict(proof), "same_work": proof.same_work}
        case "train":
            peer.reset(problem.weights, problem.biases)  # every round does the same work
            return _timed(peer.run_steps, problem.order)
        case "evaluate":
            return _timed(peer.evaluate)
        case "warm":
            peer.run_steps(problem.mean_rows.repeat(PRETRAINING_EPOCHS, axis=0))
            peer.run_steps(problem.order[:1])
            return {"value": peer.evaluate()}
        case "arm":
            return _timed(_run_arm, peer, problem, words[0], int(words[1]))
        case "arms":
            return _timed(_run_arms, peer, problem, [int(w) for w in words], n_cpus)
        case "decided":
            return _timed(_decide_arms, peer, [int(w) for w in words], n_cpus)
        case "follow":
            return _timed(_in_threads, lambda *run: peer.follow_arm(*run, TARGET), [int(w) for w in words], n_cpus)
        case "memory":
            import resource

            return {"value": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
        case _:
            raise ValueError(f"command {command!r}: unknown")


def main() -> None:
    """Serve one peer until stdin ends."""
    key, cpus, spec = sys.argv[1:]
    _isolate({int(cpu) for cpu in cpus.split(",")})
    replies = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what a library prints is not an answer
    from bench.peers import make_peer
    from bench.problem import Spec, make_problem

    problem = make_problem(Spec.from_json(spec))
    peer = make_peer(key)
    prepared = _timed(peer.prepare, problem)
    peer.reset(problem.weights, problem.biases)
    first = _timed(peer.run_steps, problem.order)  # compiles what there is to compile
    peer.evaluate()
    ready = {"name": peer.name, "version": peer.version(), "blas": _blas()}
    print(json.dumps({**ready, "prepare": prepared["seconds"], "first_call": first["seconds"]}), file=replies)
    for line in sys.stdin:
        command, *words = line.split()
        if command == "quit":
            break
        print(json.dumps(_answer(peer, problem, command, words, cpus.count(",") + 1)), file=replies)


if __name__ == "__main__":
    main()
