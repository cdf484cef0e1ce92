"""A study: every run once, in any place, in any order, with the same records; what breaks breaks alone."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made import small_config, small_dataset, write_dataset

from nnlite.datasets import load_dataset
from nnlite.experiment import pool as pool_module
from nnlite.experiment import workers as workers_module
from nnlite.experiment.config import DataError, PairSettings, RunConfig
from nnlite.experiment.pool import Status, WorkersError, _Board, run_all
from nnlite.experiment.records import RunRecord
from nnlite.experiment.run import RunData, run_one
from nnlite.idx import read_idx, write_idx


def run_study(dataset, config, settings, finished=()):
    runs = [(config, *run) for run in settings.runs() if run not in finished]
    return run_all(dataset, runs, settings.executor, settings.workers)


def records_of(dataset, config, settings, finished=()):
    events = list(run_study(dataset, config, settings, finished))
    return {(e.arm, e.seed): e for e in events if isinstance(e, RunRecord)}


def test_every_run_comes_out_once_and_progress_all_the_while(tmp_path):
    settings = PairSettings(seeds=3)
    events = list(run_study(small_dataset(tmp_path), small_config(), settings))
    records = [event for event in events if isinstance(event, RunRecord)]
    assert sorted((r.arm, r.seed) for r in records) == sorted(settings.runs())
    assert isinstance(events[0], Status)
    assert events[0].compiling
    last = [event for event in events if isinstance(event, Status)][-1]
    assert (last.n_done, last.n_runs) == (6, 6)
    assert all(record.seconds.keys() == {"compile", "run"} for record in records)
    assert records[0].versions["numpy"] == np.__version__


def test_one_worker_and_two_give_equal_records(tmp_path):
    dataset, config = small_dataset(tmp_path), small_config()
    one, two = (records_of(dataset, config, PairSettings(seeds=3, workers=n)) for n in (1, 2))
    assert {run: record.comparable() for run, record in one.items()} == {
        run: record.comparable() for run, record in two.items()
    }


def test_processes_give_the_same_records_as_threads(tmp_path):
    dataset, config = small_dataset(tmp_path), small_config()
    threads, processes = (
        records_of(dataset, config, PairSettings(seeds=1, executor=executor)) for executor in ("threads", "processes")
    )
    assert {run: record.comparable() for run, record in threads.items()} == {
        run: record.comparable() for run, record in processes.items()
    }


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_runs_of_several_configurations_are_those_of_each_alone(tmp_path, executor):
    """Softmax regression, a decay and a validation split beside the usual: one store of images serves all."""
    dataset = small_dataset(tmp_path)
    configs = [
        small_config(max_steps=20),
        small_config(max_steps=20, hidden_layer_sizes=(), decay="linear"),
        small_config(max_steps=20, stop_on="validation", evaluate="full", count_apart="test"),
    ]
    names = ("scratch", "class-means", "exemplar", "mixed")
    runs = [(config, name, seed) for seed in (0, 1) for config in configs for name in names]
    found = {}
    for event in run_all(dataset, runs, executor, 2):
        if isinstance(event, RunRecord):
            key = RunConfig.from_record(event.config), event.arm, event.seed
            assert key not in found
            found[key] = event.comparable()
    assert found.keys() == set(runs)
    for config, name, seed in runs:
        progress, stop = np.zeros(3, np.int64), np.zeros(1, np.int64)
        alone = run_one(name, seed, RunData(dataset, config), progress, stop)
        assert alone.comparable() == found[config, name, seed]


def test_finished_runs_are_left_out(tmp_path):
    dataset, config, settings = small_dataset(tmp_path), small_config(), PairSettings(seeds=2)
    rest = records_of(dataset, config, settings, finished={("scratch", 0), ("class-means", 1)})
    assert sorted(rest) == [("class-means", 0), ("scratch", 1)]
    assert list(run_study(dataset, config, settings, finished=settings.runs())) == []


@pytest.mark.parametrize(("times", "at_once"), [(1, False), (2, False), (2, True)])
def test_a_run_that_raises_is_tried_again_then_recorded_as_failed_and_the_study_goes_on(
    tmp_path, monkeypatch, times, at_once
):
    fail_first(monkeypatch, times, at_once)
    records = records_of(small_dataset(tmp_path), small_config(), PairSettings(seeds=2))
    assert len(records) == 4
    last = records[("scratch", 1)]
    if times == 2:
        assert (last.status, last.message, last.counts["dense"]) == ("failed", "MemoryError: no room", {})
        del records[("scratch", 1)]
    assert "failed" not in {record.status for record in records.values()}


def fail_first(monkeypatch, times, at_once):
    """Make the scratch run of seed 1 raise so often, before its first word or after."""
    left = [times]
    run_one = workers_module.run_one

    def fragile(arm, seed, data, progress, stop):
        progress[0] = not at_once
        if (arm, seed) == ("scratch", 1) and left[0]:
            left[0] -= 1
            raise MemoryError("no room")
        return run_one(arm, seed, data, progress, stop)

    monkeypatch.setattr(workers_module, "run_one", fragile)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills a process by signal")
def test_a_worker_that_dies_loses_only_its_run_which_is_tried_again(tmp_path):
    long_enough = 400 if os.environ.get("NUMBA_DISABLE_JIT") == "1" else 200_000  # to be caught running
    dataset, config = small_dataset(tmp_path), small_config(max_steps=long_enough, target=1.0, learning_rate=1e-9)
    settings = PairSettings(seeds=1, workers=2, executor="processes")
    expected = records_of(dataset, config, PairSettings(seeds=1))
    killed = False
    records = {}
    for event in run_study(dataset, config, settings):
        if isinstance(event, RunRecord):
            records[event.arm, event.seed] = event
        elif event.step > 0 and not killed:
            killed = kill_one_child()
    assert killed
    assert {run: record.comparable() for run, record in records.items()} == {
        run: record.comparable() for run, record in expected.items()
    }


def our_children():
    """The worker processes, without those that scikit-learn's searches keep to be used again."""
    return [child for child in multiprocessing.active_children() if "loky" not in type(child).__module__]


