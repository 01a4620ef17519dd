"""SPEC.md is read into chapters and clauses, and what does not belong in it is refused."""

from __future__ import annotations

import pytest

from rnn_conformance.reference.spec import Clause, parse, specification

SMALL = """\
# A specification

Specification version 0.7.

## 1 Values

- **1.1** Outputs are numbers,
  and inputs too.
- **1.2** Zero is zero.

> A note, which is no clause.

## 2 Shapes

- **2.1** A batch has `(batch, units)`.
"""


def test_a_small_text() -> None:
    """Version, chapters and clauses are found; a clause goes on over its indented lines."""
    spec = parse(SMALL)
    assert spec.version == "0.7"
    assert spec.chapters == {"1": "Values", "2": "Shapes"}
    assert list(spec.clauses) == ["1.1", "1.2", "2.1"]
    assert spec.clauses["1.1"] == Clause("1.1", "1", "Outputs are numbers, and inputs too.")


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ("Specification version 0.7.", "Version 0.7", "no line 'Specification version N.'"),
        ("**2.1**", "**1.3**", "clause 1.3 does not stand in chapter 1"),
        ("**2.1**", "**3.1**", "clause 3.1 does not stand in chapter 3"),
        ("**1.2**", "**1.1**", "clause 1.1 stands twice"),
    ],
)
def test_what_is_refused(right: str, wrong: str, message: str) -> None:
    """A text without a version, with a clause outside its chapter or with a number used twice is no specification."""
    with pytest.raises(ValueError, match=message):
        parse(SMALL.replace(right, wrong))


@pytest.mark.parametrize(
    ("names", "numbers"),
    [
        (["1.2"], ["1.2"]),
        (["1"], ["1.1", "1.2"]),
        (["2", "1.1"], ["1.1", "2.1"]),
        (["1", "1.2"], ["1.1", "1.2"]),
        ([], []),
    ],
)
def test_select(names: list[str], numbers: list[str]) -> None:
    """Clauses and whole chapters are selected, each clause once, in the order of the text."""
    assert parse(SMALL).select(names) == numbers


def test_select_lists_what_there_is() -> None:
    """A wrong name is answered with the names that would have been right."""
    with pytest.raises(ValueError, match="there is no clause or chapter '9'") as caught:
        parse(SMALL).select(["1.1", "9"])
    assert "1 (Values), 2 (Shapes)" in str(caught.value)
    assert "1.1, 1.2, 2.1" in str(caught.value)


def test_the_specification_itself() -> None:
    """SPEC.md has its version, every chapter has clauses numbered from 1, and every clause is a finished sentence."""
    spec = specification()
    assert spec.version == "3.0"
    for chapter in spec.chapters:
        numbers = spec.select([chapter])
        assert numbers == [f"{chapter}.{k + 1}" for k in range(len(numbers))]
        assert numbers
    for clause in spec.clauses.values():
        assert clause.text.endswith("."), clause


def test_clauses_of_one_cell() -> None:
    """Each cell has a chapter of its own, and two sentences more are about the simple RNN alone."""
    spec = specification()
    assert set(spec.of_other_cells("simple_rnn")) == set(spec.select(["16", "17"]))
    assert set(spec.of_other_cells("gru")) == set(spec.select(["1.8", "1.9", "15", "16"]))
