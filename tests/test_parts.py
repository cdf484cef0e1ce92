"""A folder of parts: resumed at any point, compressed when done, and the same whatever happened in between."""

import io
import random
from dataclasses import replace

import pytest
from synthetic import small_config, small_dataset

from nnlite.experiment.config import ConfigError
from nnlite.experiment.exits import Exit, Interrupted
from nnlite.experiment.progress import Progress
from nnlite.experiment.records import FAILED, RecordsError
from nnlite.experiment.whole import carry_out as whole
from nnlite.experiment.whole.parts import (
    done_file,
    estimated_seconds,
    finish,
    is_done,
    missing_runs,
    open_file,
    records_of,
    run_of,
)
from nnlite.experiment.whole.protocol import Part, Study

FULL = small_config(evaluate="full", max_steps=12)
STUDIES = [
    Study(FULL, ("scratch", "class-means"), range(3), "small"),
    Study(replace(FULL, learning_rate=0.01), ("scratch",), range(2), "small"),
]
N_RUNS = 3 * 2 + 2 * 1
FIRST = Part("first", "two configurations", lambda earlier: STUDIES)
SECOND = Part("second", "as many pairs as the first had", lambda earlier: [replace_seeds(len(earlier("first")))])


def replace_seeds(n):
    return Study(FULL, ("warm-up",), range(n), "small")


@pytest.fixture
def carry_out(tmp_path):
    dataset = replace_name(small_dataset(tmp_path))

    def run(folder, parts=(FIRST,), progress=None):
        quiet = progress or Progress(io.StringIO(), quiet=True)
        whole.run_parts(parts, str(tmp_path / folder), lambda name: dataset, 2, "threads", quiet)
        return tmp_path / folder

    return run


def replace_name(dataset):
    object.__setattr__(dataset, "name", "small")
    return dataset


def comparable(folder, name):
    return [record.comparable() for record in records_of(folder, name)]


def test_a_finished_part_is_one_compressed_file_with_every_run_in_the_order_of_its_studies(carry_out):
    folder = carry_out("runs")
    assert [path.name for path in folder.iterdir()] == ["first.jsonl.xz"]
    runs = [run_of(record) for record in records_of(folder, "first")]
    assert runs == [(study.dataset, run) for study in STUDIES for run in study.runs()]
    assert len(runs) == N_RUNS


def test_a_study_interrupted_ten_times_at_random_equals_one_that_was_not(carry_out, monkeypatch):
    """Ended before or after a run was kept, and once inside the line that was being written."""
    at_once = carry_out("at once")
    rng, write, n_interrupted = random.Random(0), whole.append_record, 0

    def write_some(path, record):
        if rng.random() < 0.7:
            raise Interrupted(15, compiling=False)
        write(path, record)
        if rng.random() < 0.6:
            raise Interrupted(15, compiling=False)

    monkeypatch.setattr(whole, "append_record", write_some)
    gathering = open_file(at_once.parent / "in pieces", "first")
    while n_interrupted < 10:
        with pytest.raises(Interrupted):
            carry_out("in pieces")
        n_interrupted += 1
        if n_interrupted in (3, 6, 9) and gathering.exists():
            gathering.write_bytes(gathering.read_bytes()[:-20])  # a line cut by a power failure: its run is lost
    monkeypatch.setattr(whole, "append_record", write)
    folder = carry_out("in pieces")
    assert comparable(folder, "first") == comparable(at_once, "first")


def test_a_part_that_is_done_is_not_run_again(carry_out):
    folder = carry_out("runs")
    before = done_file(folder, "first").read_bytes()
    shown = io.StringIO()
    carry_out("runs", progress=Progress(shown))
    assert done_file(folder, "first").read_bytes() == before
    assert "first: done" in shown.getvalue()


def test_a_part_may_depend_on_what_an_earlier_one_found(carry_out):
    folder = carry_out("runs", (FIRST, SECOND))
    assert len(records_of(folder, "second")) == N_RUNS


def test_a_part_whose_earlier_part_is_missing_says_which(carry_out):
    with pytest.raises(ConfigError, match="--part second: needs part first first"):
        carry_out("runs", (SECOND,))


def test_missing_runs_are_told_by_data_set_configuration_arm_and_seed(carry_out):
    records = records_of(carry_out("runs"), "first")
    assert missing_runs(STUDIES, records) == {}
    assert missing_runs(STUDIES, records[1:]) == {"small": [(FULL, "scratch", 0)]}
    elsewhere = [replace(study, dataset="other") for study in STUDIES]
    assert len(missing_runs(elsewhere, records)["other"]) == N_RUNS


def test_a_failed_run_is_missing(carry_out):
    records = records_of(carry_out("runs"), "first")
    failed = [replace(records[0], status=FAILED), *records[1:]]
    assert missing_runs(STUDIES, failed) == {"small": [(FULL, "scratch", 0)]}


def test_the_gathered_file_stays_when_the_compressed_one_cannot_be_read_back(carry_out, tmp_path, monkeypatch):
    folder = carry_out("runs")
    lines = "".join(record.to_line() for record in records_of(folder, "first"))
    done_file(folder, "first").unlink()
    open_file(folder, "first").write_text(lines)
    monkeypatch.setattr("nnlite.experiment.whole.parts.lzma.compress", lambda text, preset: text[: len(text) // 2])
    with pytest.raises(RecordsError):
        finish(folder, FIRST, STUDIES)
    assert open_file(folder, "first").read_text() == lines
    assert not is_done(folder, "first")


def test_a_damaged_file_is_named_and_nothing_is_lost(carry_out, tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    open_file(folder, "first").write_text("not a record\n")
    with pytest.raises(Exit, match="line 1: not a run record"):
        carry_out("runs")
    assert open_file(folder, "first").read_text() == "not a record\n"


def test_the_estimate_grows_with_looks_units_and_runs():
    one = estimated_seconds(STUDIES[:1], 1)
    assert estimated_seconds(STUDIES[:1], 2) == one / 2
    assert estimated_seconds([replace(STUDIES[0], seeds=range(6))], 1) == pytest.approx(2 * one)
    wider = replace(STUDIES[0], config=replace(FULL, hidden_layer_sizes=(512,)))
    assert estimated_seconds([wider], 1) > 10 * one


def test_the_list_of_parts_names_each_with_its_minutes():
    text = whole.part_list(2)
    assert all(part.name in text for part in whole.PARTS)
    assert max(map(len, text.splitlines())) <= 80


def test_an_unknown_part_is_a_usage_error():
    with pytest.raises(ConfigError, match="--part claims: unknown; did you mean claim"):
        whole.chosen("claims")
