"""A comparison tells causes first: a line each, with its clauses folded behind it, in the dtypes that are asked for."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from example_results import check, failing, header, results, written
from rich.console import Console

from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.reports.records.records import Cause, CheckRecord, Results
from rnn_conformance.reports.renderings.comparison_markdown import comparison_markdown
from rnn_conformance.reports.renderings.comparison_terminal import TerminalComparison
from rnn_conformance.reports.upgrades.comparison import Comparison, NotComparable, compare

SINGLE = Cause(
    "keras-torch-float64",
    "float64 is computed in float32",
    "Few digits are right.",
    "https://github.com/a/keras/issues/9",
)
STATE = Cause("keras-jax-stateful", "the state is lost", "Calls start from zeros.", "", {"keras": ">=3.11"})
CLAUSES = {f"1.{n}": f"Clause {n}." for n in range(1, 31)}


def name(clause: str, dtype: str = "float64") -> str:
    return f"test_values.py::test_{clause}[{dtype}-eager]"


def record(clause: str, *causes: Cause, dtype: str = "float64") -> CheckRecord:
    """It conforms, or is what has these causes."""
    plain = check(clause, "deviation" if causes else "conforms", check=name(clause, dtype), dtype=dtype)
    return replace(plain, deviation=", ".join(cause.deviation for cause in causes), causes=list(causes))


def run(*checks: CheckRecord) -> Results:
    precision = {"float32": {}, "float64": {}}
    return results(checks=list(checks), clauses=CLAUSES, description={**header().description, "precision": precision})


def one_cause_in_every_clause() -> Comparison:
    """As an upgrade that spoils float64: every clause got worse, for one cause, and float32 is as it was."""
    single = [record(clause, dtype="float32") for clause in CLAUSES]
    old, new = [record(clause) for clause in CLAUSES], [record(clause, SINGLE) for clause in CLAUSES]
    return compare(run(*single, *old), run(*single, *new))


def on_terminal(comparison: Comparison) -> str:
    out = StringIO()
    Console(file=out, width=120, force_terminal=False).print(TerminalComparison(comparison))
    return out.getvalue()


def test_one_cause_is_one_line() -> None:
    """However many clauses it touches: they are counted, the first few are named, and data have them all."""
    comparison = one_cause_in_every_clause()
    assert comparison.outcome == "meaning 30 worse (1 cause) (60 checks)"
    (cause,) = comparison.causes
    assert (cause.title, cause.word, cause.old, cause.new) == (
        SINGLE.title,
        "worse",
        "conforms",
        "deviation keras-torch-float64",
    )
    assert (list(cause.clauses), list(cause.dtypes), len(cause.checks)) == (list(CLAUSES), ["float64"], 30)
    text = on_terminal(comparison)
    assert "worse float64 is computed in float32 (keras 9): conforms → deviation keras-torch-float64" in text
    assert "Few digits are right." in text
    assert "30 checks of 30 clauses in float64: 1.1, 1.2, 1.3, 1.4, 26 more" in text
    assert len(text.splitlines()) < 10


def test_one_cause_in_markdown() -> None:
    """The cause stands open; the table of clauses and the changes one by one are folded behind it."""
    text = comparison_markdown(one_cause_in_every_clause())
    before, _, folded = text.partition("<details>")
    assert (
        "- **worse: float64 is computed in float32 (keras 9)**: conforms → deviation keras-torch-float64. Few digits"
        in before
    )
    assert "| 1.30 Clause 30. |" not in before
    assert "| 1.30 Clause 30. |" in folded
    assert "<details open>" not in text


def test_only_in_a_dtype() -> None:
    """In float32 nothing changed, and the outcome says what was compared; the other dtype's support is no matter."""
    old = run(record("1.1", dtype="float32"), record("1.1"))
    new = run(record("1.1", dtype="float32"), record("1.1", SINGLE))
    new = replace(new, header=replace(new.header, description={**new.header.description, "precision": {"float32": {}}}))
    comparison = compare(old, new, dtypes=["float32"])
    assert comparison.outcome == "nothing changed (1 check in float32 only)"
    assert compare(old, new, dtypes=["float64"]).outcome.startswith("meaning 1 worse (1 cause);")
    with pytest.raises(NotComparable, match=r"torch\.jsonl has no check in float16"):
        compare(old, new, dtypes=["float16"])


def test_causes_that_came_and_went() -> None:
    """A cause that both runs have explains no change; one that went is told as better."""
    comparison = compare(run(record("1.1", SINGLE, STATE)), run(record("1.1", SINGLE)))
    assert [(cause.title, cause.word) for cause in comparison.causes] == [("the state is lost", "better")]
    comparison = compare(run(record("1.1")), run(record("1.1", SINGLE, STATE)))
    assert [cause.title for cause in comparison.causes] == [SINGLE.title, STATE.title]
    assert comparison.outcome == "meaning 1 worse (2 causes) (1 check)"


@pytest.mark.parametrize("newer_is_new", [True, False])
def test_what_was_not_looked_at_is_no_failure_out_of_nowhere(*, newer_is_new: bool) -> None:
    """A deviation that is known in one of two versions, and may be what fails in the other, makes neither the worse."""
    unlooked = replace(failing(), check=name("1.1"), dtype="float64", not_looked_at=[STATE])
    runs = [run(unlooked), run(record("1.1", STATE))]
    comparison = compare(*(runs if newer_is_new else runs[::-1]))
    (cause,) = comparison.causes
    assert (cause.title, cause.word) == ("the state is lost", "changed")
    assert "fails, not looked at in this version" in (cause.old, cause.new)
    assert comparison.got_worse("meaning") == []
    other = compare(run(record("1.1", SINGLE)), run(unlooked))
    assert [change.trend for change in other.changes] == ["worse"]


def test_failures_of_one_kind_are_one_cause() -> None:
    """What raises the same everywhere, or looks like the same fault, is told once; other failures one by one."""
    raised = [
        replace(failing(), check=name(c), clauses=[c], diagnosis="", message=f"run raised E: {c}") for c in CLAUSES
    ]
    comparison = compare(run(*(record(clause) for clause in CLAUSES)), run(*raised))
    assert [(cause.title, len(cause.checks)) for cause in comparison.causes] == [("run raised E: #.#", 30)]
    other = replace(failing(), check=name("1.1"), diagnosis="", message="outputs[0] = 1.0, but should be 2.0")
    comparison = compare(run(record("1.1"), record("1.2")), run(other, replace(raised[1], dtype="float64")))
    assert comparison.outcome == "meaning 2 worse (1 cause and 1 other) (2 checks)"
    assert "outputs[0] = 1.0, but should be 2.0" in on_terminal(comparison)


def test_the_option(tmp_path: Path) -> None:
    """The command compares the dtypes that are asked for, and ends as they say."""
    checks = [record("1.1", dtype="float32"), record("1.1")], [record("1.1", dtype="float32"), record("1.1", SINGLE)]
    old, new = (written(tmp_path / f"{i}.jsonl", run(*each)) for i, each in enumerate(checks))
    asked = {
        dtype: CliRunner().invoke(cli, ["compare", str(old), str(new), *dtype])
        for dtype in [(), ("--dtype", "float32")]
    }
    assert [result.exit_code for result in asked.values()] == [1, 0]
    assert "nothing changed (1 check in float32 only)" in asked["--dtype", "float32"].output
    assert CliRunner().invoke(cli, ["compare", str(old), str(new), "--dtype", "float8"]).exit_code == 2
