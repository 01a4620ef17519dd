"""A run in parts: shards of its checks are jobs of an engine, and what they find is brought together as one run's."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rnn_conformance.conformance.running.parts import bring_together, shards_of
from rnn_conformance.conformance.sweeping.cache import Cache
from rnn_conformance.conformance.sweeping.job import Job, Skipped
from rnn_conformance.conformance.sweeping.places import Engine
from rnn_conformance.conformance.sweeping.sweep import Tell, name_of, run_all
from rnn_conformance.reports.records.records import name_of as file_name_of

_PARTS = ".parts"
"""Where parts are kept until the last is there: a run that was cut off goes on with what it lacks."""


def parts_of(whole: Job, most: int) -> list[Job]:
    """The job in at most so many parts, fewer where there are fewer checks."""
    return [replace(whole, asked=asked) for asked in shards_of(whole.asked, whole.profile, whole.cell, most)]


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


def _together(parts: Sequence[Job], cache: Cache, passing: Mapping[str, Skipped], folder: Path) -> Path:
    """Write the results of all parts as one file, with the evidence beside it."""
    for part in parts:
        if skipped := passing.get(part.digest) or cache.skipped(part):
            raise ValueError(f"{name_of(part)} could not be run ({skipped.step}): {skipped.said}")
    path = folder / f"{file_name_of(parts[0].adapter, parts[0].cell)}.jsonl"
    bring_together([cache.results(part) for part in parts], path)
    return path
