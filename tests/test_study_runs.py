"""From a folder of parts to a study: a part that lacks a run is unfinished; runs are found by part, arm, settings."""

from __future__ import annotations

import lzma
import sys
from dataclasses import replace

import numpy as np
import pytest
from made import record
from test_check import run

from nnlite.experiment.exits import DATA, Exit
from nnlite.study import runs as module
from nnlite.study.__main__ import main
from nnlite.study.parts import done_file, records_of
from nnlite.study.protocol import Block, Part
from nnlite.study.runs import Study, once, what_was_run
from nnlite.study.second_protocol import ALL_PARTS

FLAGS = next(part for part in ALL_PARTS if part.name == "flags")  # two configurations, 100 seeds of scratch each


def nothing_earlier(name):
    raise LookupError(name)


@pytest.fixture(scope="module")
def flags():
    """Made-up records of every run of the part."""
    rng = np.random.default_rng(0)
    runs = [each for study in FLAGS.blocks(nothing_earlier) for each in study.runs()]
    records = [run(config, arm, seed, rng) for config, arm, seed in runs]
    return [replace(record, dataset={**record.dataset, "name": "mnist"}) for record in records]


def keep(folder, name, records):
    done_file(folder, name).write_bytes(lzma.compress("".join(record.to_line() for record in records).encode()))


def test_a_part_with_every_run_is_done_and_the_others_are_named(tmp_path, flags):
    keep(tmp_path, "flags", flags)
    study = Study.read(str(tmp_path))
    assert list(study.parts) == ["flags"]
    assert study.missing("flags") == []
    assert study.missing("claim", "flags", "wide") == [
        "Not finished: parts claim and wide (python -m nnlite.study run PART)."
    ]
    assert study.missing("claim") == ["Not finished: part claim (python -m nnlite.study run claim)."]
    assert len(study.records) == 200


def test_people_who_wait_are_told_what_is_read_and_how_many_runs_are_compared(tmp_path, flags):
    keep(tmp_path, "flags", flags)
    told = []
    Study.read(str(tmp_path), told.append)
    assert told == [
        *(f"reading part {number}/{len(ALL_PARTS)}, {part.name}" for number, part in enumerate(ALL_PARTS, 1)),
        "comparing 200 runs",
    ]


