"""What `run` and `selftest` do with an engine: their work is cut into jobs, each in an environment as this one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from platformdirs import user_cache_path

from rnn_conformance.conformance.commands.errors import DidNotWork, WrongUsage
from rnn_conformance.conformance.running.order import Order
from rnn_conformance.conformance.running.parts import remove_earlier
from rnn_conformance.conformance.selftest.trials import Trial


@contextmanager
def _needing_the_extra(command: str) -> Iterator[None]:
    """Say what to install where a library of the extra `sweep` is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("uv", "unearth"):
            raise
        told = f"{command} --engine needs {error.name}: pip install 'rnn-conformance[sweep]'"
        raise WrongUsage(told) from None


def run_on_engine(
    orders: Sequence[Order], adapters: Sequence[str], asked: str, jobs: int | None, parts: int
) -> list[Path]:
    """Run these orders in parts on the engine that is asked for; the results files are those of whole runs.

    Raises WrongUsage for a wrong engine, and DidNotWork where an environment cannot be made; whatever else ended a part
    is raised as it is.
    """
    with _needing_the_extra("run"):
        from rnn_conformance.conformance.commands.sweeping import show_progress
        from rnn_conformance.conformance.sweeping.engines import check_engine, engine
        from rnn_conformance.conformance.sweeping.environments import UvFailed
        from rnn_conformance.conformance.sweeping.indexes import set_up
        from rnn_conformance.conformance.sweeping.installed import installed_lock
        from rnn_conformance.conformance.sweeping.job import Job
        from rnn_conformance.conformance.sweeping.parts import run_in_parts
    try:
        check_engine(asked)
        indexes = set_up()
        wholes = [
            Job(
                *(adapter, order.cell, order.profile, order.seed, order.asked, order.timeout),
                *(installed_lock(adapter), sys.executable, indexes),
                seeds=order.seeds,
            )
            for order in orders
            for adapter in adapters
        ]
    except ValueError as error:
        raise WrongUsage(error) from None
    folder = orders[0].folder
    for order in orders:
        for adapter in adapters:
            remove_earlier(order, adapter)
    try:
        with engine(asked, jobs, folder) as place, show_progress() as tell:
            return run_in_parts(wholes, parts, place, folder, tell)
    except (UvFailed, ValueError) as error:
        raise DidNotWork(error) from None


def try_on_engine(
    mutants: Sequence[str],
    seeds: Sequence[int],
    profile: str,
    every: bool,
    asked: str,
    jobs: int | None,
    parts: int,
    report: Callable[[Trial], object],
) -> list[Trial]:
    """Try mutants in parts on the engine that is asked for; the trials are those that `run_trials` has.

    Raises WrongUsage for a wrong engine, and DidNotWork where an environment cannot be made or a process fails.
    """
    with _needing_the_extra("selftest"):
        from rnn_conformance.conformance.sweeping.engines import check_engine, engine
        from rnn_conformance.conformance.sweeping.environments import CannotBeMade, UvFailed
        from rnn_conformance.conformance.sweeping.indexes import set_up
        from rnn_conformance.conformance.sweeping.installed import installed_lock
        from rnn_conformance.conformance.sweeping.trying import Task, try_in_parts
    try:
        check_engine(asked)
    except ValueError as error:
        raise WrongUsage(error) from None
    task = Task(list(mutants), list(seeds), profile, every, installed_lock(), sys.executable, set_up())
    try:
        with engine(asked, jobs, user_cache_path("rnn-conformance", appauthor=False)) as place:
            return try_in_parts(task, parts, place, report)
    except (CannotBeMade, UvFailed, RuntimeError) as error:
        raise DidNotWork(error) from None
