"""Small releases, jobs and engines for the tests of what goes through releases."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import replace
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

import archspec.cpu
from example_results import check, results, written
from unearth import Link, Package

from rnn_conformance.conformance.running.selection import EVERYTHING
from rnn_conformance.conformance.sweeping.environments import CannotBeMade, Wanted
from rnn_conformance.conformance.sweeping.indexes import Indexes
from rnn_conformance.conformance.sweeping.job import RESULTS, Job, Made, Skipped
from rnn_conformance.conformance.sweeping.sweep import Asked
from rnn_conformance.reports.records.records import Results

ASKED = Asked("keras-jax", "simple_rnn", "smoke", 0, EVERYTHING, 300, "3.11", Indexes())
DAYS = {
    "keras": {"3.0.0": "2024-01-10", "3.1.0": "2024-02-10", "3.2.0": "2024-04-10", "3.1.1": "2024-05-10"},
    "jax": {"0.4.20": "2024-01-01", "0.4.30": "2024-03-10", "0.4.31": "2024-06-10"},
}
"""When the releases of a small index were uploaded."""


def package(name: str, version: str, day: str = "2024-05-01", tags: str = "py3-none-any", **options: Any) -> Package:
    """A wheel on an index."""
    at = datetime.fromisoformat(day).replace(tzinfo=timezone.utc) if day else None
    link = Link(f"https://example.org/{name}-{version}-{tags}.whl", upload_time=at, **options)
    return Package(name, version, link)


def index(name: str) -> list[Package]:
    """The files of a package on the small index."""
    return [package(name, version, day) for version, day in DAYS[name].items()]


def resolved(wanted: Wanted, indexes: Indexes, timeout: float = 0) -> str:
    """What uv would find on the small index: what is pinned, or else the newest on that day.

    Keras 3.2.0 is no match for a JAX that is newer than 0.4.30, unlike all others.
    """
    pins = dict(each.split("==") for each in wanted.requirements if "==" in each)
    found = {}
    for name, days in DAYS.items():
        there = [version for version, day in days.items() if date.fromisoformat(day) <= wanted.day]
        found[name] = pins.get(name) or max(there)
    if found == {"keras": "3.2.0", "jax": "0.4.31"}:
        if {"keras", "jax"} <= pins.keys():
            raise CannotBeMade("keras 3.2.0 needs jax<0.4.31")
        found["keras"] = "3.1.1"
    return "".join(f"{name}=={version}\n" for name, version in found.items())


def made_of(versions: Mapping[str, str], verdict: str, folder: Path, **header: Any) -> Made:
    """The results of a job in an environment of these versions: one check, with this verdict."""
    found = with_versions(versions, verdict, **header)
    path = folder / "made.jsonl"
    path.unlink(missing_ok=True)
    return Made({RESULTS: written(path, found).read_bytes()})


def with_versions(versions: Mapping[str, str], verdict: str, **header: Any) -> Results:
    """Results of one check, of clause 1.1 in float32, with these versions."""
    environment = {"processor": archspec.cpu.host().name, "python": "3.11.7"}
    options = {"environment": environment, "description": {"modes": ["eager"]}, **header}
    record = check("1.1", verdict, message="" if verdict == "conforms" else "off by one")
    return results("keras-jax", [record], **{"versions": dict(versions), **options})


class Here(Executor):
    """An engine that runs a job as it is submitted, and keeps what it ran; `answer` says what comes of its lock."""

    def __init__(self, answer: Callable[[Job], Made | Skipped]) -> None:
        self.answer = answer
        self.ran: list[Job] = []

    def submit(self, work: Any, /, *args: Any, **options: Any) -> Future[Any]:
        self.ran.append(args[0])
        future: Future[Any] = Future()
        try:
            future.set_result(self.answer(args[0]))
        except Exception as error:
            future.set_exception(error)
        return future


def versions_of(job: Job) -> dict[str, str]:
    """The versions in the lock of a job."""
    return dict(line.split("==") for line in job.locked.split())


def as_data(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def asked(**changes: Any) -> Asked:
    return replace(ASKED, **changes)
