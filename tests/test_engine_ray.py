"""Work on a real cluster of Ray's, of three processes: one that is killed is replaced, and nothing is lost."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray")

from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.conformance.sweeping.cache import Cache
from rnn_conformance.conformance.sweeping.engines import engine
from rnn_conformance.conformance.sweeping.environments import Wanted, lock, with_suite
from rnn_conformance.conformance.sweeping.indexes import set_up
from rnn_conformance.conformance.sweeping.places import Engine, local
from rnn_conformance.conformance.sweeping.sweep import Asked, run_all
from rnn_conformance.reports.records import records

pytestmark = [pytest.mark.engines, pytest.mark.filterwarnings("default")]

ASKED = Asked("numpy", "simple_rnn", "smoke", 0, Selection(["6.1"]), 300, sys.executable, set_up())


@pytest.fixture(scope="module", autouse=True)
def by_value() -> Iterator[None]:
    """The functions of this file are sent as they are: the processes that run them cannot import it."""
    cloudpickle: Any = importlib.import_module("ray.cloudpickle")
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Three processes."""
    with engine("ray", 3, tmp_path_factory.mktemp("ray")) as at:
        yield at


def work(folder: Path, seconds: float) -> int:
    """Say which process this is, and work for so long."""
    (folder / f"{os.getpid()}.pid").write_text("", encoding="utf-8")
    time.sleep(seconds)
    return os.getpid()


def fails() -> None:
    raise ValueError("this is what the work said")


def test_same_records_as_here(at: Engine, tmp_path: Path) -> None:
    """A job says the same wherever it is run, but for how long it took."""
    locked = lock(with_suite(Wanted([], date(2026, 6, 1), sys.executable)), ASKED.indexes)
    jobs = [replace(ASKED, seed=seed).job(locked) for seed in range(3)]
    told = []
    with local(1) as here:
        for name, place in (("here", here), ("there", at)):
            cache = Cache(tmp_path / name)
            run_all(jobs, place, cache, lambda step: None)
            found = [records.read(cache.results(job)) for job in jobs]
            told.append([[replace(record, seconds=0.0) for record in each.checks] for each in found])
    assert told[0] == told[1]
    assert all(told[0])


def test_process_that_is_killed_is_replaced(at: Engine, tmp_path: Path) -> None:
    """Each of three jobs has a result, and none is lost."""
    futures = [at.executor.submit(work, tmp_path, 10.0) for _ in range(3)]
    while len(pids := sorted(tmp_path.glob("*.pid"))) < 3 and not any(future.done() for future in futures):
        time.sleep(0.1)
    os.kill(int(pids[0].stem), signal.SIGKILL)
    results = [future.result(timeout=120) for future in futures]
    assert len(results) == 3
    assert int(pids[0].stem) not in results


def test_what_the_work_raises_is_its_result(at: Engine) -> None:
    """It is not tried again, and is told in its own words."""
    with pytest.raises(ValueError, match="this is what the work said"):
        at.executor.submit(fails).result(timeout=120)
