"""What users' assertions judged, as results like any other: a report, JUnit, JSON, and a page for a pull request."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from layers import TARGETS

from rnn_conformance.conformance.asserting import NonConforming, assert_agree, assert_conforms, recorded
from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.reports.documents.loading import load, validate_document

pytestmark = [
    pytest.mark.filterwarnings("default"),  # what frameworks warn of among themselves is no error of ours
    pytest.mark.skipif("torch" not in TARGETS, reason="PyTorch is not installed"),
]

pytest_plugins = ["pytester"]

X = np.random.default_rng(0).normal(size=(3, 9, 4)).astype(np.float32)


def judge(folder: Path) -> None:
    """A layer with its gradients and a port that is right, and one that is wrong."""
    import copy

    import torch

    torch.manual_seed(0)
    lstm, gru = torch.nn.LSTM(4, 5, num_layers=2, batch_first=True), torch.nn.GRU(4, 3, batch_first=True)
    wrong = copy.deepcopy(gru)
    with recorded(folder):
        assert_conforms(lstm, inputs=X, gradients=True)
        assert_agree(gru, copy.deepcopy(gru), inputs=X, lengths=[9, 4, 1])
        wrong.bias_hh_l0.data.zero_()
        with pytest.raises(NonConforming):
            assert_agree(gru, wrong, inputs=X)


def report(folder: Path, form: str) -> str:
    done = CliRunner().invoke(cli, ["report", str(folder), "--to", str(folder / "site"), "--format", form])
    assert done.exit_code == 1, done.output
    return done.stdout


def test_results_of_assertions(tmp_path: Path) -> None:
    """A file for each kind of cell, which cites the clauses that what was judged is about."""
    judge(tmp_path)
    gru, lstm = load([tmp_path])
    assert [each.path.name for each in (gru, lstm)] == ["own-torch-gru.jsonl", "own-torch-lstm.jsonl"]
    assert [record.verdict for record in lstm.checks] == ["conforms"] * 3  # each layer of the stack, and its gradients
    assert {"1.1", "16.2", "11.1", "11.6"} <= {clause for record in lstm.checks for clause in record.clauses}
    assert {"9.1", "17.1"} <= {clause for record in gru.checks for clause in record.clauses}
    *right, wrong = gru.checks
    assert {record.verdict for record in right} == {"conforms"}
    assert wrong.verdict == "fails"
    assert "the second bias is lost" in wrong.message
    assert "test_results_of_assertions" in wrong.check
    assert "torch" in lstm.header.versions

    with pytest.raises(FileExistsError, match="nothing is overwritten"):
        judge(tmp_path)


def test_report_of_assertions(tmp_path: Path) -> None:
    """The same page, JUnit XML, JSON and Markdown as of any run."""
    judge(tmp_path)
    root = ElementTree.fromstring(report(tmp_path, "junit"))
    assert (root.get("failures"), root.get("errors")) == ("1", "0")
    failure = root.find(".//failure")
    assert failure is not None
    assert "the second bias is lost" in str(failure.text)
    assert "own-torch-gru" in report(tmp_path, "markdown")
    document = json.loads(report(tmp_path, "json"))
    validate_document(document)
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "own-torch-lstm" in page


def test_option_of_pytest(pytester: pytest.Pytester) -> None:
    """Of a user's own tests, the one that fails among them."""
    pytester.makepyfile(
        """
        import numpy as np, pytest, torch
        from rnn_conformance.conformance.asserting import assert_agree, assert_conforms

        @pytest.mark.parametrize("units", [2, 3])
        def test_mine(units):
            layer = torch.nn.GRU(4, units, batch_first=True)
            assert_conforms(layer, inputs=np.ones((2, 3, 4), np.float32))
            if units == 3:
                assert_agree(layer, torch.nn.GRU(4, 3, batch_first=True), inputs=np.ones((2, 3, 4), np.float32))
        """
    )
    given = ["-p", "no:cacheprovider", "-W", "default", "--conformance-assertions", "results"]
    done = pytester.runpytest_inprocess(*given)
    done.assert_outcomes(passed=1, failed=1)
    (results,) = load([pytester.path / "results"])
    assert [record.verdict for record in results.checks] == ["conforms", "conforms", "fails"]
    assert results.checks[0].check == "test_option_of_pytest.py::test_mine(2)[float32-eager]"
    assert pytester.runpytest_inprocess(*given).ret == pytest.ExitCode.USAGE_ERROR
