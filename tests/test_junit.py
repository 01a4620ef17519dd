"""JUnit XML says what CI systems need: what passed, what failed, what was left out, and why."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from example_results import check, failing, observation, results

from rnn_conformance.reports.overview.summary import exit_status, summarise
from rnn_conformance.reports.overview.verdicts import MISSING
from rnn_conformance.reports.records.records import VERDICTS, Results
from rnn_conformance.reports.renderings.junit import OUTCOMES, junit


def parsed(*runs: Results) -> Element:
    return ElementTree.fromstring(junit(summarise(runs)))


def case_of(verdict: str) -> Element:
    """The one case of results with one record of this verdict."""
    found = parsed(results(checks=[check(verdict=verdict, message="because\nof this", reason="known")]))
    (case,) = found.iter("testcase")
    return case


def test_a_suite_for_each_adapter() -> None:
    """With the attributes that every reader of JUnit XML looks for, which add up."""
    checks = [check(), failing(check="a::f[x]"), check("1.2", "broken"), check("2.1", "unsupported"), observation()]
    root = parsed(results(checks=checks), results("numpy"))
    assert root.tag == "testsuites"
    assert [suite.get("name") for suite in root] == ["torch", "numpy"]
    counts = {"tests": "5", "failures": "1", "errors": "1", "skipped": "1", "time": "2.100"}
    assert {name: root[0].get(name) for name in counts} == counts
    assert root.get("tests") == "8"
    assert root.get("time") == "3.600"
    for suite in root:
        assert [child.tag for child in suite] == ["properties"] + ["testcase"] * int(suite.get("tests", "0"))
        properties = {each.get("name"): each.get("value") for each in suite[0]}
        assert properties["version of " + str(suite.get("name"))] == "2.13.0"
        assert properties["seed"] == "7"
        assert properties["asked for"] == "everything"


def test_a_case_for_each_check() -> None:
    """Named as pytest names it, in a class of adapter and file, with the time it took."""
    (case, *_) = parsed(results()).iter("testcase")
    assert case.attrib == {"classname": "torch.test_values", "name": "test_1_1[float32-eager]", "time": "0.500"}
    properties = {each.get("name"): each.get("value") for each in case.iter("property")}
    assert properties == {
        "verdict": "conforms",
        "clauses": "1.1",
        "examples": "100",
        "discriminating": "90",
        "error/bound": "0.25",
        "where": "outputs[0, 3, 1]",
    }


@pytest.mark.parametrize("verdict", VERDICTS)
def test_outcomes(verdict: str) -> None:
    """What is neither green nor left out is what makes the exit status, and says why."""
    case = case_of(verdict)
    tags = {child.tag for child in case} - {"properties"}
    status = exit_status([results(checks=[check(verdict=verdict)])])
    assert bool(tags & {"failure", "error"}) == (status != 0)
    if outcome := OUTCOMES[verdict]:
        assert tags == {outcome}
        (found,) = case.iter(outcome)
        first = "known" if verdict == "deviation" else "because"
        assert (found.get("type"), found.get("message")) == (verdict, f"{verdict}: {first}")
        assert "because\nof this" in (found.text or "")
    else:
        assert tags == {"system-out"}


def test_every_verdict_has_an_outcome() -> None:
    """A new one cannot be forgotten."""
    assert set(OUTCOMES) == {*VERDICTS, MISSING}


def test_a_failure_tells_how_to_see_it_again() -> None:
    """With the case, and the commands for it."""
    (found,) = parsed(results(checks=[failing()])).iter("failure")
    for text in ["should be 5.0", "case: relu, 2 features", "run it again: rnn-conformance replay witnesses/torch"]:
        assert text in (found.text or "")


@pytest.mark.parametrize(
    ("run", "name", "message"),
    [
        (replace(results(planned=["a::never"], checks=[check()]), footer=None), "never", "cut short before this"),
        (replace(results(), footer=None), "the run", "ended without its footer"),
        (results(checks=[]), "the run", "no check was run"),
    ],
)
def test_what_is_lacking_is_an_error(run: Results, name: str, message: str) -> None:
    """A run of which something is missing is not green."""
    (error,) = parsed(run).iter("error")
    (case,) = [each for each in parsed(run).iter("testcase") if each.find("error") is not None]
    assert case.get("name") == name
    assert message in (error.get("message") or "")


def test_what_xml_forbids() -> None:
    """Control characters, halves of pairs and markup are shown as text, in attributes and elsewhere."""
    bad = "\x00\x1b[31m\ud800\ufffe ]]> <b a='1'> & \" é"
    record = check(verdict="fails", check=bad, message=bad, title=bad, case=bad, dtype=bad, seconds=float("nan"))
    text = junit(summarise([results(bad, checks=[record], versions={bad: bad}, environment={bad: bad})]))
    assert text.isascii()
    (found,) = ElementTree.fromstring(text).iter("failure")
    shown = "\\x00\\x1b[31m\\ud800\\ufffe ]]> <b a='1'> & \" é"
    assert found.get("message") == f"fails: {shown}"
    assert shown in (found.text or "")
    (case,) = ElementTree.fromstring(text).iter("testcase")
    assert case.get("time") == "0.000"
    assert {each.tag for each in ElementTree.fromstring(text).iter()} == {
        *("testsuites", "testsuite", "properties", "property", "testcase", "failure")
    }
