"""Known deviations are told by their cause, and failures of one kind together."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from example_results import check, failing, results
from rich.console import Console

from rnn_conformance.reports.overview.causes import common_causes, kind_of, known, of_one_kind, reasons_of
from rnn_conformance.reports.overview.sentence import sentence
from rnn_conformance.reports.overview.summary import Backend, summarise
from rnn_conformance.reports.records.parts import Extent
from rnn_conformance.reports.records.records import Cause, CheckRecord, Results
from rnn_conformance.reports.renderings.junit import junit
from rnn_conformance.reports.renderings.markdown import markdown
from rnn_conformance.reports.renderings.terminal import TerminalReport

ISSUE = "https://github.com/keras-team/keras/issues/23704"
RAISES = Cause("keras-jax-float64", "float64 is computed in float32", "A call raises.", ISSUE)
ROUNDS = Cause("keras-torch-float64", "float64 is computed in float32", "Few digits are right.", ISSUE)


def deviating(cause: Cause, *clauses: str, **changes: object) -> CheckRecord:
    plain = check(verdict="deviation", clauses=list(clauses), dtype="float64", check=f"t::{clauses}[float64-eager]")
    return replace(plain, deviation=cause.deviation, reason=f"why {cause.deviation}", causes=[cause], **changes)


def two_backends() -> list[Results]:
    torch = results("keras-torch", checks=[deviating(ROUNDS, "2.1"), deviating(ROUNDS, "1.1", "1.2")])
    jax = results("keras-jax", checks=[deviating(RAISES, "1.1"), check("1.2")])
    return [torch, jax]


def backends(*runs: Results) -> list[Backend]:
    return list(summarise(runs).backends)


def on_terminal(*runs: Results, width: int = 80) -> str:
    out = StringIO()
    Console(file=out, width=width, force_terminal=False).print(TerminalReport(summarise(runs)))
    return out.getvalue()


def test_one_cause_of_two_deviations() -> None:
    """Entries that name the same cause are one: with its issue, its clauses, and what it means on each backend."""
    (cause,) = common_causes(backends(*two_backends()))
    assert cause.heading == "float64 is computed in float32 (keras 23704): 3 clauses"
    assert cause.where == "in float64 on keras-torch (3), keras-jax (1)"
    assert cause.clauses == ["1.1", "1.2", "2.1"]
    assert cause.backends == {"keras-torch": ["1.1", "1.2", "2.1"], "keras-jax": ["1.1"]}
    assert cause.told == ["keras-torch: Few digits are right.", "keras-jax: A call raises."]
    assert cause.upstream == [ISSUE]


def test_causes_of_a_dtype() -> None:
    """Asked of one dtype, only what was seen in it counts; what touches most clauses comes first."""
    small = replace(deviating(Cause("x", "a small thing", "Nothing."), "1.1"), dtype="float32")
    runs = backends(results("keras-torch", checks=[small, deviating(ROUNDS, "1.1", "1.2")]))
    assert [cause.title for cause in common_causes(runs)] == ["float64 is computed in float32", "a small thing"]
    assert [cause.title for cause in common_causes(runs, "float32")] == ["a small thing"]


def test_causes_stand_in_every_text() -> None:
    """The terminal and Markdown say cause, extent and meaning; the latter folds clauses and reasons behind them."""
    shown = on_terminal(*two_backends(), width=200)
    text = markdown(summarise(two_backends()))
    for said in ("float64 is computed in float32 (keras 23704): 3 clauses", "A call raises.", "Few digits are right."):
        assert said in shown
        assert said in text
    assert "in full: rnn-conformance deviations keras-torch-float64 keras-jax-float64" in shown
    assert "- keras-torch: 1.1, 1.2, 2.1\n- keras-jax: 1.1\n" in text
    assert text.index("by their cause") < text.index("| in float32 |")


def test_results_without_causes() -> None:
    """Those of an older suite are told by the names and reasons of their deviations, or else by what was seen."""
    old = replace(deviating(ROUNDS, "1.1"), causes=[])
    (cause,) = common_causes(backends(results(checks=[old])))
    assert (cause.name, cause.told) == ("keras-torch-float64", ["why keras-torch-float64"])
    (cause,) = common_causes(backends(results(checks=[replace(old, reason="", message="0.5, but should be 0.25")])))
    assert cause.told == ["0.5, but should be 0.25"]


def test_deviation_shows_what_was_seen() -> None:
    """Of the checks of a deviation, the one that ran its witness says what was seen."""
    left_out = check(verdict="deviation", deviation="d", message="left out: dtype float64")
    seen = check(verdict="deviation", deviation="d", message="0.5, but should be 0.25", case="one unit")
    (each,) = known(backends(results(checks=[left_out, seen])))
    assert each.message == "0.5, but should be 0.25"


def test_share_of_the_checks_that_a_deviation_touches() -> None:
    """From the smallest to the largest, of cases that were left out or of examples that were judged otherwise."""
    few, many = Extent("a", 3, 60), Extent("a", 15, 60)
    checks = [check(n, "deviation", deviation="a", extents=[each]) for n, each in (("1.1", many), ("1.2", few))]
    (each,) = known(backends(results(checks=checks)))
    assert each.share == "5 % to 25 % of a check's cases"
    assert "5 % to 25 % of a check" in markdown(summarise([results(checks=checks)]))
    judged = replace(checks[0], extents=[replace(many, judged_at="float32's roundoff")])
    (cause,) = common_causes(backends(results(checks=[judged])))
    assert cause.deviations[0].share == "25 % of a check's examples"
    assert cause.heading == "a: 1 clause (judged at float32's roundoff)"


def test_deviations_of_one_check_are_told_apart() -> None:
    """Each stands once with its own reason and extent, and with what was seen of it alone."""
    alone = check("1.1", "deviation", deviation="a", reason="first reason", message="seen of a", case="c")
    both = check("1.2", "deviation", deviation="a, b", reason="first reason\nsecond reason", message="of one of them")
    found = known(backends(results(checks=[both, alone])))
    assert [(each.name, each.reason, each.message) for each in found] == [
        ("a", "first reason", "seen of a"),
        ("b", "second reason", ""),
    ]
    assert [each.extent for each in found] == ["torch; clauses 1.1, 1.2 in float32", "torch; clause 1.2 in float32"]
    assert reasons_of(replace(both, reason="one reason for two")) == {"a, b": "one reason for two"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"diagnosis": "matches U transposed"}, {"diagnosis": "matches U transposed", "message": "else"}, True),
        ({"diagnosis": "matches U transposed"}, {"diagnosis": "matches b negated"}, False),
        ({"message": "run raised TypeError: float32[2,3]"}, {"message": "run raised TypeError: float32[4,1]"}, True),
        ({"message": "run raised TypeError: a"}, {"message": "run raised ValueError: a"}, False),
        ({"message": "outputs[0, 0] = 1, but should be 2"}, {"message": "outputs[0, 0] = 1, but should be 3"}, False),
    ],
)
def test_what_failures_have_in_common(one: dict[str, str], other: dict[str, str], *, same: bool) -> None:
    """The fault that they look like, or the exception without its numbers; wrong numbers alone say little."""
    plain = replace(failing(), diagnosis="")
    assert (kind_of(replace(plain, **one)) == kind_of(replace(plain, **other))) == same


def test_failures_of_one_kind_are_one_paragraph() -> None:
    """Forty checks that raise the same are told once, with how many there are, whatever their clauses."""
    raised = [
        failing(clauses=["1.1" if i % 2 else "1.2"], check=f"c{i}", diagnosis="", message=f"run raised TypeError: {i}")
        for i in range(40)
    ]
    run = results(checks=raised)
    assert [len(group) for group in of_one_kind(raised)] == [40]
    for text in (on_terminal(run, width=200), markdown(summarise([run]))):
        assert text.count("raised TypeError") == 1
        assert "40 checks of 2 clauses" in text


def test_what_was_not_looked_at_is_said() -> None:
    """A failure that is known in other versions only says so wherever it stands, in its sentence, too."""
    cause = Cause("keras-jax-stateful", "the state is lost", "Calls start from zeros.", "", {"keras": ">=3.11"})
    failed = failing(not_looked_at=[cause], check="a", clauses=["1.1"])
    run = results(checks=[failed, replace(failed, check="b", clauses=["1.2"], message="other numbers")])
    line = "not looked at in this version: the state is lost; known as keras-jax-stateful, seen with keras >=3.11"
    for text in (on_terminal(run, width=300), markdown(summarise([run])), junit(summarise([run]))):
        assert line in text.replace("&gt;", ">")
    assert "2 failing (known in other versions, not looked at in this one)" in sentence(backends(run)[0])
    assert [len(group) for group in of_one_kind(run.checks)] == [2]
