"""A user's own packages are found, whatever their names, and each file of checks is loaded once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.reports.records.records import read

ADAPTER = """
from conformance import B
from reference import C
from reports import A

from rnn_conformance.adapters.numpy.adapter import adapter

assert (A, B, C) == ("a", "b", "c")
"""
CONFTEST = """
import sys

def pytest_sessionfinish():
    assert [name for name in sys.modules if "test_types" in name] == ["rnn_conformance.conformance.checks.test_types"]
"""
OWN_TEST = """
import pytest

@pytest.fixture
def check():
    return 3

def test_own(check):
    assert check == 3
"""
OPTIONS = ["--adapter", "adapters.mine:adapter", "--conformance-profile", "smoke", "--conformance-only", "2.4"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project whose packages have the names of our rooms, with an adapter in one of them."""
    files = {
        "adapters/__init__.py": "",
        "adapters/mine.py": ADAPTER,
        "reports/__init__.py": "A = 'a'",
        "conformance/__init__.py": "B = 'b'",
        "reference.py": "C = 'c'",
        "conftest.py": CONFTEST,
        "test_own.py": OWN_TEST,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_under_pytest(folder: Path) -> None:
    """`pytest --pyargs rnn_conformance.conformance --adapter NAME` is all that is needed, beside one's own tests."""
    checks = ["--pyargs", "rnn_conformance.conformance", "test_own.py", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", *checks, *OPTIONS]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "test_own.py" in done.stdout


@pytest.mark.slow
def test_under_the_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process in which `rnn-conformance run` checks an adapter finds them, too."""
    monkeypatch.chdir(folder)
    options = ["--profile", "smoke", "--only", "2.4", "--out", "results"]
    result = CliRunner().invoke(cli, ["run", "adapters.mine:adapter", *options])
    assert result.exit_code == 0, result.output
    (results,) = Path("results").glob("*.jsonl")
    assert {record.verdict for record in read(results).checks} == {"conforms"}
