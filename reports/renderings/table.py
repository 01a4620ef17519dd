"""A table on a terminal, or a list where that is too narrow for one: nothing is cut off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Column, Table
from rich.text import Text

from rnn_conformance.reports.renderings.terminal import text_of

_NARROWEST = 8
"""So many letters a column has to have."""


@dataclass(frozen=True)
class WholeTable:
    """A rich renderable of rows of texts; `marked` are the first cells of those that are to be seen."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    marked: frozenset[str] = frozenset()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if options.max_width < _NARROWEST * len(self.heads):
            yield from self._list()
            return
        table = Table(*(Column(head, overflow="fold") for head in self.heads), box=None, pad_edge=False)
        for row in self.rows:
            table.add_row(*(text_of(cell, self._style(row)) for cell in row))
        yield table

    def _list(self) -> Iterator[Text]:
        for row in self.rows:
            for head, cell in zip(self.heads, row, strict=True):
                if cell:
                    yield text_of(f"{head}: {cell}", self._style(row))
            yield Text()

    def _style(self, row: Sequence[str]) -> str:
        return "bold red" if row[0] in self.marked else ""
