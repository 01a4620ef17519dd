"""All there is to say of a backend in one sentence: what qualifies it, float32 first, the other dtypes told apart."""

from __future__ import annotations

from collections.abc import Iterator

from rnn_conformance.reports.overview.causes import common_causes
from rnn_conformance.reports.overview.caveats import caveats
from rnn_conformance.reports.overview.cells import FIRST, Facet
from rnn_conformance.reports.overview.summary import Backend
from rnn_conformance.reports.overview.verdicts import NOT_RUN
from rnn_conformance.reports.overview.wording import count, figure, others, phrase, title
from rnn_conformance.reports.records.records import Worst


def sentence(backend: Backend) -> str:
    """The backend with its versions, what qualifies its verdicts, and these by dtype, without a full stop."""
    head = ", ".join([title(backend.results.header), *(caveat.text for caveat in caveats(backend))])
    parts = list(by_dtype(backend)) or ["no clause was checked"]
    parts += filter(None, [others(backend)])
    parts.append(count(backend.examples, "example") + (f", {_worst_phrase(backend.worst)}" if backend.worst else ""))
    if backend.observations:
        parts.append(count(len(backend.observations), "observation"))
    return f"{head}: {'; '.join(parts)}"


def by_dtype(backend: Backend) -> Iterator[str]:
    """A phrase for each dtype, and one for those that say the same: ``float32 conforms on 77 of 85 clauses, ...``."""
    told = {dtype: facet for dtype, facet in backend.facets.items() if facet.offered and facet.asked}
    first = told.pop(backend.dtype, None)
    if backend.dtype != FIRST:
        yield f"no {FIRST} is offered"
    if first:
        conforms, *rest = _verdicts(backend, first)
        yield ", ".join([f"{first.dtype} conforms on {conforms} clause{'' if first.asked == 1 else 's'}", *rest])
    elif told:
        yield f"{backend.dtype} was not asked"
    alike: dict[tuple[str, ...], list[str]] = {}
    for facet in told.values():
        alike.setdefault(tuple(_verdicts(backend, facet)), []).append(facet.dtype)
    yield from (f"{' and '.join(dtypes)} on {', '.join(said)}" for said, dtypes in alike.items())


def _verdicts(backend: Backend, facet: Facet) -> Iterator[str]:
    """How many clauses conform, of how many, and each other verdict with its number."""
    counts = dict(facet.counts)
    counts.pop(NOT_RUN, None)
    yield f"{counts.pop('conforms', 0):,} of {facet.asked:,}"
    for verdict, number in counts.items():
        yield phrase(verdict, number) + _remark(backend, facet, verdict)


def _remark(backend: Backend, facet: Facet, verdict: str) -> str:
    """What makes less of a verdict: its one cause, or that it may be known from other versions."""
    if verdict == "deviation":
        return _why(backend, facet.dtype)
    records = [record for record in facet.records if record.verdict == verdict]
    if verdict == "fails" and all(record.not_looked_at for record in records):
        return " (known in other versions, not looked at in this one)"
    return ""


def _why(backend: Backend, dtype: str) -> str:
    """The cause of all known deviations in a dtype, if it is one, or how many causes there are."""
    causes = common_causes([backend], dtype)
    return f" ({causes[0].name if len(causes) == 1 else count(len(causes), 'cause')})"


def _worst_phrase(error: Worst) -> str:
    return f"worst error {figure(error.ratio)} {'of' if error.ratio <= 1 else 'times'} its bound"
