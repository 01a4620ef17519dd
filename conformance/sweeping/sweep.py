"""A sweep: every point of a plan is run once, wherever that is, and what was run before is not run again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace

from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.conformance.sweeping.cache import Cache
from rnn_conformance.conformance.sweeping.environments import CannotBeMade, Wanted, lock, with_suite
from rnn_conformance.conformance.sweeping.indexes import Indexes
from rnn_conformance.conformance.sweeping.job import Job, Made, Skipped
from rnn_conformance.conformance.sweeping.places import Engine
from rnn_conformance.conformance.sweeping.turns import longest_first

_AT_ONCE = 8
"""So many environments are looked for at a time: mostly that is waiting for the index."""


@dataclass(frozen=True)
class Asked:
    """What is asked of each environment, on which indexes it is found, and with which Python it is made."""

    adapter: str
    cell: str
    profile: str
    seed: int
    asked: Selection
    timeout: float
    python: str
    indexes: Indexes

    def job(self, locked: str) -> Job:
        """The job in the environment of a lock."""
        return Job(
            self.adapter,
            self.cell,
            self.profile,
            self.seed,
            self.asked,
            self.timeout,
            locked,
            self.python,
            self.indexes,
        )


@dataclass(frozen=True)
class Progress:
    """How far a sweep is: how many of its environments are known, are to be run, have been run, and could not be.

    `kept` are those that an earlier sweep has run. `said` is what happened last, in words.
    """

    environments: int = 0
    to_run: int = 0
    kept: int = 0
    done: int = 0
    skipped: int = 0
    said: str = ""


Tell = Callable[[Progress], object]


def job_of(asked: Asked, wanted: Wanted, cache: Cache) -> Job | Skipped:
    """The job of an environment, or why there is no such environment; found once, and kept.

    Raises UvFailed where uv cannot tell.
    """
    found = known_job(asked, wanted, cache)
    if found is None:
        needed, locked = with_suite(wanted), ""
        try:
            locked = lock(needed, asked.indexes)
            found = asked.job(locked)
        except CannotBeMade as error:
            found = Skipped("resolve", str(error))
        cache.keep_lock(_told(needed), locked if isinstance(found, Job) else found)
    return found


def jobs_of(wanted: Sequence[tuple[Asked, Sequence[Wanted]]], cache: Cache, tell: Tell) -> list[list[Job | Skipped]]:
    """The jobs of these environments, several of which are looked for at a time: all are known before a job is run.

    Each environment is looked for once, whatever kinds of cells it is for. Raises UvFailed as `job_of` does.
    """
    distinct = {json.dumps(_told(each), sort_keys=True): (asked, each) for asked, those in wanted for each in those}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        looking = [pool.submit(job_of, *each, cache) for each in distinct.values()]
        try:
            for done, future in enumerate(as_completed(looking), 1):
                future.result()
                tell(Progress(done, said=f"{done} of {len(looking)} environments found"))
        except BaseException:  # KeyboardInterrupt most of all
            pool.shutdown(cancel_futures=True)
            raise
    return [[job_of(asked, each, cache) for each in those] for asked, those in wanted]


def known_job(asked: Asked, wanted: Wanted, cache: Cache) -> Job | Skipped | None:
    """The same, where it was found before; None where it was not."""
    found = cache.locked(_told(with_suite(wanted)))
    return asked.job(found) if isinstance(found, str) else found


def _told(wanted: Wanted) -> Mapping[str, object]:
    """What is wanted, in words that a digest can be made of."""
    return {**asdict(wanted), "day": str(wanted.day), "exempt": {n: str(day) for n, day in wanted.exempt.items()}}


def run_all(jobs: Sequence[Job], engine: Engine, cache: Cache, tell: Tell) -> Mapping[str, Skipped]:
    """Run the jobs that were not run yet, each once, the longest first, and keep what comes of them as it comes.

    Returns those, by digest, that were skipped for a reason that need not last, and so are not kept. Raises whatever
    ended a job that neither made results nor was skipped, when all others are kept.
    """
    remaining = {job.digest: job for job in jobs if not cache.has(job, anywhere=not engine.is_here)}
    known = {job.digest for job in jobs}
    progress = Progress(len(known), len(remaining), len(known) - len(remaining))
    tell(progress)
    running = {engine.submit(job): job for job in longest_first(list(remaining.values()), cache)}
    failed: list[BaseException] = []
    passing: dict[str, Skipped] = {}
    for future, job in _as_they_end(running):
        if error := future.exception():
            failed.append(error)
            continue
        outcome = future.result()
        is_skipped = isinstance(outcome, Skipped)
        if isinstance(outcome, Skipped) and not outcome.is_lasting:
            passing[job.digest] = outcome
        else:
            cache.keep(job, outcome)
        said = f"{name_of(job)}: " + (f"skipped ({outcome.step})" if isinstance(outcome, Skipped) else "done")
        progress = replace(
            progress, done=progress.done + (not is_skipped), skipped=progress.skipped + is_skipped, said=said
        )
        tell(progress)
    if failed:
        raise failed[0]
    return passing


def _as_they_end(running: dict[Future[Made | Skipped], Job]) -> Iterator[tuple[Future[Made | Skipped], Job]]:
    for future in as_completed(running):
        yield future, running[future]


def name_of(job: Job) -> str:
    """What a job is called where people read it."""
    return f"{job.adapter} {job.cell}"
