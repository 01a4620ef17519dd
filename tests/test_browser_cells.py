"""The filter of cells in a real browser: what it shows of the matrix and of the pictures, kept in the address."""

from __future__ import annotations

from pathlib import Path

import pytest
from browsing import NARROW, WIDE, Browser, on
from example_results import check, results

pytestmark = pytest.mark.browser


@pytest.fixture
def cells(browser: Browser, tmp_path: Path) -> Browser:
    """torch on two cells, of which the LSTM fails 1.1, and numpy on the simple RNN alone."""
    fails = [check("1.1", "fails", shares={"1": 1}), check("1.2", shares={"-3": 1})]
    sound = [check("1.1", shares={"-3": 1}), check("1.2")]
    return on(browser, tmp_path, results("torch", sound), results("torch", fails, cell="lstm"), results("numpy"))


def choose(browser: Browser, cell: str) -> None:
    next(each for each in browser.all("input[name=cell]") if each.get_attribute("value") == cell).click()


def columns(browser: Browser) -> list[str]:
    """The backends that are in sight."""
    return [each.text for each in browser.all(".matrix thead [data-backend] a") if each.is_displayed()]


def test_a_cell_is_chosen_and_kept_in_the_address(cells: Browser) -> None:
    """The simple RNN is first; another shows its backends, its verdicts and its pictures, also when opened again."""
    cells.open()
    assert columns(cells) == ["torch", "numpy"]
    assert [each.text for each in cells.all("figure h3") if each.is_displayed()] == ["Errors and their bounds"]
    choose(cells, "lstm")
    assert columns(cells) == ["torch-lstm"]
    assert cells.fragment == "cell=lstm"
    assert "LSTM" in cells.one("h2#matrix").text
    assert [each.text for each in cells.all("figure h3") if each.is_displayed()] == ["Errors and their bounds, LSTM"]
    cells.driver.refresh()
    assert columns(cells) == ["torch-lstm"]
    choose(cells, "all")
    assert columns(cells) == ["torch", "torch-lstm", "numpy"]
    choose(cells, "simple_rnn")
    assert cells.fragment == ""
    assert cells.complaints() == []


def test_verdicts_are_counted_of_the_cell_that_is_shown(cells: Browser) -> None:
    """A verdict that no backend has on it is not offered, and one that is asked for is shown of it alone."""
    cells.open()
    assert [each.text for each in cells.all(".chip") if each.is_displayed() and "fails" in each.text] == []
    choose(cells, "lstm")
    assert [each.text for each in cells.all(".chip") if each.is_displayed() and "fails" in each.text] == ["✗fails 1"]
    cells.choose("verdict", "fails")
    assert cells.clauses == ["1.1"]
    assert cells.one("output").text == "1 of 3 clauses, on 1 backend"


def test_backends_of_several_cells_side_by_side(cells: Browser) -> None:
    """Who picks two gets both, whatever the cell that was chosen; choosing a cell leaves the others out again."""
    cells.open()
    for select, name in zip(cells.all(".beside select"), ("torch", "torch-lstm"), strict=True):
        next(each for each in select.find_elements("tag name", "option") if each.text == name).click()
    assert columns(cells) == ["torch", "torch-lstm"]
    assert cells.one("output").text == "1 of 3 clauses differ between torch and torch-lstm"
    assert "cell=all" in cells.fragment
    choose(cells, "lstm")
    assert columns(cells) == ["torch-lstm"]


def test_backends_that_are_sought_by_name_are_shown_whatever_the_cell(cells: Browser) -> None:
    """A search for a cell's name finds it, though another is chosen."""
    cells.open()
    cells.one("input[type=search]").send_keys("lstm")
    assert columns(cells) == ["torch-lstm"]


@pytest.mark.parametrize("width", [WIDE, NARROW])
def test_nothing_is_wider_than_the_window(cells: Browser, width: int) -> None:
    """Neither with all cells at once."""
    cells.resize(width)
    cells.open(fragment="cell=all")
    assert cells.run("return document.documentElement.scrollWidth <= innerWidth")
