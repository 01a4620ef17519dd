"""Covering arrays: few rows in which each two values of different factors meet at least once.

Most faults that need several features to meet need two (Kuhn, Wallace and Gallo, "Software Fault Interactions and
Implications for Software Testing", IEEE Transactions on Software Engineering 30(6), 2004). Rows are built greedily, one
factor at a time, as in Cohen, Dalal, Fredman and Patton, "The AETG System", IEEE Transactions on Software Engineering
23(7), 1997.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np

Row = Mapping[str, Any]
"""A value for each factor, by name."""

Pair = frozenset[tuple[str, Any]]
"""Two factors, each with a value."""

Factors = Mapping[str, Sequence[Any]]

_ATTEMPTS = 4


@dataclass
class Cover:
    """Rows, and of every pair what became of it: covered by them, impossible, or refused for a reason.

    `known` are the pairs that no row has of which nothing is known to be wrong, with what is known of their rows.
    """

    rows: list[Row] = field(default_factory=list)
    covered: set[Pair] = field(default_factory=set)
    impossible: set[Pair] = field(default_factory=set)
    refused: dict[Pair, str] = field(default_factory=dict)
    known: dict[Pair, str] = field(default_factory=dict)


def pairs_of(row: Row) -> set[Pair]:
    """All pairs that meet in a row."""
    return {frozenset(pair) for pair in combinations(row.items(), 2)}


def all_pairs(factors: Factors, around: str = "") -> list[Pair]:
    """Every two values of different factors; with `around`, those of which one is a value of that factor."""
    two = [both for both in combinations(factors, 2) if not around or around in both]
    return [frozenset(((a, u), (b, v))) for a, b in two for u in factors[a] for v in factors[b]]


def covering_rows(
    factors: Factors,
    allowed: Callable[[Row], bool],
    seed: int,
    refuses: Callable[[Row], str] = lambda row: "",
    known: Callable[[Row], str] = lambda row: "",
    *,
    around: str = "",
    dear: Set[tuple[str, Any]] = frozenset(),
) -> Cover:
    """Rows that cover every pair that can be had. The same seed gives the same rows.

    `allowed` says of a row, or of a part of one, whether its values go together; of a part it says no only if nothing
    that is added can mend it. `refuses` is asked of whole rows that are allowed, and gives the reason why one cannot be
    had, if so. A pair is refused after several rows with it were, the later ones made of what had not been refused.

    `known` names what is known to be wrong with a row, or with whatever has this part. Such rows are there as they
    would be if nothing were known, so that they are the same whatever is; more rows follow, in which each pair that
    met in none but these meets without anything that is known to be wrong, if there is such a row. With a factor
    `around` which all is to meet, only the pairs that have it are covered. A value that is `dear` is added to a
    row only where it brings more pairs than any other does.
    """
    rng = np.random.default_rng(seed)
    pairs = all_pairs(factors, around)
    order = [pairs[k] for k in rng.permutation(len(pairs))]
    cover = _cover(order, factors, allowed, refuses, rng, dear)
    sound = set().union(*(pairs_of(row) for row in cover.rows if not known(row)))
    wanted = [pair for pair in order if pair in cover.covered and pair not in sound]
    more = _cover(wanted, factors, lambda row: allowed(row) and not known(row), refuses, rng, dear, cover.covered)
    for pair in wanted:
        if pair in more.refused:  # what is wrong with a row may have come before its refusal
            cover.refused[pair] = more.refused[pair]
        elif pair in more.impossible:
            cover.known[pair] = _in_common([known(row).split(", ") for row in cover.rows if pair in pairs_of(row)])
    cover.rows += more.rows
    return cover


def _in_common(names: Sequence[Sequence[str]]) -> str:
    """Those that are in every list, or all of them where there is none."""
    everything = list(dict.fromkeys(name for each in names for name in each))
    return ", ".join([name for name in everything if all(name in each for each in names)] or everything)


def _cover(
    pairs: Sequence[Pair],
    factors: Factors,
    allowed: Callable[[Row], bool],
    refuses: Callable[[Row], str],
    rng: np.random.Generator,
    dear: Set[tuple[str, Any]],
    offered: Set[Pair] = frozenset(),
) -> Cover:
    """Rows that cover these pairs, as far as they can be had; some that are `offered` are known already."""
    wanted = dict.fromkeys(pairs, 0)  # a queue, with the attempts so far
    cover = Cover()
    while wanted:
        pair = next(iter(wanted))
        attempts = wanted.pop(pair)
        order = [str(name) for name in rng.permutation([name for name in factors if name not in dict(pair)])]
        values = {name: [factors[name][k] for k in rng.permutation(len(factors[name]))] for name in order}
        worth = cover.covered | offered if attempts else wanted
        row = _completed(dict(pair), order, values, allowed, worth, dear)
        if row is None:
            cover.impossible.add(pair)
        elif reason := refuses(row):
            if attempts + 1 < _ATTEMPTS:
                wanted[pair] = attempts + 1  # at the end of the queue, when more is known
            else:
                cover.refused[pair] = reason
        else:
            cover.rows.append({name: row[name] for name in factors})
            cover.covered |= pairs_of(row)
            wanted = {item: tried for item, tried in wanted.items() if item not in cover.covered}
    for pair in cover.covered & cover.refused.keys():
        del cover.refused[pair]
    return cover


def _completed(
    part: dict[str, Any],
    order: Sequence[str],
    values: Factors,
    allowed: Callable[[Row], bool],
    worth: Container[Pair],
    dear: Set[tuple[str, Any]],
) -> dict[str, Any] | None:
    """A whole row with this part, in which many pairs meet that are worth it, or None if there is no such row."""
    if not allowed(part):
        return None
    # What no longer goes with the part goes with nothing that is added to it: else whole rows would be tried in vain.
    left = {name: [value for value in values[name] if allowed({**part, name: value})] for name in order}
    if not all(left.values()):
        return None
    if not order:
        return part
    name, *rest = order

    def gained(value: Any) -> tuple[int, bool]:
        return sum(frozenset(((name, value), item)) in worth for item in part.items()), (name, value) not in dear

    for value in sorted(left[name], key=gained, reverse=True):
        row = _completed({**part, name: value}, rest, left, allowed, worth, dear)
        if row is not None:
            return row
    return None


def summary(factors: Factors, cover: Cover, judged: Sequence[Row], around: str = "") -> dict[str, Any]:
    """Which pairs have met in the rows that were judged, for the report, in words; with `around`, those of that factor.

    A pair that is impossible or refused is not possible, nor is one whose every row is known to be wrong; a possible
    one is missing where not all rows were judged.
    """
    met = {pair for row in judged for pair in pairs_of(row)}
    possible = set(all_pairs(factors, around)) - cover.impossible - cover.refused.keys() - cover.known.keys()
    return {
        "covered": len(possible & met),
        "possible": len(possible),
        "rows": len(judged),
        "factors": {name: [_said(value) for value in values] for name, values in factors.items()},
        "missing": sorted(map(in_words, possible - met)),
        "refused": {in_words(pair): cover.refused[pair] for pair in sorted(cover.refused, key=in_words)},
        "known": {in_words(pair): cover.known[pair] for pair in sorted(cover.known, key=in_words)},
    }


def in_words(pair: Pair) -> str:
    """Such as ``direction backward + pattern left``."""
    return " + ".join(sorted(f"{name} {_said(value)}" for name, value in pair))


def row_in_words(row: Row) -> str:
    """Such as ``way eager, direction backward, pattern left``: the same for the same row, in every run."""
    return ", ".join(f"{name} {_said(value)}" for name, value in row.items())


def _said(value: Any) -> str:
    """A value in words, without the comma that stands between those of a row."""
    return str(value).replace(",", "")
