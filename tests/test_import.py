"""`import nnlite`: quick, without numba, every name where the lazy map says."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import nnlite

WITHOUT_NUMBA = [
    "nnlite",
    "nnlite.flops",
    "nnlite.idx",
    "nnlite.datasets",
    "nnlite.download",
    "nnlite.files",
    "nnlite.initializers",
    "nnlite.kernels",
    "nnlite.kernels.ops",
    "nnlite.experiment",
    "nnlite.experiment.config",
    "nnlite.experiment.article",
    "nnlite.experiment.stats",
    "nnlite.study.__main__",
    "nnlite.study.page",
]


def run(program):
    return subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60)


def test_these_modules_import_neither_numba_nor_llvmlite():
    program = "import importlib, sys\nsys.modules.update(numba=None, llvmlite=None)  # importing them raises\n"
    program += "\n".join(f"importlib.import_module({name!r})" for name in WITHOUT_NUMBA)
    assert run(program).stderr == ""


def test_names_without_kernels_need_no_numba():
    program = "import sys, nnlite; nnlite.Tally, nnlite.load_dataset, nnlite.read_idx, dir(nnlite)\n"
    program += "sys.exit('numba' in sys.modules or 'llvmlite' in sys.modules)"
    assert run(program).returncode == 0


def test_import_nnlite_alone_imports_no_numpy():
    assert run("import sys, nnlite; sys.exit('numpy' in sys.modules)").returncode == 0


def homes():
    """Return {name: module} as type checkers see the package."""
    tree = ast.parse(Path(nnlite.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {alias.asname: f"nnlite.{node.module}" for node in block.body for alias in node.names}


@pytest.mark.parametrize("name", nnlite.__all__)
def test_every_public_name_is_there_and_lives_where_type_checkers_look(name):
    value = getattr(nnlite, name)
    if name != "__version__":
        assert value.__module__ == homes()[name]
        assert value is getattr(importlib.import_module(homes()[name]), name)


def test_dir_lists_every_public_name_before_and_after_its_use():
    program = "import nnlite; assert set(nnlite.__all__) <= set(dir(nnlite)), dir(nnlite)"
    assert run(program).returncode == 0
    assert set(nnlite.__all__) <= set(dir(nnlite))


def test_type_checkers_see_every_public_name():
    assert {"__version__", *homes()} == set(nnlite.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'nnlite' has no attribute 'Perceptron'"):
        nnlite.Perceptron  # noqa: B018
    with pytest.raises(ImportError):
        from nnlite import Perceptron  # noqa: F401


def test_a_numba_that_refuses_this_numpy_is_named_with_the_way_out(tmp_path):
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba" / "__init__.py").write_text("raise ImportError('Got NumPy 2.9.')")
    found = run(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom nnlite import MLP")
    last = found.stderr.strip().splitlines()[-1]
    assert "numba cannot be imported with NumPy" in last
    assert "Got NumPy 2.9" in last
    assert "python -m pip install -U numba" in last
