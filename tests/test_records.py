"""Records: one line a run, and what becomes of a file that was cut."""

from __future__ import annotations

import gzip
import inspect
import json
import lzma
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made import record

from nnlite.experiment.config import ConfigError, RunConfig
from nnlite.experiment.records import (
    RecordsError,
    append_record,
    config_differences,
    prepare_to_append,
    read_pairs,
    read_records,
)
from nnlite.kernels import activation, distance, loss, matmul, reduce, update
from nnlite.kernels.ops import KERNELS

CURVE = {
    "config": RunConfig(evaluate="full", max_steps=3).to_record(4, 3),
    "checks": [[1, 4], [2, 8], [3, 9]],
    "pretrain_checks": [[0, 1, 1], [1, 3, 2]],
    "images_seen": [20, 40, 60],
    "images_read": [20, 40, 60],
    "apart_correct": [1, 2, 3],
    "steps_to_target": 3,
    "passes": {"train": {"steps": 3, "images_forward": 60, "images_backward": 60}},
}


def test_records_come_back_in_the_order_they_were_kept_also_from_a_compressed_file(tmp_path):
    path = tmp_path / "runs.jsonl"
    kept = [record(seed=3), record(**CURVE, seed=1), record(seed=2)]
    for one in kept:
        append_record(path, one)
    assert read_records(path) == kept
    assert len(path.read_text().splitlines()) == 3
    without = re.sub(r',"crc32":\d+', "", path.read_text())  # as before there were checksums
    assert "crc32" not in without
    for content in (gzip.compress(path.read_bytes()), without.encode()):
        path.write_bytes(content)
        assert read_records(path) == kept
    with pytest.raises(OSError, match="runs"):
        append_record(tmp_path / "missing" / "runs.jsonl", record())
    with pytest.raises(ValueError, match="JSON"):
        record(accuracy_at_stop=float("nan")).to_line()


