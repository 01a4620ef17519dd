"""The first and the last line of a results file, as the suite writes them, and what lies beside it."""

from __future__ import annotations

import dataclasses
import json
import platform
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import archspec.cpu
import numpy as np

from rnn_conformance.adapters.description import Description
from rnn_conformance.conformance.identity import suite_digest
from rnn_conformance.conformance.running.selection import EVERYTHING, Selection
from rnn_conformance.reference.spec import specification
from rnn_conformance.reports.records import records

WITNESSES, REPRODUCERS = "witnesses", "reproducers"
EVIDENCE = (WITNESSES, REPRODUCERS)
"""The folders beside the results in which the evidence of failures is kept."""

REPLAY = "rnn-conformance replay"
"""The command that runs a witness again."""


def header(
    adapter: str,
    profile: str,
    seed: int,
    planned: Sequence[str],
    description: Description | None,
    asked: Selection = EVERYTHING,
    cell: str = "simple_rnn",
) -> records.Header:
    """The header of a run that begins now; without a description if the adapter could not give one.

    `planned` are its checks, `asked` is what it was asked for, and `cell` is the kind of cell that it is about.
    """
    spec = specification()
    return records.Header(
        adapter=adapter,
        framework=description.framework if description else adapter,
        versions=dict(description.versions) if description else {},
        environment=_environment(),
        description=_plain(description) if description else {},
        suite=version("rnn-conformance"),
        digest=suite_digest(),
        specification=spec.version,
        chapters=spec.chapters,
        clauses={clause.number: clause.text for clause in spec.clauses.values()},
        of_other_cells=spec.of_other_cells(cell),
        profile=profile,
        seed=seed,
        planned=list(planned),
        detection=detection(),
        only=list(asked.clauses),
        only_checks=list(asked.checks),
        only_dtypes=list(asked.dtypes),
        shard=asked.shard,
        cell=cell,
        started=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


def saved(what: str) -> dict[str, Any]:
    """What was last measured and saved with this suite: "detection", "diagnosis" or "promises" (measured.py)."""
    file = files("rnn_conformance.conformance.selftest").joinpath(f"{what}.json")
    return dict(json.loads(file.read_text(encoding="utf-8")))


def detection() -> dict[str, Any]:
    """The detection score of this suite, in short; `seeds` is with how many seeds each fault was tried at least."""
    score = saved("detection")
    seeds = min(row["seeds"] for row in score["mutants"])
    return {"seeds": seeds, **{name: score[name] for name in ("killed", "of", "profile")}}


def finish(path: Path) -> bool:
    """Append the footer, if the file has a record for all that was planned and no footer yet.

    Returns whether the file is whole.
    """
    if not path.exists():
        return False
    results = records.read(path)
    if results.footer is not None:
        return True
    if results.missing:
        return False
    examples = sum(record.examples for record in results.checks)
    seconds = round(sum(record.seconds for record in results.checks), 2)
    records.append(path, records.Footer(len(results.checks), examples, seconds))
    return True


def journal_path(results: Path) -> Path:
    """Where the worker that writes these results notes what it is doing."""
    return results.with_suffix(".journal")


def _plain(description: Description) -> dict[str, Any]:
    return {
        "modes": list(description.modes),
        "ways": list(description.ways),
        "device": description.device,
        "cells": list(description.cells),
        "activations": list(description.activations),
        "variants": [f"{cell.name} {cell}" for cell in description.variants],
        "precision": {dtype: dataclasses.asdict(p) for dtype, p in description.precision.items()},
        "offers": list(description.offers),
        "unsupported": dict(description.unsupported),
        "choices": dataclasses.asdict(description.choices),
        "conventions": dict(description.conventions),
        "notes": dict(description.notes),
        "example": description.example,
        "examples": dict(description.examples),
    }


def _environment() -> dict[str, str]:
    """What results may depend on beside the framework.

    The processor is told by its microarchitecture, such as "zen3": libraries choose by that which code they run.
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processor": archspec.cpu.host().name,
        "numpy": np.__version__,
        "hypothesis": version("hypothesis"),
    }
