"""The benchmark of how long the command line takes to start."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest


def test_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each start is timed as often as asked for, and its median held against that of Python alone."""
    startup = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "startup.py"))
    ratios = startup["ratios"]
    times = iter([1.0, 3.0, 9.0, 2.0, 4.0, 8.0, 3.0, 8.0, 1.0])
    monkeypatch.setitem(ratios.__globals__, "STARTS", {"python -c pass": (), "help": (), "run": ()})
    monkeypatch.setitem(ratios.__globals__, "seconds", lambda _: next(times))
    assert ratios(3) == {"python -c pass": (2.0, 1.0), "help": (4.0, 2.0), "run": (8.0, pytest.approx(4.0))}


def test_what_is_started_runs() -> None:
    """The smallest of them, for real."""
    startup = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "startup.py"))
    assert startup["seconds"](startup["STARTS"]["python -c pass"]) > 0
    assert startup["seconds"](startup["STARTS"]["rnn-conformance --version"]) > 0