@given(cut=st.integers(min_value=1))
def test_a_line_cut_anywhere_is_left_out_and_set_aside(tmp_path_factory, cut):
    path = tmp_path_factory.mktemp("cut") / "runs.jsonl"
    append_record(path, record(seed=0))
    whole = path.read_bytes()
    last = record(seed=1).to_line().encode()
    piece = last[: cut % len(last)]
    path.write_bytes(whole + piece)
    assert read_records(path) == [record(seed=0)]
    aside = prepare_to_append(path)
    assert path.read_bytes() == whole
    append_record(path, record(seed=2))  # starts a line of its own
    assert [one.seed for one in read_records(path)] == [0, 2]
    if piece:
        assert (path.parent / "runs.jsonl.cut").read_bytes() == piece + b"\n"
        assert aside == str(path) + ".cut"
    else:
        assert aside is None


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")
def test_a_cut_line_is_as_private_as_the_records_it_stood_in(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_bytes(b'{"arm": "scr')
    path.chmod(0o600)
    aside = prepare_to_append(path)
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


def test_a_run_that_stands_there_twice_counts_once_if_both_are_equal(tmp_path):
    path = tmp_path / "runs.jsonl"
    for seconds in (1.0, 2.0):
        append_record(path, record(seconds={"run": seconds}))
    assert read_records(path) == [record(seconds={"run": 1.0})]
    append_record(path, record(accuracy_at_stop=0.8))
    with pytest.raises(RecordsError, match="lines 1 and 3 both hold scratch, seed 0, and differ"):
        read_records(path)


def told(path):
    """What is left out of a file, and how many runs it has."""
    left_out = []
    return len(read_records(path, left_out.append)), left_out


def test_a_whole_last_line_counts_without_its_newline_and_gets_it_before_appending(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_text(record(seed=0).to_line() + record(seed=1).to_line()[:-1])
    assert told(path) == (2, [])
    assert prepare_to_append(path) is None
    append_record(path, record(seed=2))
    assert [one.seed for one in read_records(path)] == [0, 1, 2]
    assert [file.name for file in tmp_path.iterdir()] == ["runs.jsonl"]


def test_what_is_left_out_of_a_file_is_told(tmp_path):
    path = tmp_path / "runs.jsonl"
    failed = {"status": "failed", "counts": {"dense": {}, "executed": {}}, "passes": {}, "n_checked": 0}
    lines = [record(seed=seed, **failed).to_line() for seed in (1, 1, 2)] + [record(seed=2).to_line()]
    path.write_text("".join(lines) + '{"arm":"scr')
    assert told(path) == (1, ["the last line, which was cut short", "1 run that could not be carried out"])


def test_blank_lines_and_a_byte_order_mark_are_skipped_and_lines_keep_their_numbers(tmp_path):
    path = tmp_path / "runs.jsonl"
    line = record().to_line().encode()
    path.write_bytes(b"\xef\xbb\xbf\n\r\n" + line.replace(b"\n", b"\r\n") + b"  \n\0\0\0\n\0\0")
    assert told(path) == (1, [])
    path.write_bytes(b"\n\n" + line + b"{}\n")
    with pytest.raises(RecordsError, match="line 4"):
        read_records(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (record().to_line().encode("utf-16"), "UTF-16 text"),
        (record().to_line().encode("utf-16-le"), "UTF-16 text"),
        (record().to_line().encode("utf-16-be"), "UTF-16 text"),
        (b"[" + record().to_line().encode() + b"]\n", "line 1: .*a part of it"),
        (b"[" + record().to_line().encode()[:-1] + b"]\n", "line 1: .* a JSON array"),
        (record().to_line().encode()[:-1] + record().to_line().encode(), "line 1: .* more than one JSON value"),
        (2 * record().to_line().encode()[:-1], "line 1: .* more than one JSON value"),
        (b'{\n "arm": "scratch"\n}\n', "line 1: .* only a part of it, from character 2 on"),
        (b'"scratch"\n', "line 1: .* expected a JSON object, found scratch"),
        (b'{"arm": "\xff"}\n', "line 1: .* no UTF-8 text"),
        (b"[" * 1_000_000 + b"\n", "line 1: .* nested too deeply"),
        (b'{"arm":' * 100_000 + b"\n", "line 1: .* nested too deeply"),
        (b'{"seed": ' + b"9" * 10_000 + b"}\n", "line 1: "),
        (b"precious", "line 1: .* no JSON"),
    ],
    ids=range(14),
)
def test_a_file_of_another_form_is_named_in_words(tmp_path, text, message):
    path = tmp_path / "runs.jsonl"
    path.write_bytes(text)
    with pytest.raises(RecordsError, match=f"runs.jsonl: {message}"):
        read_records(path)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("arm", 3, "arm of its record: expected str, found 3"),
        ("arm", "scratched", "unknown arm scratched"),
        ("seed", -1, "seed of its record: expected int, found -1"),
        ("seed", True, "seed of its record: expected int, found true"),
        ("seed", 1.0, "seed of its record: expected int"),
        ("seed", 1 << 63, "seed of its record: expected int"),
        ("status", "finished", "unknown status finished"),
        ("status", "budget", "status, reached and steps_to_target contradict each other"),
        ("steps_to_target", None, "status, reached and steps_to_target contradict each other"),
        ("steps_to_target", 2, "steps_to_target is 2, but phase train has 3 steps"),
        ("steps_to_target", "3", r"steps_to_target of its record: expected int \| None"),
        ("pretrain_epochs", [28], "pretrain_epochs of its record: expected int"),
        ("accuracy_at_stop", 1.1, "accuracy_at_stop, 1.1, is no share of 10 images"),
        ("accuracy_at_stop", 0.95, "accuracy_at_stop, 0.95, is no share of 10 images"),
        ("test_accuracy_at_stop", 0.95, "test_accuracy_at_stop, 0.95, is no share of 10 images"),
        ("accuracy_after_pretrain", "0.8", r"accuracy_after_pretrain of its record: expected float \| None"),
        ("passes", {"train": {"steps": 3}}, "counts must be .*, and the passes of a phase steps, images_forward"),
        ("passes", {"rest": {}}, "unknown phase rest"),
        ("passes", [], "passes of its record: expected dict"),
        ("counts", {"dense": {}}, "counts must be dense and executed"),
        ("counts", {"dense": {"train": {"matmul": {"fma": 1}}}, "executed": {}}, "unknown kernel matmul"),
        ("counts", {"dense": {"train": {"argmax": {"xor": 1}}}, "executed": {}}, "unknown operation xor"),
        ("counts", {"dense": {"train": {"argmax": {"add": 0.5}}}, "executed": {}}, "counts of its record: expected"),
        ("counts", {"dense": {"train": 7}, "executed": {}}, "counts of its record: expected"),
        ("checks", [[1, 4], [3, 9]], "its checks are not at the steps of its configuration"),
        ("checks", [[1, 4], [2, 11], [3, 9]], "a check has more right answers than the 10 images"),
        ("checks", [[1], [2, 8], [3, 9]], r"checks must be \[step, correct\]"),
        ("checks", [1, 2, 3], "checks of its record: expected list"),
        ("pretrain_checks", [[1, 3, 2], [0, 1, 1]], "the epochs of its pretrain_checks do not rise"),
        ("pretrain_checks", [[0, 11, 1]], "a check has more right answers than the 10 images"),
        ("images_seen", [20, 40], "images_seen, images_read and apart_correct must have a number for every check"),
        ("images_seen", [20, 20, 60], "images_seen and images_read must rise"),
        ("images_read", [20, 40, 61], "images_seen and images_read must rise, read no further"),
        ("images_read", [20, 40, "60"], "images_read of its record: expected list"),
        ("apart_correct", [1, 2, 11], "apart_correct has more right answers than the 10 test images"),
        ("n_checked", 0, "n_checked, 0, is not how many images stop the run"),
        ("n_checked", 9, "n_checked, 9, is not how many images stop the run"),
        ("message", None, "message of its record: expected str"),
        ("seconds", {"run": "long"}, "seconds of its record: expected dict"),
        ("versions", {"numpy": 2}, "versions of its record: expected dict"),
        ("machine", {"cores": [2]}, "machine of its record: expected dict"),
        ("dataset", {**record().dataset, "n_train": "60"}, "n_train of its data set: expected int"),
        ("dataset", {**record().dataset, "n_features": 5}, "article_pass is not that of its network"),
        ("dataset", {**record().dataset, "sha256": {"t10k": 1}}, "sha256 of its data set: expected dict"),
        ("config", "article", "config of its record: expected dict"),
        ("config", {**CURVE["config"], "batch_size": 64.5}, "batch_size of its configuration: expected int"),
        ("config", {**CURVE["config"], "hidden_layer_sizes": 128}, "hidden_layer_sizes of its configuration: expected"),
        ("config", {**CURVE["config"], "preset": "articles"}, "unknown preset articles"),
        ("config", {**CURVE["config"], "kernels": "slow"}, "unknown kernels slow"),
        ("config", {**CURVE["config"], "article_pass": 1}, "article_pass is not that of its network"),
        ("config", {**CURVE["config"], "learning_rate": True}, "learning_rate of its configuration: expected float"),
        ("config", {**CURVE["config"], "learning_rate": -1}, ""),
        ("config", {**CURVE["config"], "hidden_layer_sizes": None}, ""),
        ("config", {**CURVE["config"], "optimizer": 3}, ""),
        ("config", {**CURVE["config"], "dropout": 0.5}, "of another version: .* differ: dropout$"),
        ("config", {k: v for k, v in CURVE["config"].items() if k != "decay"}, "of another version: .* differ: decay$"),
        ("dataset", {}, r".* fields of its data set differ: n_classes, .* name, sha256$"),
    ],
)
def test_a_value_that_no_run_can_have_written_is_named_with_its_line(tmp_path, field, value, message):
    path = tmp_path / "runs.jsonl"
    path.write_text(record().to_line() + record(**{**CURVE, "seed": 1, field: value}).to_line())
    with pytest.raises(RecordsError, match=f"runs.jsonl: line 2: not a run record: {message}"):
        read_records(path)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-0.5", "1e30"])
