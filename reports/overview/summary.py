"""From results to what every rendering needs: a matrix of clauses and backends, and what is known of each cell."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rnn_conformance.reports.records.records import VERDICTS, CheckRecord, Results, Worst

MISSING = "missing"
NOT_RUN = "not run"

MEANINGS = {
    **VERDICTS,
    MISSING: "the run was cut short before this was checked",
    NOT_RUN: "no check of this was asked for",
}
"""What a cell of the matrix can say, with what it means."""

SYMBOLS = {
    "conforms": "✓",
    "deviation": "△",
    "fails": "✗",
    "observed": "◦",
    "untrusted": "?",
    "unsupported": "–",  # noqa: RUF001 - an en dash is wide enough to be seen
    "crashed": "↯",
    "timed out": "…",
    "broken": "⊘",
    MISSING: "○",
    NOT_RUN: "·",
}

SEVERITY = (
    "broken",
    "crashed",
    "timed out",
    "fails",
    "untrusted",
    MISSING,
    "deviation",
    "conforms",
    "observed",
    "unsupported",
    NOT_RUN,
)
"""The gravest first. A clause of which a part is unsupported conforms if the rest does."""

PROBLEMS = ("broken", "crashed", "timed out", "fails", "untrusted")
"""The verdicts that want somebody's attention."""


@dataclass(frozen=True)
class Observation:
    """What a backend does where the specification is silent; `where` are the dtypes and modes that all say so."""

    question: str
    answer: str
    where: Sequence[str]


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
class Backend:
    """One results file: `cells` by clause, and `others`, the checks that cite no clause and are no observations."""

    results: Results
    cells: Mapping[str, Cell]
    others: Cell

    @property
    def name(self) -> str:
        return self.results.header.adapter

    @property
    def truncated(self) -> bool:
        return truncated(self.results)

    @property
    def problems(self) -> Sequence[CheckRecord]:
        """The records that want attention, the gravest first."""
        found = [record for record in self.results.checks if record.verdict in PROBLEMS]
        return sorted(found, key=lambda record: SEVERITY.index(record.verdict))

    @property
    def observations(self) -> Sequence[Observation]:
        """What was observed, each answer once."""
        answers: dict[tuple[str, str], list[str]] = {}
        for record in self.of_verdict("observed"):
            where = ", ".join(filter(None, (record.dtype, record.mode)))
            answers.setdefault((record.title, record.message), []).append(where)
        return [Observation(question, answer, where) for (question, answer), where in answers.items()]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many clauses there are of each verdict: those that conform, then the others, the gravest first."""
        return self.counts_of(self.cells)

    def counts_of(self, clauses: Iterable[str]) -> Mapping[str, int]:
        """The same for some of the clauses."""
        counts = Counter(self.cells[clause].verdict for clause in clauses)
        return {verdict: counts[verdict] for verdict in ("conforms", *SEVERITY) if counts[verdict]}

    def scope(self, verdict: str) -> str:
        """How many cells of a verdict are about one dtype, such as `` (67 of them float64 only)``; empty if none is."""
        scopes = Counter(cell.scope for cell in self.cells.values() if cell.verdict == verdict)
        if len(scopes) == 1:
            return f" ({scope})" if (scope := next(iter(scopes))) else ""
        found = [f"{number} of them {scope}" for scope, number in scopes.items() if scope]
        return f" ({', '.join(found)})" if found else ""

    @property
    def examples(self) -> int:
        return sum(record.examples for record in self.results.checks)

    @property
    def seconds(self) -> float:
        return sum(record.seconds for record in self.results.checks)

    @property
    def worst(self) -> Worst | None:
        """The largest error that is not a known deviation's."""
        return worst(record for record in self.results.checks if record.verdict != "deviation")

    def of_verdict(self, verdict: str) -> Sequence[CheckRecord]:
        return [record for record in self.results.checks if record.verdict == verdict]


