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


def test_a_folder_of_its_name_does_not_hide_the_package(tmp_path):
    """A clone is such a folder for a script beside it."""
    (tmp_path / "nnlite").mkdir()
    command = [sys.executable, "-c", "import nnlite; nnlite.Tally"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stderr == ""


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


NO_NUMBA = "import sys\nsys.modules.update(numba=None, llvmlite=None)\n"
PLAIN = "import os; os.environ['NNLITE_KERNELS'] = 'plain'"
LEARN = """
import numpy as np
import nnlite
images = np.eye(3)
mlp = nnlite.MLP((3, 4, 3), 0)
history = nnlite.fit(mlp, images, [0, 1, 2], 40, optimizer=nnlite.Adam(0.1), validation=(images, [0, 1, 2]))
nnlite.class_means(images, [0, 1, 2])
print(history.accuracies[-1], mlp.predict(images), mlp.predict_proba(images).round(3), history.tally.total())
"""


def script(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)


def test_without_numba_small_networks_learn_after_one_line_that_says_how_slow():
    found, expected = script(NO_NUMBA + LEARN), script(PLAIN + LEARN)
    assert found.returncode == 0, found.stderr
    assert found.stdout == expected.stdout
    (line,) = found.stderr.splitlines()
    assert "kernels run as plain Python, thousands of times slower: numba cannot be imported" in line
    assert 'python -m pip install -U numba "numpy>=2.0"' in line
    assert found.stdout.startswith("1.0 [0 1 2]")


CLASSIFY = """
import warnings
import numpy as np
warnings.simplefilter("ignore", UserWarning)  # that it has not converged
from nnlite.sklearn import MLPClassifier
x, y = np.eye(3).repeat(4, 0), np.array(["a", "b", "c"]).repeat(4)
classifier = MLPClassifier(4, learning_rate_init=0.1, max_iter=20, random_state=0, pretrain="class_means")
print(classifier.fit(x, y).predict(np.eye(3)), classifier.predict_proba(x)[0].round(3), classifier.loss_curve_[-1])
"""


def test_without_numba_the_classifier_for_scikit_learn_learns_too():
    pytest.importorskip("sklearn")
    found, expected = (
        script(NO_NUMBA + CLASSIFY),
        script("import os; os.environ['NNLITE_KERNELS'] = 'plain'" + CLASSIFY),
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout == expected.stdout
    assert found.stdout.startswith("['a' 'b' 'c']")
    (line,) = found.stderr.splitlines()
    assert "kernels run as plain Python" in line


def test_a_numba_that_refuses_this_numpy_is_told_in_its_own_words_with_the_way_out(tmp_path):
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba" / "__init__.py").write_text("raise ImportError('Got NumPy 2.9.')")
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport nnlite\nnnlite.MLP((1, 2), 0).predict([[1]])"
    (line,) = script(program).stderr.splitlines()
    assert "numba cannot be imported (Got NumPy 2.9.)" in line
    assert "python -m pip install -U numba" in line


def test_without_numba_no_kernel_run_says_nothing():
    assert run(NO_NUMBA + "import nnlite; nnlite.MLP((1, 2), 0); nnlite.fit; nnlite.SGD(1)").stderr == ""


def test_without_numba_the_experiment_says_what_it_needs_and_ends_with_2():
    arguments = ["nnlite", "--quick", "--quiet", "--data-dir", str(Path(nnlite.__file__).parents[1] / "data")]
    program = NO_NUMBA + f"sys.argv = {arguments}\nfrom nnlite.commands import nnlite\nsys.exit(nnlite())"
    found = script(program)
    (line,) = found.stderr.splitlines()
    assert line.startswith("nnlite: runs need compiled kernels: numba cannot be imported")
    assert (found.returncode, found.stdout) == (2, "")
