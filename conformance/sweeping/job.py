"""A job: one backend on one kind of cell in one environment, wherever it is run; and what comes of it."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from platformdirs import user_cache_path

from rnn_conformance.conformance.identity import suite_digest, told_digest
from rnn_conformance.conformance.running.order import Order, Progress
from rnn_conformance.conformance.running.process import TOO_LONG
from rnn_conformance.conformance.running.results import EVIDENCE
from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.conformance.running.supervisor import run_one
from rnn_conformance.conformance.sweeping.environments import CannotBeMade, TookTooLong, environment
from rnn_conformance.conformance.sweeping.indexes import Indexes
from rnn_conformance.conformance.sweeping.wheel import Wheel, suite_wheel
from rnn_conformance.reference.spec import specification
from rnn_conformance.reports.records import records

RESULTS = "results.jsonl"
"""What the results file of a job is called."""

INSTALLING_SECONDS = 600.0
"""An environment that is not there by then is given up for now."""

_START = "start"
_DIGITS = 20


@dataclass(frozen=True)
class Job:
    """What to run, and in which environment. It is small, can be pickled, and carries the suite's own wheel.

    `locked` is the environment's lock, `python` the Python that it is made with, such as ``3.11`` or a path; `seeds` is
    how many a soak goes through.
    """

    adapter: str
    cell: str
    profile: str
    seed: int
    asked: Selection
    timeout: float
    locked: str
    python: str
    indexes: Indexes = field(default_factory=Indexes)
    wheel: Wheel = field(default_factory=suite_wheel)
    seeds: int = 1

    @property
    def question(self) -> Mapping[str, object]:
        """All that decides its results, beside the processor that it is run on."""
        return {
            "backend": self.adapter,
            "cell": self.cell,
            "profile": self.profile,
            "seed": self.seed,
            "asked": self.asked.options(),
            "timeout": self.timeout,
            "lock": self.locked.split(),
            "python": self.python,
            "suite": suite_digest(),
            "adapters and deviations": told_digest(),
            "specification": specification().version,
            **({"seeds": self.seeds} if self.seeds > 1 else {}),
        }

    @property
    def digest(self) -> str:
        """A digest of the question: what has the same has the same results on one processor."""
        return hashlib.sha256(json.dumps(self.question, sort_keys=True).encode()).hexdigest()[:_DIGITS]


@dataclass(frozen=True)
class Made:
    """Results, and the evidence beside them: the bytes of each file, by its path."""

    files: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True)
class Skipped:
    """Nothing could be run: which `step` did not work (resolve, install, import or start), and what was `said` last."""

    step: str
    said: str

    @property
    def is_lasting(self) -> bool:
        """Whether it would be so another time: what took too long to start may have had a busy machine."""
        return self.step != _START


class Stopped(Exception):
    """The job was told to stop before its end."""


def run_job(job: Job, stop: Event | None = None) -> Made | Skipped:
    """Make the environment of a job here, run its checks there, and return what came of it; nothing is left behind.

    Raises Stopped if `stop` is set before the end.
    """
    stop = stop or Event()
    try:
        with environment(
            job.locked, job.python, job.wheel, job.indexes, for_environments(), INSTALLING_SECONDS
        ) as python:
            return _run(job, python, stop)
    except TookTooLong as error:
        return Skipped(_START, str(error))
    except CannotBeMade as error:
        return Skipped("install", str(error))


def _run(job: Job, python: Path, stop: Event) -> Made | Skipped:
    with tempfile.TemporaryDirectory(prefix="rnn-conformance-") as place:
        folder = Path(place)
        order = Order(
            job.profile, job.seed, job.asked, job.seeds, job.timeout, folder, cell=job.cell, python=str(python)
        )
        run_one(order, job.adapter, _not_told, stop)
        if stop.is_set():
            raise Stopped
        results = records.read(order.results(job.adapter))
        if not results.header.description:  # the adapter could not be asked anything
            said = _reason(results)
            return Skipped(_START if said.startswith(TOO_LONG) else "import", said)
        order.results(job.adapter).rename(folder / RESULTS)
        return Made(
            {RESULTS: (folder / RESULTS).read_bytes()}
            | {
                file.relative_to(folder).as_posix(): file.read_bytes()
                for name in EVIDENCE
                for file in sorted((folder / name).glob("*"))
            }
        )


def _reason(results: records.Results) -> str:
    """Why an adapter does not work: the line that says so, or else the last ones of its process."""
    said = "\n".join(record.message for record in results.checks)
    named = re.search(r" does not work: .*", said)
    return named[0].removeprefix(" does not work: ").rstrip(" !") if named else said


def for_environments() -> Path:
    """Beside what uv keeps, as a rule, so that files need not be copied but are linked."""
    return user_cache_path("rnn-conformance", appauthor=False) / "environments"


def _not_told(step: Progress) -> None:
    """How far a job is, is told when it is done."""
