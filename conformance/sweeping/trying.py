"""Mutants tried on an engine: each job has some of them, and makes an environment of what the suite itself needs."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

from rnn_conformance.conformance.running.process import started
from rnn_conformance.conformance.selftest.trials import Trial
from rnn_conformance.conformance.selftest.worker import read
from rnn_conformance.conformance.sweeping.environments import environment
from rnn_conformance.conformance.sweeping.indexes import Indexes
from rnn_conformance.conformance.sweeping.job import INSTALLING_SECONDS, Stopped, for_environments
from rnn_conformance.conformance.sweeping.places import Engine
from rnn_conformance.conformance.sweeping.wheel import Wheel, suite_wheel

_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Task:
    """Which mutants to try with which seeds, and in which environment, as a Job has it."""

    mutants: Sequence[str]
    seeds: Sequence[int]
    profile: str
    every: bool
    locked: str
    python: str
    indexes: Indexes = field(default_factory=Indexes)
    wheel: Wheel = field(default_factory=suite_wheel)


def run_task(task: Task, stop: Event | None = None) -> list[Trial]:
    """Make the environment here, and try the mutants in it.

    Raises Stopped if `stop` is set before the end, CannotBeMade and UvFailed as `environment` does, and RuntimeError,
    with what was said last, where the process does not end well.
    """
    stop = stop or Event()
    made = environment(task.locked, task.python, task.wheel, task.indexes, for_environments(), INSTALLING_SECONDS)
    with made as python, tempfile.TemporaryDirectory(prefix="rnn-conformance-") as place:
        asked, trials, log = (Path(place, name) for name in ("task.json", "trials.jsonl", "log.txt"))
        what = {name: getattr(task, name) for name in ("mutants", "seeds", "profile", "every")}
        asked.write_text(json.dumps({**what, "seeds": list(task.seeds)}), encoding="utf-8")
        module = "rnn_conformance.conformance.selftest.worker"
        with started(module, [str(asked), str(trials)], log, python=str(python)) as process:
            while process.poll() is None and not stop.wait(_POLL_SECONDS):
                pass
        if stop.is_set():
            raise Stopped
        if process.returncode != 0:
            said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise RuntimeError(f"trying mutants ended with status {process.returncode}: {said}")
        return read(trials.read_text(encoding="utf-8").splitlines())


def try_in_parts(task: Task, parts: int, engine: Engine, report: Callable[[Trial], object]) -> list[Trial]:
    """Try the mutants in at most so many jobs, and return the trials in the order of seeds and mutants.

    `report` is told of each trial. Raises what ended a job, at once.
    """
    running = [engine.run(run_task, _some(task, k, parts)) for k in range(min(parts, len(task.mutants)))]
    trials: list[Trial] = []
    for future in as_completed(running):
        found = future.result()
        trials += found
        for trial in found:
            report(trial)
    order = {(seed, name): k for k, (seed, name) in enumerate((s, m) for s in task.seeds for m in task.mutants)}
    return sorted(trials, key=lambda trial: order[trial.seed, trial.mutant])


def _some(task: Task, k: int, parts: int) -> Task:
    """Every so-manyth mutant: those of one theme, which take alike, are spread."""
    return replace(task, mutants=list(task.mutants[k::parts]))
