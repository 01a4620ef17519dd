"""Sweeps on a real cluster of Dask's, of three processes: whatever befalls one, nothing is lost or comes twice."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy_index import Hanging, served, source

pytest.importorskip("distributed")

from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.conformance.sweeping.cache import Cache
from rnn_conformance.conformance.sweeping.engines import engine
from rnn_conformance.conformance.sweeping.environments import UvFailed, Wanted, lock, with_suite
from rnn_conformance.conformance.sweeping.indexes import set_up
from rnn_conformance.conformance.sweeping.job import Job
from rnn_conformance.conformance.sweeping.places import local
from rnn_conformance.conformance.sweeping.sweep import Asked, run_all
from rnn_conformance.reports.records import records

pytestmark = [pytest.mark.engines, pytest.mark.filterwarnings("default")]

ASKED = Asked("numpy", "simple_rnn", "smoke", 0, Selection(["6.1"]), 300, sys.executable, set_up())


@pytest.fixture(scope="module")
def jobs() -> list[Job]:
    """Three jobs of the reference in a real environment, each with a seed of its own."""
    from datetime import date

    locked = lock(with_suite(Wanted([], date(2026, 6, 1), sys.executable)), ASKED.indexes)
    return [replace(ASKED, seed=seed).job(locked) for seed in range(3)]


@pytest.fixture(scope="module")
def whole(jobs: list[Job], tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """What these jobs come to on this machine."""
    cache = Cache(tmp_path_factory.mktemp("local"))
    with local(1) as here:
        run_all(jobs, here, cache, lambda step: None)
    return [told(cache, job) for job in jobs]


@pytest.fixture
def client() -> Iterator[Any]:
    """A cluster whose scheduler gives up a worker that it has not heard of for some seconds."""
    import dask
    import distributed

    with (
        dask.config.set({"distributed.scheduler.worker-ttl": "30s"}),
        distributed.LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def told(cache: Cache, job: Job) -> Any:
    """All that a job found, but for how long it took."""
    results = records.read(cache.results(job))
    assert results.footer is not None
    return results.header.planned, [replace(record, seconds=0.0) for record in results.checks]


def swept(client: Any, jobs: list[Job], folder: Path, befalls: Any = None) -> Cache:
    """The folder of results after a sweep on this cluster, to whose busiest worker something happens."""
    cache = Cache(folder)
    with engine(f"dask:{client.scheduler.address}", None, folder) as at:
        import threading

        happening = threading.Thread(target=lambda: befalls and befalls(busy(client)))
        happening.start()
        run_all(jobs, at, cache, lambda step: None)
        happening.join()
    return cache


def busy(client: Any) -> int:
    """The process of a worker that has been at a job for a moment."""
    while not (running := {address: keys for address, keys in client.processing().items() if keys}):
        time.sleep(0.1)
    time.sleep(2)
    pids: dict[str, int] = client.run(os.getpid)
    return pids[next(iter(running))]


def test_same_records_as_here(client: Any, jobs: list[Job], whole: list[Any], tmp_path: Path) -> None:
    """A job says the same wherever it is run."""
    cache = swept(client, jobs, tmp_path)
    assert [told(cache, job) for job in jobs] == whole


def test_worker_that_is_killed(client: Any, jobs: list[Job], whole: list[Any], tmp_path: Path) -> None:
    """Its job is run by another; the results are the same, and each is there once."""
    cache = swept(client, jobs, tmp_path, lambda pid: os.kill(pid, signal.SIGKILL))
    assert [told(cache, job) for job in jobs] == whole
    assert len([path for job in jobs for path in (tmp_path / job.digest).iterdir()]) == 3


def test_worker_that_is_not_heard_of(client: Any, jobs: list[Job], whole: list[Any], tmp_path: Path) -> None:
    """As one without a network: it is given up after a while, and its job is run by another."""
    stopped: list[int] = []

    def stop(pid: int) -> None:
        stopped.append(pid)
        os.kill(pid, signal.SIGSTOP)

    try:
        cache = swept(client, jobs, tmp_path, stop)
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):  # Dask has ended it
                os.kill(pid, signal.SIGCONT)
    assert [told(cache, job) for job in jobs] == whole


def test_client_that_is_killed(client: Any, jobs: list[Job], whole: list[Any], tmp_path: Path) -> None:
    """Started again, it goes on with what is left."""
    import pickle
    import subprocess

    given = tmp_path / "jobs"
    given.write_bytes(pickle.dumps((jobs[:1], jobs)))
    script = (
        "import pickle, sys; from pathlib import Path\n"
        "from rnn_conformance.conformance.sweeping.cache import Cache\n"
        "from rnn_conformance.conformance.sweeping.engines import engine\n"
        "from rnn_conformance.conformance.sweeping.sweep import run_all\n"
        "first, jobs = pickle.loads(Path(sys.argv[1]).read_bytes()); kept = Cache(Path(sys.argv[2]))\n"
        "with engine('dask:' + sys.argv[3], None, kept.folder) as at:\n"
        "    run_all(first, at, kept, lambda step: None); print('one', flush=True)\n"
        "    run_all(jobs, at, kept, lambda step: None)\n"
    )
    arguments = [sys.executable, "-c", script, str(given), str(tmp_path / "kept"), client.scheduler.address]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == "one\n"
        killed.kill()
    cache = Cache(tmp_path / "kept")
    assert [cache.has(job) for job in jobs].count(True) >= 1
    again = swept(client, jobs, tmp_path / "kept")
    assert [told(again, job) for job in jobs] == whole


def test_worker_without_room(client: Any, jobs: list[Job], whole: list[Any], tmp_path: Path) -> None:
    """On a disk that is full nothing is skipped for good: it is an error, said with its reason, and tried elsewhere."""

    def no_room() -> None:
        import resource

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    address = next(iter(client.scheduler_info()["workers"]))
    client.run(no_room, workers=[address])
    with suppress(
        OSError, UvFailed
    ):  # the job that came to this worker, which tells of it, if it was not run elsewhere
        swept(client, jobs, tmp_path)
    cache = Cache(tmp_path)
    assert [cache.skipped(job) for job in jobs] == [None] * 3
    done = [job for job in jobs if cache.has(job)]
    assert len(done) >= 2
    assert all(told(cache, job) == whole[jobs.index(job)] for job in done)


def test_environment_that_hangs_while_it_installs(
    client: Any, jobs: list[Job], whole: list[Any], tmp_path: Path
) -> None:
    """It is given up after a while, and not for good; the others are done, and what happened is told."""

    def be_impatient() -> None:
        from rnn_conformance.conformance.sweeping import job

        job.INSTALLING_SECONDS = 8.0

    client.run(be_impatient)
    with served(tmp_path / "index", Hanging) as address:
        indexes = replace(jobs[0].indexes, further=[address])
        hanging = replace(jobs[0], locked=f"{jobs[0].locked}toylayer==1.0\n", indexes=indexes)
        cache = Cache(tmp_path / "kept")
        with engine(f"dask:{client.scheduler.address}", None, cache.folder) as at:
            passing = run_all([hanging, *jobs[1:]], at, cache, lambda step: None)
    assert passing[hanging.digest].said == "uv pip install did not end within 8 seconds"
    assert not cache.has(hanging)
    assert [told(cache, job) for job in jobs[1:]] == whole[1:]


def test_job_that_comes_back_twice(client: Any, jobs: list[Job], whole: list[Any], tmp_path: Path) -> None:
    """Two sweeps at once that share a folder, as two people may: each job is there once, and as one of them left it."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as two:
        caches = list(two.map(lambda _: swept(client, jobs, tmp_path), range(2)))
    assert [told(caches[0], job) for job in jobs] == whole
    assert len([path for job in jobs for path in (tmp_path / job.digest).iterdir()]) == 3


