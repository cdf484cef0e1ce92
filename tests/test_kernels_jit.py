"""The compile cache and its accidents, each in a process of its own; compiled against plain."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from counting import new_tally

import nnlite
from nnlite.kernels.jit import plain
from nnlite.kernels.matmul import matmul_forward, matmul_grad_weight, matmul_grad_x
from nnlite.kernels.ops import ACTIVATIONS
from nnlite.kernels.update import adam_update

pytestmark = [pytest.mark.kernels, pytest.mark.slow]

needs_compiler = pytest.mark.skipif(
    os.environ.get("NUMBA_DISABLE_JIT", "0") != "0", reason="the compiled run of the suite does the same"
)

ARGMAX = """
import numpy as np
from nnlite.kernels.reduce import argmax
def run():
    predictions = np.full(2, -1)
    argmax(np.float32([[1, 3, 2], [4, 0, 0]]), predictions, np.zeros((2, 9), np.int64))
    assert predictions.tolist() == [1, 0]
run()
"""
WAS_CACHED = "print('cached' if sum(argmax.stats.cache_hits.values()) else 'compiled')"


def start(program, source, cache, warnings="error", **environment):
    """Start a fresh process on a copy of nnlite with a compile cache of its own; nobody measures a copy's coverage."""
    ours = ("NUMBA_", "NNLITE_", "COVERAGE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    kept |= {"NUMBA_CACHE_DIR": str(cache)} | environment
    command = [sys.executable, "-W", warnings, "-c", program]  # -c looks into its working folder first
    return subprocess.Popen(command, cwd=source, env=kept, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(process):
    """Return what a process wrote to stdout and stderr when it has succeeded."""
    stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    return stdout.strip(), stderr.strip()


def run(*arguments, **environment):
    return result(start(*arguments, **environment))


def folders(cache):
    return sorted(path for path in cache.iterdir() if path.name.startswith("nnlite-"))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A folder with a copy of nnlite, whose files do not change while it is edited."""
    folder = tmp_path_factory.mktemp("source")
    shutil.copytree(Path(nnlite.__file__).parent, folder / "nnlite", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def filled(source, tmp_path_factory):
    """A cache that one process has filled with one kernel."""
    cache = tmp_path_factory.mktemp("filled")
    assert run(ARGMAX + WAS_CACHED, source, cache) == ("compiled", "")
    return cache


@pytest.fixture
def cache(filled, tmp_path):
    """A copy of the filled cache, to be damaged."""
    return Path(shutil.copytree(filled, tmp_path / "cache"))


@needs_compiler
def test_a_second_process_finds_the_first_ones_compiled_code(source, cache):
    (folder,) = folders(cache)
    assert {path.suffix for path in folder.rglob("*.nb*")} == {".nbi", ".nbc"}
    assert run(ARGMAX + WAS_CACHED, source, cache) == ("cached", "")


@needs_compiler
@pytest.mark.skipif(os.name == "nt", reason="modes of folders are POSIX")
def test_the_cache_folder_is_for_its_owner_alone(filled):
    (folder,) = folders(filled)
    assert folder.stat().st_mode & 0o777 == 0o700


@needs_compiler
@pytest.mark.skipif(os.name == "nt", reason="others are kept out by access lists there")
@pytest.mark.parametrize("way", ["writable by others", "a symbolic link", "in a folder of others"])
def test_code_that_somebody_else_may_have_put_there_is_not_loaded(source, cache, tmp_path, way):
    (folder,) = folders(cache)
    for index in folder.rglob("*.nbi"):
        index.write_bytes(pickle.dumps(Planted(tmp_path / "ran")))
    if way == "writable by others":
        folder.chmod(0o777)
    elif way == "a symbolic link":
        folder.rename(tmp_path / "planted")
        folder.symlink_to(tmp_path / "planted")
    else:
        cache.chmod(0o777)
    program = ARGMAX + WAS_CACHED + "\nfrom nnlite import class_means"
    stdout, stderr = run(program, source, cache, warnings="always")
    assert not (tmp_path / "ran").exists()
    assert stdout == "compiled"
    assert stderr.count("RuntimeWarning: nnlite: compiled kernels in") == 1
    assert "name a folder of your own with NUMBA_CACHE_DIR" in stderr


class Planted:
    """What makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


NOTHING_CAN_BE_WRITTEN = """
import os, tempfile
def refuse(*arguments, **keywords):
    raise PermissionError(13, "Permission denied", *arguments[:1])
tempfile.TemporaryFile = os.utime = os.replace = refuse
"""


@needs_compiler
def test_a_filled_cache_that_cannot_be_written_is_used(source, cache):
    """As in an image that one user built and another runs; root can write everywhere, so it is refused by hand."""
    assert run(NOTHING_CAN_BE_WRITTEN + ARGMAX + WAS_CACHED, source, cache) == ("cached", "")
    more = (  # another kernel, and another signature: both are not there yet
        "from nnlite.kernels.reduce import correct_count\n"
        "none, tally = np.zeros(1, np.int64), np.zeros((2, 9), np.int64)\n"
        "correct_count(none, none, none, tally)\n"
        "argmax(np.zeros((1, 3)), none, tally)\n"
    )
    _, stderr = run(NOTHING_CAN_BE_WRITTEN + ARGMAX + more, source, cache, warnings="always")
    assert stderr.count("RuntimeWarning: nnlite: compiled kernels cannot be kept in") == 1
    shutil.rmtree(folders(cache)[0])
    _, stderr = run(NOTHING_CAN_BE_WRITTEN + ARGMAX, source, cache, warnings="always")
    assert "RuntimeWarning: nnlite: no writable folder for compiled kernels" in stderr


THREE = """
import numpy as np
from nnlite.kernels import reduce
none, sums, tally = np.zeros(1, np.int64), np.zeros((1, 1)), np.zeros((2, 9), np.int64)
reduce.argmax(np.zeros((1, 3)), none, tally)
reduce.correct_count(none, none, none, tally)
reduce.divide_sums(sums, np.ones(1, np.int64), sums.copy(), tally)
for kernel in (reduce.argmax, reduce.correct_count, reduce.divide_sums):
    print("cached" if sum(kernel.stats.cache_hits.values()) else "compiled")
"""
DAMAGES = {
    "argmax": lambda whole: b"",
    "correct_count": lambda whole: whole[:-1],
    "divide_sums": lambda _: b"\xff" * 200,
}
"""Of a file of each kernel: empty, cut, noise."""


@needs_compiler
@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
def test_a_damaged_cache_file_costs_a_compilation_and_the_cache_is_whole_again(source, tmp_path, suffix):
    run(THREE, source, tmp_path)
    for kernel, damage in DAMAGES.items():
        (file,) = (path for path in tmp_path.rglob(f"*{suffix}") if f".{kernel}-" in path.name)
        file.write_bytes(damage(file.read_bytes()))
    assert run(THREE, source, tmp_path) == ("compiled\ncompiled\ncompiled", "")
    assert run(THREE, source, tmp_path) == ("cached\ncached\ncached", "")


@needs_compiler
def test_a_cache_folder_that_vanishes_meanwhile_is_no_error(source, tmp_path):
    vanish = "import shutil, os; shutil.rmtree(os.environ['NUMBA_CACHE_DIR'])\nrun()"
    assert run(ARGMAX.replace("\nrun()\n", "\n") + vanish, source, tmp_path / "cache", warnings="ignore") == ("", "")


FULL_DISK = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
NO_HOME = {"HOME": "/dev/null", "XDG_CACHE_HOME": "", "USERPROFILE": "", "LOCALAPPDATA": ""}


@needs_compiler
@pytest.mark.parametrize(
    ("before", "cache", "home", "words"),
    [
        ("", "file/cache", {}, "no writable folder for compiled kernels"),
        ("", None, NO_HOME, "no "),
        pytest.param(
            FULL_DISK, "cache", {}, "compiled kernels cannot be kept",
            marks=pytest.mark.skipif(os.name == "nt", reason="limits of file size are POSIX"),
        ),
    ],
    ids=["no folder", "no home", "full disk"],
)  # fmt: skip
def test_a_place_where_nothing_can_be_kept_costs_one_warning(source, tmp_path, before, cache, home, words):
    (tmp_path / "file").write_text("")
    program = before + ARGMAX + "from nnlite import class_means"
    _, stderr = run(program, source, tmp_path / cache if cache else "", warnings="always", **home)
    assert stderr.count(f"RuntimeWarning: nnlite: {words}") == 1


@needs_compiler
def test_an_edited_kernel_is_compiled_anew_whatever_is_cached(source, cache, tmp_path):
    (before,) = folders(cache)
    edited = Path(shutil.copytree(source, tmp_path / "edited"))
    # Another file than the kernel's own, which is all that numba looks at.
    ops = edited / "nnlite" / "kernels" / "ops.py"
    ops.write_text(ops.read_text().replace("FMA, DIV, CMP", "FMA, CMP, DIV"))
    program = ARGMAX + "tally = np.zeros((2, 9), np.int64)\nargmax(np.zeros((1, 3)), np.zeros(1, np.int64), tally)"
    program += "\nprint(np.flatnonzero(tally[0]))"
    assert run(program, edited, cache)[0] == "[3]"
    assert before in folders(cache)
    assert len(folders(cache)) == 2


@needs_compiler
def test_only_the_newest_three_folders_are_kept(source, cache):
    for age, name in enumerate("abcde", start=1):
        (cache / f"nnlite-{name * 16}").mkdir()
        os.utime(cache / f"nnlite-{name * 16}", (1e9 - age, 1e9 - age))
    (cache / "of somebody else").mkdir()
    run(ARGMAX, source, cache)
    kept = [path.name for path in folders(cache)]
    assert len(kept) == 3
    assert {"nnlite-" + "a" * 16, "nnlite-" + "b" * 16} < set(kept)
    assert (cache / "of somebody else").is_dir()


@needs_compiler
def test_two_processes_may_fill_the_cache_at_once(source, tmp_path):
    both = [start(ARGMAX, source, tmp_path) for _ in range(2)]
    assert [result(process) for process in both] == [("", "")] * 2
    assert run(ARGMAX + WAS_CACHED, source, tmp_path) == ("cached", "")


@needs_compiler
def test_one_cache_serves_two_kinds_of_processor_in_silence(source, cache):
    """A home folder that two machines mount; every LLVM knows `generic`, which runs everywhere."""
    generic = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    assert run(ARGMAX + WAS_CACHED, source, cache, **generic) == ("compiled", "")
    for processor in (generic, {}):
        assert run(ARGMAX + WAS_CACHED, source, cache, **processor) == ("cached", "")
    assert len(folders(cache)) == 1


ALL_KERNELS = """
import numpy as np
import nnlite
from nnlite.kernels import activation, loss, matmul, ops, reduce, update
from nnlite.training import Checks, epochs, evaluate, train
rng = np.random.default_rng(0)
for dtype in (np.float32, np.float64):
    images, labels = rng.random((7, 6)).astype(dtype), np.arange(7) % 3
    frozen, frozen_labels = images.copy(), labels.copy()
    frozen.flags.writeable = frozen_labels.flags.writeable = False
    unaligned = np.frombuffer(b"0" + images.tobytes(), dtype, offset=1).reshape(images.shape)
    for activation_name in ops.ACTIVATIONS:
        for optimizer in (nnlite.SGD(0.1), nnlite.Momentum(0.1), nnlite.Adam(0.1)):
            mlp = nnlite.MLP((6, 5, 3), rng, activation_name, dtype=dtype)
            for x in (images, np.asfortranarray(images), frozen, unaligned, images.tolist()):
                for y in (labels, frozen_labels, labels.astype(np.uint8), labels.tolist()):
                    optimizer.step(mlp, mlp.loss_and_gradients(x, y)[1])
                mlp.predict_proba(x)
                mlp.predict(x)
            frozen_mlp = mlp.copy()
            for parameter in frozen_mlp.parameters():
                parameter.flags.writeable = False
            frozen_mlp.predict_proba(frozen)
            frozen_mlp.loss_and_gradients(frozen, labels)
            for x, y in ((images, labels), (frozen, frozen_labels), (unaligned, frozen_labels)):
                plan = epochs(np.arange(7), 3, 3, 0.1, rng)
                train(mlp, optimizer, x, y, plan, Checks(x, y, np.array([1, 3]), 7))
                evaluate(mlp, x, y)
                nnlite.class_means(x, y)
for module in (activation, loss, matmul, reduce, update):
    for name, kernel in vars(module).items():
        if hasattr(kernel, "signatures"):
            print(name, len(kernel.signatures))
"""


@needs_compiler
def test_every_kernel_has_a_signature_for_float32_and_one_for_float64_whatever_it_is_given():
    """Read-only, unaligned, strided and integer arrays are made uniform before they reach a kernel."""
    cache = os.environ.get("NUMBA_CACHE_DIR", "")  # the suite's own: most of it is compiled already
    stdout, _ = run(ALL_KERNELS, Path(nnlite.__file__).parents[1], cache, NNLITE_KERNELS="plain")
    counts = {name: int(n) for name, n in (line.split() for line in stdout.splitlines())}
    assert len(counts) == 3 + 2 * len(ACTIVATIONS) + 3 + 4 + 4  # matmul, activation, loss, update, reduce
    integers_only = {name: counts.pop(name) for name in ("correct_count", "divide_sums")}
    assert counts == dict.fromkeys(counts, 2)
    assert integers_only == {"correct_count": 1, "divide_sums": 2}


def test_without_jit_kernels_are_the_plain_functions_and_as_silent_as_compiled_ones(source, tmp_path):
    program = ARGMAX + (
        "from nnlite.kernels.jit import plain\n"
        "from nnlite.kernels.activation import sigmoid_forward\n"
        "assert not hasattr(argmax, 'signatures') and plain(argmax) is not argmax\n"
        "h, tally = np.ones((1, 1), np.float32), np.zeros((2, 9), np.int64)\n"
        "sigmoid_forward(np.float32([[-1e4]]), h, tally)\n"  # exp overflows
        "assert h == 0, h\n"
    )
    assert run(program, source, tmp_path, NUMBA_DISABLE_JIT="1") == ("", "")
    assert folders(tmp_path) == []


@needs_compiler
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_and_plain_agree_to_the_last_bit_where_no_exp_or_log_is(dtype):
    rng = np.random.default_rng(0)

    def draw(*shape):
        return rng.normal(size=shape).astype(dtype)

    x, weight, bias, grad_z = draw(9, 7), draw(7, 5), draw(5), draw(9, 5)
    cases = [
        (matmul_forward, [x, weight, bias, draw(9, 5)]),
        (matmul_grad_weight, [x, grad_z, draw(7, 5), draw(5)]),
        (matmul_grad_x, [grad_z, weight, draw(9, 7)]),
        (adam_update, [draw(9), draw(9), draw(9), abs(draw(9)), abs(draw(6))]),
    ]
    for kernel, arrays in cases:
        compiled, interpreted = [a.copy() for a in arrays], [a.copy() for a in arrays]
        kernel(*compiled, new_tally())
        plain(kernel)(*interpreted, new_tally())
        for a, b in zip(compiled, interpreted, strict=True):
            assert a.tobytes() == b.tobytes(), kernel