@dataclass(frozen=True)
class Known:
    """A known deviation: why it is, and the records that name it, each with its backend."""

    name: str
    reason: str
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
    def extent(self) -> str:
        """What it is about, such as ``torch; clauses 1.1, 1.3 in float64``."""
        backends = dict.fromkeys(backend.name for backend, _ in self.records)
        cited = {clause for _, record in self.records for clause in record.clauses}
        clauses = [clause for clause in self.records[0][0].results.header.clauses if clause in cited]
        dtypes = dict.fromkeys(record.dtype for _, record in self.records if record.dtype)
        where = f" in {' and '.join(dtypes)}" if dtypes else ""
        return f"{', '.join(backends)}; clause{'s' if len(clauses) > 1 else ''} {', '.join(clauses)}{where}"


@dataclass(frozen=True)
class Summary:
    """Several backends' results, held against the same specification by the same suite."""

    suite: str
    specification: str
    chapters: Mapping[str, str]
    clauses: Mapping[str, str]
    backends: Sequence[Backend]

    @property
    def profiles(self) -> Sequence[str]:
        return list(dict.fromkeys(backend.results.header.profile for backend in self.backends))

    @property
    def seeds(self) -> Sequence[int]:
        return list(dict.fromkeys(backend.results.header.seed for backend in self.backends))

    @property
    def detection(self) -> str:
        """How many planted faults the suite notices, in words; empty if that is not known."""
        found = self.backends[0].results.header.detection
        if not all(isinstance(found.get(name), int) for name in ("killed", "of", "seeds")):
            return ""
        seeds = "" if found["seeds"] == 1 else f" with each of {found['seeds']} seeds"
        return f"{found['killed']} of {found['of']} planted faults noticed{seeds}"

    def clauses_of(self, chapter: str) -> Sequence[str]:
        """The numbers of a chapter's clauses."""
        return [number for number in self.clauses if _chapter(number) == chapter]


def summarise(results: Sequence[Results]) -> Summary:
    """Bring results together, in the order given.

    Raises ValueError, naming the files, for none at all, for results that cannot be compared (of another schema, suite
    or specification) and for an adapter that comes twice.
    """
    if not results:
        raise ValueError("there are no results to report")
    check_comparable(results)
    _check_each_once(results)
    header = results[0].header
    # Every clause is shown, even one whose chapter the header forgot.
    chapters = {**header.chapters, **{_chapter(c): "" for c in header.clauses if _chapter(c) not in header.chapters}}
    return Summary(header.suite, header.specification, chapters, header.clauses, backends(results))


def backends(results: Sequence[Results]) -> Sequence[Backend]:
    """Each results file by clauses; which clauses a missing check is about, the others may tell."""
    cited = _clauses_by_function(results)
    return [_backend(each, cited) for each in results]


def exit_status(results: Sequence[Results]) -> int:
    """0: everything conforms, apart from known deviations and what is unsupported. 1: something does not.

    3 outweighs 1: something is broken, or a run is truncated or empty, so that the results do not say.
    """
    records = [record for each in results for record in each.checks]
    if any(truncated(each) or not each.checks for each in results) or not results:
        return 3
    if any(record.verdict == "broken" for record in records):
        return 3
    return 1 if any(record.verdict in PROBLEMS for record in records) else 0


def gravest(verdicts: Iterable[str]) -> str:
    """The verdict that speaks for all; none at all have not run."""
    return min(verdicts, key=SEVERITY.index, default=NOT_RUN)


def truncated(results: Results) -> bool:
    """Whether the run ended before its end."""
    return results.footer is None or bool(results.missing)


def worst(records: Iterable[CheckRecord]) -> Worst | None:
    """The worst error of all; NaN is the worst there is."""
    found = [record.worst for record in records if record.worst is not None]
    return max(found, key=lambda each: math.inf if math.isnan(each.ratio) else each.ratio, default=None)


