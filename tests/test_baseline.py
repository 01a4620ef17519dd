"""Baselines: results without what differs from run to run."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from example_results import check, failing, fingerprint, results, written

from rnn_conformance.reports.documents.baseline import keep
from rnn_conformance.reports.records.records import read
from rnn_conformance.reports.upgrades.comparison import compare


def test_two_runs_have_the_same_baseline(tmp_path: Path) -> None:
    """The time, that taken, and the files beside the results are left out; nothing else is, and no change is seen."""
    record = replace(failing(), fingerprints=[fingerprint(0.5)])
    for name, seconds in (("one", 1.0), ("two", 2.0)):
        run = results(checks=[replace(record, seconds=seconds)], started=f"2026-01-0{seconds:.0f}T00:00:00Z")
        assert run.footer is not None
        (tmp_path / name).mkdir()
        written(tmp_path / name / "torch.jsonl", replace(run, footer=replace(run.footer, seconds=seconds)))
        assert keep(tmp_path / name, tmp_path / "kept" / name) == [tmp_path / "kept" / name / "torch.jsonl"]
    one, two = (tmp_path / "kept" / name / "torch.jsonl" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    kept = read(one)
    assert compare(read(tmp_path / "one" / "torch.jsonl"), kept).changes == []
    assert kept.checks == [replace(record, seconds=0.0, witness_file="", reproducer_file="", replay="")]


def test_renewing_leaves_others_alone(tmp_path: Path) -> None:
    """A baseline is replaced as a whole, and those of other adapters stay."""
    kept = tmp_path / "kept"
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    written(tmp_path / "old" / "torch.jsonl", results())
    written(tmp_path / "old" / "numpy.jsonl", results("numpy"))
    written(tmp_path / "new" / "torch.jsonl", results(checks=[check()]))
    keep(tmp_path / "old", kept)
    keep(tmp_path / "new", kept)
    assert [len(read(kept / f"{name}.jsonl").checks) for name in ("torch", "numpy")] == [1, 3]


def test_a_truncated_run_is_no_baseline(tmp_path: Path) -> None:
    """Nothing is written then, nor where there are no results."""
    (tmp_path / "run").mkdir()
    written(tmp_path / "run" / "numpy.jsonl", results("numpy"))
    written(tmp_path / "run" / "torch.jsonl", replace(results(), footer=None))
    with pytest.raises(ValueError, match=r"torch\.jsonl is truncated"):
        keep(tmp_path / "run", tmp_path / "kept")
    with pytest.raises(ValueError, match="no results files"):
        keep(tmp_path, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


def test_command(tmp_path: Path) -> None:
    """As tox runs it; what is wrong is said in a line."""
    written(tmp_path / "torch.jsonl", results())
    command = [sys.executable, "-m", "rnn_conformance.reports.documents.baseline"]
    done = subprocess.run([*command, tmp_path, tmp_path / "kept"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path / 'kept' / 'torch.jsonl'}\n"
    for arguments, message in (([], "usage:"), ([tmp_path / "none", tmp_path], "no results files")):
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(message)
