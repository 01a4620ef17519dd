"""In which order jobs are started: what takes longest first, so that it is not left for the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rnn_conformance.conformance.sweeping.cache import Cache
from rnn_conformance.conformance.sweeping.job import Job
from rnn_conformance.reports.records import records
from rnn_conformance.reports.records.records import Results

SECONDS: Mapping[str, float] = {
    "numpy": 20,
    "torch": 42,
    "keras-torch": 65,
    "jax-scan": 107,
    "keras-tensorflow": 112,
    "flax-nnx": 124,
    "flax-linen": 140,
    "keras-jax": 150,
}
"""What the checks of a backend take on an LSTM in smoke: medians of runs on two busy cores. Only their order
counts."""


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
    """What the checks of a job took in earlier results of its backend and cell, or else what its backend takes.

    A backend that nothing is known of is taken for the slowest.
    """
    if earlier is None:
        return SECONDS.get(job.adapter, max(SECONDS.values()))
    taken = [each.check for each in earlier.checks if job.asked.takes(each.check, each.clauses, each.dtype)]
    part = set(job.asked.part_of(taken))
    return sum(each.seconds for each in earlier.checks if each.check in part)
