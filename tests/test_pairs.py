"""Covering arrays: each two values that can meet do, in few rows, the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product

import pytest

from rnn_conformance.conformance.cases.pairs import Row, covering_rows, in_words, pairs_of, summary

COFFEE = {"cup": ["paper", "glass"], "milk": ["none", "oat", "cow"], "size": ["small", "large"], "sugar": [0, 1, 2]}


def sensible(row: Row) -> bool:
    """No large glass, and no sugar without milk."""
    return not (row.get("cup") == "glass" and row.get("size") == "large") and not (
        row.get("milk") == "none" and row.get("sugar", 0) > 0
    )


def all_rows() -> list[Row]:
    return [dict(zip(COFFEE, values, strict=True)) for values in product(*COFFEE.values())]


@pytest.mark.parametrize("seed", range(20))
def test_every_pair_that_can_be_had_is_there(seed: int) -> None:
    """What the rows cover is what all allowed rows cover, and the rest is reported as impossible."""
    cover = covering_rows(COFFEE, sensible, seed)
    rows, impossible = cover.rows, cover.impossible
    assert all(sensible(row) and list(row) == list(COFFEE) for row in rows)
    covered = set().union(*map(pairs_of, rows))
    assert covered == set().union(*(pairs_of(row) for row in all_rows() if sensible(row)))
    assert cover.covered == covered
    assert not cover.refused
    assert not covered & impossible
    assert len(covered) + len(impossible) == sum(len(COFFEE[a]) * len(COFFEE[b]) for a, b in combinations(COFFEE, 2))


def test_impossible_pairs_have_names() -> None:
    """A glass is never large, and black coffee has no sugar."""
    assert sorted(map(in_words, covering_rows(COFFEE, sensible, 0).impossible)) == [
        "cup glass + size large",
        "milk none + sugar 1",
        "milk none + sugar 2",
    ]


def test_pair_that_a_third_factor_forbids() -> None:
    """A pair can be impossible although its two values do not forbid each other."""
    factors = {"a": [0, 1], "b": [0, 1], "c": [0, 1]}

    def allowed(row: Row) -> bool:
        return not (row.get("a") == 1 and row.get("c") == 0) and not (row.get("b") == 1 and row.get("c") == 1)

    cover = covering_rows(factors, allowed, 0)
    assert frozenset((("a", 1), ("b", 1))) in cover.impossible
    assert all(allowed(row) for row in cover.rows)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_refused_leaves_the_rest_covered(seed: int) -> None:
    """Where only whole rows can be asked whether they are offered, all pairs that are innocent are covered."""

    def refuses(row: Row) -> str:
        return "no cow today" if row["milk"] == "cow" and row["cup"] == "glass" else ""

    cover = covering_rows(COFFEE, sensible, seed, refuses)
    assert {in_words(pair): reason for pair, reason in cover.refused.items()} == {
        "cup glass + milk cow": "no cow today"
    }
    assert not any(refuses(row) for row in cover.rows)
    assert len(cover.covered) == 37 - 3 - 1


def test_few_rows() -> None:
    """Fifteen factors of four values have 1680 pairs and a thousand million rows; a few dozen rows cover them."""
    cover = covering_rows({f"f{k}": list(range(4)) for k in range(15)}, lambda row: True, 1)
    assert not cover.impossible
    assert len(cover.rows) < 50


def test_same_seed_same_rows() -> None:
    """A run can be repeated; another seed lets other triples meet."""
    assert covering_rows(COFFEE, sensible, 3) == covering_rows(COFFEE, sensible, 3)
    assert covering_rows(COFFEE, sensible, 3) != covering_rows(COFFEE, sensible, 4)


def test_summary() -> None:
    """The report says what has met, what has not, and what was refused."""
    cover = covering_rows(COFFEE, sensible, 0, lambda row: "sold out" if row["size"] == "large" else "")
    whole = summary(COFFEE, cover, cover.rows)
    assert whole["covered"] == whole["possible"] == 37 - 3 - 7
    assert whole["missing"] == []
    assert whole["factors"]["sugar"] == ["0", "1", "2"]
    assert whole["refused"]["milk cow + size large"] == "sold out"
    part = summary(COFFEE, cover, cover.rows[:1])
    assert (part["covered"], part["rows"]) == (6, 1)
    assert len(part["missing"]) == part["possible"] - 6


def oat_in_glass(row: Row) -> str:
    """Known to go wrong: oat milk in a glass, and two lumps in what is small."""
    known = ["oat"] * (row.get("milk") == "oat" and row.get("cup") == "glass")
    known += ["two"] * (row.get("sugar") == 2 and row.get("size") == "small")
    return ", ".join(known)


@pytest.mark.parametrize("seed", range(20))
def test_what_is_known_to_be_wrong_hides_no_other_pair(seed: int) -> None:
    """The rows are those that there were, and others for the pairs that met in none but those known to be wrong."""
    before, cover = (covering_rows(COFFEE, sensible, seed, known=known) for known in (lambda row: "", oat_in_glass))
    assert cover.rows[: len(before.rows)] == before.rows
    judged = [row for row in cover.rows if not oat_in_glass(row)]
    possible = [row for row in all_rows() if sensible(row) and not oat_in_glass(row)]
    assert set().union(*map(pairs_of, judged)) == set().union(*map(pairs_of, possible))
    told = {in_words(pair): names for pair, names in cover.known.items()}
    # Large needs paper, so that two lumps in a glass are of something small.
    assert set(told) == {"cup glass + milk oat", "size small + sugar 2", "cup glass + sugar 2"}
    assert "oat" in told["cup glass + milk oat"]
    assert "two" in told["size small + sugar 2"]
    assert "two" in told["cup glass + sugar 2"]
    whole = summary(COFFEE, cover, judged)
    assert (whole["covered"], whole["missing"], whole["known"]) == (37 - 3 - 3, [], dict(sorted(told.items())))


def test_pair_that_is_offered_in_few_rows_is_found_without_what_is_known() -> None:
    """After a refusal, rows are made of what is known to be offered, also in the rows that were added."""

    def refuses(row: Row) -> str:
        return "no cow in glass" if row["milk"] == "cow" and row["cup"] == "glass" else ""

    def known(row: Row) -> str:
        return "sweet cow" if row.get("milk") == "cow" and row.get("sugar") == 1 else ""

    for seed in range(20):
        cover = covering_rows(COFFEE, sensible, seed, refuses, known)
        assert {in_words(pair) for pair in cover.known} == {"milk cow + sugar 1"}


def test_pair_whose_refusal_was_hidden_by_what_is_known() -> None:
    """A row that breaks before it could be refused says nothing of what is offered: others with its pairs do."""

    def known(row: Row) -> str:
        return "breaks" if row.get("size") == "large" and row.get("sugar") == 1 else ""

    def refuses(row: Row) -> str:
        return "no oat today" if row["milk"] == "oat" and row["cup"] == "paper" and not known(row) else ""

    pair = frozenset((("milk", "oat"), ("cup", "paper")))
    for seed in range(20):
        cover = covering_rows(COFFEE, sensible, seed, refuses, known)
        assert cover.refused.get(pair) == "no oat today"
        assert pair not in cover.known


@pytest.mark.parametrize("seed", range(5))
def test_what_is_dear_is_in_few_rows(seed: int) -> None:
    """All pairs are covered as before, and few of the rows that do not need it have it."""
    factors: dict[str, Sequence[int]] = {"f0": range(8), "f1": range(8), "f2": range(8), "gradient": (False, True)}
    usual = covering_rows(factors, lambda row: True, seed)
    cover = covering_rows(factors, lambda row: True, seed, dear={("gradient", True)})
    assert cover.covered == usual.covered
    assert sum(row["gradient"] for row in cover.rows) < sum(row["gradient"] for row in usual.rows) / 2
