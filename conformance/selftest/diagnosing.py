"""The diagnosis put to the test: each mutant as an unknown subject, whose first failure is to be recognised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from typing import Any

from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks.catalogue import clauses_of, dtypes_of
from rnn_conformance.conformance.engine.check import Check, Function
from rnn_conformance.conformance.engine.subject import Subject, SubjectExited
from rnn_conformance.conformance.explaining.diagnosis import recognise
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.mutants.base import Mutant
from rnn_conformance.conformance.mutants.catalogue import catalogue
from rnn_conformance.conformance.mutants.cells import adapter_of, cell_of
from rnn_conformance.conformance.selftest.measured import measured
from rnn_conformance.conformance.selftest.trials import check_of, failure_of, in_processes, in_turn

Failed = tuple[Function, Check, NonConforming | SubjectExited]
"""A check after it failed, with its function and its failure."""


def first_failure(fault: Mutant, profile: str, seed: int) -> Failed | None:
    """The first check of the clauses that a mutant breaks that it fails, its case made as small as in a run.

    With few examples first, as a check notices most of them, and else with those of the profile.
    """
    for budget in dict.fromkeys(("smoke", profile)):
        subject = Subject(adapter_of(fault))
        for check, function in in_turn(fault):
            if not set(clauses_of(function)) & set(fault.breaks):
                break
            for dtype in dtypes_of(function, PROFILES[profile]):
                tried, cell = f"{check}[{dtype}]", cell_of(fault)
                running = check_of(tried, subject, dtype, budget, seed, cell, shrinks=True)
                failure = failure_of(running, function)
                if failure is not None and not isinstance(failure, str):
                    return function, running, failure
    return None


def diagnose_mutant(name: str, profile: str, seed: int) -> dict[str, Any]:
    """Which mutants the diagnosis says that this one is like; `alike` is empty where it recognises none."""
    failed = first_failure(catalogue()[name], profile, seed)
    alike = recognise(*failed) if failed else []
    check = failed[1].name if failed else ""
    return {"mutant": name, "theme": catalogue()[name].theme, "check": check, "alike": alike}


def diagnosed(
    mutants: Sequence[str], profile: str, seed: int, jobs: int, report: Callable[[str], None]
) -> dict[str, Any]:
    """What the diagnosis says of each of these mutants; `report` is told of each that was tried."""
    rows = {}
    with in_processes(jobs) as pool:
        for future in as_completed([pool.submit(diagnose_mutant, name, profile, seed) for name in mutants]):
            row = future.result()
            rows[row["mutant"]] = row
            report(row["mutant"])
    return measured("diagnosis", [rows[name] for name in mutants], profile, [seed])
