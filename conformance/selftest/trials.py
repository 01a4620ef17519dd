"""The suite tested by its mutants: which of them the checks notice, by which clause first, and how soon."""

from __future__ import annotations

import multiprocessing
import os
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from statistics import median, mode
from threading import Thread
from typing import Any

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks.catalogue import checks, clauses_of, dtypes_of, is_about
from rnn_conformance.conformance.engine.check import Check, Function
from rnn_conformance.conformance.engine.subject import Subject, SubjectExited
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.mutants.base import Mutant
from rnn_conformance.conformance.mutants.catalogue import catalogue
from rnn_conformance.conformance.mutants.cells import adapter_of, cell_of
from rnn_conformance.conformance.selftest.measured import measured
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reference.arithmetic.flags import ignoring_flags

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Kill:
    """A check that failed, and a clause that it cites: one that the mutant was said to break, if there is one."""

    clause: str
    check: str
    message: str


@dataclass(frozen=True)
class Trial:
    """What one mutant met with one seed: who noticed it, after how many examples and seconds.

    `broken` has what went wrong in the checks themselves, which is no kill.
    """

    mutant: str
    seed: int
    kills: tuple[Kill, ...]
    examples: int
    seconds: float
    broken: tuple[str, ...] = ()


def try_mutant(name: str, seed: int, profile: str, every: bool = False) -> Trial:
    """Run the checks of its cell on a mutant: of the clauses that it breaks first, and then of the others.

    Stops at the first check that fails or crashes, unless `every` one is to be run.
    """
    fault = catalogue()[name]
    cell = cell_of(fault)
    kills: list[Kill] = []
    broken: list[str] = []
    examples, begin = 0, time.process_time()
    subject = Subject(adapter_of(fault))
    for check, function in in_turn(fault):
        for dtype in dtypes_of(function, PROFILES[profile]):
            tried = f"{check}[{dtype}]"
            running = check_of(tried, subject, dtype, profile, seed, cell)
            failure = failure_of(running, function)
            examples += running.evidence.examples
            if isinstance(failure, str):
                broken.append(f"{tried}: {failure}")
            elif failure is not None:
                cited = clauses_of(function)
                clause = next((clause for clause in fault.breaks if clause in cited), cited[0])
                kills.append(Kill(clause, tried, str(failure)))
                break
        if kills and not every:
            break
    return Trial(name, seed, tuple(kills), examples, time.process_time() - begin, tuple(broken))


def in_turn(fault: Mutant) -> Iterator[tuple[str, Function]]:
    """Every check of its cell: first of the clauses that the mutant is said to break, then of the others."""
    at = {clause: k for k, clause in enumerate(fault.breaks)}
    of_cell = [item for item in checks().items() if is_about(item[1], cell_of(fault))]
    yield from sorted(of_cell, key=lambda item: min(at.get(clause, len(at)) for clause in clauses_of(item[1])))


def check_of(
    name: str,
    subject: Subject,
    dtype: str,
    profile: str,
    seed: int,
    cell: str = "simple_rnn",
    *,
    shrinks: bool = False,
) -> Check:
    """A check in the subject's main mode, of a cell; it looks for smaller failing cases only if it `shrinks`."""
    main = subject.description.modes[0]
    return Check(name, subject, dtype, main, PROFILES[profile], seed, 1, Journal(None), shrinks=shrinks, cell=cell)


@ignoring_flags
def failure_of(check: Check, function: Function) -> NonConforming | SubjectExited | str | None:
    """How the check failed, if it did; a text where the check itself is broken."""
    try:
        check.requires(check.dtype)
        function(check)
    except Unsupported:
        return None
    except (NonConforming, SubjectExited) as failure:
        return failure
    except Exception as error:  # of the subject's nothing comes here unguarded: an error of the suite, which is shown
        at = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({at.filename}, line {at.lineno})"
    return None


def run_trials(
    mutants: Sequence[str],
    seeds: Sequence[int],
    profile: str,
    jobs: int,
    every: bool,
    report: Callable[[Trial], None],
) -> list[Trial]:
    """Try each mutant with each seed, `jobs` at a time in processes of their own; `report` is told of each."""
    tasks = [(name, seed, profile, every) for seed in seeds for name in mutants]
    trials = []
    with in_processes(jobs) as pool:
        for future in as_completed([pool.submit(try_mutant, *task) for task in tasks]):
            trials.append(future.result())
            report(trials[-1])
    order = {task[:2]: k for k, task in enumerate(tasks)}
    return sorted(trials, key=lambda trial: order[trial.mutant, trial.seed])


def in_processes(jobs: int) -> ProcessPoolExecutor:
    """Run so many things at a time in processes of their own, each with one thread a library."""
    for variable in THREADS:  # thread pools fight over small layers
        os.environ[variable] = "1"
    # Not forked: a child would have the threads' locks of this process, but not its threads.
    return ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, which an executor leaves to it if that is killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    Thread(target=wait, daemon=True).start()


def score(trials: Sequence[Trial], profile: str) -> dict[str, Any]:
    """The detection score: the table, and what it was measured on. Of several seeds, the most common and the median."""
    by_mutant: dict[str, list[Trial]] = {}
    for trial in trials:
        by_mutant.setdefault(trial.mutant, []).append(trial)
    rows = [_row(catalogue()[name], of_seeds) for name, of_seeds in by_mutant.items()]
    return measured("detection", rows, profile, sorted({trial.seed for trial in trials}))


def _row(fault: Mutant, trials: Sequence[Trial]) -> dict[str, Any]:
    noticed = [trial for trial in trials if trial.kills]
    return {
        "mutant": fault.name,
        "sentence": fault.sentence,
        "theme": fault.theme,
        "breaks": list(fault.breaks),
        "killed": len(noticed),
        "seeds": len(trials),
        "clause": mode(trial.kills[0].clause for trial in noticed) if noticed else "",
        "check": mode(trial.kills[0].check for trial in noticed) if noticed else "",
        "examples": round(median(trial.examples for trial in noticed)) if noticed else None,
        "seconds": round(median(trial.seconds for trial in noticed), 3) if noticed else None,
        "survives": sorted(trial.seed for trial in trials if not trial.kills),
        "kills": sorted({kill.check.split("[")[0] for kill in trials[0].kills}),
    }