@pytest.mark.parametrize("field", ["accuracy_at_stop", "learning_rate", "run"])
def test_a_number_that_is_not_finite_or_out_of_range_is_named(tmp_path, field, number):
    line = record(
        accuracy_at_stop=0.5, seconds={"compile": 1.0, "run": 0.5}, config=CURVE["config"] | {"learning_rate": 0.5}
    ).to_line()
    assert f'"{field}":0.5' in line
    path = tmp_path / "runs.jsonl"
    path.write_text(line.replace(f'"{field}":0.5', f'"{field}":{number}'))
    with pytest.raises(RecordsError, match=r"line 1: not a run record: .*: expected"):
        read_records(path)


def test_a_digit_of_a_count_that_was_damaged_is_known_by_the_checksum(tmp_path):
    path = tmp_path / "runs.jsonl"
    line = record().to_line()
    assert line.count('"mul":7') == 1
    path.write_text(line.replace('"mul":7', '"mul":9'))
    with pytest.raises(RecordsError, match="line 1: not a run record: damaged, or changed after it was kept"):
        read_records(path)


@given(at=st.integers(min_value=0), byte=st.integers(0, 255))
def test_a_damaged_byte_anywhere_changes_no_run(tmp_path_factory, at, byte):
    path = tmp_path_factory.mktemp("damaged") / "runs.jsonl"
    kept = [record(seed=0), record(**CURVE, seed=1)]
    data = bytearray("".join(one.to_line() for one in kept).encode())
    data[at % len(data)] = byte
    path.write_bytes(data)
    told = ""
    try:
        found = read_records(path)
    except RecordsError as error:
        found, told = [], str(error)
    assert [one for one in found if one not in kept] == []
    assert (
        len(found) == 2
        or re.search(r"^.*runs.jsonl: (line [12]: not a run record: .*|UTF-16.*)$", told)
        or data[-1:] != b"\n"
    )