def test_a_terminal_sees_what_is_read_and_a_log_does_not(tmp_path, flags, capsys, monkeypatch):
    keep(tmp_path, "flags", flags)
    assert main(["report", "--runs", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(["report", "--runs", str(tmp_path)]) == 0
    assert "reading part 1/" in capsys.readouterr().err


def test_a_file_that_lacks_a_run_counts_as_unfinished(tmp_path, flags):
    keep(tmp_path, "flags", flags[1:])
    keep(tmp_path, "finals", flags[:1])  # nobody can tell what is wanted of it without tuning
    study = Study.read(str(tmp_path))
    assert list(study.parts) == ["finals"]
    assert len(study.records) == 1
    assert study.begun == {"flags": "1 runs are lacking"}


def test_what_was_begun_and_what_failed_in_it_is_told(tmp_path, flags):
    keep(tmp_path, "flags", flags)
    begun = [*flags[:2], replace(flags[2], status="failed")]
    (tmp_path / "wide.jsonl").write_text("".join(record.to_line() for record in begun) + '{"cut')
    assert Study.read(str(tmp_path)).begun == {
        "wide": "2 runs are kept; left out: the last line, which was cut short; left out: 1 run that could not be "
        "carried out"
    }


def test_a_part_that_is_under_way_and_cannot_be_read_hides_no_finished_one(tmp_path, flags):
    keep(tmp_path, "flags", flags)
    (tmp_path / "wide.jsonl").write_text("no record\n")
    study = Study.read(str(tmp_path))
    assert list(study.parts) == ["flags"]
    assert study.begun["wide"].startswith("nothing can be read: ")


def test_a_finished_file_with_runs_of_another_part_is_refused(tmp_path, flags):
    keep(tmp_path, "flags", flags)
    keep(tmp_path, "wide", flags)
    with pytest.raises(Exit, match=r"wide.jsonl.xz: 200 of its runs are not part wide's, like scratch, seed 20000, on"):
        Study.read(str(tmp_path))


def test_a_part_that_depends_on_others_is_held_against_what_the_folder_says(tmp_path, flags, monkeypatch):
    config = FLAGS.blocks(nothing_earlier)[0].config
    depends = Part(
        "finals", "", lambda earlier: [Block(config, ("scratch",), range(20000, 20000 + len(earlier("flags"))))]
    )
    monkeypatch.setattr(module, "ALL_PARTS", [depends if part.name == "finals" else part for part in ALL_PARTS])
    keep(tmp_path, "flags", flags)
    keep(tmp_path, "finals", flags[:100])  # 100 of the 200 that are wanted now
    assert list(Study.read(str(tmp_path)).parts) == ["flags"]
    keep(tmp_path, "flags", flags[1:])  # unfinished, so that it decides nothing
    assert list(Study.read(str(tmp_path)).parts) == ["finals"]


def test_only_files_that_lack_runs_are_no_finished_part(tmp_path, flags):
    keep(tmp_path, "flags", flags[:3])
    with pytest.raises(Exit, match="holds no finished part of the study") as told:
        Study.read(str(tmp_path))
    assert told.value.status == DATA


def test_failed_runs_alone_are_no_finished_part(tmp_path, flags):
    keep(tmp_path, "finals", [replace(flags[0], status="failed")])
    with pytest.raises(Exit, match="holds no finished part"):
        Study.read(str(tmp_path))


def test_a_part_that_was_not_begun_has_no_records(tmp_path):
    assert records_of(str(tmp_path), "flags") == []


def test_runs_are_those_of_a_part_an_arm_and_a_configuration_by_seed(flags):
    rate, batch = (block.config for block in FLAGS.blocks(nothing_earlier))
    study = Study({"flags": flags[::-1], "claim": [replace(flags[0], status="failed")]})
    assert [record.seed for record in study.runs("flags", "scratch", rate)] == list(range(20000, 20100))
    assert (
        study.runs("flags", "class-means", rate)
        == study.runs("wide", "scratch")
        == study.runs("claim", "scratch")
        == []
    )
    assert study.by_configuration("flags").keys() == {(rate, "scratch"), (batch, "scratch")}


def test_runs_of_several_configurations_or_a_seed_twice_are_refused(flags):
    with pytest.raises(ValueError, match="flags, scratch: expected records of one configuration, found several"):
        Study({"flags": flags}).runs("flags", "scratch")
    with pytest.raises(ValueError, match="flags, scratch: a seed stands there twice"):
        Study({"flags": [flags[0], flags[0]]}).runs("flags", "scratch")


def test_a_question_is_asked_once_a_study_and_once_for_each_thing_it_is_about(flags):
    asked = []

    @once
    def n_runs(study, part, status="reached"):
        asked.append((part, status))
        return sum(record.status == status for record in study.parts.get(part, []))

    study, other = Study({"flags": flags}), Study({"flags": flags[:3]})
    assert [n_runs(study, "flags"), n_runs(study, "flags"), n_runs(study, "wide"), n_runs(other, "flags")] == [
        200,
        200,
        0,
        3,
    ]
    assert n_runs(study, "flags", status="failed") == 0
    assert asked == [("flags", "reached"), ("wide", "reached"), ("flags", "reached"), ("flags", "failed")]


def noted(seed, nnlite="0.1", processor="EPYC"):
    machine = {"cores": 2, "processor": processor, "system": "Linux"}
    return replace(record("scratch", seed), versions={"nnlite": nnlite, "numpy": "2.0"}, machine=machine)


def test_every_machine_and_every_version_that_occurs_is_told(monkeypatch):
    monkeypatch.setattr(module, "agrees_at_stop", lambda record: True)
    found = [noted(0), noted(1, nnlite="0.2"), noted(2, processor="Xeon")]
    section = what_was_run(Study({"claim": found[:2], "pilot": found[2:]}))
    assert section.facts["versions"] == {"nnlite": "0.1, 0.2", "numpy": "2.0"}
    assert section.facts["machines"] == ["2 cores of EPYC, Linux", "2 cores of Xeon, Linux"]
    assert section.facts["parts_missing"] == [part.name for part in ALL_PARTS if part.name not in ("claim", "pilot")]
    assert section.answer[0] == f"2 of {len(ALL_PARTS)} parts are finished, 3 runs in all."
    assert "Costs by formula and costs counted by the kernels agree in every run." in section.answer


def test_formulas_that_disagree_are_not_hidden(monkeypatch):
    monkeypatch.setattr(module, "agrees_at_stop", lambda record: record.seed != 1)
    section = what_was_run(Study({"claim": [noted(seed) for seed in range(3)]}))
    assert section.facts["n_disagreeing"] == 1
    assert "Costs by formula and costs counted by the kernels agree in all but 1 runs." in section.answer


def test_without_a_run_nothing_is_said_of_machines():
    section = what_was_run(Study({}))
    assert [line.split()[0] for line in section.answer] == ["0", "Not"]
