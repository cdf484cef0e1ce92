"""The house rules about imports and side effects, held against every line of the source.

Imports only run downwards, wherever they stand: at the top, inside a function, under TYPE_CHECKING, or in the lazy map
of `nnlite/__init__`. A new module needs a line in `LAYERS`; one that starts to touch files, a line in `TOUCHES_FILES`.
"""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import nnlite

ROOT = Path(nnlite.__file__).parent
PATHS = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in PATHS.items()}

EXPERIMENT = [path.stem for path in sorted((ROOT / "experiment").glob("*.py")) if not path.stem.startswith("__")]

LAYERS = [
    [f"nnlite.{name}" for name in ("_version", "access", "arguments", "contents", "files", "program", "showing")],
    ["nnlite.kernels", "nnlite.kernels.ops", "nnlite.kernels.dispatcher"],
    ["nnlite.kernels.cache", "nnlite.places", "nnlite.idx"],
    ["nnlite.kernels.jit"],
    [f"nnlite.kernels.{name}" for name in ("matmul", "activation", "loss", "update", "reduce", "distance")],
    ["nnlite.kernels.fast.*"],
    [
        "nnlite.closed_forms",
        "nnlite.dataset_checks",
        "nnlite.datasets",
        "nnlite.download",
        "nnlite.flops",
        "nnlite.initializers",
    ],
    ["nnlite.mlp", "nnlite.mlp_files", "nnlite.optim"],
    ["nnlite.schedule"],
    ["nnlite.prototypes"],
    ["nnlite.compiled"],
    ["nnlite.training"],
    ["nnlite.fitting"],
    ["nnlite.digits.*"],
    ["nnlite.experiment", *(f"nnlite.experiment.{name}" for name in EXPERIMENT)],
    ["nnlite.page.*"],
    ["nnlite"],  # the names for short programs, which all live further down
    ["nnlite.sklearn"],
    ["nnlite.experiment.__main__"],
    ["nnlite.study.*"],
    ["nnlite.lessons.*", "nnlite.commands"],
    ["nnlite.__main__"],
]
"""From the ground up. A module imports from its own layer and from those before it in this list, never in a circle."""

LONGEST = 430
"""Lines of a file: it holds one concept, whole, and can be read in one sitting."""

KNOWS_NUMBA = ("nnlite.kernels.jit", "nnlite.kernels.cache", "nnlite.kernels.dispatcher", "nnlite.kernels.fast.*")

TOUCHES_FILES = {
    "nnlite.access": "permissions",
    "nnlite.files": "opens and replaces",
    "nnlite.idx": "IDX files, through files",
    "nnlite.places": "lists folders",
    "nnlite.datasets": "reads through idx",
    "nnlite.download": "makes the folder it fills",
    "nnlite.mlp_files": "save and load",
    "nnlite.kernels.cache": "compiled kernels on disk",
    "nnlite.program": "opens the null device when a pipe breaks",
    "nnlite.experiment.records": "one line a run",
    "nnlite.experiment.figures": "makes the folder of the pictures",
    "nnlite.experiment.drawing": "writes a picture",
    "nnlite.experiment.report": "reads what the registered study found",
    "nnlite.experiment.run": "reads the processor's name from /proc",
    "nnlite.study.parts": "makes the folder of the parts, packs one that is done",
    "nnlite.study.page": "reads the fixed prose, and a README",
    "nnlite.digits.pictures": "hands Pillow an open file",
    "nnlite.digits.train": "saves a network",
    "nnlite.page.*": "read what a page is made of, write a page",
    "nnlite.lessons.*": "show files",
}
TALKS = (
    "nnlite.program",
    "nnlite.experiment.exits",
    "nnlite.download",
    "nnlite.experiment.__main__",
    "nnlite.experiment.api",
    "nnlite.study.__main__",
    "nnlite.digits.options",
    "nnlite.digits.train",
    "nnlite.digits.predict",
    "nnlite.page.draw",
    "nnlite.commands",
    "nnlite.lessons.*",
    "nnlite.sklearn",
)
"""What may print and look at the command line: the programs; scikit-learn's `verbose` prints."""

FILE_MODULES = {"bz2", "glob", "gzip", "lzma", "mmap", "shutil", "sqlite3", "tarfile", "tempfile", "zipfile"}
FILE_CALLS = {
    "chmod",
    "fromfile",
    "fsync",
    "iterdir",
    "listdir",
    "np.load",
    "loadtxt",
    "makedirs",
    "memmap",
    "mkdir",
    "open",
    "read_bytes",
    "read_text",
    "remove",
    "rename",
    "rglob",
    "rmdir",
    "save",
    "savefig",
    "savetxt",
    "savez",
    "savez_compressed",
    "scandir",
    "stat",
    "symlink",
    "tofile",
    "touch",
    "unlink",
    "utime",
    "write_bytes",
    "write_text",
}


def matches(module, pattern):
    return module == pattern or (pattern.endswith(".*") and f"{module}.".startswith(pattern[:-1]))


def layer_of(module):
    return next((level for level, layer in enumerate(LAYERS) for pattern in layer if matches(module, pattern)), None)


