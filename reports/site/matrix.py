"""The ways to look at the matrix: in float32 first, in each other dtype, in the halves together, and in all at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rnn_conformance.reports.overview.cells import Cell, counts
from rnn_conformance.reports.overview.summary import Backend, Summary
from rnn_conformance.reports.overview.verdicts import NOT_RUN, gravest

HALVES = ("float16", "bfloat16")
"""The dtypes that are looked at together: what is checked in one of them is checked in the other."""


@dataclass(frozen=True)
class View:
    """The cells of every backend in some dtypes, by backend and clause; `dtypes` is empty for all at once."""

    name: str
    dtypes: Sequence[str]
    cells: Mapping[str, Mapping[str, Cell]]

    def totals(self, backends: Iterable[Backend]) -> Mapping[str, int]:
        """How many cells of these backends there are of each verdict."""
        found = ((self.cells[backend.name], backend) for backend in backends)
        return counts(cells[clause] for cells, backend in found for clause in backend.about(cells))

    def asks(self, clauses: Iterable[str]) -> bool:
        """Whether any of the clauses was asked of any backend."""
        return any(cells[clause].verdict != NOT_RUN for clause in clauses for cells in self.cells.values())

    def counts_of(self, backend: Backend, clauses: Iterable[str]) -> Mapping[str, int]:
        """How many of the clauses there are of each verdict on a backend: those that conform, then the gravest.

        Those that say nothing of its cell are left out.
        """
        return counts(self.cells[backend.name][clause] for clause in backend.about(clauses))


def views(summary: Summary) -> Sequence[View]:
    """The views that tell anything apart, the one to begin with first; that of all dtypes is the last."""
    found = [_view(summary, name, dtypes) for name, dtypes in _facets(summary)]
    everything = View("all", (), {backend.name: backend.cells for backend in summary.backends})
    return [*found, everything] if len(found) != 1 else found


def _facets(summary: Summary) -> Iterator[tuple[str, Sequence[str]]]:
    """The names of the views, each with its dtypes: the summary's first dtype, then the others in their order."""
    dtypes = sorted(summary.dtypes, key=lambda dtype: dtype != summary.dtype)
    halves = [dtype for dtype in dtypes if dtype in HALVES]
    for dtype in dtypes:
        if dtype not in halves or len(halves) == 1:
            yield dtype, (dtype,)
        elif dtype == halves[0]:
            yield "halves", halves


def _view(summary: Summary, name: str, dtypes: Sequence[str]) -> View:
    return View(name, dtypes, {backend.name: _together(backend, dtypes) for backend in summary.backends})


def _together(backend: Backend, dtypes: Sequence[str]) -> Mapping[str, Cell]:
    facets = [backend.facet(dtype).cells for dtype in dtypes]
    return (
        facets[0]
        if len(facets) == 1
        else {clause: _joined([cells[clause] for cells in facets]) for clause in backend.cells}
    )


def _joined(cells: Sequence[Cell]) -> Cell:
    """What several dtypes say of a clause; a record that is of no dtype counts once."""
    records = {record.check: record for cell in cells for record in cell.records}
    return Cell(gravest(cell.verdict for cell in cells), list(records.values()), sum(cell.missing for cell in cells))


def choices_of_cells(summary: Summary) -> Mapping[str, Sequence[Backend]]:
    """The kinds of cells to choose from, each with its backends: where there are several, all at once is the last."""
    kinds = summary.by_cell
    return kinds if len(kinds) == 1 else {**kinds, "all": summary.backends}


def checks_by_clause(summary: Summary) -> Mapping[str, Mapping[str, str]]:
    """The checks of each clause by name, such as ``test_recurrence``, with their titles."""
    found: dict[str, dict[str, str]] = {clause: {} for clause in summary.clauses}
    for backend in summary.backends:
        for clause, cell in backend.cells.items():
            for record in cell.records:
                found[clause].setdefault(record.check.partition("[")[0].rpartition("::")[2], record.title)
    return found


def by_dtype(backend: Backend, clause: str) -> Mapping[str, str]:
    """What each dtype says of a clause, the one to show first before the others; those not asked are left out."""
    dtypes = sorted(backend.facets, key=lambda dtype: dtype != backend.dtype)
    said = {dtype: backend.facets[dtype].cells[clause].verdict for dtype in dtypes}
    return {dtype: verdict for dtype, verdict in said.items() if verdict != NOT_RUN}


def first_verdict(backend: Backend, clause: str) -> str:
    """What the dtype that is shown first says of a clause; if it was not asked, what all others say."""
    return by_dtype(backend, clause).get(backend.dtype, backend.cells[clause].verdict)
