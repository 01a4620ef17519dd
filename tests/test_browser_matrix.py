"""The matrix in a real browser: its dtypes, its search, and two backends side by side, all kept in the address."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from browsing import NARROW, WIDE, Browser, on
from example_results import CLAUSES, HOSTILE, check, every_clause, hostile, results

pytestmark = pytest.mark.browser


@pytest.fixture
def matrix(browser: Browser, tmp_path: Path) -> Browser:
    """Three backends: of torch 1.1 deviates in float64, and 2.1 is unsupported; numpy always conforms."""
    wide = check("1.1", "deviation", dtype="float64", check="t.py::test_1_1[float64-eager]", deviation="wide")
    also = check("1.2", dtype="float64", check="t.py::test_1_2[float64-eager]")
    missing = check("2.1", "unsupported", worst=None, check="t.py::test_odd_shapes[float32-eager]", title="Odd shapes.")
    runs = [
        results("torch", [check("1.1"), check("1.2"), missing, wide, also]),
        results("keras-torch"),
        results("numpy", [*every_clause(), replace(wide, verdict="conforms", deviation=""), also]),
    ]
    return on(browser, tmp_path / "matrix", *runs)


def verdicts(browser: Browser, clause: str) -> list[str]:
    """What the cells of a clause say that are in sight."""
    row = next(
        row for row in browser.all(".clauses tr") if row.find_element("class name", "clause-number").text == clause
    )
    return [
        each.get_attribute("data-verdict") or ""
        for each in row.find_elements("css selector", "a.cell")
        if each.is_displayed()
    ]


def type_in(browser: Browser, text: str) -> None:
    field = browser.one("input[type=search]")
    field.clear()
    field.send_keys(text)


def choose_dtype(browser: Browser, name: str) -> None:
    next(each for each in browser.all("input[name=dtype]") if each.get_attribute("value") == name).click()


def test_float32_comes_first_and_the_dtype_is_kept_in_the_address(matrix: Browser) -> None:
    """Another dtype shows its own verdicts and the clauses that it was asked, also when the link is opened again."""
    matrix.open(fragment="open=1&open=2")
    assert verdicts(matrix, "1.1") == ["conforms"] * 3
    choose_dtype(matrix, "float64")
    assert matrix.fragment == "dtype=float64&open=1&open=2"
    assert verdicts(matrix, "1.1") == ["deviation", "not run", "conforms"]
    assert matrix.clauses == ["1.1", "1.2"], "2.1 was not asked in float64"
    assert matrix.one("output").text == "2 of 3 clauses"
    matrix.driver.refresh()
    assert verdicts(matrix, "1.1") == ["deviation", "not run", "conforms"]
    choose_dtype(matrix, "all")
    assert verdicts(matrix, "1.1") == ["deviation", "conforms", "conforms"]
    assert "float64 only" in matrix.one(".clauses").text
    choose_dtype(matrix, "float32")
    assert matrix.fragment == "open=1&open=2"
    assert matrix.complaints() == []


def test_verdicts_are_counted_in_the_dtype_that_is_shown(matrix: Browser) -> None:
    """A verdict that the dtype does not have is not offered."""
    matrix.open()
    offered = [each.text for each in matrix.all(".chip") if each.is_displayed() and "deviation" in each.text]
    assert offered == []
    choose_dtype(matrix, "float64")
    offered = [each.text for each in matrix.all(".chip") if each.is_displayed() and "deviation" in each.text]
    assert offered == ["△deviation 1"]
    matrix.choose("verdict", "deviation")
    assert matrix.clauses == ["1.1"]


def test_search(matrix: Browser) -> None:
    """Words of a clause, of its checks, and the names of backends; the check that was found is shown."""
    matrix.open()
    type_in(matrix, "BIAS computes")
    assert matrix.clauses == ["1.2"]
    assert matrix.fragment.startswith("search=BIAS+computes")
    type_in(matrix, "odd_shapes")
    assert matrix.clauses == ["2.1"]
    assert [each.text for each in matrix.all(".checks-of li") if each.is_displayed()] == ["Odd shapes. test_odd_shapes"]
    type_in(matrix, "torch 2.1")
    assert matrix.clauses == ["2.1"]
    assert [each.text for each in matrix.all(".matrix thead [data-backend]") if each.is_displayed()] == [
        "torch",
        "keras-torch",
    ]
    matrix.driver.refresh()
    assert matrix.one("input[type=search]").get_attribute("value") == "torch 2.1"
    assert matrix.clauses == ["2.1"]
    type_in(matrix, "no such words")
    assert matrix.one(".nothing").is_displayed()
    matrix.one("button.reset").click()
    assert matrix.one("output").text == "3 clauses"
    assert matrix.fragment == ""
    assert matrix.complaints() == []


def test_two_backends_side_by_side(matrix: Browser) -> None:
    """Two are picked, and what remains are the clauses of which they say something else."""
    matrix.open()
    for select, name in zip(matrix.all(".beside select"), ("torch", "numpy"), strict=True):
        next(each for each in select.find_elements("tag name", "option") if each.text == name).click()
    assert matrix.clauses == ["2.1"]
    assert matrix.one("output").text == "1 of 3 clauses differ between torch and numpy"
    choose_dtype(matrix, "float64")
    assert matrix.clauses == ["1.1"]
    address = matrix.fragment
    matrix.open(fragment=address)
    assert matrix.clauses == ["1.1"]
    assert [each.get_attribute("value") for each in matrix.all(".beside select")] == ["torch", "numpy"]
    matrix.choose("differ", "yes")
    assert matrix.one("output").text == "2 of 3 clauses, on 2 backends"


def test_a_search_for_hostile_text_runs_nothing(browser: Browser, tmp_path: Path) -> None:
    """Whatever is typed, and whatever is searched, is text."""
    on(browser, tmp_path / "hostile", hostile())
    browser.open()
    type_in(browser, "<script>alert(1)</script>")
    browser.driver.refresh()
    assert browser.run("return document.scripts.length") == 1
    assert browser.one("input[type=search]").get_attribute("value") == "<script>alert(1)</script>"
    assert browser.complaints() == []
    assert HOSTILE[:8] in browser.run("return document.body.textContent")


def test_pages_fit_both_widths(matrix: Browser) -> None:
    """The first page and the atlas are no wider than the window, on a desk and on a phone, nor is a table in them."""
    for width in (WIDE, NARROW):
        matrix.resize(width)
        for page in ("index.html", "atlas.html"):
            matrix.open(page)
            assert matrix.run("return document.documentElement.scrollWidth") <= width
            wide = "return [...document.querySelectorAll('table.stacked')].map(e => e.getBoundingClientRect().right)"
            assert all(right <= width for right in matrix.run(wide))
    labels = [each for each in matrix.all(".of-column") if each.is_displayed()]
    assert labels, "on a phone each row is a card that names its columns"


def test_without_script_float32_is_there(matrix: Browser) -> None:
    """Every clause in the dtype that comes first, and nothing that would need the script."""
    matrix.emulate("setScriptExecutionDisabled", value=True)
    matrix.open()
    assert matrix.clauses == list(CLAUSES)
    assert verdicts(matrix, "1.1") == ["conforms"] * 3
    assert not matrix.one("input[type=search]").is_displayed()