def alike(records: Iterable[CheckRecord]) -> Sequence[Sequence[CheckRecord]]:
    """Records that say the same of the same clauses, such as one fault in each dtype, brought together."""
    groups: dict[tuple[object, ...], list[CheckRecord]] = {}
    for record in records:
        key = (record.verdict, *record.clauses, record.deviation, record.message, record.case)
        groups.setdefault(key, []).append(record)
    return list(groups.values())


def known(summary: Summary) -> Sequence[Known]:
    """The known deviations that records name, in the order in which they are met."""
    found: dict[str, list[tuple[Backend, CheckRecord]]] = {}
    reasons: dict[str, str] = {}
    for backend in summary.backends:
        for record in backend.of_verdict("deviation"):
            for name, reason in reasons_of(record).items():
                found.setdefault(name, []).append((backend, record))
                reasons.setdefault(name, reason)
    return [Known(name, reasons[name], records) for name, records in found.items()]


def reasons_of(record: CheckRecord) -> Mapping[str, str]:
    """The reason of each known deviation that a record names; all in one if it has not as many reasons as names."""
    names, reasons = record.deviation.split(", "), record.reason.splitlines()
    return dict(zip(names, reasons, strict=True)) if len(names) == len(reasons) else {record.deviation: record.reason}


def check_comparable(results: Sequence[Results]) -> None:
    """Raise ValueError, naming the files, for results of another schema, suite or specification than the first."""
    first = results[0]
    for each in results[1:]:
        for field in ("schema", "suite", "specification", "chapters", "clauses"):
            ours, theirs = getattr(first.header, field), getattr(each.header, field)
            if ours == theirs:
                continue
            if isinstance(ours, str | int):
                raise ValueError(
                    f"these results cannot be shown together: {first.path} is of {field} {ours}, "
                    f"{each.path} of {field} {theirs}"
                )
            key = next(key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key))
            raise ValueError(
                f"these results cannot be shown together: in {field} of the specification, {key} is "
                f"{ours.get(key)!r} in {first.path} and {theirs.get(key)!r} in {each.path}"
            )


def _check_each_once(results: Sequence[Results]) -> None:
    files: dict[str, Results] = {}
    for each in results:
        if other := files.get(each.header.adapter):
            raise ValueError(f"adapter {each.header.adapter} comes twice: in {other.path} and in {each.path}")
        files[each.header.adapter] = each


def _backend(results: Results, cited: Mapping[str, frozenset[str]]) -> Backend:
    clauses = results.header.clauses
    missing = Counter(clause for check in results.missing for clause in cited.get(_function(check), ()))
    unknown = any(_function(check) not in cited for check in results.missing)
    cells = {}
    for clause in clauses:
        records = [record for record in results.checks if clause in record.clauses]
        # A check that no file has a record of may be of any clause, so it accounts for those that have none.
        absent = missing[clause] or int(unknown and not records)
        cells[clause] = Cell(_verdict(records, absent), records, missing[clause])
    others = [
        record for record in results.checks if record.verdict != "observed" and not set(record.clauses) & set(clauses)
    ]
    return Backend(results, cells, Cell(_verdict(others, 0), others))


def _verdict(records: Sequence[CheckRecord], missing: int) -> str:
    return gravest([MISSING] * missing + [record.verdict for record in records])


def _clauses_by_function(results: Sequence[Results]) -> Mapping[str, frozenset[str]]:
    """The clauses of each check function: whatever its parameters, it cites the same, so one record tells of all."""
    clauses: dict[str, frozenset[str]] = {}
    for each in results:
        for record in each.checks:
            name = _function(record.check)
            clauses[name] = clauses.get(name, frozenset()) | frozenset(record.clauses)
    return clauses


def _chapter(clause: str) -> str:
    return clause.partition(".")[0]


def _function(check: str) -> str:
    return check.partition("[")[0]