def test_sweep_with_a_worker_that_is_killed(client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command, with an empty folder of results: it ends with the same records as on this machine."""
    import json
    import threading

    from click.testing import CliRunner

    from rnn_conformance.conformance.commands import sweep as command
    from rnn_conformance.conformance.commands.main import cli

    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "toylayer.py").write_text(source("1.0"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "here"))
    found: dict[str, Any] = {}
    with served(tmp_path / "index") as address:
        indexes = replace(set_up(), further=[address])
        monkeypatch.setattr(sys.modules[command.__name__], "set_up", lambda: indexes)
        for name, at in (("here", "local"), ("there", f"dask:{client.scheduler.address}")):
            asked = [
                "sweep",
                "toylayer:adapter",
                "--since",
                "2025",
                "--only",
                "1.1",
                "--dtype",
                "float32",
                "--jobs",
                "1",
            ]
            kept = ["--kept", str(tmp_path / name), "--out", str(tmp_path / f"{name}-out"), "--engine", at]
            kills = threading.Thread(target=lambda: os.kill(busy(client), signal.SIGKILL))
            if name == "there":
                kills.start()
            done = CliRunner().invoke(cli, [*asked, *kept])
            assert done.exit_code == 0, done.output
            timeline = json.loads((tmp_path / f"{name}-out" / "sweep.json").read_text(encoding="utf-8"))
            results = sorted((tmp_path / name).glob("*/*/results.jsonl"))
            read = [records.read(path) for path in results]
            found[name] = (
                [(row["version"], row["outcome"]) for row in timeline[0]["rows"]],
                [path.parent.parent.name for path in results],
                [[replace(record, seconds=0.0) for record in each.checks] for each in read],
            )
        kills.join()
    assert found["here"] == found["there"]
    assert len(found["there"][1]) == 3  # and one that cannot be imported, which is skipped alike
