"""Sweep and bisect as a whole: real environments by uv, of a small package on an index that is served here."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from toy_index import served, source

pytest.importorskip("unearth")
pytest.importorskip("uv")

from rnn_conformance.conformance.commands import bisect, sweep
from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.conformance.sweeping.indexes import set_up
from rnn_conformance.conformance.sweeping.job import RESULTS, Job, Made, run_job

pytestmark = pytest.mark.slow

OLDEST = """
pytest==7.4.0
hypothesis==6.80.0
numpy==1.24.4
ml-dtypes==0.3.1
packaging==21.3
archspec==0.2.3
click==8.1.0
attrs==23.1.0
exceptiongroup==1.1.2; python_version < "3.11"
iniconfig==2.0.0
pluggy==1.2.0
pyparsing==3.1.0
sortedcontainers==2.4.0
tomli==2.0.1; python_version < "3.11"
typing-extensions==4.7.1
"""
"""The oldest of all that a worker needs, by pyproject.toml."""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The toy on an index beside the usual one; its adapter can be imported here as well, in its first version."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "toylayer.py").write_text(source("1.0"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "here"))
    with served(tmp_path / "index") as address:
        indexes = replace(set_up(), further=[address])
        for command in (sweep, bisect):
            monkeypatch.setattr(sys.modules[command.__name__], "set_up", lambda: indexes)
        yield
    sys.modules.pop("toylayer", None)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)))


@pytest.mark.usefixtures("toy")
def test_sweep_and_bisect(tmp_path: Path) -> None:
    """The release that broke the layer is told by both, with one that is skipped before it, and run once."""
    kept = ("--kept", tmp_path / "kept", "--timeout", 3000)
    asked = ("toylayer:adapter", "--since", "2025", "--only", "1.1", "--dtype", "float32", "--jobs", 1, *kept)
    swept = run("sweep", *asked, "--out", tmp_path / "out")
    assert swept.exit_code == 0, swept.output
    (found,) = json.loads((tmp_path / "out" / "sweep.json").read_text(encoding="utf-8"))
    outcomes = {row["version"]: row["outcome"] for row in found["rows"]}
    assert set(outcomes) == {"1.0", "1.1", "1.2", "1.3"}
    assert outcomes["1.1"] == "skipped: import: ImportError: toylayer is broken today"
    assert outcomes["1.2"].startswith("meaning")
    assert outcomes["1.3"].startswith("nothing changed")
    assert found["left_out"] == {"toylayer 0.9": "toylayer:adapter needs toylayer 1.0 or newer"}
    again = run("sweep", *asked, "--out", tmp_path / "out")
    assert "0 of 0 (4 environments, 4 kept" in again.stderr

    named = run("bisect", "toylayer:adapter", "1.1", "--good", "1.0", "--bad", "1.3", *kept, "--out", tmp_path / "b")
    assert named.exit_code == 1, named.output  # as 1.1, between the two, cannot be run
    assert "1.1 in float32 of simple_rnn: conforms with toylayer 1.0, fails with toylayer 1.2" in named.stdout
    assert "between the two, which could not be run: toylayer 1.1" in named.stdout
    assert "0 jobs were run for this" in named.stdout
    assert (tmp_path / "b" / "after" / RESULTS).exists()
    until = run("bisect", "toylayer:adapter", "1.1", "--good", "1.0", "--until", "2025-04-10", *kept, "--out", tmp_path)
    assert "fails with toylayer 1.2" in until.stdout  # which is the newest until then


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the oldest NumPy has no wheel for this Python")
def test_oldest_packages_that_the_suite_works_with() -> None:
    """Beside a framework of years ago, there are the libraries of that time."""
    asked = Selection(["1.1", "2.8"])
    outcome = run_job(Job("numpy", "lstm", "smoke", 0, asked, 3000, OLDEST, sys.executable, set_up()))
    assert isinstance(outcome, Made), outcome
    verdicts = [json.loads(line).get("verdict") for line in outcome.files[RESULTS].splitlines()[1:-1]]
    assert set(verdicts) <= {"conforms", "unsupported"}
    assert "conforms" in verdicts
