"""A run in parts: shards of its checks, run side by side, and what they find brought together as one run's."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock

from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.running.order import Order, Progress, Report
from rnn_conformance.conformance.running.results import EVIDENCE
from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.reports.records import records
from rnn_conformance.reports.records.merging import merged, write
from rnn_conformance.reports.records.records import Results

_FEWEST = 8
"""So many checks a part of a run has at least: fewer are not worth another start of a framework."""

_MOST = 4
"""So many parts a run has at most: each starts a framework, and compiles for itself."""

_LARGEST = 4 * 2**30
"""So many bytes are counted for a process of a framework, which hands over at less than that (room.py)."""


def shards_of(asked: Selection, profile: str, cell: str, most: int, fewest: int = 1) -> list[Selection]:
    """What is asked for in at most so many shards of so many checks or more; a shard is not cut again."""
    count = 1 if most == 1 or asked.shard else min(most, len(list(_functions(asked, profile, cell))) // fewest)
    return [replace(asked, shard=f"{k}/{count}") for k in range(1, count + 1)] if count > 1 else [asked]


@contextmanager
def in_parts(order: Order, adapter: str, most: int, report: Report) -> Iterator[Sequence[tuple[Order, Report]]]:
    """A run in parts, as many as are worth it and at most so many, with what each reports to: orders of their own.

    In the end, however that comes about, their results, logs and evidence are those of one run, as far as they came.
    """
    shards = shards_of(order.asked, order.profile, order.cell, max(1, min(most, _MOST)), _FEWEST)
    if len(shards) == 1:
        yield [(order, report)]
        return
    folders = [order.parts(adapter) / str(number) for number, _ in enumerate(shards)]
    parts = [replace(order, asked=asked, folder=folder) for asked, folder in zip(shards, folders, strict=True)]
    for folder in folders:
        folder.mkdir(parents=True)
    try:
        yield list(zip(parts, _told_as_one(len(parts), report), strict=True))
    finally:
        with order.log(adapter).open("wb") as log:
            log.writelines(each.log(adapter).read_bytes() for each in parts if each.log(adapter).exists())
        bring_together([path for each in parts if (path := each.results(adapter)).exists()], order.results(adapter))
        shutil.rmtree(order.parts(adapter))


def processes_that_fit(jobs: int) -> int:
    """How many of so many processes of a framework there is memory for; all, on systems that do not tell."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf, and others no such name
        return jobs
    return min(jobs, memory // _LARGEST)


def remove_earlier(order: Order, adapter: str) -> None:
    """Remove what an earlier run left, and one that was killed while it was run in parts."""
    for old in order.files(adapter):
        old.unlink(missing_ok=True)
    if order.parts(adapter).exists():
        shutil.rmtree(order.parts(adapter))


def bring_together(parts: Sequence[Path], whole: Path) -> None:
    """Write the results of these parts as one file, the evidence beside it; without any part, there is no file.

    Where a part is missing, it is that of a run that was cut short.
    """
    for source in parts:
        for name in EVIDENCE:
            if (source.parent / name).is_dir():
                shutil.copytree(source.parent / name, whole.parent / name, dirs_exist_ok=True)
    whole.unlink(missing_ok=True)
    for results in merged(_described_alike([replace(records.read(source), path=whole) for source in parts])):
        has_all = not results.header.shard
        header = replace(results.header, shard="")
        write(_in_order(replace(results, header=header, footer=results.footer if has_all else None)), whole)


def _described_alike(parts: Sequence[Results]) -> list[Results]:
    """The parts; one that never came to describe its adapter takes what another says of it."""
    known = next((each.header for each in parts if each.header.description), None)
    if known is None:
        return list(parts)
    of, versions, description = known.framework, known.versions, known.description
    return [
        replace(each, header=replace(each.header, framework=of, versions=versions, description=description))
        for each in parts
    ]


def _told_as_one(count: int, report: Report) -> list[Report]:
    """What each of so many parts of a run reports to: how far they are is told of them together."""
    steps: dict[int, Progress] = {}
    lock = Lock()

    def of(number: int) -> Report:
        def tell(step: Progress) -> None:
            with lock:
                steps[number] = step
                all_began = len(steps) == count and all(each.planned for each in steps.values())
                planned = sum(each.planned for each in steps.values()) if all_began else 0
                finished = len(steps) == count and all(each.finished for each in steps.values())
                done = sum(each.done for each in steps.values())
                report(replace(step, done=done, planned=planned, finished=finished))

        return tell

    return [of(number) for number in range(count)]


def _functions(asked: Selection, profile: str, cell: str) -> Iterator[str]:
    """The checks that are asked for, whatever the dtype and mode."""
    from rnn_conformance.conformance.checks.catalogue import clauses_of, dtypes_of, every_check

    for name, function in every_check().items():
        dtypes = set(dtypes_of(function, PROFILES[profile], cell))
        if dtypes & set(asked.dtypes or dtypes) and asked.takes_function(name, clauses_of(function)):
            yield name


def _in_order(whole: Results) -> Results:
    """The checks in the order in which one run has them: that of SPEC.md, and observations at the end."""
    from rnn_conformance.conformance.checks.catalogue import checks, every_check

    order = {name: k for k, name in enumerate(dict.fromkeys((*checks(), *every_check())))}

    def turn(check: str) -> int:
        return order.get(check.partition("[")[0], len(order))

    planned = sorted(whole.header.planned, key=turn)
    found = sorted(whole.checks, key=lambda record: turn(record.check))
    return replace(whole, header=replace(whole.header, planned=planned), checks=found)
