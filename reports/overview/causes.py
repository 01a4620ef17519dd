"""Causes before symptoms: the known deviations that records name, those of one cause together, and alike failures."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rnn_conformance.reports.overview.cells import in_order
from rnn_conformance.reports.overview.summary import Backend
from rnn_conformance.reports.overview.wording import count
from rnn_conformance.reports.records.records import Cause, CheckRecord

_ISSUE = re.compile(r"https://github\.com/[^/]+/([^/]+)/(?:issues|pull)/([0-9]+)$")


@dataclass(frozen=True)
class Known:
    """A known deviation: why it is, and the records that name it, each with its backend."""

    name: str
    reason: str
    cause: Cause
    records: Sequence[tuple[Backend, CheckRecord]]

    @property
    def seen(self) -> CheckRecord:
        """The record that shows it best: one of it alone, with a witness, if there is such a one."""
        return min((record for _, record in self.records), key=lambda each: (len(reasons_of(each)), not each.case))

    @property
    def message(self) -> str:
        """What was seen of it; empty if that was always together with others, since it may be about one of these."""
        return self.seen.message if len(reasons_of(self.seen)) == 1 else ""

    @property
    def share(self) -> str:
        """How much of the checks it touches, such as ``3 % to 25 % of a check's cases``; empty if that is not known."""
        extents = [each for _, record in self.records for each in record.extents]
        found = [each for each in extents if each.deviation == self.name and each.of]
        if not found:
            return ""
        shares = sorted(each.cases / each.of for each in found)
        said = " to ".join(dict.fromkeys(f"{100 * share:.0f} %" for share in (shares[0], shares[-1])))
        return f"{said} of a check's {'examples' if found[0].judged_at else 'cases'}"

    @property
    def extent(self) -> str:
        """What it is about, such as ``torch; clauses 1.1, 1.3 in float64``."""
        return _extent(self.records)


@dataclass(frozen=True)
class CommonCause:
    """All known deviations that have a cause in common, and so its title."""

    title: str
    deviations: Sequence[Known]

    @property
    def records(self) -> Sequence[tuple[Backend, CheckRecord]]:
        """The records that name any of them, each once, with its backend."""
        found = {
            (backend.name, record.check): (backend, record)
            for each in self.deviations
            for backend, record in each.records
        }
        return list(found.values())

    @property
    def clauses(self) -> Sequence[str]:
        """The clauses that it touches, in the order of the specification."""
        return _clauses(self.records)

    @property
    def dtypes(self) -> Sequence[str]:
        return in_order(record.dtype for _, record in self.records if record.dtype)

    @property
    def backends(self) -> Mapping[str, Sequence[str]]:
        """The backends that it touches, by name, each with the clauses that it touches there."""
        found: dict[str, list[tuple[Backend, CheckRecord]]] = {}
        for backend, record in self.records:
            found.setdefault(backend.name, []).append((backend, record))
        return {name: _clauses(records) for name, records in found.items()}

    @property
    def means(self) -> Mapping[str, Sequence[str]]:
        """What it means for a user: each sentence once, with the backends of which it is said."""
        found: dict[str, dict[str, None]] = {}
        for each in self.deviations:
            if each.cause.means:
                found.setdefault(each.cause.means, {}).update(dict.fromkeys(b.name for b, _ in each.records))
        return {means: list(names) for means, names in found.items()}

    @property
    def told(self) -> Sequence[str]:
        """What it means, a line each, with the backends where they differ; why it is, where that is not known."""
        if not self.means:
            return list(dict.fromkeys(filter(None, (each.reason or each.message for each in self.deviations))))
        if len(self.means) == 1:
            return list(self.means)
        return [f"{', '.join(names)}: {means}" for means, names in self.means.items()]

    @property
    def upstream(self) -> Sequence[str]:
        """The addresses where it was reported or is documented."""
        return list(dict.fromkeys(each.cause.upstream for each in self.deviations if each.cause.upstream))

    @property
    def name(self) -> str:
        """The title with the issues in which it was reported: ``float64 is computed in float32 (keras 23704)``."""
        return with_issues(self.title, self.upstream)

    @property
    def judged_at(self) -> str:
        """By what all that it touches was judged in place of its own precision; empty if some of it was left out."""
        names = {each.name for each in self.deviations}
        said = {each.judged_at for _, record in self.records for each in record.extents if each.deviation in names}
        return said.pop() if len(said) == 1 else ""

    @property
    def heading(self) -> str:
        """Its name and how much it touches: ``float64 is computed in float32 (keras 23704): 65 clauses``.

        Where these were judged by another precision, it says so.
        """
        judged = f" (judged at {self.judged_at})" if self.judged_at else ""
        return f"{self.name}: {count(len(self.clauses), 'clause')}{judged}"

    @property
    def where(self) -> str:
        """The dtypes and backends that it touches, such as ``in float64 on keras-jax (65), keras-torch (75)``.

        With several backends that differ in it, each has the number of its clauses.
        """
        touched = self.backends
        alike = len(set(map(len, touched.values()))) == 1
        named = [name if alike else f"{name} ({len(clauses)})" for name, clauses in touched.items()]
        return " ".join(
            filter(None, [f"in {' and '.join(self.dtypes)}" if self.dtypes else "", f"on {', '.join(named)}"])
        )


