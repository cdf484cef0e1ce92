"""A folder of parts: resumed at any point, compressed when done, and the same whatever happened in between."""

import io
import os
import random
import re
from dataclasses import replace

import pytest
from made import small_config, small_dataset

from nnlite.experiment import pool
from nnlite.experiment.config import ConfigError, DataError
from nnlite.experiment.exits import DATA, Exit, Interrupted
from nnlite.experiment.progress import Progress
from nnlite.experiment.records import FAILED, RecordsError
from nnlite.files import held
from nnlite.kernels import fast_kernels
from nnlite.study.parts import (
    Work,
    done_file,
    estimated_seconds,
    finish,
    is_done,
    minutes_of,
    missing_runs,
    n_lacking,
    open_file,
    records_of,
    remove_leftover,
    run_of,
    run_parts,
    strays,
)
from nnlite.study.protocol import Block, Part
from nnlite.study.second_protocol import ALL_PARTS

FULL = small_config(evaluate="full", max_steps=12)
BLOCKS = [
    Block(FULL, ("scratch", "class-means"), range(3), "small"),
    Block(replace(FULL, learning_rate=0.01), ("scratch",), range(2), "small"),
]
N_RUNS = 3 * 2 + 2 * 1
FIRST = Part("first", "two configurations", lambda earlier: BLOCKS)
SECOND = Part("second", "as many pairs as the first had", lambda earlier: [replace_seeds(len(earlier("first")))])


def replace_seeds(n):
    return Block(FULL, ("warm-up",), range(n), "small")


@pytest.fixture
def carry_out(tmp_path):
    dataset = replace_name(small_dataset(tmp_path))

    def run(folder, parts=(FIRST,), progress=None):
        quiet = progress or Progress(io.StringIO(), quiet=True)
        run_parts(parts, str(tmp_path / folder), Work(lambda name: dataset, ("threads", 2), [], quiet))
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
    assert runs == [(block.dataset, run) for block in BLOCKS for run in block.runs()]
    assert len(runs) == N_RUNS


def test_a_study_interrupted_ten_times_at_random_equals_one_that_was_not(carry_out, monkeypatch):
    """Ended before or after a run was kept, and once inside the line that was being written."""
    at_once = carry_out("at once")
    rng, write, n_interrupted = random.Random(0), pool.append_record, 0

    def write_some(path, record):
        if rng.random() < 0.7:
            raise Interrupted(15, compiling=False)
        write(path, record)
        if rng.random() < 0.6:
            raise Interrupted(15, compiling=False)

    monkeypatch.setattr(pool, "append_record", write_some)
    gathering = open_file(at_once.parent / "in pieces", "first")
    while n_interrupted < 10:
        with pytest.raises(Interrupted):
            carry_out("in pieces")
        n_interrupted += 1
        if n_interrupted in (3, 6, 9) and gathering.exists():
            gathering.write_bytes(gathering.read_bytes()[:-20])  # a line cut by a power failure: its run is lost
    monkeypatch.setattr(pool, "append_record", write)
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
    with pytest.raises(ConfigError, match="part second: needs part first first"):
        carry_out("runs", (SECOND,))


def test_missing_runs_and_strays_are_told_by_data_set_configuration_arm_and_seed(carry_out):
    records = records_of(carry_out("runs"), "first")
    elsewhere = [replace(block, dataset="other") for block in BLOCKS]
    assert missing_runs(BLOCKS, records) == {}
    assert missing_runs(BLOCKS, records[1:]) == {"small": [(FULL, "scratch", 0)]}
    failed = [replace(records[0], status=FAILED), *records[1:]]
    assert missing_runs(BLOCKS, failed) == {"small": [(FULL, "scratch", 0)]}
    assert len(missing_runs(elsewhere, records)["other"]) == N_RUNS
    assert strays(BLOCKS, records) == []
    assert strays(BLOCKS[:1], records) == records[6:]  # 3 seeds of 2 arms, then another configuration's
    assert strays(elsewhere, records) == records


