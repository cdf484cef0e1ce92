"""The experiment from Python: the command's options as arguments, the command's numbers as a result."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from made import small_dataset, write_dataset

import nnlite
from nnlite.experiment.__main__ import main
from nnlite.experiment.config import ConfigError, DataError
from nnlite.experiment.records import RecordsError, RunRecord

SMALL = {"hidden": 5, "learning_rate": 0.02, "batch_size": 8, "pretrain_epochs": 3, "max_steps": 60, "seeds": 6}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_dataset(tmp_path_factory.mktemp("data") / "small")


@pytest.fixture(scope="module")
def result(folder):
    return nnlite.run_experiment(**SMALL, dataset=folder, progress=False)


def words(folder):
    options = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    return [*options, "--dataset", str(folder), "--quiet"]


def test_a_result_says_what_the_command_says_of_the_same_options(result, folder, capsys):
    assert main([*words(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(result.to_json()))
    assert result.verdict.word == "not established"
    assert len(result.records) == 12
    assert "6 pairs, seeds 0-5, to 90%" in " ".join(str(result).splitlines()[:2])
    assert repr(result) == "<Result: 12 records of small>"


def test_a_notebook_is_shown_the_table_with_nothing_of_it_taken_for_html(result):
    shown = result._repr_html_()
    assert shown.startswith("<pre>Averages first, or not? small")
    assert "says &quot;" in shown or "<" not in shown.removeprefix("<pre>").removesuffix("</pre>")


def test_kept_records_give_the_same_result(result, folder, tmp_path):
    path = tmp_path / "runs.jsonl"
    kept = nnlite.run_experiment(**SMALL, dataset=folder, progress=False, out=path)
    again = nnlite.read_records(path)
    assert [r.comparable() for r in again.records] == [r.comparable() for r in kept.records]
    assert again.to_json() == result.to_json()
    more = nnlite.run_experiment(**{**SMALL, "seeds": 7}, dataset=folder, progress=False, out=path, resume=True)
    assert len(more.records) == 14
    path.write_text("")
    with pytest.raises(RecordsError, match="no finished run in it"):
        nnlite.read_records(path)


def test_a_loaded_data_set_and_an_executor_of_ones_own_are_used_and_left_open(result, tmp_path):
    dataset = small_dataset(tmp_path)
    with ThreadPoolExecutor(2) as executor:
        found = nnlite.run_experiment(**SMALL, dataset=dataset, executor=executor, progress=False)
        assert executor.submit(int, "1").result() == 1
    assert found.to_json()["arms"] == result.to_json()["arms"]


def test_a_function_is_given_every_record_and_may_end_it_all(folder, tmp_path):
    seen, path = [], tmp_path / "runs.jsonl"

    def watch(event):
        if isinstance(event, RunRecord):
            seen.append(event)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        nnlite.run_experiment(**SMALL, dataset=folder, progress=watch, out=path)
    assert {(r.arm, r.seed) for r in seen} <= {(r.arm, r.seed) for r in nnlite.read_records(path).records}


def test_several_values_are_a_list_and_no_hidden_layer_is_an_empty_one(folder):
    found = nnlite.run_experiment(
        **{**SMALL, "hidden": (), "seeds": 1}, arms=["scratch", "medoid"], dataset=folder, progress=False
    )
    assert {record.arm for record in found.records} == {"scratch", "medoid"}
    assert found.records[0].config["hidden_layer_sizes"] == []
    small = {**SMALL, "hidden": np.array([4, 3]), "seeds": 1}
    found = nnlite.run_experiment(**small, arms={"scratch"}, dataset=folder, progress=False)
    assert found.records[0].config["hidden_layer_sizes"] == [4, 3]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"learning_rat": 1}, TypeError, "run_experiment: unknown argument learning_rat; did you mean learning_rate?"),
        ({"help": True}, TypeError, "run_experiment: unknown argument help; there are activation, arms"),
        ({"report": "x"}, TypeError, "run_experiment: unknown argument report"),
        ({"learning_rate": -1}, ConfigError, "learning_rate -1: must be above 0 and finite"),
        ({"seeds": 2.5}, ConfigError, "seeds 2.5: must be a whole number"),
        ({"seeds": True}, ConfigError, "seeds: expected one argument"),
        ({"arms": ["scratch", "avrages"]}, ConfigError, "arms avrages: unknown; did you mean class-means?"),
        ({"resume": True}, ConfigError, "resume: needs out FILE, the file to go on with"),
        ({"pretrain_epochs": 1, "pretrain_target": 0.5}, ConfigError, "pretrain_target: goes with no pretrain_epochs"),
        ({"executor": "process"}, ConfigError, "executor process: unknown; did you mean processes?"),
        ({"dataset": "no/such"}, DataError, "no/such: no such folder"),
        (
            {"dataset": ([[0.0]], [0])},
            TypeError,
            "dataset: expected a name, a folder or what load_dataset returns, found",
        ),
        ({"executor": 4}, TypeError, "executor: expected a name or a concurrent.futures.Executor, found 4"),
    ],
)
def test_a_mistake_is_told_in_the_words_of_python(arguments, error, message):
    with pytest.raises(error) as told:
        nnlite.run_experiment(**arguments, progress=False)
    assert str(told.value).startswith(message)


def test_progress_that_is_no_function_is_refused_before_anything_runs():
    with pytest.raises(TypeError, match="progress: expected True, False or a function, found 'yes'"):
        nnlite.run_experiment(progress="yes")


def test_progress_is_told_on_stderr_alone_and_only_where_it_is_wanted(folder, capsys):
    nnlite.run_experiment(**{**SMALL, "seeds": 1}, dataset=folder)
    out, err = capsys.readouterr()
    assert out == ""
    assert "pair 1/1, seed 0: " in err
    nnlite.run_experiment(**{**SMALL, "seeds": 1}, dataset=folder, progress=False)
    assert capsys.readouterr() == ("", "")


def test_a_frame_has_a_row_for_every_run_with_its_costs(result):
    pytest.importorskip("pandas")
    frame = result.to_frame()
    assert len(frame) == 12
    i = next(i for i, record in enumerate(result.records) if record.reached)
    first, row = result.records[i], frame.iloc[i]
    assert (row["arm"], row["seed"], row["steps_to_target"]) == (first.arm, first.seed, first.steps_to_target)
    assert frame["steps_to_target"].isna().sum() == sum(not record.reached for record in result.records)
    # data, pretraining and training, each once
    assert row["flop"] == first.tally().total("flop", ["data", "pretrain", "train"])


def test_pictures_are_figures_by_name_and_a_notebook_shows_them(result, folder):
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    pictures = result.plot()
    assert list(pictures) == ["pairs"]
    whole = nnlite.run_experiment(**{**SMALL, "seeds": 2}, evaluate="full", dataset=folder, progress=False).plot()
    assert list(whole) == ["pairs", "accuracy", "phase1"]
    assert all(isinstance(figure, Figure) for figure in whole.values())
    assert whole._repr_html_().count('<img src="data:image/png;base64,iVBOR') == 3


def test_the_picture_of_the_pairs_has_a_point_for_every_measured_saving(result):
    pytest.importorskip("matplotlib")
    (axes,) = result.plot()["pairs"].axes
    found = result.summary.headline
    assert axes.lines[0].get_ydata().tolist() == sorted(found.reductions)
    assert axes.lines[1].get_ydata()[0] == found.interval.median


def test_pictures_without_matplotlib_name_what_they_need(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match="plot: needs matplotlib: python -m pip install matplotlib"):
        result.plot()
