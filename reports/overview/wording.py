"""What all renderings say in the same words: numbers, verdicts, a backend with its versions."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rnn_conformance.reports.overview.summary import Backend
from rnn_conformance.reports.overview.verdicts import PROBLEMS
from rnn_conformance.reports.records.harmless import safe_relative
from rnn_conformance.reports.records.records import CheckRecord, Header, Results

CELLS = {"simple_rnn": "simple RNN", "lstm": "LSTM", "gru": "GRU"}
"""What the kinds of cells are called in sentences."""


def cell_in_words(cell: str) -> str:
    """A kind of cell as it stands in a sentence; one that is not known by its own name."""
    return CELLS.get(cell, cell)


def title(header: Header) -> str:
    """The backend with the versions it was run with, such as ``keras-jax (keras 3.15.1, jax 0.10.2)``."""
    versions = [f"{name} {version}" for name, version in header.versions.items()]
    if len(versions) == 1 and header.name in header.versions:
        return versions[0]
    return f"{header.name} ({', '.join(versions)})" if versions else header.name


def others(backend: Backend) -> str:
    """How many checks without a clause want attention, in words; empty if none does."""
    found = [record.verdict for record in backend.others.records if record.verdict in PROBLEMS]
    return f"{count(len(found), 'check')} without a clause {' and '.join(dict.fromkeys(found))}" if found else ""


def asked_for(header: Header) -> str:
    """What a run was asked for, such as ``3 and 1.4 in float32``; empty where that is everything."""
    shard = header.shard.split(",") if header.shard else []
    parts = (("", header.only_checks), ("of ", header.only), ("in ", header.only_dtypes), ("shard ", shard))
    return " ".join(f"{word}{' and '.join(names)}" for word, names in parts if names).removeprefix("of ")


def truncation(results: Results) -> str:
    """That a run is truncated, and what it lacks."""
    return f"truncated: {lacking(results)}"


def lacking(results: Results) -> str:
    """What a truncated run lacks."""
    if missing := len(results.missing):
        return f"{missing:,} of {count(len(results.header.planned), 'planned check')} have no record"
    return "the run ended without its footer"


def evidence(record: CheckRecord, folder: Path) -> Sequence[str]:
    """How to see a failure again, with the suite and without; `folder` is where its results lie.

    A file that is named by anything but a path inside of that folder is not looked for.
    """
    lines = []
    witness, script = safe_relative(record.witness_file), safe_relative(record.reproducer_file)
    if record.replay:
        command = record.replay.replace(witness, str(folder / witness)) if witness else record.replay
        lines.append(f"run it again: {command}")
    if script:
        lines.append(f"without this suite: python {folder / script}")
    elif record.reproducer_file:
        lines.append(f"a script of the framework alone, outside of the results' folder: {record.reproducer_file}")
    elif record.no_reproducer:
        lines.append(f"no script of the framework alone: {record.no_reproducer}")
    return lines


def not_looked_at(record: CheckRecord) -> Sequence[str]:
    """The deviations known in other versions that a failure may be, a line each."""
    return [
        f"not looked at in this version: {cause.title}; known as {cause.deviation}, "
        f"seen with {', '.join(f'{package} {versions}' for package, versions in cause.versions.items())}"
        for cause in record.not_looked_at
    ]


def phrase(verdict: str, number: int) -> str:
    """A verdict with the number of clauses that have it, such as ``4 with known deviations``."""
    if verdict == "deviation":
        return f"{number:,} with {'a known deviation' if number == 1 else 'known deviations'}"
    return f"{number:,} {'failing' if verdict == 'fails' else verdict}"


def count(number: int, noun: str) -> str:
    """A number and its noun, such as ``1 clause`` or ``12,345 examples``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def figure(number: float) -> str:
    """An error/bound or a number of ULP, to two digits."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "∞"
    if number == 0 or 100 <= abs(number) < 1e6:
        return f"{number:,.0f}"
    return f"{number:#.2g}".rstrip(".")


def plain(value: Any) -> str:
    """Something that an adapter declares, as text: words as they are, lists with commas, the rest as JSON."""
    if isinstance(value, list):
        return ", ".join(map(plain, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def discriminating(record: CheckRecord) -> str:
    """How many of a check's examples could have failed, such as ``57 of 60``."""
    return f"{record.discriminating:,} of {record.examples:,}"


def by_clause(record: CheckRecord) -> Sequence[str]:
    """The same of each clause for which it is another number."""
    return [
        f"for {clause}: {number:,} of {record.examples:,}"
        for clause, number in record.by_clause.items()
        if number != record.discriminating
    ]


def refused(record: CheckRecord) -> Sequence[str]:
    """How many of a check's models were refused though nothing says so beforehand, for each reason."""
    return [
        f"{number:,} of {count(record.structures, 'model')} refused: {reason}"
        for reason, number in record.refusals.items()
    ]
