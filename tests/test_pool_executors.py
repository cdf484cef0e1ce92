"""Somebody's executors and clusters, the real ones: equal records, none lost, and nothing of theirs ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from made import small_config, small_dataset

from nnlite.experiment import cluster as cluster_module
from nnlite.experiment import pool as pool_module
from nnlite.experiment import workers as workers_module
from nnlite.experiment.config import PairSettings
from nnlite.experiment.pool import WorkersError, run_all
from nnlite.experiment.records import RunRecord

pytestmark = pytest.mark.slow

CONFIG = small_config()
RUNS = [(CONFIG, *run) for run in PairSettings(seeds=6).runs()]


def comparable(events):
    return {(e.arm, e.seed): e.comparable() for e in events if isinstance(e, RunRecord)}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return small_dataset(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def expected(dataset):
    return comparable(run_all(dataset, RUNS))


@contextmanager
def local_cluster():
    """The client of a local dask cluster of two processes, somebody's."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs="ERROR"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        client.wait_for_workers(2)
        yield client


@pytest.fixture(scope="module")
def shared_cluster():
    with local_cluster() as client:
        yield client


@pytest.fixture
def cluster(shared_cluster):
    """One for all tests that leave it as it was, or without a worker."""
    shared_cluster.cluster.scale(2)
    shared_cluster.wait_for_workers(2, timeout=60)
    return shared_cluster


@pytest.fixture
def cluster_to_break():
    """One whose workers are killed: dask does not always start them again."""
    with local_cluster() as client:
        yield client


def test_loky_gives_equal_records_and_goes_on_living(dataset, expected):
    loky = pytest.importorskip("loky")
    executor = loky.get_reusable_executor(2)
    try:
        assert comparable(run_all(dataset, RUNS, executor)) == expected
        assert executor.submit(int, "1").result() == 1
    finally:
        executor.shutdown()


def test_a_dask_cluster_of_ones_own_gives_equal_records(dataset, expected):
    pytest.importorskip("distributed")
    assert comparable(run_all(dataset, RUNS, "dask", 2)) == expected


def test_a_dask_cluster_by_its_address_gives_equal_records_and_goes_on_living(dataset, expected, cluster):
    address = cluster.scheduler.address
    assert comparable(run_all(dataset, RUNS, f"dask:{address}")) == expected
    assert cluster.submit(int, "1").result() == 1
    assert len(cluster.scheduler_info()["workers"]) == 2


def test_a_dask_worker_that_is_killed_loses_and_doubles_no_run(dataset, cluster_to_break):
    long_enough = small_config(max_steps=10_000, target=1.0, learning_rate=1e-9)  # to be caught running
    runs = [(long_enough, *run) for run in PairSettings(seeds=3).runs()]
    pids, records = list(cluster_to_break.run(os.getpid).values()), []
    for event in run_all(dataset, runs, cluster_to_break.get_executor()):
        if isinstance(event, RunRecord):
            records.append(event)
            if len(records) == 1:
                assert all(cluster_to_break.processing().values())  # each is running something
                os.kill(pids[0], signal.SIGKILL)
    assert len(records) == len(runs)
    assert comparable(records) == comparable(run_all(dataset, runs))


def fail_at_first(job, number, run):
    """Raise where the second run begins for the first time."""
    noted = Path(job.folder, f"{job.id}-{number}")
    if number == 1 and not noted.exists():
        noted.touch()
        raise MemoryError("no room")
    return workers_module.run_job(job, number, run)


def test_a_run_that_raises_on_dask_is_tried_again(dataset, expected, cluster, monkeypatch):
    """dask remembers what came of a call, errors too, and answers an equal one with it."""
    monkeypatch.setattr(pool_module, "run_job", fail_at_first)
    assert comparable(run_all(dataset, RUNS, cluster.get_executor())) == expected


def run_until_it_is_stopped(job, number, run):
    """What a run does that nobody waits for, without its arithmetic."""
    Path(job.folder, f"{job.id}-begun-{number}").touch()
    worker = workers_module._worker_of(job)
    while worker.words[0] == 0:
        time.sleep(0.05)


@pytest.mark.parametrize("by_address", [False, True])
def test_giving_up_leaves_nothing_running_on_a_dask_cluster(dataset, cluster, monkeypatch, by_address):
    """Each of its workers has one thread, which must be free again for others."""
    monkeypatch.setattr(pool_module, "run_job", run_until_it_is_stopped)
    executor = f"dask:{cluster.scheduler.address}" if by_address else cluster.get_executor()
    before, study = begun(dataset), run_all(dataset, RUNS, executor)
    while len(begun(dataset) - before) < 2:
        next(study)
    study.close()
    free = [cluster.submit(int, "1", workers=worker, pure=False) for worker in cluster.nthreads()]
    assert [one.result(timeout=60) for one in free] == [1, 1]
    assert len(begun(dataset) - before) == 2


def begun(dataset):
    return set(Path(dataset.folder).glob("*-begun-*"))


