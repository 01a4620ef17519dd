"""A comparison on a terminal. What comes from results is data: it is never read as markup or as a control sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rnn_conformance.reports.overview.verdicts import SYMBOLS
from rnn_conformance.reports.renderings.terminal import style_of, text_of
from rnn_conformance.reports.upgrades.causes import CauseChange, extent
from rnn_conformance.reports.upgrades.change import BETTER, KINDS, OTHER, WORSE, Change, grouped, subjects
from rnn_conformance.reports.upgrades.comparison import Comparison

MANY = 10
"""So many changes in accuracy and in bits are shown: there is one of these for nearly every check, if for any.

So many clauses have a row each; of more, only the number is told.
"""

TREND_STYLES = {WORSE: "red", BETTER: "green", OTHER: "yellow"}


class TerminalComparison:
    """A rich renderable: ``console.print(TerminalComparison(comparison))``."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        comparison = self.comparison
        yield text_of(f"{comparison.step}: {comparison.outcome}", "bold")
        if comparison.changes and comparison.environment:
            yield Padding(text_of(f"also other: {', '.join(map(str, comparison.environment))}", "dim"), (0, 0, 0, 2))
        for note in comparison.notes:
            yield Padding(text_of(f"note: {note}", "magenta"), (0, 0, 0, 2))
        if 0 < len(comparison.clauses) <= MANY:
            yield Padding(_table(comparison), (1, 0, 0, 2))
        elif comparison.clauses:
            told = f"{len(comparison.clauses)} clauses are concerned: --format json or markdown has each of them"
            yield Padding(Text(told, "dim"), (0, 0, 0, 2))
        for kind, meaning in KINDS.items():
            if changes := comparison.of_kind(kind):
                groups = grouped(change for change in changes if not change.causes)
                yield Text("\n") + Text(kind.capitalize(), "bold") + Text(f": {meaning}")
                if kind == "meaning":
                    yield from (Padding(Group(*_of_cause(each)), (0, 0, 0, 2)) for each in comparison.causes)
                few = groups[:MANY] if kind in ("accuracy", "bits") else groups
                yield from (Padding(Group(*_lines(group)), (0, 0, 0, 2)) for group in few)
                if more := len(groups) - len(few):
                    yield Padding(Text(f"and {more} more: --format json has all of them", "dim"), (0, 0, 0, 2))


def _table(comparison: Comparison) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for name in ("clause", "was", "is"):
        table.add_column(name)
    for kind in KINDS:
        table.add_column(kind, justify="right")
    for each in comparison.clauses:
        counts = [str(each.counts[kind] or "") for kind in KINDS]
        table.add_row(text_of(each.clause), _verdict(each.old), _verdict(each.new), *counts)
    return table


def _verdict(verdict: str) -> Text:
    return Text(f"{SYMBOLS[verdict]} {verdict}", style_of(verdict))


def _of_cause(change: CauseChange) -> Iterator[Text | Padding]:
    """A cause in a line, and below it what it means and how much it touches, the clauses folded if they are many."""
    step = f": {change.old} → {change.new}"
    yield Text(f"{change.word} ", TREND_STYLES[change.trend]) + text_of(change.name, "bold") + text_of(step)
    yield from (Padding(text_of(line), (0, 0, 0, 4)) for line in [*change.means, extent(change)])


def _lines(group: Sequence[Change]) -> Iterator[Text | Padding]:
    change = group[0]
    subject, *others = subjects(group)
    step = f": {change.old} → {change.new}" if change.old or change.new else ""
    yield Text(f"{change.word} ", TREND_STYLES[change.trend]) + text_of(subject, "bold") + text_of(step)
    told = ([change.detail] if change.detail else []) + ([f"and {', '.join(others)}"] if others else [])
    yield from (Padding(text_of(line), (0, 0, 0, 4)) for line in told)