def kill_one_child():
    next(child for child in our_children() if child.is_alive()).kill()
    return True


def test_giving_up_the_iteration_stops_the_workers(tmp_path):
    study = run_study(small_dataset(tmp_path), endless_config(), PairSettings(seeds=2))
    for event in study:
        if isinstance(event, Status) and event.step > 3:
            break
    study.close()  # would wait for ever if a worker did not stop
    assert list(study) == []


@pytest.mark.parametrize("stop_on", ["test", "validation"])
@pytest.mark.parametrize(
    ("labels", "arm", "words"),
    [
        (
            np.full(60, 1),
            "scratch",
            "all training labels are 1: one class is nothing to learn; number classes from 0",
        ),
        (np.arange(60) % 2 * 2, "class-means", "class 1 has no images; the labels found are 0, 2"),
        (np.arange(60) % 2 + 1, "exemplar", "class 0 has no images; the labels found are 1 to 2"),
        (np.arange(60) % 2 * 2, "fresh-batches", "class 1 has no images"),
        (np.repeat([0, 1, 2], [40, 18, 2]), "means-10", "class 2 has [12] images: too few for an average of 10"),
        (np.repeat([0, 1, 2], [40, 18, 2]), "k-means-5", "class 2 has [12] images: too few for 5 centres"),
    ],
)
def test_too_few_images_of_a_class_for_an_arm_end_the_study_whatever_it_stops_on(stop_on, labels, arm, words, tmp_path):
    """With a validation split they come to light in a run: nothing is tried again, nothing recorded as failed."""
    dataset = small_dataset(tmp_path)
    dataset.train_labels[:] = labels
    settings = PairSettings(seeds=1, arms=(arm,))
    with pytest.raises(DataError, match=words):
        list(run_study(dataset, small_config(stop_on=stop_on), settings))


def test_a_process_tells_of_too_few_images_as_a_thread_does(tmp_path):
    folder = write_dataset(tmp_path / "small")
    labels = read_idx(folder / "train-labels-idx1-ubyte")
    write_idx(folder / "train-labels-idx1-ubyte", np.where(labels == 1, 0, labels).astype(np.uint8))
    dataset = load_dataset(folder)
    settings = PairSettings(seeds=1, arms=("exemplar",), executor="processes", workers=1)
    with pytest.raises(DataError, match="arm exemplar: class 1 has no images"):
        list(run_study(dataset, small_config(stop_on="validation"), settings))


def test_what_is_no_executor_is_a_type_error(tmp_path):
    with pytest.raises(TypeError, match=r"executor: expected a name or a concurrent\.futures\.Executor, found 2"):
        list(run_all(small_dataset(tmp_path), [(small_config(), "scratch", 0)], 2))


