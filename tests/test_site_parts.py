"""What the site is made of: safe names of files, text with links, figures as tables, arrays as matrices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from example_results import check

from rnn_conformance.reports.overview.arrays import Matrix, axes, judged, matrices, shape
from rnn_conformance.reports.overview.wording import by_clause, discriminating, refused
from rnn_conformance.reports.records.files import beside, place_in_site
from rnn_conformance.reports.site.filters import as_table, place, prose


def test_place_in_site(tmp_path: Path) -> None:
    """A file in the site's folder stays where it is; of any other there is a copy, whatever the backend is called."""
    path = tmp_path / "run" / "witnesses" / "torch.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}", encoding="utf-8")
    results, file = tmp_path / "run" / "x.jsonl", "witnesses/torch.json"
    assert beside(results, file) == path.resolve()
    assert place_in_site(tmp_path / "run", "torch", results, file) == file
    assert place_in_site(tmp_path / "site", "torch", results, file) == f"evidence/torch/{file}"
    assert place_in_site(tmp_path / "site", "../..", results, file).startswith("evidence/x~")
    assert place_in_site(tmp_path / "site", "torch", results, "witnesses/gone.json") == ""


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


def test_how_many_examples_could_have_failed() -> None:
    """Of a check, of each of its clauses for which it is another number, and how many models it did not get to see."""
    record = check(clauses=["1.1", "1.2"], by_clause={"1.1": 90, "1.2": 40}, structures=8, refusals={"too large": 3})
    assert discriminating(record) == "90 of 100"
    assert by_clause(record) == ["for 1.2: 40 of 100"]
    assert refused(record) == ["3 of 8 models refused: too large"]
