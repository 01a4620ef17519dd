"""One sentence says of a backend what is true for most users first, dtypes apart, and what qualifies it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from example_results import check, every_clause, results

from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.reports.overview.caveats import SMALL, caveats
from rnn_conformance.reports.overview.sentence import sentence
from rnn_conformance.reports.overview.summary import Backend, Suite, summarise
from rnn_conformance.reports.records.records import Cause, CheckRecord, Results, Worst

SINGLE = Cause("keras-torch-float64", "float64 is computed in float32", "Few digits.", "")


def backend(run: Results, reader: Suite | None = None) -> Backend:
    return summarise([run], reader).backends[0]


def double(clause: str, verdict: str = "conforms", dtype: str = "float64") -> CheckRecord:
    """A record of a clause in another dtype; a deviation has the same cause everywhere."""
    return check(
        clause,
        verdict,
        check=f"test_values.py::test_{clause}[{dtype}-eager]",
        dtype=dtype,
        deviation=SINGLE.deviation if verdict == "deviation" else "",
        causes=[SINGLE] if verdict == "deviation" else [],
        worst=Worst(80.0 if verdict == "deviation" else 0.1, 1.0, "", ""),
    )


def test_float32_first_and_one_cause_for_all_of_float64() -> None:
    """What is wrong in float64 alone does not stand before what nearly everybody works in."""
    checks = [double(clause, "deviation") for clause in ("1.1", "1.2", "2.1")]
    checks += [check("1.1"), check("1.2"), check("2.1", "unsupported")]
    checks += [double("1.1", dtype=dtype) for dtype in ("bfloat16", "float16")]
    assert sentence(backend(results(checks=checks))) == (
        "torch 2.13.0: float32 conforms on 2 of 3 clauses, 1 unsupported; "
        "float64 on 0 of 3, 3 with known deviations (float64 is computed in float32); "
        "float16 and bfloat16 on 1 of 1; 800 examples, worst error 0.25 of its bound"
    )


def test_several_causes_are_counted() -> None:
    """Where one cause is not all, the sentence says how many there are."""
    other = replace(double("1.2", "deviation", "float32"), deviation="other", causes=[])
    said = sentence(backend(results(checks=[check("2.1"), double("1.1", "deviation", "float32"), other])))
    assert "float32 conforms on 1 of 3 clauses, 2 with known deviations (2 causes);" in said


def test_verdicts_by_dtype() -> None:
    """Each dtype has the verdicts of its own checks; over all dtypes the gravest remains."""
    shown = backend(results(checks=[*every_clause(), double("1.1", "deviation")]))
    assert list(shown.facets) == ["float32", "float64"]
    assert [shown.facet(dtype).cells["1.1"].verdict for dtype in ("float32", "float64", "")] == [
        "conforms",
        "deviation",
        "deviation",
    ]
    assert shown.facet("float64").cells["1.2"].verdict == "not run"
    assert shown.facet("float64").asked == 1
    assert shown.counts_of(["1.1", "1.2"], "float32") == {"conforms": 2}
    assert not shown.facet("bfloat16").offered
    assert shown.facet("bfloat16").counts == {"not run": 3}


def test_missing_checks_count_in_their_dtype() -> None:
    """A run that was cut short in float64 says nothing less of float32."""
    planned = ["t::a[float32-eager]", "t::a[float64-eager]"]
    cut = replace(results(checks=[check(check=planned[0])], planned=planned), footer=None)
    facets = backend(cut).facets
    assert {dtype: facet.cells["1.1"].verdict for dtype, facet in facets.items()} == {
        "float32": "conforms",
        "float64": "missing",
    }


def test_a_backend_without_float32() -> None:
    """It is shown in what it has, and that float32 is not there is said."""
    shown = backend(results(checks=[check("1.1", "unsupported"), double("1.1")]))
    assert shown.dtype == "float64"
    assert ": no float32 is offered; float64 conforms on 1 of 1 clause;" in sentence(shown)
    declared = results(checks=[double("1.1")], description={"precision": {"float64": {}, "float32": {}}})
    assert ": float32 was not asked; float64 on 1 of 1;" in sentence(backend(declared))


def test_what_qualifies_a_verdict_stands_before_it() -> None:
    """A partial run, a small profile and another suite are said in the sentence of the verdict, and are data."""
    run = results(checks=[check("1.1")], profile="smoke", only=["1.1", "7"], digest="aaa")
    shown = backend(run, Suite("0.1.0", "bbb"))
    assert sentence(shown).startswith(
        "torch 2.13.0, a first look (profile smoke), asked for 1.1 and 7 only (1 of 3 clauses), made by another state "
        "of the suite (0.1.0 aaa, this is 0.1.0 bbb): float32 conforms on 1 of 1 clause;"
    )
    assert [caveat.kind for caveat in caveats(shown)] == ["first look", "partial", "another suite"]


@pytest.mark.parametrize("reader", [None, Suite("0.1.0", "aaa")])
def test_nothing_qualifies_a_whole_run(reader: Suite | None) -> None:
    """A whole run in a whole profile, by the suite that tells of it, is told without any reserve."""
    assert caveats(backend(results(digest="aaa"), reader)) == []


def test_what_says_nothing_of_a_cell_is_not_lacking() -> None:
    """A run of one kind of cell is whole without the clauses of the others."""
    whole = results(checks=[check("1.1"), check("1.2")], digest="aaa")
    assert [caveat.text for caveat in caveats(backend(whole))] == ["1 of 3 clauses not run"]
    assert caveats(backend(results(checks=whole.checks, digest="aaa", of_other_cells=["2.1"]))) == []


def test_small_profiles_are_profiles() -> None:
    """A report knows them by name only, since it imports nothing of the suite."""
    assert set(SMALL) < set(PROFILES)


def test_a_run_in_which_nothing_was_checked() -> None:
    """No clause at all is no verdict in any dtype."""
    assert ": no clause was checked; 0 examples" in sentence(backend(results(checks=[])))