def test_data_that_no_run_can_use_ends_the_study_at_once(tmp_path):
    """Five training images leave nothing to validate on; the study must not try for ever."""
    dataset = load_dataset(write_dataset(tmp_path / "tiny", n_train=5))
    with pytest.raises(DataError, match="5 training images: a validation split needs at least 6"):
        list(run_study(dataset, small_config(stop_on="validation"), PairSettings(seeds=1)))


def endless_config():
    """A run that nobody waits for: it never reaches its target."""
    return small_config(max_steps=200_000, target=1.0, learning_rate=1e-9)


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_process_that_is_not_ours_is_left_alone(tmp_path, executor):
    """A data loader's, a notebook's, another pool's: started before the runs end, alive after them."""
    other = None
    context = multiprocessing.get_context("spawn")
    for _ in run_study(small_dataset(tmp_path), small_config(), PairSettings(seeds=1, executor=executor)):
        if other is None:
            other = context.Process(target=time.sleep, args=(60,))
            other.start()
    try:
        assert other.is_alive()
    finally:
        other.kill()


@pytest.mark.parametrize("seeds", [1, 50])
def test_workers_that_die_while_they_start_end_the_study_with_one_line(tmp_path, seeds):
    """Whatever the order in which their many runs fail."""
    settings = PairSettings(seeds=seeds, executor="processes")
    study = run_study(small_dataset(tmp_path), small_config(), settings)

    def kill_all_that_start():
        for event in study:
            for child in our_children() if event.compiling else ():
                child.kill()

    with pytest.raises(WorkersError, match="worker processes end before their first run"):
        kill_all_that_start()


def test_what_travels_to_a_worker_fits_in_a_pipe_that_nobody_reads(tmp_path):
    """A worker that dies before it has read what starts it must not leave the parent writing for ever."""
    runs = [(RunConfig(), "class-means", seed) for seed in range(1000)]
    board = _Board(small_dataset(tmp_path), runs)
    assert len(pickle.dumps((board.job, 999, runs[999]))) < 1024


@pytest.mark.parametrize("error", [DataError("an arm needs more classes"), MemoryError(), BrokenExecutor()])
def test_runs_that_are_done_before_the_others_are_ready_stay_when_that_fails(tmp_path, monkeypatch, error):
    dataset, config, settings = small_dataset(tmp_path), small_config(), PairSettings(seeds=1)
    expected, one_is_done = records_of(dataset, config, settings), threading.Event()

    def get_ready(job, config, arms):
        one_is_done.wait(60)
        raise error

    def run_and_tell(job, number, run):
        if number == 1:
            one_is_done.wait(60)
            time.sleep(0.5)  # later than the failure
        record = run_there(job, number, run)
        if number == 0:
            threading.Timer(0.3, one_is_done.set).start()  # when its future is done
        return record

    run_there = pool_module.run_job
    monkeypatch.setattr(pool_module, "get_ready", get_ready)
    monkeypatch.setattr(pool_module, "run_job", run_and_tell)
    kept = {}
    with pytest.raises(type(error)) if not isinstance(error, BrokenExecutor) else nullcontext():
        for event in run_study(dataset, config, settings):
            if isinstance(event, RunRecord):
                kept[event.arm, event.seed] = event.comparable()
    assert kept["scratch", 0] == expected["scratch", 0].comparable()
    assert len(kept) == (2 if isinstance(error, BrokenExecutor) else 1)


class Counting(ThreadPoolExecutor):
    """Somebody's executor."""

    def __init__(self):
        super().__init__(2)
        self.n_submitted, self.n_shut_down = 0, 0

    def submit(self, *arguments):
        self.n_submitted += 1
        return super().submit(*arguments)

    def shutdown(self, *arguments, **named):
        self.n_shut_down += 1
        super().shutdown(*arguments, **named)


def test_somebodys_executor_is_used_and_not_shut_down(tmp_path):
    dataset, config, settings = small_dataset(tmp_path), small_config(), PairSettings(seeds=2)
    runs = [(config, *run) for run in settings.runs()]
    executor = Counting()
    records = {(r.arm, r.seed): r for r in run_all(dataset, runs, executor) if isinstance(r, RunRecord)}
    assert executor.n_submitted == 1 + 4  # the kernels first
    assert executor.n_shut_down == 0
    executor.shutdown()
    expected = records_of(dataset, config, settings)
    assert {run: record.comparable() for run, record in records.items()} == {
        run: record.comparable() for run, record in expected.items()
    }


