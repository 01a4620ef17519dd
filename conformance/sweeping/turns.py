"""In which order jobs are started: what takes longest first, so that it is not left for the end."""

from __future__ import annotations

from collections.abc import Sequence

from rnn_conformance.conformance.running.turns import seconds_of
from rnn_conformance.conformance.sweeping.cache import Cache
from rnn_conformance.conformance.sweeping.job import Job
from rnn_conformance.reports.records import records
from rnn_conformance.reports.records.records import Results


def longest_first(jobs: Sequence[Job], cache: Cache) -> list[Job]:
    """The jobs, those that are expected to take longest first; what is expected alike stays in its order."""
    known: dict[tuple[str, str, tuple[str, ...]], Results | None] = {}
    seconds = {}
    for job in jobs:
        like = (job.adapter, job.cell, tuple(job.asked.options()))
        if like not in known:
            earlier = cache.like(job)
            known[like] = records.read(earlier) if earlier else None
        seconds[job.digest] = expected_seconds(job, known[like])
    return sorted(jobs, key=lambda job: -seconds[job.digest])


def expected_seconds(job: Job, earlier: Results | None) -> float:
    """What the checks of a job took in earlier results of its backend and cell, or else what its backend takes."""
    if earlier is None:
        return seconds_of(job.adapter)
    taken = [each.check for each in earlier.checks if job.asked.takes(each.check, each.clauses, each.dtype)]
    part = set(job.asked.part_of(taken))
    return sum(each.seconds for each in earlier.checks if each.check in part)
