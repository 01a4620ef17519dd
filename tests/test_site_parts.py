"""What the site is made of: safe names of files, text with links, figures as tables, arrays as matrices."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from example_results import HOSTILE_NAMES

from rnn_conformance.reports.arrays import Matrix, axes, judged, matrices, shape
from rnn_conformance.reports.files import beside, file_name, link
from rnn_conformance.reports.filters import as_table, place, prose


def test_file_names_are_safe_and_apart() -> None:
    """A name is one part of a path on every system, and no two texts share one, whatever the case."""
    names = [file_name(text) for text in HOSTILE_NAMES]
    assert len({name.casefold() for name in names}) == len(HOSTILE_NAMES)
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._~-]*", name) and len(name) <= 80 for name in names)
    assert not [name for name in names if re.match(r"(con|nul|com\d)(\.|$)", name)]
    assert [file_name(text) for text in ("torch", "keras-jax", "1.10")] == ["torch", "keras-jax", "1.10"]
    assert file_name(file_name("A")) != file_name("A"), "a name that was made is not taken for a plain one"


def test_file_of_any_name_is_linked(tmp_path: Path) -> None:
    """A name with what means something in an address is quoted."""
    path = tmp_path / "a b" / "50%?#.json"
    path.parent.mkdir()
    path.write_text("{}", encoding="utf-8")
    found = beside(tmp_path / "x.jsonl", "a b/50%?#.json")
    assert found == path.resolve()
    assert link(found, tmp_path / "site" / "cells") == "../../a%20b/50%25%3F%23.json"


def test_addresses_in_prose() -> None:
    """An address is a link to where it says; whatever else looks like one is text."""
    assert prose("see https://a.org/b_(c) `x<y`") == (
        'see <a href="https://a.org/b_" rel="noreferrer">https://a.org/b_</a>(c) <code>x&lt;y</code>'
    )
    for text in ["javascript:alert(1)", "http://a.org", "data:text/html,x", "//a.org"]:
        assert "<a" not in prose(text)
    assert prose('https://a.org/"onclick=x') == (
        '<a href="https://a.org/" rel="noreferrer">https://a.org/</a>&#34;onclick=x'
    )


@pytest.mark.parametrize(
    ("value", "table"),
    [
        ([{"a": 1, "b": 2}, {"b": 4, "a": 3}], (["a", "b"], [[1, 2], [3, 4]])),
        ([{"a": 1}, {"b": 2}], None),
        ({"a": [1, 2], "b": [3, 4]}, (["a", "b"], [(1, 3), (2, 4)])),
        ({"a": 1, "b": [2]}, (["", ""], [("a", 1), ("b", [2])])),
        ([1, 2], None),
        ({}, None),
        ([], None),
        ("text", None),
    ],
)
def test_figures_as_a_table(value: Any, table: Any) -> None:
    """Rows of the same names are a table, and so are columns of one length; the rest is shown as it is."""
    assert as_table(value) == table


@pytest.mark.parametrize(
    ("where", "case", "words"),
    [
        ("outputs[2, 5, 1]", "simple_rnn(2 -> 3, tanh)", "layer 0, sequence 2, timestep 5, unit 1"),
        ("outputs[2, 5, 1]", "rnn(3 -> 4, relu) -> rnn(4 -> 4, relu)", "layer 1, sequence 2, timestep 5, unit 1"),
        ("outputs[2, 5, 1]", "simple_rnn(2 -> 3, tanh, backward), float32", ""),
        ("outputs[2, 5]", "simple_rnn(2 -> 3, tanh), float32", ""),
        ("final_state[1][0, 3]", "", "layer 1, sequence 0, unit 3"),
        ("tanh(0.5)", "", ""),
    ],
)
def test_place_in_words(where: str, case: str, words: str) -> None:
    """A place is told in words where it is sure."""
    assert place(where, case) == words


def test_arrays_are_matrices() -> None:
    """Rows stand under each other, each matrix with its index, and the number to look at is marked."""
    assert matrices([[1, -0.5], ["nan", 10]]) == [Matrix((), [[1, -0.5], ["nan", 10]])]
    assert matrices([[[1, 2]], [[3, 4]]], (1, 0, 1)) == [Matrix((0,), [[1, 2]]), Matrix((1,), [[3, 4]], (0, 1))]
    assert [each.index for each in matrices([[[[1]], [[2]]]])] == [(0, 0), (0, 1)]
    assert matrices([1, 2], (1,)) == [Matrix((), [[1, 2]], (0, 1))]
    assert matrices([1, 2], (1, 0)) == matrices([1, 2])
    assert matrices("tanh") == [Matrix((), [["tanh"]])]
    assert matrices([]) == [Matrix((), [[]])]
    assert [shape(value) for value in ([[1, 2]], [3], [[1], []], "tanh", [])] == ["(1, 2)", "(1,)", "", "", "(0,)"]


def test_ragged_lists_are_shown_too() -> None:
    """Lists that are no array are no reason to fail."""
    for value in ([[1], 2], [[[1]], [2]], [[[1]], 3, []], [[], [[]]]):
        for where in ((), (0,), (1, 0), (1, 0, 0)):
            assert matrices(value, where)


def test_axes_have_names() -> None:
    """The axes of what a witness holds are known by its name, and those of a judged array by what was judged."""
    assert axes("layers[1].backward.U", [[1]]) == ("unit", "unit before")
    assert axes("initial_state[0].backward", [[1]]) == ("sequence", "unit")
    assert axes("inputs", [[3]]) == ("sequence", "timestep")
    assert axes("actual", [[[1.0]]], "outputs") == ("sequence", "timestep", "unit")
    assert axes("actual", [[1.0]], "layers[0].W") == ("unit", "feature")
    assert axes("actual", [[1.0]], "something") == ()
    assert axes("W", [1.0]) == ()


def test_what_a_message_is_about() -> None:
    """A message begins with the result and the index that it is about."""
    assert judged("outputs[1, 2, 1] = -0.7, but should be 0") == ("outputs", (1, 2, 1))
    assert judged("gradient of layers[0].W[0, 0] = nan, but") == ("layers[0].W", (0, 0))
    assert judged("final_state[0][1, 3] = 2") == ("final_state[0]", (1, 3))
    assert judged("run raised IndexError: a[0] = 1") == ("", ())
