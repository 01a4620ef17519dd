"""Bisecting: the first release with which one clause or check comes to another outcome, and which package it is of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from rnn_conformance.conformance.sweeping.cache import Cache
from rnn_conformance.conformance.sweeping.environments import Wanted, versions_in
from rnn_conformance.conformance.sweeping.job import Job, Skipped
from rnn_conformance.conformance.sweeping.places import Engine
from rnn_conformance.conformance.sweeping.plan import Point, own_packages
from rnn_conformance.conformance.sweeping.searching import Change, History
from rnn_conformance.conformance.sweeping.sweep import Asked, Progress, Tell, job_of, known_job, run_all
from rnn_conformance.reports.overview.verdicts import gravest
from rnn_conformance.reports.records import records
from rnn_conformance.reports.records.records import CheckRecord, Results


@dataclass(frozen=True)
class Question:
    """What is looked at: a clause, or a check by its name, in one dtype and mode; no mode is the adapter's main one."""

    subject: str
    dtype: str
    mode: str = ""

    def records(self, results: Results) -> Sequence[CheckRecord]:
        """The records that it is about."""
        modes = results.header.description.get("modes", [])
        mode = self.mode or (modes[0] if modes else "")
        return [r for r in results.checks if r.dtype == self.dtype and r.mode == mode and self._is_about(r)]

    def outcome(self, results: Results) -> str:
        """The gravest verdict of these records, with the known deviations that they are; "not there" where none is."""
        found = self.records(results)
        if not found:
            return "not there"
        verdict = gravest(record.verdict for record in found)
        names = sorted({name for record in found for name in record.deviation.split(", ") if name})
        return f"{verdict} ({', '.join(names)})" if names and verdict == "deviation" else verdict

    def _is_about(self, record: CheckRecord) -> bool:
        return self.subject in (*record.clauses, record.check.partition("[")[0].rpartition("::")[2])


@dataclass(frozen=True)
class Tested:
    """An environment that was tried: its versions by package, the outcome in it, and its results."""

    label: str
    versions: Mapping[str, str]
    outcome: str
    results: Results


@dataclass(frozen=True)
class Answer:
    """Between which two environments the outcome changed, and which package it is of.

    `blamed` is empty where several changed and none of them does it alone. `hidden` are the releases between the two
    that could not be run; `turns` says how often the outcome changed in all that was seen; `jobs` counts what was run.
    """

    good: Tested
    bad: Tested
    blamed: str
    hidden: Sequence[str]
    turns: Sequence[str]
    jobs: int

    @property
    def is_exact(self) -> bool:
        return not self.hidden

    @property
    def changed(self) -> Mapping[str, tuple[str, str]]:
        """The packages that differ between the two."""
        return {
            name: (self.good.versions.get(name, "absent"), self.bad.versions.get(name, "absent"))
            for name in sorted({**self.good.versions, **self.bad.versions})
            if self.good.versions.get(name) != self.bad.versions.get(name)
        }


class Bisection:
    """Looks at the outcomes of a question in environments, each once; what was run before is not run again."""

    def __init__(self, asked: Asked, question: Question, engine: Engine, cache: Cache, tell: Tell) -> None:
        self._asked = asked
        self._question = question
        self._engine = engine
        self._cache = cache
        self._tell = tell
        self.jobs = 0

    def find(self, points: Sequence[Point], good: int | None, bad: int) -> Answer:
        """The answer between two of these points, or going back from `bad` where no `good` one is known.

        Raises NoChange where the outcome is the same.
        """
        history = History(len(points), partial(self._look, points), self._known(points))
        change = history.between(history.back_from(bad) if good is None else good, bad)
        history.look_once_more(change.last, change.first)
        change = replace(change, seen=history.seen)
        before, after = (self._tested(points[place]) for place in (change.last, change.first))
        hidden = [str(points[place].release) for place in change.hidden]
        turns = [f"{change.seen[place]} with {points[place].release}" for place in change.turns]
        before, after, blamed = self._tell_apart(points, change, before, after) if not hidden else (before, after, "")
        return Answer(before, after, blamed, hidden, turns, self.jobs)

    def outcome(self, wanted: Wanted) -> str | None:
        """The outcome in an environment, which is made and run if that was not done before; None if it cannot be."""
        job = job_of(self._asked, wanted, self._cache)
        if isinstance(job, Skipped):
            return None
        if not self._cache.has(job, anywhere=not self._engine.is_here):
            self.jobs += 1
            if run_all([job], self._engine, self._cache, self._tell):
                return None
        return self._outcome_of(job)

    def _look(self, points: Sequence[Point], place: int) -> str | None:
        found = self.outcome(points[place].wanted)
        self._tell(Progress(said=f"{points[place].release}: {found or 'cannot be run'}"))
        return found

    def _known(self, points: Sequence[Point]) -> Mapping[int, str]:
        """What an earlier look has found: it costs nothing to be told of it."""
        found = {}
        for place, point in enumerate(points):
            job = known_job(self._asked, point.wanted, self._cache)
            if isinstance(job, Job) and self._cache.has(job) and (outcome := self._outcome_of(job)) is not None:
                found[place] = outcome
        return found

    def _outcome_of(self, job: Job) -> str | None:
        if self._cache.skipped(job):
            return None
        return self._question.outcome(records.read(self._cache.results(job)))

    def _tested(self, point: Point) -> Tested:
        return self._tested_in(point.wanted, str(point.release))

    def _tested_in(self, wanted: Wanted, label: str) -> Tested:
        job = job_of(self._asked, wanted, self._cache)
        assert isinstance(job, Job), "it was looked at before"
        results = records.read(self._cache.results(job))
        return Tested(label, versions_in(job.locked), self._question.outcome(results), results)

    def _tell_apart(
        self, points: Sequence[Point], change: Change, before: Tested, after: Tested
    ) -> tuple[Tested, Tested, str]:
        """Move package by package from the one environment to the other, and see with which the outcome changes.

        What is no package of the adapter's own moves first, all together: those are neighbours of the later day.
        """
        both = before.versions.keys() & after.versions.keys()
        own = [name for name in own_packages(self._asked.adapter) if name in both]
        moving = [name for name in own if before.versions.get(name) != after.versions.get(name)]
        others = {
            name for name in before.versions if before.versions[name] != after.versions.get(name) and name not in own
        }
        if len(moving) == 1 and not others:
            return before, after, moving[0]
        later = points[change.first].wanted
        here = before
        for moved in range(len(moving) + 1):
            pins = {name: (after if name in moving[:moved] else before).versions[name] for name in own}
            wanted = _pinned(later, pins)
            outcome = self.outcome(wanted)
            if outcome is None:
                continue  # these cannot be had together, such as jaxlib and another jax: the next one moves with it
            there = self._tested_in(wanted, ", ".join(f"{name} {version}" for name, version in pins.items()))
            if outcome != before.outcome:
                return here, there, moving[moved - 1] if moved else "its neighbours"
            here = there
        return before, after, ""


def _pinned(later: Wanted, pins: Mapping[str, str]) -> Wanted:
    """The later environment, with these versions of the adapter's own packages in it."""
    requirements = [each for each in later.requirements if _name(each) not in pins]
    exempt: dict[str, date | None] = {**later.exempt, **dict.fromkeys(pins)}
    return Wanted([*requirements, *(f"{n}=={v}" for n, v in pins.items())], later.day, later.python, exempt)


def _name(requirement: str) -> str:
    return canonicalize_name(Requirement(requirement).name)
