"""Fixtures that several test files share."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from adapting import adapter  # noqa: F401 - fixture
from browsing import browser, chromium  # noqa: F401 - fixtures
from in_this_process import workers_in_this_process

from rnn_conformance.conformance.running.order import Order
from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.conformance.running.supervisor import run_all
from rnn_conformance.reports.records.records import Results, read


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the fuzzing takes (see test_fuzz_loading.py)."""
    parser.addoption("--fuzz-examples", type=int, default=150, metavar="N", help="results files that the fuzzing tries")


def pytest_collection_finish() -> None:
    """What all modules have made is there to stay: no collection of garbage need walk through it again."""
    gc.collect()
    gc.freeze()


Supervised = Callable[..., Results]


@pytest.fixture
def supervised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Supervised:
    """Run an adapter of tests/ as the command line does, in a process of its own, and read its results."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    return runner(tmp_path)


@pytest.fixture
def run_here(tmp_path: Path) -> Iterator[Supervised]:
    """The same without a process, for what comes of a run and not how it ends."""
    with workers_in_this_process():
        yield runner(tmp_path)


def runner(folder: Path) -> Supervised:
    def run(name: str, *only: str, timeout: float = 60) -> Results:
        order = Order("smoke", 0, Selection(only), 1, timeout, folder)
        (results,) = run_all([order], [name], 1, lambda step: None)
        return read(results)

    return run
