"""The first page: backends as a table, float32 first, causes before symptoms, what qualifies a verdict beside it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from example_results import HOSTILE, check, every_clause, failing, results

from rnn_conformance.reports.overview.ranges import ranges
from rnn_conformance.reports.overview.summary import summarise
from rnn_conformance.reports.records.records import Cause, CheckRecord, Results
from rnn_conformance.reports.site.filters import moment
from rnn_conformance.reports.site.matrix import by_dtype, checks_by_clause, first_verdict, views
from rnn_conformance.reports.site.site import backend_page, cell_page, render


def index(*runs: Results) -> str:
    return dict(render(summarise(runs)))["index.html"]


def words(html: str) -> str:
    """What a page says, without its elements."""
    return " ".join(re.sub("<[^>]*>", " ", html).split())


def known(clause: str, dtype: str = "float64", name: str = "wide") -> CheckRecord:
    """A known deviation that has its cause in common with others."""
    cause = Cause(
        name, "float64 is computed in float32", "Digits are lost.", "https://github.com/keras-team/keras/issues/23704"
    )
    record = check(clause, "deviation", dtype=dtype, check=f"t.py::test_{clause}[{dtype}-eager]")
    return replace(record, deviation=name, reason=f"The reason of {name}.", causes=[cause])


def in_two_dtypes() -> Results:
    """1.1 conforms in float32 and deviates in float64; 1.2 was asked in the halves as well."""
    halves = [check("1.2", dtype=dtype, check=f"t.py::test_1_2[{dtype}-eager]") for dtype in ("float16", "bfloat16")]
    return results(checks=[*every_clause(), known("1.1"), *halves], started="2026-11-28T09:30:12Z")


def test_float32_is_looked_at_first() -> None:
    """Then each other dtype, the halves together, and all at once."""
    summary = summarise([in_two_dtypes()])
    found = views(summary)
    assert [view.name for view in found] == ["float32", "float64", "halves", "all"]
    assert [view.cells["torch"]["1.1"].verdict for view in found] == ["conforms", "deviation", "not run", "deviation"]
    assert [view.asks(["1.2"]) for view in found] == [True, False, True, True]
    assert len(found[2].cells["torch"]["1.2"].records) == 2
    assert found[0].totals(summary.backends) == {"conforms": 3}
    (backend,) = summary.backends
    assert by_dtype(backend, "1.1") == {"float32": "conforms", "float64": "deviation"}
    assert first_verdict(backend, "1.1") == "conforms"


@pytest.mark.parametrize("dtype", ["float32", "float64", ""])
def test_one_dtype_needs_no_choice(dtype: str) -> None:
    """There is nothing to tell apart."""
    run = results(checks=[replace(record, dtype=dtype) for record in every_clause()])
    assert len(views(summarise([run]))) == 1
    html = index(run)
    assert 'name="dtype"' not in html
    assert html.count('data-view="') > 0


def test_without_a_script_the_matrix_is_in_float32() -> None:
    """What another dtype says is there, and hidden until it is asked for."""
    html = index(in_two_dtypes())
    row = re.search(r'<span class="clause-number">1.1</span>(.*?)</tr>', html, re.DOTALL)
    assert row is not None
    cells = re.findall(r'data-view="(\w+)" data-verdict="([\w ]+)"( hidden)? href="([^"]*)"', row[1])
    assert cells == [
        ("float32", "conforms", "", cell_page("torch", "1.1")),
        ("float64", "deviation", " hidden", cell_page("torch", "1.1")),
        ("all", "deviation", " hidden", cell_page("torch", "1.1")),
    ]


def test_backends_are_a_table() -> None:
    """A row each: versions, the verdicts in each dtype, the worst error, the examples, and when it was run."""
    html = index(in_two_dtypes())
    table = html.partition('<table class="stacked backends"')[2].partition("</table>")[0]
    heads = re.findall(r'<th scope="col"[^>]*>([^<]*)<', table)
    said = [
        "Clauses in float32",
        "Clauses in float64",
        "Clauses in float16, bfloat16",
        "Worst error/bound",
        "Examples",
        "Run",
    ]
    assert heads == ["Backend", *said]
    text = words(table.partition("<tbody")[2])
    for part in [
        "torch torch 2.13.0",
        "In float32 3 of 3 conform",
        "In float64 0 of 1 conforms △ 1 deviation",
        "Worst error/bound 0.25",
        "2026-11-28 09:30 UTC profile default",
    ]:
        assert part in text


def test_what_qualifies_a_verdict_stands_beside_it() -> None:
    """In the table's verdict, over the matrix's column, and on the page of every cell."""
    cut = replace(
        results(checks=[check("1.1")], planned=[check().check, "t.py::test_new[float32-eager]"], profile="smoke"),
        footer=None,
    )
    site = dict(render(summarise([cut])))
    lacking = "truncated (1 of 2 planned checks have no record)"
    text = words(site["index.html"])
    assert f"1 of 3 conform , {lacking} , a first look (profile smoke)" in text
    assert "torch truncated first look" in text
    assert f"conforms , {lacking} , a first look (profile smoke)" in words(site[cell_page("torch", "1.1")])
    assert f"torch 2.13.0, {lacking}, a first look (profile smoke): " in words(site[backend_page("torch")])


def test_causes_come_before_symptoms() -> None:
    """One cause of many clauses is told once, with what it means, before the matrix; its clauses are folded."""
    run = results(checks=[*every_clause(), known("1.1"), known("1.2"), known("2.1", name="other")])
    for html in (index(run), dict(render(summarise([run])))[backend_page("torch")]):
        assert html.index("by their cause</h2>") < html.index("Clause" if "<h2>Clauses" in html else 'id="matrix"')
        cause = html.partition('<article class="finding cause')[2].partition("</article>")[0]
        shown, folded = cause.split("<details>")
        assert "float64 is computed in float32 (keras 23704): 3 clauses in float64 on torch" in words(shown)
        assert words(shown).endswith("Digits are lost.")
        assert html.count("Digits are lost.") == 1
        assert re.search(r"1 Values 1\.1 .? ?1\.2", words(folded)), "as a range"
        assert "The reason of wide." in folded
        assert "The reason of other." in folded


def test_many_causes_are_folded() -> None:
    """Those that touch most clauses are seen; the others leave room for the matrix."""
    causes = [
        replace(known("1.1", name=f"n{i}"), check=f"c{i}", causes=[Cause(f"n{i}", f"cause {i}", "")]) for i in range(8)
    ]
    html = index(results(checks=causes))
    seen, folded = html.split('<details class="more-causes">')
    assert seen.count('class="finding cause') == 5
    assert "<summary>3 more causes</summary>" in folded


def test_failures_of_one_kind_are_told_together() -> None:
    """The first page says how many checks of how many clauses look alike."""
    alike = [failing(clauses=[clause], check=f"t.py::test_{clause}[float32-eager]") for clause in ("1.1", "1.2", "2.1")]
    html = index(results(checks=alike))
    assert "3 checks of 3 clauses : matches &#34;U transposed&#34;" in words(html)
    page = dict(render(summarise([results(checks=alike)])))[backend_page("torch")]
    assert "<summary>2 more of this kind</summary>" in page


def test_a_search_finds_checks() -> None:
    """Each clause has its checks' names and titles, which are hidden until they are looked for."""
    summary = summarise([results()])
    assert checks_by_clause(summary)["1.1"] == {"test_1_1": "every step follows from the one before"}
    html = index(results())
    assert (
        '<ul class="checks-of" hidden><li>every step follows from the one before <code>test_1_1</code></li></ul>'
        in html
    )