def absolute(module, node):
    """The full name of what a from-import names, with the dots of a relative one resolved."""
    if node.level == 0:
        return node.module
    parents = module.split(".") if PATHS[module].name == "__init__.py" else module.split(".")[:-1]
    base = parents[: len(parents) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def imports(module):
    """Every module named by an import statement anywhere in a module, as precisely as the statement says."""
    found = set()
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = absolute(module, node)
            found |= {f"{source}.{alias.name}" if f"{source}.{alias.name}" in PATHS else source for alias in node.names}
    return found


def own_imports(module):
    """The modules of nnlite that a module imports; for nnlite itself the lazy map counts as well."""
    lazy = set()
    if module == "nnlite":
        values = [node.value for node in TREES[module].body if isinstance(node, ast.Assign)]
        lazy_map = next(ast.literal_eval(value) for value in values if isinstance(value, ast.Dict))
        lazy = {f"nnlite.{home}" for home in lazy_map.values()}
    return {name for name in imports(module) | lazy if name.split(".")[0] == "nnlite"}


def calls_of(module):
    """Names of all functions and methods that a module calls; np.load with its np, since SIMD has a load of its own."""
    called = [node.func for node in ast.walk(TREES[module]) if isinstance(node, ast.Call)]
    names = {node.id for node in called if isinstance(node, ast.Name)}
    names |= {node.attr for node in called if isinstance(node, ast.Attribute)}
    return names | {ast.unparse(node) for node in called if ast.unparse(node) == "np.load"}


def test_the_walk_sees_imports_of_every_kind():
    assert {"nnlite.mlp", "nnlite.flops", "nnlite.kernels.update"} <= own_imports("nnlite.optim")  # one for types only
    assert {"nnlite.kernels.matmul", "nnlite.kernels.reduce", "nnlite.initializers"} <= own_imports("nnlite.mlp")
    assert "nnlite.experiment.records" in own_imports("nnlite.experiment.__main__")  # inside functions
    assert "nnlite.training" not in own_imports("nnlite")
    assert "nnlite.prototypes" in own_imports("nnlite")  # the lazy map


def test_every_module_has_a_layer():
    without = [module for module in PATHS if layer_of(module) is None]
    assert not without, f"{without} have no line in LAYERS"


def test_imports_run_downwards():
    """A module imports what exists, from its own layer or one below."""
    for module in PATHS:
        missing = {name for name in own_imports(module) if name not in PATHS}
        assert not missing, f"{module} imports {missing}, which do not exist"
        upward = {name for name in own_imports(module) if layer_of(name) > layer_of(module)}
        assert not upward, f"{module} imports {upward} from a layer above its own"


def test_there_is_no_circle():
    order = TopologicalSorter({module: own_imports(module) - {module} for module in PATHS})
    assert set(PATHS) <= set(order.static_order())  # which raises CycleError with the circle


def test_numba_is_known_in_one_place():
    knowing = {m for m in PATHS if {name.split(".")[0] for name in imports(m)} & {"numba", "llvmlite"}}
    assert not {module for module in knowing if not any(matches(module, pattern) for pattern in KNOWS_NUMBA)}


def test_modules_are_imported_by_statements():
    dynamic = {module: calls_of(module) & {"import_module", "__import__", "exec", "eval"} for module in PATHS}
    assert {module: calls for module, calls in dynamic.items() if calls} == {"nnlite": {"import_module"}}


def test_only_named_modules_touch_files():
    touches = {m: calls_of(m) & FILE_CALLS | {name for name in imports(m) if name in FILE_MODULES} for m in PATHS}
    touching = {module: what for module, what in touches.items() if what}
    unnamed = [module for module in touching if not any(matches(module, pattern) for pattern in TOUCHES_FILES)]
    assert not unnamed, f"{unnamed} touch files: leave it to {', '.join(TOUCHES_FILES)}"
    stale = [pattern for pattern in TOUCHES_FILES if not any(matches(module, pattern) for module in PATHS)]
    assert not stale, f"{stale} are named and do not exist"


def test_only_programs_talk_and_see_the_command_line():
    for module in PATHS:
        attributes = {
            node.attr
            for node in ast.walk(TREES[module])
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sys"
        }
        talk = calls_of(module) & {"print", "input"} | attributes & {"argv", "exit", "stdin", "stdout", "stderr"}
        assert not talk or any(matches(module, pattern) for pattern in TALKS), f"{module} talks: {talk}"


def test_random_numbers_come_from_a_generator_that_is_passed():
    """np.random.seed, np.random.rand and the like use global state; the random module too."""
    for module in PATHS:
        used = {
            node.attr
            for node in ast.walk(TREES[module])
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "random"
        }
        assert used <= {"Generator", "SeedSequence", "default_rng", "PCG64"}, module
        assert "random" not in imports(module), module


def test_a_file_fits_in_one_sitting():
    n_lines = {module: len(path.read_text(encoding="utf-8").splitlines()) for module, path in PATHS.items()}
    assert not {module: n for module, n in n_lines.items() if n > LONGEST}


def test_kernels_are_compiled_by_the_one_decorator_without_shortcuts():
    shortcuts = {"fastmath", "parallel", "guvectorize", "vectorize", "prange", "stencil", "jitclass"}
    for module, tree in TREES.items():
        names = {node.arg for node in ast.walk(tree) if isinstance(node, ast.keyword)}
        names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not names & shortcuts, module
        if module.startswith("nnlite.") and module != "nnlite.kernels.jit":
            assert "njit" not in names, module


def test_no_id_of_a_test_holds_bytes_which_may_hold_the_clock(request):
    """The suite is the same tests under the same names, in any order and in any number of processes."""
    assert not [item.nodeid for item in request.session.items if "\\x1f\\x8b" in item.nodeid]