def test_the_gathered_file_stays_when_the_compressed_one_cannot_be_read_back(carry_out, tmp_path, monkeypatch):
    folder = carry_out("runs")
    lines = "".join(record.to_line() for record in records_of(folder, "first"))
    done_file(folder, "first").unlink()
    open_file(folder, "first").write_text(lines)
    monkeypatch.setattr("nnlite.study.parts.lzma.compress", lambda text, preset: text[: len(text) // 2])
    with pytest.raises(RecordsError):
        finish(folder, FIRST, BLOCKS)
    assert open_file(folder, "first").read_text() == lines
    assert not is_done(folder, "first")


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_the_compressed_file_is_as_private_as_the_gathered_one(carry_out):
    folder = carry_out("runs")
    lines = "".join(record.to_line() for record in records_of(folder, "first"))
    open_file(folder, "first").write_text(lines)
    open_file(folder, "first").chmod(0o600)
    done_file(folder, "first").unlink()
    finish(folder, FIRST, BLOCKS)
    assert done_file(folder, "first").stat().st_mode & 0o777 == 0o600


def test_a_last_line_of_a_part_that_only_lacks_its_newline_counts(carry_out):
    folder = carry_out("runs")
    whole_text = comparable(folder, "first")
    begun(folder, n=N_RUNS)
    gathered = open_file(folder, "first")
    gathered.write_bytes(gathered.read_bytes()[:-1])
    shown = io.StringIO()
    carry_out("runs", progress=Progress(shown))
    assert "cut short" not in shown.getvalue()
    assert comparable(folder, "first") == whole_text
    assert [path.name for path in folder.iterdir()] == ["first.jsonl.xz"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"arm": "scratch"}\n'.encode("utf-16"), r"first\.jsonl: UTF-16 text"),
        (b"not a record\n", "line 1: not a run record"),
    ],
)
def test_a_part_whose_file_is_no_text_of_records_stays_as_it_is(carry_out, tmp_path, content, message):
    (tmp_path / "runs").mkdir()
    path = open_file(tmp_path / "runs", "first")
    path.write_bytes(content)
    with pytest.raises(RecordsError, match=message):
        carry_out("runs")
    assert path.read_bytes() == content


def begun(folder, n=2, change=lambda record: record):
    """Take a finished part back to where only its first n runs were kept, each changed."""
    lines = [change(record).to_line() for record in records_of(folder, "first")[:n]]
    done_file(folder, "first").unlink()
    open_file(folder, "first").write_text("".join(lines))
    return "".join(lines)


def test_runs_kept_with_other_kernels_are_not_gone_on_with(carry_out):
    folder = carry_out("runs")
    other = "plain" if fast_kernels() else "fast"
    lines = begun(folder, change=lambda record: replace(record, config={**record.config, "kernels": other}))
    with pytest.raises(
        ConfigError,
        match=rf"first.jsonl holds runs of another configuration: kernels: {other} in the file, \w+ asked for",
    ):
        carry_out("runs")
    assert open_file(folder, "first").read_text() == lines


@pytest.mark.parametrize(("field", "value"), [("n_train", 61), ("sha256", {"train-images-idx3-ubyte": "0"})])
def test_runs_kept_of_another_data_set_of_that_name_are_not_gone_on_with(carry_out, field, value):
    folder = carry_out("runs")
    lines = begun(folder, change=lambda record: replace(record, dataset={**record.dataset, field: value}))
    with pytest.raises(ConfigError, match=f"of another configuration: dataset {field}: .* in the file, .* asked for"):
        carry_out("runs")
    assert open_file(folder, "first").read_text() == lines


def test_runs_that_are_not_the_parts_are_refused_before_it_starts_and_stay(carry_out):
    folder = carry_out("runs")
    lines = begun(folder, n=3, change=lambda record: replace(record, seed=record.seed + 100))
    with pytest.raises(
        Exit, match=r"3 of its runs are not part first's, like scratch, seed 100, on small; move"
    ) as told:
        carry_out("runs")
    assert told.value.status == DATA
    assert open_file(folder, "first").read_text() == lines


def test_a_finished_file_that_holds_other_runs_is_refused_in_one_line(carry_out):
    folder = carry_out("runs")
    lines = begun(folder, n=N_RUNS) + begun_line(folder, seed=100)
    open_file(folder, "first").unlink()
    done_file(folder, "first").write_text(lines)
    with pytest.raises(Exit, match=r"first.jsonl.xz: 1 of its runs are not part first's, like scratch, seed 100, on"):
        carry_out("runs")


def begun_line(folder, seed):
    """A record's line as the file of a part that runs has it, of another seed."""
    return replace(records_of(folder, "first")[0], seed=seed).to_line()


def test_what_a_kill_left_beside_a_finished_part_is_removed_and_nothing_else(carry_out):
    folder = carry_out("runs")
    whole, gathered = done_file(folder, "first").read_bytes(), open_file(folder, "first")
    gathered.write_text("".join(record.to_line() for record in records_of(folder, "first")))
    with held(gathered):  # as by a program between packing and removing
        remove_leftover(folder, "first")
        assert gathered.exists()
    carry_out("runs")
    assert [path.name for path in folder.iterdir()] == ["first.jsonl.xz"]
    gathered.write_text(begun_line(folder, seed=100))
    carry_out("runs")
    assert gathered.exists()  # a run that the finished file does not hold
    assert done_file(folder, "first").read_bytes() == whole


def test_data_that_is_missing_is_told_before_anything_is_run(tmp_path):
    def load(name):
        asked.append(name)
        if name == "clothes":
            raise FileNotFoundError("clothes not found; `nnlite-data clothes` downloads it")
        return replace_name(small_dataset(tmp_path))

    asked, quiet = [], Progress(io.StringIO(), quiet=True)
    clothes = Part("clothes", "of clothes", lambda earlier: [replace(BLOCKS[0], dataset="clothes")])
    with pytest.raises(Exit, match=r"downloads it \(needed by part clothes; run PART runs another alone\)$") as told:
        run_parts((FIRST, clothes), str(tmp_path / "runs"), Work(load, ("threads", 2), [], quiet))
    assert told.value.status == DATA
    assert asked == ["small", "clothes"]
    assert not (tmp_path / "runs").exists()


