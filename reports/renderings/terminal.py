"""The summary on a terminal. What comes from results is data: it is never read as markup or as a control sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rnn_conformance.reports.overview.beside import beside
from rnn_conformance.reports.overview.causes import CommonCause, common_causes, kind_extent, of_one_kind
from rnn_conformance.reports.overview.caveats import caveats
from rnn_conformance.reports.overview.cells import FIRST
from rnn_conformance.reports.overview.summary import Backend, Summary, alike_facets
from rnn_conformance.reports.overview.verdicts import NOT_RUN, SYMBOLS
from rnn_conformance.reports.overview.wording import evidence, figure, not_looked_at, others, title
from rnn_conformance.reports.records.harmless import shown
from rnn_conformance.reports.records.records import CheckRecord

STYLES = {
    "conforms": "green",
    "observed": "cyan",
    "deviation": "yellow",
    "unsupported": "dim",
    "missing": "magenta",
    "not run": "dim",
}
"""The colour of each verdict; all others are red."""

FEW = 6
"""So many clauses and checks are named, of more only the number is told."""


class TerminalReport:
    """A rich renderable: ``console.print(TerminalReport(summary), crop=False)`` (see `whole`)."""

    def __init__(self, summary: Summary) -> None:
        self.summary = summary

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield _table(self.summary)
        if self.summary.detection:
            yield text_of(f"the suite itself: {self.summary.detection}", "dim")
        for backend in self.summary.backends:
            if backend.problems:
                yield _heading(backend, "does not conform")
            for group in of_one_kind(backend.problems):
                yield from _problem(self.summary, backend, group)
        if causes := common_causes(self.summary.backends):
            yield text_of("\nKnown deviations, by their cause", "bold")
            for cause in causes:
                yield from _cause(cause)


def _table(summary: Summary) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    table.add_column("adapter", overflow="fold")
    table.add_column("clauses by dtype", ratio=1, overflow="fold")
    for name in ("examples", "error/\nbound", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for backend in summary.backends:
        table.add_row(
            text_of(backend.name),
            Text("\n").join(_verdicts(backend)),
            f"{backend.examples:,}",
            figure(backend.worst.ratio) if backend.worst else "",
            f"{backend.seconds:,.1f}",
        )
    return table


def _verdicts(backend: Backend) -> Iterator[Text]:
    """A line for each dtype, or for those that say the same, and one of what qualifies them."""
    if backend.dtype != FIRST:
        yield text_of(f"no {FIRST} is offered", "dim")
    for dtypes, facet in alike_facets(backend):
        said = [(verdict, number) for verdict, number in facet.counts.items() if verdict != NOT_RUN]
        verdicts = (text_of(f"{number} {verdict}", style_of(verdict)) for verdict, number in said)
        yield text_of(f"{', '.join(dtypes)}: ") + Text(", ").join(verdicts)
    if text := others(backend):
        yield text_of(text, "red")
    if found := caveats(backend):
        yield text_of("; ".join(caveat.text for caveat in found), "magenta")


def _heading(backend: Backend, what: str) -> Text:
    return Text("\n") + text_of(f"{title(backend.results.header)}: {what}", "bold")


def _problem(summary: Summary, backend: Backend, group: Sequence[CheckRecord]) -> Iterator[RenderableType]:
    first = group[0]
    lines = [
        Text(f"{SYMBOLS[first.verdict]} {first.verdict}: ", style_of(first.verdict)) + text_of(first.check, "bold")
    ]
    lines += [text_of(f"and {record.check}", "bold") for record in group[1:FEW]]
    if len(group) > FEW:
        lines += [text_of(f"and {len(group) - FEW} more of this kind, in all of {kind_extent(group)}", "bold")]
    lines += [text_of(f"{clause}  {summary.clauses.get(clause, '')}", "italic") for clause in first.clauses]
    yield Padding(Text("\n").join(lines), (0, 0, 0, 2))
    body = [text_of(first.message)] if first.message else []
    body += [text_of(f"case: {first.case}")] if first.case else []
    body += map(text_of, [*beside(first), *not_looked_at(first)])
    if body:
        yield Padding(Text("\n").join(body), (0, 0, 0, 4))
    yield from (whole(f"    {line}", "dim") for line in evidence(first, _from_here(backend.results.path.parent)))
    yield Text()


def _cause(cause: CommonCause) -> Iterator[RenderableType]:
    """What it is, where, and what it means; why, in full, is on the page and told by the command `deviations`."""
    few = f" {', '.join(cause.clauses)}" if len(cause.clauses) <= FEW else ""
    lines = [Text(f"{SYMBOLS['deviation']} ", style_of("deviation")) + text_of(cause.heading, "bold") + text_of(few)]
    lines += [text_of(cause.where, "dim")]
    lines += map(text_of, cause.told)
    names = " ".join(each.name for each in cause.deviations)
    yield Padding(Text("\n").join(lines), (0, 0, 0, 2))
    yield whole(f"  in full: rnn-conformance deviations {names}", "dim")
    yield Text()


def _from_here(folder: Path) -> Path:
    """The folder as it is best typed."""
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def style_of(verdict: str) -> str:
    """The colour of a verdict."""
    return STYLES.get(verdict, "red")


def text_of(text: str, style: str = "") -> Text:
    """Text that came from results, to be printed as it is."""
    return Text(shown(text), style)


def whole(line: str, style: str = "") -> Text:
    """A line with a command or a path, to be copied: never broken, though a narrow terminal may show it in several.

    It has to be printed with ``crop=False``.
    """
    return Text(shown(line), style, no_wrap=True, overflow="ignore")
