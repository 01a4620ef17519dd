"""Sweeps through submitit, with its executor for this machine in place of Slurm's: three processes, one is killed."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("submitit")

from rnn_conformance.conformance.sweeping.engines import Waiting, engine

pytestmark = [pytest.mark.engines, pytest.mark.filterwarnings("default")]


@pytest.fixture(autouse=True)
def by_value() -> Iterator[None]:
    """The functions of this file are sent as they are: the processes that run them cannot import it."""
    cloudpickle: Any = importlib.import_module("cloudpickle")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def work(folder: Path, seconds: float) -> int:
    """Say which process this is, and work for so long."""
    (folder / f"{os.getpid()}.pid").write_text("", encoding="utf-8")
    time.sleep(seconds)
    return os.getpid()


def errors() -> Any:
    """The module with the exceptions of submitit."""
    return importlib.import_module("submitit.core.utils")


def fails() -> None:
    raise ValueError("this is what the work said")


def test_process_that_is_killed_is_started_again(tmp_path: Path) -> None:
    """Each of three jobs has a result, and none is lost."""
    with engine("slurm:cluster=local,time=5", 3, tmp_path) as at:
        futures = [at.executor.submit(work, tmp_path, 20.0) for _ in range(3)]
        while len(pids := sorted(tmp_path.glob("*.pid"))) < 3 and not any(future.done() for future in futures):
            time.sleep(0.1)
        os.kill(int(pids[0].stem), signal.SIGKILL)
        results = [future.result(timeout=120) for future in futures]
    assert len(results) == 3
    assert int(pids[0].stem) not in results
    assert len(list(tmp_path.glob("*.pid"))) == 4


def test_what_the_work_raises_is_not_tried_again(tmp_path: Path) -> None:
    """It would be the same."""
    with (
        engine("slurm:cluster=local", 1, tmp_path) as at,
        pytest.raises(errors().FailedJobError, match="what the work said"),
    ):
        at.executor.submit(fails).result(timeout=120)


def test_job_that_never_ends_well_is_given_up(tmp_path: Path) -> None:
    """After three attempts, with the engine's own words."""
    tries: list[int] = []

    class Lost:
        def result(self) -> Any:
            raise errors().UncompletedJobError("Job not found")

    def submit(work: Any) -> Lost:
        tries.append(threading.get_ident())
        return Lost()

    with (
        Waiting(submit, 1) as waiting,
        pytest.raises(errors().UncompletedJobError, match="Job not found"),
    ):
        waiting.submit(fails).result(timeout=60)
    assert len(tries) == 3