@pytest.mark.parametrize("own", [True, False])
def test_runs_are_submitted_as_others_are_done(tmp_path, monkeypatch, own):
    """A cluster that is given 100,000 at once answers nobody for minutes, and each has to be taken back."""
    monkeypatch.setattr(pool_module, "_AHEAD", 3)
    monkeypatch.setattr(pool_module, "ThreadPoolExecutor", lambda n_workers: executor)
    dataset, n_ahead, executor = small_dataset(tmp_path), [], Counting()
    study = run_all(dataset, [(small_config(), "scratch", seed) for seed in range(8)], "threads" if own else executor)
    for n_done, event in enumerate(event for event in study if isinstance(event, RunRecord)):
        n_ahead.append(executor.n_submitted - 1 - n_done)  # without the one that compiles
        assert event.status != "failed"
    assert len(n_ahead) == 8
    assert max(n_ahead) == 3


def test_giving_up_leaves_nothing_running_in_somebodys_threads(tmp_path):
    dataset = small_dataset(tmp_path)
    with ThreadPoolExecutor(2) as executor:  # whose end would wait for ever if a run did not stop
        study = run_all(dataset, [(endless_config(), "scratch", seed) for seed in range(3)], executor)
        for event in study:
            if isinstance(event, Status) and event.step > 3:
                break
        study.close()
        assert executor.submit(len, "idle").result(timeout=60) == 4


def test_somebodys_processes_read_the_data_themselves(tmp_path):
    dataset, config = small_dataset(tmp_path), small_config()
    runs = [(config, arm, 0) for arm in ("scratch", "class-means")]
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as executor:
        records = {r.arm: r.comparable() for r in run_all(dataset, runs, executor) if isinstance(r, RunRecord)}
    expected = records_of(dataset, config, PairSettings(seeds=1))
    assert records == {arm: record.comparable() for (arm, _), record in expected.items()}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda dataset: replace(dataset, folder=""), "was made in memory"),
        (lambda dataset: replace(dataset, sha256={**dataset.sha256, "train-labels": "0"}), "are not those"),
    ],
    ids=["no files", "other files"],
)
def test_processes_that_cannot_read_the_same_data_say_so(tmp_path, change, message):
    dataset = change(small_dataset(tmp_path))
    with pytest.raises(DataError, match=message):
        records_of(dataset, small_config(), PairSettings(seeds=1, executor="processes"))


SCRIPT = """
import sys
import threading
from pathlib import Path
sys.path.insert(0, {tests!r})
from made import small_config, small_dataset
from nnlite.experiment.pool import Status, WorkersError, run_all
{guard}
    runs = [(small_config(max_steps=200_000, target=1.0, learning_rate=1e-9), "scratch", seed) for seed in (0, 1)]
    try:
        for event in run_all(small_dataset(Path({folder!r})), runs, "processes", 2):
            if isinstance(event, Status) and event.step > 3:
                import multiprocessing
                print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    except WorkersError as error:
        sys.exit(str(error))
"""


def start_script(tmp_path, guard):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.format(tests=str(Path(__file__).parent), guard=guard, folder=str(tmp_path)), "utf-8")
    return subprocess.Popen([sys.executable, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_script_without_a_main_guard_ends_instead_of_hanging(tmp_path):
    process = start_script(tmp_path, guard="if True:")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert 'a script that starts some needs if __name__ == "__main__":' in stderr


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
@pytest.mark.parametrize("number", ["SIGKILL", "SIGHUP"])
def test_workers_do_not_outlive_who_started_them(tmp_path, number):
    process = start_script(tmp_path, guard='if __name__ == "__main__":')
    children = [int(word) for word in process.stdout.readline().split()]
    assert len(children) == 2
    process.send_signal(getattr(signal, number))
    process.communicate(timeout=60)
    end = time.monotonic() + 30
    while any(map(is_alive, children)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(is_alive, children))


def is_alive(pid):
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")  # nobody may wait for an orphan in a container: a zombie has ended
        return not state.exists() or state.read_text(encoding="utf-8").rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills a process by signal")
def test_somebodys_executor_that_breaks_ends_the_study_with_one_line(tmp_path):
    """There is no other executor to go on with; what was done before has come out."""
    executor = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    endless = [(endless_config(), "scratch", seed) for seed in (1, 2)]
    study, done = run_all(small_dataset(tmp_path), [(small_config(), "scratch", 0), *endless], executor), []

    def kill_after_the_first():
        for event in study:
            if isinstance(event, RunRecord):
                done.append(event.seed)
                kill_one_child()

    with pytest.raises(WorkersError, match="the executor broke"):
        kill_after_the_first()
    assert done == [0]
    executor.shutdown()
