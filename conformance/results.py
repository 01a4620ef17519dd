"""The first and the last line of a results file, as the suite writes them."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from rnn_conformance.adapters.protocol import Description
from rnn_conformance.reference.spec import specification
from rnn_conformance.reports import records


def header(
    adapter: str, profile: str, seed: int, planned: Sequence[str], description: Description | None
) -> records.Header:
    """The header of a run of these checks; without a description if the adapter could not give one."""
    spec = specification()
    return records.Header(
        adapter=adapter,
        framework=description.framework if description else adapter,
        versions=dict(description.versions) if description else {},
        environment=_environment(),
        description=_plain(description) if description else {},
        suite=version("rnn-conformance"),
        specification=spec.version,
        chapters=spec.chapters,
        clauses={clause.number: clause.text for clause in spec.clauses.values()},
        profile=profile,
        seed=seed,
        planned=list(planned),
    )


def finish(path: Path) -> None:
    """Append the footer, if the file has a record for all that was planned and no footer yet."""
    if not path.exists():
        return
    results = records.read(path)
    if results.footer is None and not results.missing:
        examples = sum(record.examples for record in results.checks)
        seconds = round(sum(record.seconds for record in results.checks), 2)
        records.append(path, records.Footer(len(results.checks), examples, seconds))


def journal_path(results: Path) -> Path:
    """Where the worker that writes these results notes what it is doing."""
    return results.with_suffix(".journal")


def _plain(description: Description) -> dict[str, Any]:
    return {
        "modes": list(description.modes),
        "device": description.device,
        "activations": list(description.activations),
        "precision": {dtype: dataclasses.asdict(p) for dtype, p in description.precision.items()},
        "unsupported": dict(description.unsupported),
        "conventions": dict(description.conventions),
    }


def _environment() -> dict[str, str]:
    """What results may depend on beside the framework."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "numpy": np.__version__,
        "hypothesis": version("hypothesis"),
    }
