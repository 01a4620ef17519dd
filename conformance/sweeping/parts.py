"""A run in parts: shards of its checks are jobs of an engine, and what they find is brought together as one run's."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks.catalogue import checks, clauses_of, dtypes_of, every_check
from rnn_conformance.conformance.running.results import EVIDENCE
from rnn_conformance.conformance.sweeping.cache import Cache
from rnn_conformance.conformance.sweeping.job import Job, Skipped
from rnn_conformance.conformance.sweeping.places import Engine
from rnn_conformance.conformance.sweeping.sweep import Tell, name_of, run_all
from rnn_conformance.reports.records import records
from rnn_conformance.reports.records.merging import merged
from rnn_conformance.reports.records.records import Results
from rnn_conformance.reports.records.records import name_of as file_name_of

_PARTS = ".parts"
"""Where parts are kept until the last is there: a run that was cut off goes on with what it lacks."""


def parts_of(whole: Job, most: int) -> list[Job]:
    """The job in at most so many parts, fewer where there are fewer checks."""
    count = min(most, max(1, len(list(_functions(whole)))))
    if count == 1:
        return [whole]
    return [replace(whole, asked=replace(whole.asked, shard=f"{k}/{count}")) for k in range(1, count + 1)]


def run_in_parts(wholes: Sequence[Job], most: int, engine: Engine, folder: Path, tell: Tell) -> list[Path]:
    """Run these jobs, each in at most so many parts, and return their results files, which are those of whole runs.

    Raises ValueError where an environment cannot be made, or a framework not imported in it, and whatever ended a part.
    """
    cache = Cache(folder / _PARTS)
    parts = [parts_of(whole, most) for whole in wholes]
    passing = run_all([part for each in parts for part in each], engine, cache, tell)
    paths = [_together(each, cache, passing, folder) for each in parts]
    shutil.rmtree(cache.folder)
    return paths


def _functions(whole: Job) -> Iterator[str]:
    """The checks that are asked for, whatever the dtype and mode."""
    for name, function in every_check().items():
        dtypes = set(dtypes_of(function, PROFILES[whole.profile], whole.cell))
        if dtypes & set(whole.asked.dtypes or dtypes) and whole.asked.takes_function(name, clauses_of(function)):
            yield name


def _together(parts: Sequence[Job], cache: Cache, passing: Mapping[str, Skipped], folder: Path) -> Path:
    """Write the results of all parts as one file, with the evidence beside it."""
    found = []
    for part in parts:
        if skipped := passing.get(part.digest) or cache.skipped(part):
            raise ValueError(f"{name_of(part)} could not be run ({skipped.step}): {skipped.said}")
        source = cache.results(part)
        for name in EVIDENCE:
            if (source.parent / name).is_dir():
                shutil.copytree(source.parent / name, folder / name, dirs_exist_ok=True)
        found.append(replace(records.read(source), path=folder / source.name))
    (whole,) = merged(found)
    path = folder / f"{file_name_of(parts[0].adapter, parts[0].cell)}.jsonl"
    path.unlink(missing_ok=True)
    _write(_in_order(whole), path)
    return path


def _in_order(whole: Results) -> Results:
    """The checks in the order in which one run has them: that of SPEC.md, and observations at the end."""
    order = {name: k for k, name in enumerate(dict.fromkeys((*checks(), *every_check())))}

    def turn(check: str) -> int:
        return order.get(check.partition("[")[0], len(order))

    planned = sorted(whole.header.planned, key=turn)
    found = sorted(whole.checks, key=lambda record: turn(record.check))
    return replace(whole, header=replace(whole.header, planned=planned), checks=found)


def _write(results: Results, path: Path) -> None:
    records.append(path, results.header)
    for record in results.checks:
        records.append(path, record)
    if results.footer is not None:
        records.append(path, results.footer)
