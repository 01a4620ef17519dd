"""Where jobs are run: anything with the `submit` of `concurrent.futures.Executor` will do."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import TypeVar

from rnn_conformance.conformance.sweeping.job import Job, Made, Skipped, run_job

T = TypeVar("T")


@dataclass(frozen=True)
class Engine:
    """What runs jobs. `is_here` says whether that is this machine; `stop` ends jobs that are run by this process."""

    executor: Executor
    is_here: bool = True
    stop: Event | None = None

    def submit(self, job: Job) -> Future[Made | Skipped]:
        """Run a job some time."""
        return self.run(run_job, job)

    def run(self, work: Callable[..., T], task: object) -> Future[T]:
        """Do some other work some time: of a task, and perhaps of the event that tells it to stop."""
        return self.executor.submit(work, task, *(() if self.stop is None else (self.stop,)))


@contextmanager
def local(jobs: int | None = None) -> Iterator[Engine]:
    """Processes on this machine, so many at a time, or as many as there are processors.

    A thread watches each, and does nothing else. Whatever ends this, ends them all.
    """
    stop = Event()
    pool = ThreadPoolExecutor(jobs or os.cpu_count() or 1)
    try:
        yield Engine(pool, stop=stop)
    except BaseException:  # KeyboardInterrupt most of all: no worker may outlive us
        stop.set()
        pool.shutdown(cancel_futures=True)
        raise
    pool.shutdown()