@pytest.mark.parametrize(
    ("started", "text"),
    [
        ("2026-11-28T09:30:12Z", "2026-11-28 09:30 UTC"),
        ("2026-11-28T09:30:12.5Z", "2026-11-28 09:30 UTC"),
        ("", "time not recorded"),
        ("yesterday", "yesterday"),
        (HOSTILE, HOSTILE),
    ],
)
def test_when_a_run_began(started: str, text: str) -> None:
    """To the minute; whatever else a file says is shown as it is."""
    assert moment(started) == text


@pytest.mark.parametrize(
    ("clauses", "told"),
    [
        (["1.1", "1.2", "1.3"], [("1", [("1.1", "1.3")])]),
        (["1.3", "1.1", "1.1"], [("1", [("1.1", "1.1"), ("1.3", "1.3")])]),
        (["1.3", "2.1"], [("1", [("1.3", "1.3")]), ("2", [("2.1", "2.1")])]),
        (["9.9", "2.1", "9.8"], [("2", [("2.1", "2.1")]), ("9", [("9.8", "9.8"), ("9.9", "9.9")])]),
        ([], []),
    ],
)
def test_clauses_are_listed_as_ranges(clauses: list[str], told: object) -> None:
    """Those that follow each other in a chapter of the specification; what it does not have stands by itself."""
    assert ranges(clauses, ["1.1", "1.2", "1.3", "2.1", "2.2"]) == told
