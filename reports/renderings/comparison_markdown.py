"""Comparisons as Markdown, for the summary page of a CI run. What comes from results is data, so it is escaped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rnn_conformance.reports.overview.verdicts import SYMBOLS
from rnn_conformance.reports.renderings.markdown import escape
from rnn_conformance.reports.upgrades.change import KINDS, Change, grouped, subjects
from rnn_conformance.reports.upgrades.comparison import Comparison


def comparison_markdown(comparison: Comparison) -> str:
    """A sentence, the clauses about which something changed, and every change by kind."""
    return "\n".join(_lines(comparison)) + "\n"


def _lines(comparison: Comparison) -> Iterator[str]:
    yield f"**{escape(comparison.step)}**: {escape(comparison.outcome)}."
    if comparison.changes and comparison.environment:
        yield ""
        yield escape(f"Also other: {', '.join(map(str, comparison.environment))}.")
    for note in comparison.notes:
        yield ""
        yield f"> {escape(note)}"
    if comparison.clauses:
        yield ""
        yield f"| clause | was | is | {' | '.join(KINDS)} |"
        yield f"|---|---|---|{'---:|' * len(KINDS)}"
        for each in comparison.clauses:
            verdicts = [f"{SYMBOLS[verdict]} {verdict}" for verdict in (each.old, each.new)]
            counts = [str(each.counts[kind] or "") for kind in KINDS]
            yield f"| {' | '.join([escape(f'{each.clause} {each.text}'), *verdicts, *counts])} |"
    for kind, meaning in KINDS.items():
        if groups := grouped(comparison.of_kind(kind)):
            yield ""
            yield f"<details{' open' if kind in ('meaning', 'support') else ''}>"
            yield f"<summary><b>{kind.capitalize()}</b>: {meaning}</summary>"
            yield ""
            yield from map(_item, groups)
            yield ""
            yield "</details>"


def _item(group: Sequence[Change]) -> str:
    change = group[0]
    step = f": {escape(change.old)} → {escape(change.new)}" if change.old or change.new else ""
    named = ", ".join(map(escape, subjects(group)))
    return f"- **{change.word}** {named}{step}" + (f". {escape(change.detail)}" if change.detail else "")
