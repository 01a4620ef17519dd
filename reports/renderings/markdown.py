"""The summary as Markdown, for the summary page of a CI run. What comes from results is data, so it is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from rnn_conformance.reports.overview.beside import beside
from rnn_conformance.reports.overview.causes import common_causes, kind_extent, of_one_kind
from rnn_conformance.reports.overview.cells import Cell
from rnn_conformance.reports.overview.sentence import sentence
from rnn_conformance.reports.overview.summary import Backend, Summary
from rnn_conformance.reports.overview.verdicts import NOT_RUN, SYMBOLS
from rnn_conformance.reports.overview.wording import evidence, figure, not_looked_at, title
from rnn_conformance.reports.records.harmless import shown
from rnn_conformance.reports.records.records import CheckRecord

FEW = 6
"""So many checks that failed in one way are named, of more only the number is told."""


def markdown(summary: Summary) -> str:
    """A sentence for each backend, the causes of known deviations, what does not conform, the matrix, observations."""
    return "\n".join(_lines(summary)) + "\n"


def escape(text: str) -> str:
    """Text on one line, of which nothing is Markdown, HTML or a control sequence."""
    text = _escape(" ".join(text.split()))
    # What would begin a heading or an item of a list.
    return re.sub(r"^(?=[#+=-]|\d+[.)](?: |$))(\d*)(.)", r"\1\\\2", text)


def code_spans(text: str) -> str:
    """Words on one line with their `code` as such, and everything else escaped."""
    text = " ".join(text.split())
    pieces = text.split("`")
    # A backtick without its pair, two in a row, and what would end a cell of a table are no code.
    if len(pieces) % 2 == 0 or not all(pieces[1:-1]) or any("|" in piece for piece in pieces[1::2]):
        return _escape(text)
    return "".join(f"`{piece}`" if i % 2 else _escape(piece) for i, piece in enumerate(pieces))


def fenced(text: str, language: str = "text") -> str:
    """Text as a block of code, whatever backticks it has."""
    text = shown(text)
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _escape(text: str) -> str:
    text = shown(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]|~$])", r"\\\1", text)


def _lines(summary: Summary) -> Iterator[str]:
    yield "## RNN conformance"
    yield ""
    yield (
        f"Suite {escape(summary.suite)}, specification {escape(summary.specification)}; "
        f"profile {escape(', '.join(summary.profiles))}, seed {', '.join(map(str, summary.seeds))}"
        + (f"; {escape(summary.detection)}." if summary.detection else ".")
    )
    yield ""
    for backend in summary.backends:
        yield f"- {escape(sentence(backend))}."
    for backend in summary.backends:
        yield from _problems(summary, backend)
    yield from _causes(summary)
    yield ""
    yield "### Clauses"
    for dtype in summary.dtypes or [summary.dtype]:
        yield from _matrix(summary, dtype)
    for backend in summary.backends:
        yield from _observations(backend)


def _matrix(summary: Summary, dtype: str) -> Iterator[str]:
    """The chapters and clauses in one dtype; those other than the one to show first are folded."""
    shown_first = dtype == summary.dtype
    yield ""
    if not shown_first:
        yield "<details>"
        yield f"<summary>The clauses in {escape(dtype)}</summary>"
        yield ""
    yield f"| in {escape(dtype)} | " + " | ".join(escape(backend.name) for backend in summary.backends) + " |"
    yield "|---" * (1 + len(summary.backends)) + "|"
    facets = [backend.facet(dtype).cells for backend in summary.backends]
    for chapter, name in summary.chapters.items():
        rows = {clause: [cells[clause] for cells in facets] for clause in summary.clauses_of(chapter)}
        # Of a dtype in which few clauses are asked, the others would be rows of nothing.
        about = {clause for clause in rows if any(backend.is_about(clause) for backend in summary.backends)}
        told = {
            clause: row
            for clause, row in rows.items()
            if {c.verdict for c in row} != {NOT_RUN} or (shown_first and clause in about)
        }
        if told:
            yield f"| **{escape(f'{chapter} {name}')}** |" + " |" * len(summary.backends)
        for clause, row in told.items():
            yield f"| {escape(clause)} | {' | '.join(map(_cell, row))} |"
    yield ""
    if shown_first:
        yield "The number in a cell is the worst error as a share of its bound."
    else:
        yield "</details>"


def _cell(cell: Cell) -> str:
    return f"{SYMBOLS[cell.verdict]} {cell.verdict}" + (f" {figure(cell.worst.ratio)}" if cell.worst else "")


def _causes(summary: Summary) -> Iterator[str]:
    if causes := common_causes(summary.backends):
        yield ""
        yield "### Known deviations, by their cause"
    for cause in causes:
        yield ""
        yield f"{SYMBOLS['deviation']} **{escape(cause.heading)}** {escape(cause.where)}."
        yield escape(" ".join(cause.told))
        yield ""
        yield "<details><summary>Which clauses, and why</summary>"
        yield ""
        for name, clauses in cause.backends.items():
            yield f"- {escape(name)}: {escape(', '.join(clauses))}"
        for each in cause.deviations:
            share = f" ({each.share})" if each.share else ""
            yield f"- {escape(each.name)}{escape(share)}: {escape(each.reason or each.message)}"
        yield ""
        yield "</details>"


def _problems(summary: Summary, backend: Backend) -> Iterator[str]:
    if backend.problems:
        yield ""
        yield f"### {escape(title(backend.results.header))}: does not conform"
        for group in of_one_kind(backend.problems):
            yield ""
            yield from _problem(summary, group)


def _problem(summary: Summary, group: Sequence[CheckRecord]) -> Iterator[str]:
    first = group[0]
    checks = ", ".join(escape(record.check) for record in group[:FEW])
    more = f" and more: {kind_extent(group)} in all" if len(group) > FEW else ""
    yield f"{SYMBOLS[first.verdict]} **{first.verdict}**: {checks}{more}"
    yield ""
    for clause in first.clauses:
        yield f"- {escape(f'{clause} ' + summary.clauses.get(clause, ''))}"
    told = [first.message, first.case and f"case: {first.case}", *beside(first), *not_looked_at(first)]
    told += evidence(first, Path())
    if body := "\n".join(filter(None, told)):
        yield ""
        yield fenced(body)


def _observations(backend: Backend) -> Iterator[str]:
    if backend.observations:
        yield ""
        yield f"### {escape(title(backend.results.header))}: observations"
        yield ""
        for each in backend.observations:
            yield f"- {escape(each.question)}: **{escape(each.answer)}** ({escape('; '.join(each.where))})"
