"""All that is known of several runs as one JSON document: totals, each backend in short, and its results in full."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from rnn_conformance.reports.overview.summary import Backend, Cell, Summary, exit_status
from rnn_conformance.reports.overview.wording import sentence, title
from rnn_conformance.reports.records.records import CheckRecord, Footer, Header, Worst, plain

DOCUMENT = "rnn-conformance report 1"
"""What the field `document` says; the number changes with the form."""

STATUSES = {
    0: "everything conforms, apart from known deviations and what is unsupported",
    1: "something does not conform",
    3: "something is broken, or a run is truncated or empty, so that the results do not say",
}
"""What an exit status of `run` and `report` means."""


@dataclass(frozen=True)
class ClauseSummary:
    """What a backend's checks say of one clause; `missing` counts those without a record, `scope` names a dtype."""

    verdict: str
    scope: str
    checks: Sequence[str]
    missing: int
    examples: int
    discriminating: int
    worst: Worst | None


@dataclass(frozen=True)
class BackendSummary:
    """One results file: its verdicts in short, then its lines.

    `verdicts` counts clauses, `checks_by_verdict` records. `worst` is the largest error that no known deviation
    accounts for. `truncated` says that the run ended before its end, `missing` which planned checks have no record.
    """

    adapter: str
    title: str
    sentence: str
    status: int
    meaning: str
    truncated: bool
    missing: Sequence[str]
    verdicts: Mapping[str, int]
    checks_by_verdict: Mapping[str, int]
    examples: int
    seconds: float
    worst: Worst | None
    clauses: Mapping[str, ClauseSummary]
    header: Header
    checks: Sequence[CheckRecord]
    footer: Footer | None


@dataclass(frozen=True)
class Totals:
    """Sums over all backends; `verdicts` counts pairs of a clause and a backend, `checks_by_verdict` records."""

    backends: int
    checks: int
    missing: int
    examples: int
    seconds: float
    verdicts: Mapping[str, int]
    checks_by_verdict: Mapping[str, int]


@dataclass(frozen=True)
class Document:
    """What ``--format json`` prints. `clauses` holds the specification's text by number, `detection` a sentence."""

    suite: str
    specification: str
    chapters: Mapping[str, str]
    clauses: Mapping[str, str]
    detection: str
    status: int
    meaning: str
    totals: Totals
    backends: Sequence[BackendSummary]
    document: str = DOCUMENT


def as_json(summary: Summary) -> str:
    """The document's text, in ASCII."""
    return json.dumps(plain(asdict(document(summary))), indent=2, allow_nan=False)


def document(summary: Summary) -> Document:
    """The document of a summary."""
    backends = [_backend(backend) for backend in summary.backends]
    status = exit_status([backend.results for backend in summary.backends])
    totals = Totals(
        backends=len(backends),
        checks=sum(len(backend.checks) for backend in backends),
        missing=sum(len(backend.missing) for backend in backends),
        examples=sum(backend.examples for backend in backends),
        seconds=sum(backend.seconds for backend in backends),
        verdicts=_sum(backend.verdicts for backend in backends),
        checks_by_verdict=_sum(backend.checks_by_verdict for backend in backends),
    )
    return Document(
        suite=summary.suite,
        specification=summary.specification,
        chapters=summary.chapters,
        clauses=summary.clauses,
        detection=summary.detection,
        status=status,
        meaning=STATUSES[status],
        totals=totals,
        backends=backends,
    )


def _backend(backend: Backend) -> BackendSummary:
    results = backend.results
    status = exit_status([results])
    return BackendSummary(
        adapter=backend.name,
        title=title(results.header),
        sentence=f"{sentence(backend)}.",
        status=status,
        meaning=STATUSES[status],
        truncated=backend.truncated,
        missing=results.missing,
        verdicts=backend.counts,
        checks_by_verdict=dict(Counter(record.verdict for record in results.checks)),
        examples=backend.examples,
        seconds=backend.seconds,
        worst=backend.worst,
        clauses={clause: _clause(cell) for clause, cell in backend.cells.items()},
        header=results.header,
        checks=results.checks,
        footer=results.footer,
    )


def _clause(cell: Cell) -> ClauseSummary:
    return ClauseSummary(
        verdict=cell.verdict,
        scope=cell.scope,
        checks=[record.check for record in cell.records],
        missing=cell.missing,
        examples=cell.examples,
        discriminating=cell.discriminating,
        worst=cell.worst,
    )


def _sum(counts: Iterable[Mapping[str, int]]) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)
