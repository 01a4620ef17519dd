"""Results of one backend at several versions, as a timeline: a row for clauses alike, a column for each version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from rnn_conformance.reports.overview.cells import Cell
from rnn_conformance.reports.overview.changes import Change, Story, change_of, stories
from rnn_conformance.reports.overview.rows import FAILING, changes_of_rows
from rnn_conformance.reports.overview.summary import OVER_TIME, Backend, Observation, Suite, backends, check_comparable
from rnn_conformance.reports.overview.verdicts import NOT_RUN, worst
from rnn_conformance.reports.overview.wording import asked_for, count
from rnn_conformance.reports.records.records import CheckRecord, Header, Results, Worst

_SILENT = {"conforms", NOT_RUN}


@dataclass(frozen=True)
class Column:
    """The backend at one version. `label` names the packages whose versions differ along the timeline.

    `changed` are those that are not as in the column before, and `changes` what has come of it; `rows` says which rows
    of features broke, were mended or stayed, by check.
    """

    backend: Backend
    label: Sequence[str]
    changed: Sequence[str]
    changes: Sequence[Change]
    rows: Mapping[str, Sequence[str]]

    def cell(self, clause: str) -> Cell:
        return self.backend.cells[clause]

    @property
    def stories(self) -> Sequence[Story]:
        """The changes of clauses, by what they have in common."""
        return stories(change for change in self.changes if not change.is_answer)

    @property
    def answers(self) -> Sequence[Change]:
        """The changes of what is done where the specification is silent."""
        return [change for change in self.changes if change.is_answer]

    def has_changed(self, clause: str) -> bool:
        """Whether a clause is not as it was in the column before."""
        return any(change.subject == clause for change in self.changes)


@dataclass(frozen=True)
class Timeline:
    """The columns of an adapter on a kind of cell, from the oldest version to the newest."""

    adapter: str
    columns: Sequence[Column]

    @property
    def clauses(self) -> Mapping[str, str]:
        """The text of every clause, by number."""
        return self.columns[-1].backend.results.header.clauses

    @property
    def moving(self) -> Sequence[str]:
        """The clauses that some version changed."""
        return [clause for clause in self.clauses if any(column.has_changed(clause) for column in self.columns)]

    @property
    def still(self) -> Sequence[str]:
        """The clauses that are the same at every version."""
        moving = set(self.moving)
        return [clause for clause in self.clauses if clause not in moving]

    @property
    def rows(self) -> Sequence[Sequence[str]]:
        """The clauses that do not conform at every version, those with the same story together; what moves is first.

        Clauses that no version was asked about are left out.
        """
        found: dict[tuple[tuple[str, bool], ...], list[str]] = {}
        for clause in (*self.moving, *self.still):
            story = tuple((column.cell(clause).verdict, column.has_changed(clause)) for column in self.columns)
            found.setdefault(story, []).append(clause)
        return [clauses for story, clauses in found.items() if not {verdict for verdict, _ in story} <= _SILENT]

    @property
    def fixed(self) -> Sequence[str]:
        """The packages that are of the same version in every column, with it."""
        headers = [column.backend.results.header for column in self.columns]
        return [f"{name} {said[0]}" for name in headers[-1].versions if len(said := _versions(headers, name)) == 1]

    @property
    def notes(self) -> Sequence[str]:
        """What else differs between the columns, so that a change need not be the packages' doing."""
        headers = [column.backend.results.header for column in self.columns]
        said = {name: _each_once(getattr(header, name) for header in headers) for name in ("profile", "seed")}
        said["state of the suite"] = _each_once(column.backend.suite for column in self.columns)
        said["asked for"] = _each_once(asked_for(header) or "everything" for header in headers)
        for name in dict.fromkeys(name for header in headers for name in header.environment):
            said[name] = _each_once(header.environment.get(name, "unknown") for header in headers)
        return [f"{name}: {', '.join(values)}" for name, values in said.items() if len(values) > 1]

    @property
    def sentence(self) -> str:
        """All there is to say of a timeline, in one sentence."""
        first, last = (", ".join(self.columns[i].label) for i in (0, -1))
        alike = f" with {', '.join(self.fixed)}" if self.fixed else ""
        changed = f"{len(self.moving)} of {count(len(self.clauses), 'clause')} changed"
        return f"{count(len(self.columns), 'version')}, from {first} to {last}{alike}: {changed}"


def split(results: Sequence[Results], reader: Suite | None = None) -> tuple[list[Results], list[Timeline]]:
    """The newest results of each adapter, in the order in which the adapters come, and the timelines of all others.

    `reader` is the suite that tells of them, if that matters. Raises ValueError, naming the files, as `timelines` does.
    """
    return [each[-1] for each in _by_adapter(results)], timelines(results, reader)


