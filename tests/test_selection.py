"""Which checks are run: those that --only, --check and --dtype ask for, and never none without a word."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from in_this_process import workers_in_this_process

from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.conformance.running.selection import Selection, refuse_wrong
from rnn_conformance.reports.records.records import read

RECURRENCE = "test_values.py::test_recurrence"


@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        (Selection(), True),
        (Selection(["1"]), True),
        (Selection(["2"]), False),
        (Selection(checks=["test_recurrence"]), True),
        (Selection(checks=["test_no_bias", RECURRENCE]), True),
        (Selection(checks=[f"{RECURRENCE}[float32-eager]"]), True),
        (Selection(checks=[f"{RECURRENCE}[float32-compiled]"]), False),
        (Selection(checks=["recurrence"]), False),
        (Selection(dtypes=["float16", "float32"]), True),
        (Selection(dtypes=["float64"]), False),
        (Selection(["1.1"], ["test_recurrence"], ["float32"]), True),
        (Selection(["1.2"], ["test_recurrence"], ["float32"]), False),
    ],
)
def test_what_is_taken(asked: Selection, taken: bool) -> None:
    """A check is run if it is all that was asked for: of a clause, of a name, in a dtype."""
    assert asked.takes(f"{RECURRENCE}[float32-eager]", ("1.1",), "float32") == taken


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Selection(["99"]), "there is no clause or chapter '99'"),
        (Selection(checks=["test_recurence"]), "there is no check 'test_recurence'; near it are test_recurrence"),
        (Selection(checks=["test_value.py::test_recurrence"]), f"near it are {RECURRENCE}"),
        (Selection(checks=["xyzzy"]), "there is no check 'xyzzy'; a report has the names of all checks"),
        (Selection(["2"], ["test_recurrence"]), "no check of lstm in profile smoke is all that was asked for"),
        (Selection(checks=["test_latches"]), "no check of lstm in profile smoke is all that was asked for"),
        (
            Selection(checks=["test_recurrence"], dtypes=["float16"]),
            "is not run in float16 in profile smoke, but in float",
        ),
    ],
)
def test_wrong_names_and_nothing_at_all(asked: Selection, said: str) -> None:
    """What there is not is refused with what is near it, and so is what would run nothing."""
    with pytest.raises(ValueError, match=said.replace("[", r"\[")):
        refuse_wrong(asked, PROFILES["smoke"], "lstm")


@pytest.mark.slow
def test_run_of_one_check_in_one_dtype(tmp_path: Path) -> None:
    """The header and the sentence say that it was no more."""
    options = ["--profile", "smoke", "--check", "test_recurrence", "--dtype", "float64", "--out", str(tmp_path)]
    with workers_in_this_process():
        result = CliRunner().invoke(cli, ["run", "numpy", *options])
    assert result.exit_code == 0, result.output
    results = read(tmp_path / "numpy.jsonl")
    assert [record.check for record in results.checks] == [f"{RECURRENCE}[float64-eager]"]
    assert (results.header.only_checks, results.header.only_dtypes) == (["test_recurrence"], ["float64"])
    assert "asked for test_recurrence in float64 only (" in " ".join(result.stdout.split())


def test_wrong_name_of_a_check() -> None:
    """A usage error, before anything is run."""
    result = CliRunner().invoke(cli, ["run", "numpy", "--check", "test_recurence"])
    assert result.exit_code == 2
    assert "near it are test_recurrence" in " ".join(result.stderr.split())


def test_clauses_of_another_cell() -> None:
    """What says nothing of a cell is refused with the cell of which it does; with other clauses it is left out."""
    with pytest.raises(ValueError, match=r"16, 1\.9 of the specification says nothing of gru: ask for less at a time"):
        refuse_wrong(Selection(["16", "1.9"]), PROFILES["smoke"], "gru")
    with pytest.raises(ValueError, match=r"16\.1 of the specification says nothing of simple_rnn: say --cell lstm"):
        refuse_wrong(Selection(["16.1"]), PROFILES["smoke"], "simple_rnn")
    refuse_wrong(Selection(["16.1", "1.1"]), PROFILES["smoke"], "simple_rnn")