def test_every_kernel_that_counts_has_a_name_that_records_may_hold():
    modules = [activation, distance, loss, matmul, reduce, update]
    counting = {
        name
        for module in modules
        for name, kernel in vars(module).items()
        if callable(kernel)
        and getattr(kernel, "__module__", "") == module.__name__
        and "tally" in inspect.signature(getattr(kernel, "py_func", kernel)).parameters
    }
    assert {"matmul_forward", "adam_update"} <= counting
    assert counting | {"scale_pixels", "nonzero_pixels"} == set(KERNELS)  # booked where images are prepared


def test_a_folder_of_data_that_moved_is_the_same_data_where_its_hashes_are():
    hashes = {"train-images-idx3-ubyte": "ab" * 32}
    here, there = ({**record().dataset, "sha256": hashes, "name": name} for name in ("/a/data", "/b/data"))
    assert config_differences([record(dataset=here)], record().config, there) == []
    changed = {**record().config, "learning_rate": 0.002}
    assert config_differences([record()], changed, record().dataset) == [
        "learning_rate: 0.001 in the file, 0.002 asked for"
    ]
    differing = config_differences([record(dataset=here)], record().config, {**there, "sha256": {"t10k": "0"}})
    assert any(difference.startswith("dataset sha256: ") for difference in differing)
    assert config_differences([record(dataset=here)], record().config, {**there, "n_test": 11}) == [
        "dataset n_test: 10 in the file, 11 asked for"
    ]


def test_runs_of_one_folder_under_two_names_are_one_study_and_told_apart_by_content(tmp_path):
    path = tmp_path / "runs.jsonl"
    here, there = ({**record().dataset, "sha256": {"t10k": "ab"}, "name": name} for name in ("/a/data", "/b/data"))
    for one in (record(dataset=here), record(dataset=there), record(dataset=there, seed=1)):
        append_record(path, one)
    assert [(one.seed, one.dataset["name"]) for one in read_pairs(path)] == [(0, "/a/data"), (1, "/b/data")]


def test_runs_of_two_configurations_are_not_one_study(tmp_path):
    path = tmp_path / "runs.jsonl"
    append_record(path, record())
    assert read_pairs(path) == [record()]
    append_record(path, record(seed=1, config={**record().config, "learning_rate": 0.002}))
    several = r"not of one configuration: learning_rate: 0.002 in the file, 0.001 asked for; .*study report$"
    with pytest.raises(RecordsError, match=several):
        read_pairs(path)


def test_a_compressed_file_is_not_appended_to(tmp_path):
    path = tmp_path / "runs.jsonl"
    path.write_bytes(gzip.compress(record().to_line().encode()))
    with pytest.raises(ConfigError, match="compressed, so no run can be appended"):
        prepare_to_append(path)


def test_a_disk_without_room_is_found_before_the_first_run_and_the_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "runs.jsonl"
    append_record(path, record())
    before, write = path.read_bytes(), os.write
    monkeypatch.setattr("os.write", lambda descriptor, data: write(descriptor, data[:100]))  # what a full disk does
    with pytest.raises(OSError, match="bytes could be written"):
        prepare_to_append(path)
    assert path.read_bytes() == before


def test_equality_of_records_ignores_seconds_versions_and_machine():
    slow = record(seconds={"run": 9.0}, versions={"numpy": "3"}, machine={"cores": 1})
    assert slow.comparable() == record().comparable()
    assert "seconds" not in json.dumps(slow.comparable())


def test_the_curve_is_what_was_checked_and_cannot_be_written():
    run = record("scratch", 0, checks=[[1, 85], [2, 91]])
    assert run.curve.tolist() == [[1, 85], [2, 91]]
    assert record("scratch", 0, checks=[]).curve.shape == (0, 2)
    with pytest.raises(ValueError, match="read-only"):
        run.curve[0, 1] = 100
