"""How a command ends: which exception is which exit status, and its one line."""

from __future__ import annotations

import pytest

from nnlite.experiment.config import ConfigError, DataError
from nnlite.experiment.exits import DATA, FAILED_RUN, OK, USAGE, Exit, answered, reading
from nnlite.experiment.pool import WorkersError
from nnlite.experiment.records import RecordsError


def raising(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "status", "lines"),
    [
        (
            ConfigError("--seeds 0: must be above 0"),
            USAGE,
            ["--seeds 0: must be above 0", "it --help lists all options"],
        ),
        (DataError("small: too few images"), DATA, ["small: too few images"]),
        (RecordsError("runs.jsonl: line 1: not a run record"), DATA, ["runs.jsonl: line 1: not a run record"]),
        (WorkersError("the executor broke"), FAILED_RUN, ["the executor broke"]),
        (MemoryError(), FAILED_RUN, ["not enough memory for these networks and this data set"]),
        (OSError(28, "No space left on device", "runs.jsonl"), FAILED_RUN, ["runs.jsonl: No space left on device"]),
        (ImportError("numba does not load"), FAILED_RUN, ["numba does not load"]),
        (OSError("no file at all"), FAILED_RUN, ["no file at all"]),
        (Exit("it has its own", 3), DATA, ["it has its own"]),
    ],
)
def test_what_a_person_can_mend_is_a_line_and_a_status(error, status, lines, capsys):
    assert answered("it", raising(error)) == status
    assert capsys.readouterr().err == "nnlite: " + "\n".join(lines) + "\n"


def test_a_fault_of_the_program_is_shown_whole():
    with pytest.raises(KeyError):
        answered("it", raising(KeyError("x")))
    assert answered("it", lambda: OK) == OK


@pytest.mark.parametrize("error", [ValueError("data: damaged"), OSError(2, "damaged", "data")])
def test_what_cannot_be_read_is_a_data_error(error):
    with pytest.raises(DataError, match=r"^data: damaged$"), reading():
        raise error


def test_a_mistake_in_the_options_stays_one_while_something_is_read():
    with pytest.raises(ConfigError), reading():
        raise ConfigError("--dataset")