def with_issues(title: str, upstream: Iterable[str]) -> str:
    """The title of a cause, and the issues among the addresses where it was reported, in short."""
    issues = [" ".join(found.groups()) for address in upstream if (found := _ISSUE.match(address))]
    return f"{title} ({', '.join(issues)})" if issues else title


def common_causes(backends: Iterable[Backend], dtype: str = "") -> Sequence[CommonCause]:
    """The causes of the known deviations of these backends, in one dtype or all; what touches most clauses is first."""
    found: dict[str, list[Known]] = {}
    for each in known(backends, dtype):
        found.setdefault(each.cause.title, []).append(each)
    causes = [CommonCause(title, deviations) for title, deviations in found.items()]
    return sorted(causes, key=lambda cause: -len(cause.clauses))


def known(backends: Iterable[Backend], dtype: str = "") -> Sequence[Known]:
    """The known deviations that records name, in one dtype or all, in the order in which they are met."""
    found: dict[str, list[tuple[Backend, CheckRecord]]] = {}
    reasons: dict[str, str] = {}
    causes: dict[str, Cause] = {}
    for backend in backends:
        for record in backend.of_verdict("deviation"):
            if dtype not in ("", record.dtype):
                continue
            causes |= {cause.deviation: cause for cause in record.causes}
            for name, reason in reasons_of(record).items():
                found.setdefault(name, []).append((backend, record))
                reasons.setdefault(name, reason)
    # Results that are older than causes have the names only.
    return [
        Known(name, reasons[name], causes.get(name, Cause(name, name or "an unnamed cause", "")), records)
        for name, records in found.items()
    ]


def reasons_of(record: CheckRecord) -> Mapping[str, str]:
    """The reason of each known deviation that a record names; all in one if it has not as many reasons as names."""
    names, reasons = record.deviation.split(", "), record.reason.splitlines()
    return dict(zip(names, reasons, strict=True)) if len(names) == len(reasons) else {record.deviation: record.reason}


def alike(records: Iterable[CheckRecord]) -> Sequence[Sequence[CheckRecord]]:
    """Records that say the same of the same clauses, such as one fault in each dtype, brought together."""
    groups: dict[tuple[object, ...], list[CheckRecord]] = {}
    for record in records:
        key = (record.verdict, *record.clauses, record.deviation, record.message, record.case)
        groups.setdefault(key, []).append(record)
    return list(groups.values())


def of_one_kind(records: Iterable[CheckRecord]) -> Sequence[Sequence[CheckRecord]]:
    """Records whose failures are of one kind, whatever their clauses and dtypes, brought together.

    A kind is a verdict with the fault that it looks like, or else with what the framework said, numbers left out.
    """
    groups: dict[tuple[str, str], list[CheckRecord]] = {}
    for record in records:
        groups.setdefault((record.verdict, kind_of(record)), []).append(record)
    return list(groups.values())


def kind_of(record: CheckRecord) -> str:
    """What a failure has in common with others like it, or else itself, with its clauses."""
    return shared_kind(record) or "\n".join([record.message, record.case, *record.clauses])


def shared_kind(record: CheckRecord) -> str:
    """What failures of several clauses have in common; empty where the numbers of a message are all there is.

    That is the deviation of other versions that it may be, its diagnosis, or an exception without its numbers.
    """
    if record.not_looked_at:
        return " ".join(sorted({cause.title for cause in record.not_looked_at}))
    if record.diagnosis:
        return record.diagnosis
    said = record.message.partition("\n")[0]
    if " raised " in said:
        return re.sub(r"[0-9]+", "#", said)
    return ""


def kind_extent(records: Sequence[CheckRecord]) -> str:
    """How much failures of one kind touch, such as ``40 checks of 12 clauses``."""
    clauses = {clause for record in records for clause in record.clauses}
    return f"{count(len(records), 'check')} of {count(len(clauses), 'clause')}"


def _clauses(records: Iterable[tuple[Backend, CheckRecord]]) -> Sequence[str]:
    """The clauses that records cite, in the order of the specification."""
    records = list(records)
    cited = {clause for _, record in records for clause in record.clauses}
    return [clause for clause in records[0][0].results.header.clauses if clause in cited]


def _extent(records: Sequence[tuple[Backend, CheckRecord]]) -> str:
    names = dict.fromkeys(backend.name for backend, _ in records)
    clauses = _clauses(records)
    dtypes = dict.fromkeys(record.dtype for _, record in records if record.dtype)
    where = f" in {' and '.join(dtypes)}" if dtypes else ""
    return f"{', '.join(names)}; clause{'s' if len(clauses) > 1 else ''} {', '.join(clauses)}{where}"