def test_no_folder_is_left_where_nothing_was_kept(carry_out, tmp_path, monkeypatch):
    def refuse(path, record):
        raise Interrupted(2, compiling=False)

    monkeypatch.setattr(pool, "append_record", refuse)
    with pytest.raises(Interrupted):
        carry_out("runs")
    assert not (tmp_path / "runs").exists()


def test_a_finished_file_that_lacks_runs_is_refused_and_can_be_gone_on_with(carry_out):
    folder = carry_out("runs")
    whole_text = comparable(folder, "first")
    lines = begun(folder, n=N_RUNS - 2)
    done_file(folder, "first").write_text(lines)  # compressed or not: known by content
    open_file(folder, "first").unlink()
    with pytest.raises(Exit, match=r"lacks 2 of the part's runs; after xz -d .* the same command makes them"):
        carry_out("runs")
    done_file(folder, "first").rename(open_file(folder, "first"))  # what xz -d does
    carry_out("runs")
    assert comparable(folder, "first") == whole_text


def test_what_a_part_lacks_is_not_known_where_an_earlier_one_is_missing(carry_out):
    records = records_of(carry_out("runs"), "first")
    earlier = {"first": records}
    assert n_lacking("first", FIRST, records[1:], earlier.__getitem__) == 1
    assert n_lacking("second", SECOND, [], earlier.__getitem__) == N_RUNS
    assert n_lacking("second", SECOND, [], {}.__getitem__) == 0


def test_an_empty_compressed_file_is_refused_and_stays(carry_out):
    folder = carry_out("runs")
    done_file(folder, "first").write_bytes(b"")
    with pytest.raises(RecordsError, match=r"first.jsonl.xz: holds no run: it is empty or cut short"):
        carry_out("runs", (SECOND,))


def test_a_part_that_another_program_runs_is_refused_until_that_ends(carry_out):
    folder = carry_out("runs")
    lines = begun(folder)
    with held(open_file(folder, "first")):
        with pytest.raises(BlockingIOError, match=r"another nnlite.* is at work on it"):
            carry_out("runs")
        assert open_file(folder, "first").read_text() == lines
    carry_out("runs")
    assert is_done(folder, "first")


def test_a_folder_that_cannot_be_read_is_a_data_error(carry_out, tmp_path, monkeypatch):
    stat = os.stat

    def refuse(path, *args, **options):
        if os.fspath(path).endswith(".jsonl.xz"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return stat(path, *args, **options)

    monkeypatch.setattr("os.stat", refuse)  # who runs as root may read all
    with pytest.raises(DataError, match=r"first.jsonl.xz: Permission denied"):
        carry_out("runs")


def test_the_estimate_grows_with_looks_units_and_runs():
    one = estimated_seconds(BLOCKS[:1], 1)
    assert estimated_seconds(BLOCKS[:1], 2) == one / 2
    assert estimated_seconds([replace(BLOCKS[0], seeds=range(6))], 1) == pytest.approx(2 * one)
    wider = replace(BLOCKS[0], config=replace(FULL, hidden_layer_sizes=(512,)))
    assert estimated_seconds([wider], 1) > 10 * one


def test_a_part_that_others_decide_has_no_estimate():
    assert minutes_of(FIRST, 2) == pytest.approx(estimated_seconds(BLOCKS, 2) / 60)
    assert minutes_of(SECOND, 2) is None
    decided = ["finals", "tuned", "start-images", "finals-2", "tuned-2"]
    assert [part.name for part in ALL_PARTS if minutes_of(part, 2) is None] == decided


def test_what_is_ahead_is_said_before_it_begins(carry_out):
    shown = io.StringIO()
    carry_out("runs", (FIRST, SECOND), progress=Progress(shown))
    ahead, first, *_ = shown.getvalue().splitlines()
    assert re.fullmatch(r"2 of 2 parts to run, about 0.0 h on 2 cores, and 1 parts whose runs others decide; .*", ahead)
    assert first == f"part 1/2, first: two configurations; {N_RUNS} runs, about 0 min on 2 cores"


def test_an_interruption_says_how_many_runs_are_kept(carry_out, monkeypatch):
    write, shown = pool.append_record, io.StringIO()

    def write_one(path, record):
        write(path, record)
        raise Interrupted(2, compiling=False)

    monkeypatch.setattr(pool, "append_record", write_one)
    with pytest.raises(Interrupted):
        carry_out("runs", progress=Progress(shown))
    assert f"1 of {N_RUNS} runs are kept in " in shown.getvalue()


def test_only_a_part_that_is_not_there_is_asked_for(carry_out):
    broken = Part("broken", "asks for the third of two", lambda earlier: [BLOCKS[2]])
    with pytest.raises(IndexError):
        carry_out("runs", (broken,))
