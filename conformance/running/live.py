"""What a person sees while adapters run: failures as they come, and on a terminal a bar for each adapter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from rnn_conformance.conformance.running.order import Progress as Step
from rnn_conformance.conformance.running.order import Report
from rnn_conformance.reports.overview.verdicts import PROBLEMS, SYMBOLS
from rnn_conformance.reports.records.records import CheckRecord
from rnn_conformance.reports.renderings.terminal import style_of, text_of


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
            for record in step.found:
                if record.verdict in PROBLEMS:
                    console.print(_told(step.adapter, record), soft_wrap=True)
            bar = bars[step.adapter]
            if not progress.tasks[bar].started:
                progress.start_task(bar)
            progress.update(bar, completed=step.done, total=step.planned or None, doing=step.doing)
            if step.finished:
                progress.stop_task(bar)
                if not console.is_terminal:
                    console.print(f"{step.adapter}: {step.done} of {step.planned} checks done", markup=False)

        yield show


def _told(adapter: str, record: CheckRecord) -> Text:
    """A line about a check that needs attention: whose, which clauses, what happened."""
    clauses = f" ({', '.join(record.clauses)})" if record.clauses else ""
    head = text_of(f"{SYMBOLS[record.verdict]} {adapter} {record.verdict}{clauses}: ", style_of(record.verdict))
    return head + text_of(f"{record.check}: {record.message.partition(chr(10))[0]}")
