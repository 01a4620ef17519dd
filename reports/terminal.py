"""The summary on a terminal. What comes from results is data: it is never read as markup or as a control sequence."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rnn_conformance.reports.records import CheckRecord
from rnn_conformance.reports.summary import SYMBOLS, Backend, Summary, figure, sentence, title, truncation

STYLES = {
    "conforms": "green",
    "deviation": "yellow",
    "unsupported": "dim",
    "missing": "magenta",
    "not run": "dim",
}
"""The colour of each verdict; all others are red."""


class TerminalReport:
    """A rich renderable: ``console.print(TerminalReport(summary))``."""

    def __init__(self, summary: Summary) -> None:
        self.summary = summary

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _table(self.summary)
        for backend in self.summary.backends:
            if backend.truncated:
                yield _line(f"{backend.name}: {truncation(backend.results)}", "bold magenta")
        for backend in self.summary.backends:
            if backend.problems:
                yield _heading(backend, "does not conform")
            for record in backend.problems:
                yield from _problem(self.summary, record)
        for backend in self.summary.backends:
            if deviations := backend.of_verdict("deviation"):
                yield _heading(backend, "known deviations")
                yield from (_deviation(record) for record in deviations)


def brief(summary: Summary) -> Iterable[Text]:
    """One sentence for each backend."""
    return [_line(sentence(backend)) for backend in summary.backends]


def _table(summary: Summary) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("adapter", no_wrap=False, overflow="fold")
    table.add_column("clauses", ratio=1)
    for name in ("examples", "error/bound", "seconds"):
        table.add_column(Text(name.replace("/", "/\n")), justify="right", vertical="top", no_wrap=True)
    for backend in summary.backends:
        table.add_row(
            _line(backend.name),
            _counts(backend),
            f"{backend.examples:,}",
            figure(backend.worst.ratio) if backend.worst else "",
            f"{backend.seconds:,.1f}",
        )
    return table


def _counts(backend: Backend) -> Text:
    return Text(", ").join(
        Text(f"{SYMBOLS[verdict]} {number} {verdict}".replace(" ", "\N{NO-BREAK SPACE}"), _style(verdict))
        for verdict, number in reversed(backend.counts.items())
    )


def _heading(backend: Backend, what: str) -> Text:
    return _line(f"\n{title(backend.results.header)}: {what}", "bold")


def _problem(summary: Summary, record: CheckRecord) -> Iterable[Padding]:
    lines = [Text(f"{SYMBOLS[record.verdict]} {record.verdict}: ", _style(record.verdict)) + _line(record.check, "bold")]
    lines += [_line(f"{clause}  {summary.clauses.get(clause, '')}", "italic") for clause in record.clauses]
    yield Padding(Text("\n").join(lines), (0, 0, 0, 2))
    body = [_line(record.message)] if record.message else []
    body += [_line(f"case: {record.case}")] if record.case else []
    yield Padding(Text("\n").join(body), (0, 0, 1, 4))


def _deviation(record: CheckRecord) -> Padding:
    clauses = ", ".join(record.clauses)
    reason = record.deviation or record.message
    return Padding(Text(f"{SYMBOLS['deviation']} ", _style("deviation")) + _line(f"{clauses}  {reason}"), (0, 0, 0, 2))


def _style(verdict: str) -> str:
    return STYLES.get(verdict, "red")


def _line(text: str, style: str = "") -> Text:
    """Text as it is, but for what a terminal would obey: an escape sequence is shown, not sent."""
    shown = (c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode("ascii") for c in text)
    return Text("".join(shown), style)
