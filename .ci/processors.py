"""The fast kernels on other processors than the one at hand: their tests, and what the same seeds give.

`python .ci/processors.py` takes about a minute on two cores, most of it to compile. numba compiles for any processor
that NUMBA_CPU_NAME names; what that has must also be here, to run it. All kinds share one compile cache, as in a home
folder that several machines mount.

Between processors with fma the same seeds give the same bits. One without multiplies and adds instead and rounds
twice: the same steps and dense counts here, a mul and an add executed for each fma, and parameters that differ by no
more than NEAR after some dozen steps of Adam, whose rate is 1e-3.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

NEEDS = {
    "x86-64": set(),  # neither AVX nor fma
    "haswell": {"avx2", "fma", "bmi", "bmi2"},
    "skylake-avx512": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}
WITHOUT_FMA = "x86-64"
TESTS = [f"tests/test_fast_{name}.py" for name in ("simd", "matmul", "loss", "update", "loop")]
SEEDS = range(4)
NEAR = 1e-4
ROOT = Path(__file__).resolve().parents[1]


def train(path: str) -> None:
    """Train a network on MNIST to 80% for each seed; keep what it needed and what it became."""
    import nnlite
    from nnlite.kernels.fast.target import has_fma
    from nnlite.training import Checks, epochs, prepare_images
    from nnlite.training import train as run

    data = nnlite.load_dataset("mnist", ROOT / "data")
    images, looked_at = (prepare_images([pixels], list) for pixels in (data.train_pixels[:6400], data.test_pixels))
    checks = Checks(looked_at, data.test_labels, np.arange(1, 201), 8000, look="decide")
    bills, parameters = [], {}
    for seed in SEEDS:
        mlp, tally = nnlite.MLP((784, 128, 10), np.random.default_rng(seed)), nnlite.Tally()
        schedule = epochs(np.arange(6400), 64, 200, 1e-3, np.random.default_rng(seed + 100))
        outcome = run(mlp, nnlite.Adam(1e-3), images, data.train_labels[:6400], schedule, checks, tally)
        counts = {kind: tally.counts(executed=kind == "executed") for kind in ("dense", "executed")}
        bills.append({"steps": outcome.steps, "operations": tally.total(executed=True), **counts})
        parameters[str(seed)] = np.concatenate([array.ravel() for array in mlp.parameters()])
    np.savez(path, **parameters, bills=json.dumps(bills), has_fma=has_fma())


def compare(found: dict[str, Path]) -> None:
    """Hold all processors to the first with fma."""
    results = {name: dict(np.load(path)) for name, path in found.items()}
    bills = {name: json.loads(str(result["bills"])) for name, result in results.items()}
    assert [bool(result["has_fma"]) for result in results.values()] == [name != WITHOUT_FMA for name in results]
    first = next((name for name in results if name != WITHOUT_FMA), WITHOUT_FMA)
    print("steps:", *(bill["steps"] for bill in bills[first]), "on", *results)
    for name, result in results.items():
        apart = max(float(np.abs(result[str(seed)] - results[first][str(seed)]).max()) for seed in SEEDS)
        print(f"{name}: parameters at most {apart:.1e} from those of {first}")
        for bill, expected in zip(bills[name], bills[first], strict=True):
            for what in ("steps", "dense", "operations") if name == WITHOUT_FMA else expected:
                assert bill[what] == expected[what], f"{name}, {what}: {bill[what]}, not {expected[what]}"
        assert apart <= (NEAR if name == WITHOUT_FMA else 0)


def on(processor: str, folder: str, *command: str) -> None:
    """Run a Python command compiled for a processor; say how it went, and what it wrote where it failed."""
    began = time.perf_counter()
    for_it = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": f"{folder}/cache"}
    kept = {key: value for key, value in os.environ.items() if key not in ("NNLITE_KERNELS", "NUMBA_DISABLE_JIT")}
    ended = subprocess.run([sys.executable, *command], cwd=ROOT, env=kept | for_it, capture_output=True, text=True)
    print(f"{processor}: {' '.join(command[:3])} ... {time.perf_counter() - began:.0f} s", flush=True)
    if ended.returncode:
        raise SystemExit(f"{ended.stdout}{ended.stderr}{processor}: ended with status {ended.returncode}")


def main() -> None:
    """Run everything on every kind of processor whose instructions this one has."""
    if platform.machine() not in ("x86_64", "AMD64"):
        print(f"skipped: on {platform.machine()} there are no kinds of processors to compile for")
        return
    from llvmlite import binding

    here = {name for name, has in binding.get_host_cpu_features().items() if has}
    lacking = {name: needs - here for name, needs in NEEDS.items()}
    for name, needs in lacking.items():
        if needs:
            print(f"{name}: skipped, this processor lacks {', '.join(sorted(needs))}")
    names = [name for name, needs in lacking.items() if not needs]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        found = {name: Path(folder, f"{name}.npz") for name in names}
        jobs = [pool.submit(on, name, folder, __file__, str(path)) for name, path in found.items()]
        tests = ("-m", "pytest", "-n", "0", "-q", "-p", "no:cacheprovider", *TESTS)
        jobs += [pool.submit(on, name, folder, *tests) for name in names]
        for job in jobs:
            job.result()
        compare(found)


if __name__ == "__main__":
    main() if len(sys.argv) == 1 else train(sys.argv[1])
