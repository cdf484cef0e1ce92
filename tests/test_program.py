"""How commands end: closed and full streams, Ctrl-C at any moment, whatever argparse does."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from nnlite import download, program
from nnlite.experiment.__main__ import main
from nnlite.lessons import checker

EXPERIMENT = ["-m", "nnlite.experiment"]
COMMANDS = {
    "nnlite --article": [*EXPERIMENT, "--article"],
    "nnlite --help": [*EXPERIMENT, "--help"],
    "nnlite-data": ["-m", "nnlite.download", "--help"],
    "a lesson": ["-m", "nnlite.lessons.counting", "--help"],
}
posix = pytest.mark.skipif(os.name != "posix", reason="closes streams as a POSIX shell does")
full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is full")


def shell(arguments, redirection):
    """Run a Python command with its streams redirected; return status and stderr."""
    words = " ".join(f"'{word}'" for word in [sys.executable, *arguments])
    result = subprocess.run(["sh", "-c", f"{words} {redirection}"], capture_output=True, text=True)
    return result.returncode, result.stderr, result.stdout


@posix
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("redirection", "message"), [(">&-", "stdout is closed"), ("> /dev/full", "No space left")])
def test_a_result_that_cannot_be_printed_is_one_line_and_status_1(command, redirection, message):
    if "full" in redirection and not os.path.exists("/dev/full"):
        pytest.skip("needs a device that is full")
    status, err, _ = shell(COMMANDS[command], redirection)
    assert status == 1
    assert message in err
    assert len(err.splitlines()) == 1


@posix
@pytest.mark.parametrize("redirection", ["2>&-", pytest.param("2> /dev/full", marks=full)])
@pytest.mark.parametrize(
    ("arguments", "expected"), [(["--article"], 0), (["--seeds", "x"], 2), (["--report", "no"], 3)]
)
def test_messages_that_nobody_can_get_change_neither_result_nor_status(arguments, expected, redirection, tmp_path):
    status, err, out = shell([*EXPERIMENT, *arguments], redirection)
    assert (status, err) == (expected, "")
    assert bool(out) == (expected == 0)


@posix
def test_a_reader_that_has_enough_ends_the_command_in_silence():
    status, err, _ = shell([*EXPERIMENT, "--article"], "| head -n 1")
    assert (status, err) == (0, "")


class Broken(io.StringIO):
    """A stream whose buffer takes a text and whose device does not."""

    def __init__(self, error, at_once):
        super().__init__()
        self.error, self.at_once = error, at_once

    def write(self, text):
        if self.at_once:
            raise self.error
        return super().write(text)

    def flush(self):
        raise self.error


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (BrokenPipeError(32, "Broken pipe"), 0, ""),
        (OSError(28, "No space left on device"), 1, "nnlite: stdout cannot be written: No space left on device\n"),
        (ValueError("I/O operation on closed file"), 1, "nnlite: stdout cannot be written: I/O operation on closed "),
    ],
)
@pytest.mark.parametrize("arguments", [["--article"], ["--help"], ["--list-arms", "--json"]])
def test_every_result_goes_through_one_place(arguments, error, status, message, at_once, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdout", Broken(error, at_once))
    before = sys.stdout, sys.stderr
    assert main(arguments) == status
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr().err.startswith(message)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_broken_stderr_is_silence(at_once, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Broken(OSError(28, "full"), at_once))
    assert main(["--seeds", "x"]) == 2
    assert main(["--article"]) == 0


def test_a_missing_stderr_does_not_send_messages_to_stdout(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert main(["--seeds", "x"]) == 2
    assert capsys.readouterr().out == ""
    assert sys.stderr is None


def test_a_terminal_without_a_character_gets_it_escaped(monkeypatch):
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    assert program.carry_out("nnlite", lambda: print("caf\u00e9 \udce9") or 0) == 0
    assert narrow.buffer.getvalue() == b"caf\\xe9 \\udce9" + os.linesep.encode()


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--bogus"], [], ["mnits"], ["mnist", "--to", ""], ["mnist", "--to", "a\0b"]]
)
def test_nnlite_data_returns_a_status_and_never_leaves_by_an_exception(arguments, capsys):
    assert download.main(arguments) == (0 if arguments == ["--help"] else 2)
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["--bogus"], ["--answer", "1"]])
def test_a_lesson_returns_a_status_and_never_leaves_by_an_exception(arguments, capsys):
    status = checker.run("sums", lambda: None, [], checker.Change("", lambda: None), arguments)
    assert status == (0 if arguments == ["--help"] else 2)


def test_ctrl_c_anywhere_in_a_command_is_status_130():
    def pressed():
        raise KeyboardInterrupt

    assert program.carry_out("nnlite", pressed) == 130


INTERRUPTING = """
import os, runpy, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
sys.argv = ["nnlite", *{arguments!r}]
if {script!r}:
    from nnlite.experiment.__main__ import main
    sys.exit(main())
runpy.run_module("nnlite.experiment", run_name="__main__")
"""
INTERRUPTED_IMPORT = """
import os, signal, sys

class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

if "-m" in sys.orig_argv or "-c" in sys.orig_argv:
    sys.meta_path.insert(0, Interrupting())
"""


@pytest.mark.skipif(os.name != "posix", reason="sends itself a signal")
@pytest.mark.parametrize("script", [False, True], ids=["python -m nnlite.experiment", "nnlite"])
@pytest.mark.parametrize("module", ["argparse", "numpy", "nnlite.experiment.article"])
def test_ctrl_c_while_modules_are_imported_is_status_130_and_no_traceback(module, script):
    code = INTERRUPTING.format(module=module, script=script, arguments=["--article"])
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stderr) in ((130, ""), (-signal.SIGINT, ""))


@pytest.mark.skipif(os.name != "posix", reason="sends itself a signal")
@pytest.mark.parametrize("module", ["argparse", "nnlite.idx"])
@pytest.mark.parametrize(
    "command",
    [
        ["-m", "nnlite.lessons.bytes"],
        ["-m", "nnlite.experiment", "--article"],
        ["-m", "nnlite.study", "list"],
        ["-c", "import sys; from nnlite.commands import nnlite_data; sys.exit(nnlite_data())"],
    ],
    ids=["lesson", "experiment", "study", "nnlite-data"],
)
def test_ctrl_c_while_a_command_is_imported_says_nothing(command, module, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(INTERRUPTED_IMPORT.format(module=module), encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    arguments = [sys.executable, *command]
    result = subprocess.run(arguments, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (-signal.SIGINT, "")


def test_a_command_that_was_started_is_interrupted_as_any_other_once_it_works():
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        program.start()
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
        assert program.carry_out("nnlite", lambda: signal.raise_signal(signal.SIGINT)) == 130
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name != "posix", reason="interrupts itself by signal")
def test_ctrl_c_changes_nothing_once_all_is_said():
    code = (
        "import atexit, os, signal\n"
        "from nnlite import program\n"
        "atexit.register(os.kill, os.getpid(), signal.SIGINT)  # while the interpreter ends\n"
        "program.end(3)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (3, "")


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="interrupts itself by signal")
def test_a_notebook_outlives_a_command_that_is_interrupted_while_it_compiles(tmp_path):
    script = (
        "import os, signal, threading\n"
        "from nnlite.experiment.__main__ import main\n"
        "threading.Timer(2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()\n"
        "print(main(['--seeds', '2', '--quiet']), 'and still here', flush=True)\n"
        "os._exit(0)  # not waiting for the thread that compiles\n"
    )
    empty = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=root, env=empty, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.splitlines()[-1] == "130 and still here"
