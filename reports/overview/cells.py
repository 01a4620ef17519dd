"""What one backend's records say of one clause, and of all clauses in one dtype."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rnn_conformance.reports.overview.verdicts import NOT_RUN, SEVERITY, worst
from rnn_conformance.reports.records.records import CheckRecord, Worst

FIRST = "float32"
"""The dtype that is told first: nearly everybody works in it."""

DTYPES = (FIRST, "float64", "float16", "bfloat16")
"""The order in which dtypes are told; others follow."""


@dataclass(frozen=True)
class Cell:
    """What one backend's records say of one clause; `missing` counts the checks of it that have no record."""

    verdict: str
    records: Sequence[CheckRecord] = ()
    missing: int = 0

    @property
    def worst(self) -> Worst | None:
        return worst(self.records)

    @property
    def examples(self) -> int:
        return sum(record.examples for record in self.records)

    @property
    def discriminating(self) -> int:
        return sum(record.discriminating for record in self.records)

    @property
    def seconds(self) -> float:
        return sum(record.seconds for record in self.records)

    @property
    def unsupported(self) -> Sequence[CheckRecord]:
        return [record for record in self.records if record.verdict == "unsupported"]

    @property
    def scope(self) -> str:
        """The dtype that the verdict is about, such as ``float64 only``, if the others have a better one."""
        found = {record.dtype for record in self.records if record.verdict == self.verdict}
        return f"{found.pop()} only" if len(found) == 1 and len({record.dtype for record in self.records}) > 1 else ""


@dataclass(frozen=True)
class Facet:
    """A backend in one dtype: every clause's cell, of the checks in that dtype alone.

    A clause of which nothing is checked in the dtype is "not run" there. `offered` says whether the backend has it.
    """

    dtype: str
    cells: Mapping[str, Cell]
    offered: bool = True

    @property
    def counts(self) -> Mapping[str, int]:
        """How many clauses there are of each verdict: those that conform, then the others, the gravest first."""
        return counts(self.cells.values())

    @property
    def asked(self) -> int:
        """How many clauses have a verdict in this dtype."""
        return sum(cell.verdict != NOT_RUN for cell in self.cells.values())

    @property
    def records(self) -> Sequence[CheckRecord]:
        """The records in this dtype that cite a clause, each once."""
        found = {record.check: record for cell in self.cells.values() for record in cell.records}
        return list(found.values())


def counts(cells: Iterable[Cell]) -> Mapping[str, int]:
    """How many cells there are of each verdict: those that conform, then the others, the gravest first."""
    found = Counter(cell.verdict for cell in cells)
    return {verdict: found[verdict] for verdict in ("conforms", *SEVERITY) if found[verdict]}


def in_order(dtypes: Iterable[str]) -> list[str]:
    """Dtypes, each once: float32 first, then the others that are known, then the rest by name."""
    return sorted(set(dtypes), key=lambda dtype: (DTYPES.index(dtype) if dtype in DTYPES else len(DTYPES), dtype))
