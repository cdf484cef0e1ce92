"""Kernels that call one another by symbol, compiled, loaded and linked, in processes that start with nothing."""

from __future__ import annotations

import gc
import os
import pickle
import shutil
from pathlib import Path

import pytest
from made import small_config, small_dataset
from test_kernels_jit import folders, needs_compiler, result, run, start

import nnlite
from nnlite.experiment.pool import N_KERNELS, Status, run_all
from nnlite.kernels import dispatcher, reduce
from nnlite.kernels.fast import loop

pytestmark = [pytest.mark.kernels, pytest.mark.slow]

CHAIN = """
import numpy as np
from nnlite.kernels.jit import kernel

@kernel
def leaf(x, tally):
    for i in range(x.shape[0]):
        x[i] = x[i] * x[i] + x[i]
    tally[0] += x.shape[0]

@kernel
def middle(x, tally):
    for _ in range(2):
        leaf(x, tally)

@kernel
def top(x, tally):
    middle(x, tally)
    leaf(x, tally)
    return tally[0]

def call(function=top):
    x, tally = np.array([0.3, -1.7]), np.zeros(1, np.int64)
    n = function(x, tally)
    print(n, *map(float.hex, x.tolist()))

def found():
    return " ".join("cached" if kernel.stats.cache_hits else "compiled" for kernel in (leaf, middle, top))
"""
OF_A_USER = """
import numba
import chain

@numba.njit(cache=True)
def mine(x, tally):
    return chain.top(x, tally)
"""
CALL = "import chain\nchain.call()\n"
SAY = "print(chain.found())\n"


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A folder with a copy of nnlite, three kernels and a function that calls one."""
    folder = tmp_path_factory.mktemp("source")
    shutil.copytree(Path(nnlite.__file__).parent, folder / "nnlite", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "chain.py").write_text(CHAIN, encoding="utf-8")
    (folder / "of_a_user.py").write_text(OF_A_USER, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def filled(source, tmp_path_factory):
    """A cache that holds all three kernels, and what they print."""
    cache = tmp_path_factory.mktemp("filled")
    stdout, stderr = run(CALL + SAY, source, cache)
    said, how = stdout.splitlines()
    assert (how, stderr) == ("compiled compiled compiled", "")
    return cache, said


@pytest.fixture
def cache(filled, tmp_path):
    """A copy of the filled cache, to be damaged."""
    return Path(shutil.copytree(filled[0], tmp_path / "cache"))


def files_of(cache, kernel, suffix):
    return [path for path in folders(cache)[0].rglob(f"*{suffix}") if f".{kernel}-" in path.name]


def without_jit(source, cache):
    return run(CALL, source, cache, NUMBA_DISABLE_JIT="1")[0]


@needs_compiler
def test_kernels_out_of_the_cache_compute_what_compiled_ones_and_plain_python_do(source, filled, tmp_path):
    cache, said = filled
    assert run(CALL + SAY, source, cache) == (f"{said}\ncached cached cached", "")
    assert without_jit(source, tmp_path) == said


@needs_compiler
def test_a_caller_holds_the_symbol_of_a_kernel_and_not_its_code(source, tmp_path):
    program = CALL + (
        "library, = (result.library for result in chain.top.overloads.values())\n"
        "lines = [line for line in library.get_llvm_str().splitlines() if 'middle' in line or 'leaf' in line]\n"
        "print({line.split()[0] for line in lines if line.startswith('de')})\n"
    )
    assert run(program, source, tmp_path)[0].splitlines()[1] == "{'declare'}"


@needs_compiler
@pytest.mark.parametrize(
    ("kernel", "suffix", "damage"),
    [
        ("leaf", ".nbi", lambda path: path.unlink()),
        ("leaf", ".nbc", lambda path: path.unlink()),
        ("leaf", ".nbc", lambda path: path.write_bytes(b"\xff" * 200)),
        ("middle", ".nbc", lambda path: path.write_bytes(path.read_bytes()[:-1])),
    ],
    ids=["no index", "no data", "noise", "cut"],
)
def test_a_caller_survives_what_happens_to_its_callees_files(source, filled, cache, kernel, suffix, damage):
    """The engine ends the process when it finds a caller without the kernel that it calls."""
    (path,) = files_of(cache, kernel, suffix)
    damage(path)
    stdout, stderr = run(CALL + SAY, source, cache)
    said, how = stdout.splitlines()
    assert (said, stderr) == (filled[1], "")
    assert "compiled" in how
    assert run(CALL + SAY, source, cache) == (f"{said}\ncached cached cached", "")


@needs_compiler
def test_a_callee_cached_by_another_process_under_another_symbol_makes_its_caller_anew(source, filled, cache, tmp_path):
    other = tmp_path / "other"
    float32_first = "import numpy as np, chain\nchain.leaf(np.ones(1, np.float32), np.zeros(1, np.int64))\n"
    run(float32_first + CALL, source, other)
    for path in files_of(cache, "leaf", ".nb?"):
        path.unlink()
    for path in files_of(other, "leaf", ".nb?"):
        shutil.copy(path, cache / path.relative_to(other))
    assert run(CALL + SAY, source, cache) == (f"{filled[1]}\ncached compiled compiled", "")
    assert run(CALL + SAY, source, cache) == (f"{filled[1]}\ncached cached cached", "")


@needs_compiler
def test_two_processes_and_many_threads_may_compile_the_same_kernels_at_once(source, filled, tmp_path):
    program = "import chain, concurrent.futures, numpy as np\n" + (
        "with concurrent.futures.ThreadPoolExecutor(6) as pool:\n"
        "    kernels = [chain.leaf, chain.top, chain.middle] * 2\n"
        "    calls = [pool.submit(kernel, np.ones(2), np.zeros(1, np.int64)) for kernel in kernels]\n"
        "    [call.result() for call in calls]\n"
        "chain.call()\n"
    )
    both = [start(program, source, tmp_path) for _ in range(2)]
    assert [result(process) for process in both] == [(filled[1], "")] * 2
    assert run(CALL, source, tmp_path) == (filled[1], "")


WITHOUT_HOOK = "from numba.core.base import BaseContext\ndel BaseContext.remove_user_function\n"


@needs_compiler
@pytest.mark.parametrize(
    ("first", "then"), [(WITHOUT_HOOK, ""), ("", WITHOUT_HOOK)], ids=["linked first", "linked then"]
)
def test_kernels_are_linked_where_numba_has_no_such_hook_and_both_ways_share_a_cache(
    source, filled, tmp_path, first, then
):
    for before in (first, then):
        assert run(before + CALL, source, tmp_path) == (filled[1], "")


@needs_compiler
def test_a_function_of_a_user_comes_out_of_its_own_cache_without_the_kernels(source, filled, tmp_path):
    program = "import chain, of_a_user\nchain.call(of_a_user.mine)\n" + (
        "print(*map(len, (of_a_user.mine.stats.cache_hits, chain.top.signatures)))\n"
    )
    assert run(program, source, tmp_path) == (f"{filled[1]}\n0 1", "")
    assert run(program, source, tmp_path) == (f"{filled[1]}\n1 0", "")


@needs_compiler
def test_a_cache_that_keeps_nothing_new_is_no_obstacle_to_callers(source, filled, cache):
    for path in files_of(cache, "leaf", ".nb?"):
        path.unlink()
    never = "from nnlite.kernels import cache\ncache._ForgivingCache._save_overload = lambda *_: None\n"
    assert run(never + CALL, source, cache) == (filled[1], "")


def doubled(x):
    """What a user's function calls below."""


