"""Records: one line a run, and what becomes of a file that was cut."""

from __future__ import annotations

import gzip
import json
import lzma
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnlite.experiment.config import RunConfig
from nnlite.experiment.records import (
    RecordsError,
    RunRecord,
    append_record,
    config_differences,
    read_records,
    same_config,
    set_cut_line_aside,
)


def record(arm="scratch", seed=0, **changes):
    values = {
        "arm": arm,
        "seed": seed,
        "config": RunConfig(learning_rate=0.001).to_record(4, 3),
        "dataset": {"name": "small", "sha256": {}},
        "status": "reached",
        "reached": True,
        "steps_to_target": 5,
        "pretrain_epochs": 0,
        "accuracy_after_pretrain": None,
        "accuracy_at_stop": 0.9,
        "passes": {"train": {"steps": 5, "images_forward": 40, "images_backward": 40}},
        "counts": {
            "dense": {"train": {"matmul_forward": {"fma": 7}}},
            "executed": {"train": {"matmul_forward": {"mul": 7}}},
        },
    }
    return RunRecord(**{**values, **changes})


def test_a_record_survives_its_line():
    assert RunRecord.from_line(record().to_line()) == record()
    assert record().to_line().count("\n") == 1


def test_records_come_back_in_the_order_they_were_kept(tmp_path):
    kept = [record(seed=seed) for seed in (3, 1, 2)]
    for one in kept:
        append_record(tmp_path / "runs.jsonl", one)
    assert read_records(tmp_path / "runs.jsonl") == kept


def test_a_compressed_file_is_read_as_well(tmp_path):
    path = tmp_path / "runs.jsonl.gz"
    path.write_bytes(gzip.compress(record().to_line().encode()))
    assert read_records(path) == [record()]


@given(cut=st.integers(min_value=1))
def test_a_line_cut_anywhere_is_left_out_and_set_aside(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("cut") / "runs.jsonl"
    append_record(path, record(seed=0))
    whole = path.read_bytes()
    last = record(seed=1).to_line().encode()
    piece = last[: cut % len(last)]
    path.write_bytes(whole + piece)
    assert read_records(path) == [record(seed=0)]
    aside = set_cut_line_aside(path)
    assert path.read_bytes() == whole
    if piece:
        assert (path.parent / "runs.jsonl.cut").read_bytes() == piece + b"\n"
        assert aside == str(path) + ".cut"
    else:
        assert aside is None


def test_appending_after_a_cut_line_was_set_aside_starts_a_line_of_its_own(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_bytes(record(seed=0).to_line().encode() + b'{"arm": "scr')
    set_cut_line_aside(path)
    append_record(path, record(seed=1))
    assert [one.seed for one in read_records(path)] == [0, 1]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_cut_line_is_as_private_as_the_records_it_stood_in(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_bytes(b'{"arm": "scr')
    path.chmod(0o600)
    aside = set_cut_line_aside(path)
    assert os.stat(aside).st_mode & 0o777 == 0o600


def test_a_failed_run_counts_as_not_done(tmp_path):
    path = tmp_path / "runs.jsonl"
    append_record(path, record(status="failed", counts={"dense": {}, "executed": {}}, passes={}))
    assert read_records(path) == []
    append_record(path, record())
    assert read_records(path) == [record()]


@pytest.mark.parametrize("line", ["{}", "[]", "nonsense", '{"schema": 1}', '{"schema": 99}', "\xff"])
def test_a_line_that_is_no_record_is_named(tmp_path, line):
    path = tmp_path / "runs.jsonl"
    path.write_bytes(record().to_line().encode() + line.encode("latin-1") + b"\n")
    with pytest.raises(RecordsError, match=r"runs.jsonl: line 2: not a run record"):
        read_records(path)


@pytest.mark.parametrize("keep", [0, 4, 12, 40, -1])
@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_a_compressed_file_cut_anywhere_is_named(tmp_path, compress, keep):
    path = tmp_path / ("runs.jsonl" + (".gz" if compress is gzip.compress else ".xz"))
    path.write_bytes(compress(record().to_line().encode())[:keep])
    with pytest.raises(RecordsError, match=f"{path.name}: "):
        read_records(path)


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress])
def test_a_compressed_file_with_a_damaged_byte_is_named(tmp_path, compress):
    path = tmp_path / "runs.jsonl"
    data = bytearray(compress(record().to_line().encode()))
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(RecordsError, match=r"runs.jsonl: damaged, no run in it can be trusted"):
        read_records(path)


def test_a_record_of_another_version_names_line_and_fields(tmp_path):
    path = tmp_path / "runs.jsonl"
    config = {**record().config, "dropout": 0.5}
    del config["decay"]
    path.write_text(record().to_line() + record(config=config).to_line())
    with pytest.raises(RecordsError, match=r"runs.jsonl: line 2: .* another version: .* differ: decay, dropout$"):
        read_records(path)


def test_a_record_whose_configuration_cannot_be_is_named(tmp_path):
    path = tmp_path / "runs.jsonl"
    for changes in ({"learning_rate": -1}, {"hidden_layer_sizes": None}, {"max_steps": "many"}, {"optimizer": 3}):
        path.write_text(record(config={**record().config, **changes}).to_line())
        with pytest.raises(RecordsError, match="line 1: not a run record"):
            read_records(path)


def test_a_record_without_a_data_set_is_named(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text(record(dataset={}).to_line())
    with pytest.raises(RecordsError, match=r"line 1: .* its data set has no name"):
        read_records(path)


def test_a_run_that_stands_there_twice_is_refused(tmp_path):
    path = tmp_path / "runs.jsonl"
    for _ in range(2):
        append_record(path, record())
    with pytest.raises(RecordsError, match="lines 1 and 2 both hold scratch, seed 0"):
        read_records(path)


def test_values_that_json_cannot_say_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        record(accuracy_at_stop=float("nan")).to_line()


def test_differences_between_configurations_are_named():
    kept = [record()]
    assert config_differences(kept, kept[0].config, kept[0].dataset) == []
    changed = {**kept[0].config, "learning_rate": 0.002}
    assert config_differences(kept, changed, kept[0].dataset) == ["learning_rate: 0.001 in the file, 0.002 asked for"]
    other_data = {**kept[0].dataset, "name": "mnist"}
    assert config_differences(kept, kept[0].config, other_data) == ["dataset name: small in the file, mnist asked for"]
    assert same_config([record(), record(seed=1, config=changed)]) != []
    assert same_config([]) == []


def test_equality_of_records_ignores_seconds_versions_and_machine():
    slow = record(seconds={"run": 9.0}, versions={"numpy": "3"}, machine={"cores": 1})
    assert slow.comparable() == record().comparable()
    assert "seconds" not in json.dumps(slow.comparable())


def test_a_failed_write_names_the_file(tmp_path):
    with pytest.raises(OSError, match="runs"):
        append_record(tmp_path / "missing" / "runs.jsonl", record())


def test_the_curve_is_what_was_checked_and_cannot_be_written():
    run = record("scratch", 0, checks=[[1, 85], [2, 91]])
    assert run.curve.tolist() == [[1, 85], [2, 91]]
    assert record("scratch", 0, checks=[]).curve.shape == (0, 2)
    with pytest.raises(ValueError, match="read-only"):
        run.curve[0, 1] = 100