def test_a_cluster_without_a_worker_ends_the_study_with_one_error_and_what_was_done_is_kept(
    dataset, tmp_path, monkeypatch, cluster
):
    """Its scheduler would wait for one for ever."""
    monkeypatch.setattr(cluster_module, "_WORKERLESS", 2.0)
    many, out, records = [(CONFIG, *run) for run in PairSettings(seeds=200).runs()], tmp_path / "runs.jsonl", []

    def carry_out():
        for event in run_all(dataset, many, cluster.get_executor(), out=str(out)):
            if isinstance(event, RunRecord):
                records.append(event)
                cluster.cluster.scale(0)

    with pytest.raises(WorkersError, match=r"dask tcp.*: no worker for 2 s"):
        carry_out()
    assert 0 < len(records) < len(many)
    assert len(out.read_text(encoding="utf-8").splitlines()) == len(records)


def end_process(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_workers_that_are_killed_while_they_get_ready_are_one_error(dataset, monkeypatch, cluster_to_break):
    monkeypatch.setattr(pool_module, "get_ready", end_process)
    monkeypatch.setattr(cluster_to_break.cluster.scheduler, "allowed_failures", 0)
    with pytest.raises(WorkersError, match=r"dask tcp.*: its workers are lost: Attempted to run task"):
        list(run_all(dataset, RUNS, f"dask:{cluster_to_break.scheduler.address}"))


def started_study(dataset, kept, executor):
    """The command, in a group of processes of its own, once it has kept a run."""
    where = ["--dataset", dataset.folder, "--executor", executor, "--workers", "2", "--out", str(kept)]
    command = [sys.executable, "-m", "nnlite.experiment", "--quiet", "--seeds", "500", *where]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while process.poll() is None and not (kept.exists() and kept.read_bytes()):
        time.sleep(0.1)
    return process


def test_a_scheduler_that_goes_away_ends_the_study_with_one_line_and_what_was_done_is_kept(dataset, tmp_path):
    pytest.importorskip("distributed")
    scheduler, worker = cluster_of_processes(tmp_path)
    try:
        kept = tmp_path / "runs.jsonl"
        with started_study(dataset, kept, f"dask:{(tmp_path / 'address').read_text()}") as process:
            scheduler.kill()
            _, stderr = process.communicate(timeout=60)
        assert process.returncode == 1
        assert re.fullmatch(r"nnlite: dask tcp://\S+: the scheduler is gone\n", stderr)
        assert 0 < len(kept.read_text(encoding="utf-8").splitlines()) < 1000
    finally:
        scheduler.kill()
        worker.kill()
        scheduler.wait()
        worker.wait()


SCHEDULER = """
import asyncio, sys
from distributed import Scheduler
async def serve():
    async with Scheduler(port=0, host="127.0.0.1", dashboard_address=None) as scheduler:
        open(sys.argv[1] + ".new", "w").write(scheduler.address)
        __import__("os").replace(sys.argv[1] + ".new", sys.argv[1])
        await scheduler.finished()
asyncio.run(serve())
"""
WORKER = """
import asyncio, sys
from distributed import Worker
async def serve():
    async with Worker(sys.argv[1], nthreads=1, dashboard=False) as worker:
        await worker.finished()
asyncio.run(serve())
"""


def cluster_of_processes(folder):
    """A scheduler and a worker, each a process of its own; the file `address` says where."""
    with open(folder / "log", "w", encoding="utf-8") as log:
        scheduler = subprocess.Popen([sys.executable, "-c", SCHEDULER, folder / "address"], stderr=log)
        while not (folder / "address").exists():
            time.sleep(0.1)
        address = (folder / "address").read_text()
        worker = subprocess.Popen([sys.executable, "-c", WORKER, address], stderr=log)
    return scheduler, worker


@pytest.mark.skipif(os.name != "posix", reason="interrupts a group of processes by signal")
def test_ctrl_c_in_a_terminal_ends_a_study_on_dask_with_its_own_words_only(dataset, tmp_path):
    """A terminal interrupts the workers too, which would each tell of it."""
    pytest.importorskip("distributed")
    with started_study(dataset, tmp_path / "runs.jsonl", "dask") as process:
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert stderr.startswith("nnlite: interrupted; to go on: nnlite ")
    assert len(stderr.splitlines()) == 1


def test_no_scheduler_at_the_address_is_one_error(dataset, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(cluster_module, "_CONNECT", 1.0)
    with pytest.raises(WorkersError, match=r"--executor dask:tcp://127\.0\.0\.1:9: no scheduler answers there"):
        list(run_all(dataset, RUNS, "dask:tcp://127.0.0.1:9"))


def test_an_executor_of_dasks_that_is_no_cluster_is_one_like_any_other(dataset, expected):
    local = pytest.importorskip("dask.local")
    assert comparable(run_all(dataset, RUNS, local.SynchronousExecutor())) == expected


def test_dask_that_is_not_there_is_named(dataset, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match="--executor dask: needs dask: python -m pip install distributed"):
        list(run_all(dataset, RUNS, "dask"))