def timelines(results: Sequence[Results], reader: Suite | None = None) -> list[Timeline]:
    """A timeline of each adapter that there are several versions of.

    Another state of the suite of the same release may have made an older run, which nobody may be able to make again:
    the timeline says so in its notes.

    Raises ValueError, naming the files, for results of one adapter that cannot be compared (of another schema, suite or
    specification) or that are of the same versions.
    """
    return [_timeline(each, reader) for each in _by_adapter(results) if len(each) > 1]


def says(cell: Cell) -> str:
    """A verdict, and what else a version can change about it, such as ``deviation, float64 only (tanh-in-float64)``."""
    known = {name for record in cell.records for name in record.deviation.split(", ") if name}
    names = f" ({', '.join(sorted(known))})" if known else ""
    rows = [row for record in cell.records for row in record.rows.values()]
    failed = sum(row.outcome in FAILING for row in rows)
    crossed = f"{failed} of {count(len(rows), 'row')} of features failing" if failed else ""
    return ", ".join(filter(None, (cell.verdict, cell.scope, crossed))) + names


def largest(records: Iterable[CheckRecord]) -> Worst | None:
    """The largest error that is not a known deviation's, unless there are no others."""
    records = list(records)
    return worst(record for record in records if record.verdict != "deviation") or worst(records)


def _by_adapter(results: Sequence[Results]) -> list[list[Results]]:
    """The results of each adapter on each kind of cell, the oldest version first."""
    found: dict[str, list[Results]] = {}
    for each in results:
        found.setdefault(each.header.name, []).append(each)
    return [_in_order(each) for each in found.values()]


def _in_order(results: Sequence[Results]) -> list[Results]:
    """Sorted by the versions of the packages, the first package first. Raises ValueError as `timelines` does."""
    check_comparable(results, OVER_TIME)
    for i, each in enumerate(results):
        for other in results[:i]:
            if other.header.versions == each.header.versions:
                raise ValueError(
                    f"adapter {each.header.name} comes twice: in {other.path} and in {each.path}, "
                    "with the same versions"
                )
    names = dict.fromkeys(name for each in results for name in each.header.versions)
    return sorted(results, key=lambda each: [_order(each.header.versions.get(name, "")) for name in names])


def _order(version: str) -> tuple[int, Version | str]:
    """Sorts by release; what is no version comes before all that are."""
    try:
        return 1, Version(version)
    except InvalidVersion:
        return 0, version


def _timeline(results: Sequence[Results], reader: Suite | None) -> Timeline:
    headers = [each.header for each in results]
    names = dict.fromkeys(name for header in headers for name in header.versions)
    moving = [name for name in names if len(_versions(headers, name)) > 1]
    columns: list[Column] = []
    for backend in backends(results, reader):
        versions = backend.results.header.versions
        before = columns[-1].backend if columns else None
        was = before.results.header.versions if before else versions
        columns.append(
            Column(
                backend,
                label=[f"{name} {versions.get(name, 'absent')}" for name in moving],
                changed=[name for name in moving if was.get(name) != versions.get(name)],
                changes=list(_changes(before, backend)) if before else [],
                rows=dict(_rows(before, backend)) if before else {},
            )
        )
    return Timeline(results[0].header.name, columns)


def _changes(before: Backend, after: Backend) -> Iterator[Change]:
    for clause, cell in after.cells.items():
        old, new = says(before.cells[clause]), says(cell)
        if old != new:
            yield change_of(clause, (before.cells[clause], old), (cell, new))
    was, now = _answers(before), _answers(after)
    for question in {**was, **now}:
        if was.get(question) != now.get(question):
            old, new = (each.get(question, "not observed") for each in (was, now))
            yield Change(question, old, new, is_answer=True)


def _rows(before: Backend, after: Backend) -> Iterator[tuple[str, Sequence[str]]]:
    """What became of the rows of features, in words, by the check that crosses them."""
    old = {record.check: record.rows for record in before.results.checks if record.rows}
    for record in after.results.checks:
        if record.check in old and (changes := changes_of_rows(old[record.check], record.rows)):
            yield record.check, changes.told


def _answers(backend: Backend) -> Mapping[str, str]:
    """What is observed, by question; answers that are not those of every dtype and mode say whose they are."""
    found: dict[str, list[Observation]] = {}
    for each in backend.observations:
        found.setdefault(each.question, []).append(each)
    return {
        question: ", ".join(sorted(f"{each.answer} ({'; '.join(each.where)})" for each in said))
        if len(said) > 1
        else said[0].answer
        for question, said in found.items()
    }


def _versions(headers: Sequence[Header], name: str) -> Sequence[str]:
    """The versions of a package, each once."""
    return _each_once(header.versions.get(name, "absent") for header in headers)


def _each_once(values: Iterator[object]) -> Sequence[str]:
    return list(dict.fromkeys(map(str, values)))
