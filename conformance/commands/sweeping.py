"""What the commands that go through releases share: days on the command line, and how far they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.sweeping.engines import check_engine
from rnn_conformance.conformance.sweeping.sweep import Progress, Tell

SWEPT = [name for name, profile in PROFILES.items() if not profile.repeats]
"""The profiles of which a release can be held against another."""


DAY = click.DateTime(["%Y-%m-%d", "%Y-%m", "%Y"])
"""A day, or the first of a month or of a year."""


F = TypeVar("F", bound=Callable[..., Any])


def engine_option(command: F) -> F:
    """The option --engine, as the argument `engine_asked`."""
    return click.option(
        "--engine",
        "engine_asked",
        default="local",
        callback=lambda context, option, asked: _checked(asked),
        show_default=True,
        metavar="ENGINE",
        help="Where to run: local, on this machine; dask, or dask:tcp://HOST:8786 for a cluster that runs; ray, or "
        "ray:HOST:6379; slurm:partition=NAME,time=MINUTES.",
    )(command)


@contextmanager
def show_progress() -> Iterator[Tell]:
    """Give a function that shows how far a sweep is: a bar on a terminal, and a line for each job elsewhere."""
    console = Console(stderr=True)
    with Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as bars:
        bar = bars.add_task("finding environments", total=None)

        def tell(step: Progress) -> None:
            ended = step.done + step.skipped
            told = f"{step.environments} environments, {step.kept} kept, {step.skipped} skipped"
            bars.update(bar, description=told, total=step.to_run, completed=ended)
            if not console.is_terminal:
                console.print(f"{ended} of {step.to_run} ({told}) {step.said}".strip(), markup=False, soft_wrap=True)

        yield tell


def _checked(asked: str) -> str:
    try:
        check_engine(asked)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return asked
