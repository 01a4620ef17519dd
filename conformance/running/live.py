"""What a person sees while adapters run: a bar for each, or a line now and then where there is no terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from rnn_conformance.conformance.running.order import Progress as Step
from rnn_conformance.conformance.running.order import Report


@contextmanager
def live_progress(console: Console, adapters: Sequence[str]) -> Iterator[Report]:
    """Give a function that shows a step of one adapter; it may be called from any thread."""
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[doing]}", markup=False, style="dim"),
        console=console,
        disable=not console.is_terminal,
    ) as progress:
        bars = {adapter: progress.add_task(adapter, total=None, start=False, doing="waiting") for adapter in adapters}

        def show(step: Step) -> None:
            bar = bars[step.adapter]
            if not progress.tasks[bar].started:
                progress.start_task(bar)
            progress.update(bar, completed=step.done, total=step.planned or None, doing=step.doing)
            if step.finished:
                progress.stop_task(bar)
                if not console.is_terminal:
                    console.print(f"{step.adapter}: {step.done} of {step.planned} checks done", markup=False)

        yield show