@needs_compiler
def test_settings_of_numba_and_of_the_collector_stay_the_users_own():
    import numba
    from numba.extending import overload

    level, folder, collects = numba.config.OPT, numba.config.CACHE_DIR, gc.isenabled()
    with pytest.raises(numba.TypingError):  # a compilation that fails gives them back too
        reduce.argmax("no array", 1, None)
    assert (numba.config.OPT, numba.config.CACHE_DIR, gc.isenabled()) == (level, folder, collects)
    seen = []

    @overload(doubled)
    def compiled(x):
        seen.append(numba.config.OPT)
        return lambda x: 2 * x

    assert numba.njit(lambda x: doubled(x))(1) == 2
    assert set(seen) == {level}


@needs_compiler
def test_a_default_study_compiles_the_planned_kernels_and_full_evaluations_no_more():
    """In a process of its own, with the suite's compile cache."""
    program = (
        "import sys, pathlib, tempfile\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import test_kernels_dispatcher as here\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    here.study_twice(pathlib.Path(folder))\n"
    )
    assert run(program, Path(nnlite.__file__).parents[1], os.environ.get("NUMBA_CACHE_DIR", "")) == ("all of it", "")


def study_twice(folder):
    dataset = small_dataset(folder)
    for evaluate in ("decide", "full"):
        runs = [(small_config(evaluate=evaluate), arm, 0) for arm in ("scratch", "class-means")]
        events = list(run_all(dataset, runs))
        assert dispatcher.n_ready() == N_KERNELS
        assert len(loop.run.signatures) == 1
    counted = [event.n_kernels for event in events if isinstance(event, Status)]
    assert set(counted) == {0}  # this study's own
    print("all of it")


def test_a_kernel_is_pickled_by_name():
    assert pickle.loads(pickle.dumps(reduce.argmax)) is reduce.argmax


@pytest.mark.parametrize(
    ("n_kernels", "text"),
    [
        (0, "compiling kernels (once): 4 s"),
        (N_KERNELS // 2, f"compiling kernels (once, about 8 s): {N_KERNELS // 2} of {N_KERNELS} in 4 s"),
        (N_KERNELS + 1, "compiling kernels (once): 4 s"),
    ],
)
def test_progress_says_how_long_compiling_takes_here(n_kernels, text):
    assert Status(4.0, n_kernels=n_kernels).compiling_text() == text
