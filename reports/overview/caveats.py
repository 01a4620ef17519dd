"""What qualifies the verdicts of a run: it was cut short or partial, its profile is small, another suite made it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rnn_conformance.reports.overview.summary import Backend
from rnn_conformance.reports.overview.verdicts import NOT_RUN
from rnn_conformance.reports.overview.wording import asked_for, count, lacking

SMALL = ("smoke",)
"""The profiles that are no more than a first look."""


@dataclass(frozen=True)
class Caveat:
    """One thing to know before a verdict is believed: in a word or two, and in words that fit into a sentence."""

    kind: str
    text: str


def caveats(backend: Backend) -> Sequence[Caveat]:
    """All that qualifies a backend's verdicts."""
    return list(_caveats(backend))


def _caveats(backend: Backend) -> Iterator[Caveat]:
    header = backend.results.header
    if backend.truncated:
        yield Caveat("truncated", f"truncated ({lacking(backend.results)})")
    if header.profile in SMALL:
        yield Caveat("first look", f"a first look (profile {header.profile})")
    if header.parts:
        yield Caveat("brought together", f"brought together of {'; '.join(header.parts)}")
    about = backend.about(backend.cells)
    whole, asked = len(about), sum(backend.cells[clause].verdict != NOT_RUN for clause in about)
    if wanted := asked_for(header):
        yield Caveat("partial", f"asked for {wanted} only ({asked:,} of {count(whole, 'clause')})")
    elif asked < whole:
        yield Caveat("partial", f"{whole - asked:,} of {count(whole, 'clause')} not run")
    if backend.reader and backend.reader != backend.suite:
        yield Caveat("another suite", f"made by another state of the suite ({backend.suite}, this is {backend.reader})")
