"""All that is known of several runs as one JSON document: totals, each backend in short, and its results in full."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from rnn_conformance.reports.overview.causes import CommonCause, common_causes
from rnn_conformance.reports.overview.caveats import Caveat, caveats
from rnn_conformance.reports.overview.sentence import sentence
from rnn_conformance.reports.overview.summary import Backend, Summary, exit_status
from rnn_conformance.reports.overview.verdicts import NOT_RUN
from rnn_conformance.reports.overview.wording import title
from rnn_conformance.reports.records.records import CheckRecord, Footer, Header, Worst, plain

DOCUMENT = "rnn-conformance report 2"
"""What the field `document` says; the number changes with the form."""

STATUSES = {
    0: "everything conforms, apart from known deviations and what is unsupported",
    1: "something does not conform",
    3: "something is broken, or a run is truncated or empty, so that the results do not say",
}
"""What an exit status of `run` and `report` means."""


@dataclass(frozen=True)
class ClauseSummary:
    """What a backend's checks say of one clause; `missing` counts those without a record, `scope` names a dtype.

    `verdict` is over all dtypes, `by_dtype` has that of each in which the clause was asked.
    """

    verdict: str
    scope: str
    by_dtype: Mapping[str, str]
    checks: Sequence[str]
    missing: int
    examples: int
    discriminating: int
    worst: Worst | None


@dataclass(frozen=True)
class DtypeSummary:
    """A backend in one dtype: whether it offers it, how many clauses were asked in it, and their verdicts, counted."""

    offered: bool
    asked: int
    verdicts: Mapping[str, int]


@dataclass(frozen=True)
class CauseSummary:
    """A cause that known deviations have in common, and what it touches.

    `means` holds what it means for a user, each with the backends of which that is said; `backends` the clauses that
    it touches on each of them.
    """

    title: str
    means: Mapping[str, Sequence[str]]
    upstream: Sequence[str]
    deviations: Sequence[str]
    dtypes: Sequence[str]
    clauses: Sequence[str]
    backends: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class BackendSummary:
    """One results file: its verdicts in short, then its lines.

    `name` is what it is called in causes: the adapter, and the cell unless that is the simple RNN. `dtype` is the one
    to show first, `by_dtype` has all, in the order in which they are told. `caveats` qualify the verdicts. `verdicts`
    counts clauses over all dtypes, `checks_by_verdict` records. `worst` is the largest error that no known deviation
    accounts for. `truncated` says that the run ended before its end, `missing` which planned checks have no record.
    """

    name: str
    adapter: str
    cell: str
    title: str
    sentence: str
    status: int
    meaning: str
    caveats: Sequence[Caveat]
    truncated: bool
    missing: Sequence[str]
    dtype: str
    by_dtype: Mapping[str, DtypeSummary]
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
    causes: Sequence[CauseSummary]
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
        causes=[_cause(cause) for cause in common_causes(summary.backends)],
        status=status,
        meaning=STATUSES[status],
        totals=totals,
        backends=backends,
    )


def _backend(backend: Backend) -> BackendSummary:
    results = backend.results
    status = exit_status([results])
    return BackendSummary(
        name=backend.name,
        adapter=results.header.adapter,
        cell=backend.cell,
        title=title(results.header),
        sentence=f"{sentence(backend)}.",
        status=status,
        meaning=STATUSES[status],
        caveats=caveats(backend),
        truncated=backend.truncated,
        missing=results.missing,
        dtype=backend.dtype,
        by_dtype={dtype: DtypeSummary(f.offered, f.asked, f.counts) for dtype, f in backend.facets.items()},
        verdicts=backend.counts,
        checks_by_verdict=dict(Counter(record.verdict for record in results.checks)),
        examples=backend.examples,
        seconds=backend.seconds,
        worst=backend.worst,
        clauses={clause: _clause(backend, clause) for clause in backend.cells},
        header=results.header,
        checks=results.checks,
        footer=results.footer,
    )


def _clause(backend: Backend, clause: str) -> ClauseSummary:
    cell = backend.cells[clause]
    by_dtype = {dtype: facet.cells[clause].verdict for dtype, facet in backend.facets.items()}
    return ClauseSummary(
        verdict=cell.verdict,
        scope=cell.scope,
        by_dtype={dtype: verdict for dtype, verdict in by_dtype.items() if verdict != NOT_RUN},
        checks=[record.check for record in cell.records],
        missing=cell.missing,
        examples=cell.examples,
        discriminating=cell.discriminating,
        worst=cell.worst,
    )


def _cause(cause: CommonCause) -> CauseSummary:
    return CauseSummary(
        title=cause.title,
        means=cause.means,
        upstream=cause.upstream,
        deviations=[each.name for each in cause.deviations],
        dtypes=cause.dtypes,
        clauses=cause.clauses,
        backends=cause.backends,
    )


def _sum(counts: Iterable[Mapping[str, int]]) -> Mapping[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)
