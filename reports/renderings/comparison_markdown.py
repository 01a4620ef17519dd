"""Comparisons as Markdown, for the summary page of a CI run. What comes from results is data, so it is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rnn_conformance.reports.overview.verdicts import SYMBOLS
from rnn_conformance.reports.overview.wording import count
from rnn_conformance.reports.renderings.markdown import escape
from rnn_conformance.reports.upgrades.causes import CauseChange, extent
from rnn_conformance.reports.upgrades.change import KINDS, Change, grouped, subjects
from rnn_conformance.reports.upgrades.comparison import Comparison

MANY = 10
"""Of more clauses than this, the table is folded."""


def comparison_markdown(comparison: Comparison) -> str:
    """A sentence, the causes, the clauses about which something changed, and every change by kind."""
    return "\n".join(_lines(comparison)) + "\n"


def _lines(comparison: Comparison) -> Iterator[str]:
    yield f"**{escape(comparison.step)}**: {escape(comparison.outcome)}."
    if comparison.changes and comparison.environment:
        yield ""
        yield escape(f"Also other: {', '.join(map(str, comparison.environment))}.")
    for note in comparison.notes:
        yield ""
        yield f"> {escape(note)}"
    if comparison.causes:
        yield ""
        yield from map(_cause, comparison.causes)
    if comparison.clauses:
        many = len(comparison.clauses) > MANY
        yield ""
        if many:
            yield f"<details><summary>{count(len(comparison.clauses), 'clause')}</summary>"
            yield ""
        yield f"| clause | was | is | {' | '.join(KINDS)} |"
        yield f"|---|---|---|{'---:|' * len(KINDS)}"
        for each in comparison.clauses:
            verdicts = [f"{SYMBOLS[verdict]} {verdict}" for verdict in (each.old, each.new)]
            counts = [str(each.counts[kind] or "") for kind in KINDS]
            yield f"| {' | '.join([escape(f'{each.clause} {each.text}'), *verdicts, *counts])} |"
        if many:
            yield ""
            yield "</details>"
    for kind, meaning in KINDS.items():
        if groups := grouped(comparison.of_kind(kind)):
            # What a cause explains is told above, once; what none does stands open.
            unexplained = any(not change.causes for group in groups for change in group)
            yield ""
            yield f"<details{' open' if kind in ('meaning', 'support') and unexplained else ''}>"
            yield f"<summary><b>{kind.capitalize()}</b>: {meaning}</summary>"
            yield ""
            yield from map(_item, groups)
            yield ""
            yield "</details>"


def _cause(change: CauseChange) -> str:
    step = f"{escape(change.old)} → {escape(change.new)}"
    told = [f"**{change.word}: {escape(change.name)}**: {step}", *map(escape, change.means), escape(extent(change))]
    return "- " + ". ".join(each.removesuffix(".") for each in told) + "."


def _item(group: Sequence[Change]) -> str:
    change = group[0]
    step = f": {escape(change.old)} → {escape(change.new)}" if change.old or change.new else ""
    named = ", ".join(map(escape, subjects(group)))
    return f"- **{change.word}** {named}{step}" + (f". {escape(change.detail)}" if change.detail else "")
