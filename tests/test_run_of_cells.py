"""Several kinds of cells in one run: each has results of its own, and they are one report."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from in_this_process import workers_in_this_process

from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.conformance.commands.run import _asked_about
from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.reports.records.records import read

CELLS = ("simple_rnn", "lstm", "gru")


def test_cells_of_which_something_is_asked() -> None:
    """A clause of one cell is run for that; where none of them has anything of it, the first says so."""
    smoke = PROFILES["smoke"]
    assert list(_asked_about(Selection(["1.1"]), smoke, CELLS)) == list(CELLS)
    assert list(_asked_about(Selection(["16.1"]), smoke, CELLS)) == ["lstm"]
    with pytest.raises(ValueError, match="says nothing of gru"):
        list(_asked_about(Selection(["16.1"]), smoke, ["gru", "simple_rnn"]))


@pytest.mark.slow
def test_run_of_two_cells(tmp_path: Path) -> None:
    """The files are named by the cell, and the terminal tells which is which."""
    arguments = ["run", "numpy", "--cell", "lstm", "--cell", "gru", "--profile", "smoke", "--only", "2.2"]
    with workers_in_this_process():
        result = CliRunner().invoke(cli, [*arguments, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert {path.name: read(path).header.cell for path in tmp_path.glob("*.jsonl")} == {
        "numpy-lstm.jsonl": "lstm",
        "numpy-gru.jsonl": "gru",
    }
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "numpy-lstm" in page
    assert "numpy-gru" in page
