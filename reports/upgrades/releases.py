"""What a sweep found: a row for each release by date, held against the release before it, chapter by chapter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from packaging.version import Version

from rnn_conformance.reports.overview.summary import summarise
from rnn_conformance.reports.overview.verdicts import NOT_RUN, gravest
from rnn_conformance.reports.overview.wording import count
from rnn_conformance.reports.records.records import Results
from rnn_conformance.reports.upgrades.change import KINDS
from rnn_conformance.reports.upgrades.comparison import Comparison, NotComparable, compare

MARKS = dict(zip(KINDS, "MSAB", strict=True))
"""A letter for each kind of change: meaning, support, accuracy, bits."""


@dataclass(frozen=True)
class Tried:
    """A release of a package on a `day`, such as ``2025-05-19``, and the results with it, or why there are none."""

    package: str
    version: str
    day: str
    results: Results | None
    why: str = ""

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


@dataclass(frozen=True)
class Row:
    """A release as it was tried, and what changed with it since the release `before`, none for the first.

    `refused` says why these two cannot be compared, if they cannot.
    """

    tried: Tried
    before: Tried | None = None
    comparison: Comparison | None = None
    refused: str = ""

    @cached_property
    def chapters(self) -> Mapping[str, str]:
        """The gravest verdict of the clauses of each chapter, by its number; empty without results."""
        if self.tried.results is None:
            return {}
        cells = summarise([self.tried.results]).backends[0].cells
        return {
            chapter: gravest(cell.verdict for clause, cell in cells.items() if clause.partition(".")[0] == chapter)
            for chapter in self.tried.results.header.chapters
        }

    def kinds(self, chapter: str) -> Sequence[str]:
        """The kinds in which something changed in a chapter, the gravest first."""
        changed = self.comparison.clauses if self.comparison else ()
        return [
            kind
            for kind in KINDS
            if any(each.counts[kind] for each in changed if each.clause.partition(".")[0] == chapter)
        ]

    @property
    def outcome(self) -> str:
        """What there is to say of this release, in a sentence."""
        if self.tried.results is None:
            return f"skipped: {self.tried.why.splitlines()[0] if self.tried.why else 'no reason is known'}"
        if self.comparison:
            return self.comparison.outcome
        return f"cannot be compared: {self.refused}" if self.refused else "the first"


@dataclass(frozen=True)
class Timeline:
    """The rows of a backend on a kind of cell, the oldest day first, and the releases left out, with the reasons."""

    name: str
    rows: Sequence[Row]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def chapters(self) -> Mapping[str, str]:
        """The chapters of which something was asked, by number, with their titles."""
        found = next((row.tried.results for row in self.rows if row.tried.results), None)
        titles = found.header.chapters if found else {}
        asked = {n for row in self.rows for n, verdict in row.chapters.items() if verdict != NOT_RUN}
        return {number: title for number, title in titles.items() if number in asked}

    @property
    def sentence(self) -> str:
        """All there is to say of it, in one sentence."""
        tried = [row for row in self.rows if row.tried.results]
        if not tried:
            return f"{count(len(self.rows), 'release')}, none of which could be run"
        span = f"from {tried[0].tried} ({tried[0].tried.day}) to {tried[-1].tried} ({tried[-1].tried.day})"
        changed = [sum(bool(row.comparison and row.comparison.of_kind(kind)) for row in tried) for kind in KINDS]
        told = ", ".join(f"{kind} with {number}" for kind, number in zip(KINDS, changed, strict=True) if number)
        skipped = len(self.rows) - len(tried)
        left = f", {skipped} skipped" if skipped else ""
        return f"{count(len(self.rows), 'release')}{left}, {span}; what changed: {told or 'nothing'}"


def timeline(name: str, tried: Sequence[Tried], left_out: Mapping[str, str] | None = None) -> Timeline:
    """The timeline of what was tried, in the order of days.

    A release is held against the one tried before it. One of an older line, such as 3.12.4 after 3.15.0, is held
    against the one of its package that is next below it in number, and nothing against it but the next of its line.
    """
    return Timeline(name, list(_rows(tried)), left_out or {})


def _rows(tried: Sequence[Tried]) -> Iterator[Row]:
    newest: dict[str, Version] = {}
    head: Tried | None = None
    earlier: list[Tried] = []
    for each in sorted(tried, key=lambda each: each.day):
        version = Version(each.version)
        is_head = version >= newest.get(each.package, version)
        before = head if is_head else _next_lower(each, earlier)
        yield _row(each, before)
        if is_head:
            newest[each.package] = version
        if each.results:
            earlier.append(each)
            head = each if is_head else head


def _next_lower(release: Tried, earlier: Sequence[Tried]) -> Tried | None:
    """The release of the same package that is next below this one in number."""
    lower = [
        each for each in earlier if each.package == release.package and Version(each.version) < Version(release.version)
    ]
    return max(lower, key=lambda each: Version(each.version), default=None)


def _row(tried: Tried, before: Tried | None) -> Row:
    if tried.results is None or before is None or before.results is None:
        return Row(tried)
    try:
        return Row(tried, before, compare(before.results, tried.results))
    except NotComparable as reason:
        return Row(tried, before, refused=str(reason))
