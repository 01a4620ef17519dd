"""What the layer promises beyond its forward pass, and the mutants that only the checks of one promise notice.

A promise that no fault would break without another promise's checks noticing it, too, would not need checks of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks.catalogue import checks, clauses_of, dtypes_of, is_about
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.mutants.catalogue import catalogue
from rnn_conformance.conformance.mutants.cells import SOUND_OF, adapter_of, cell_of
from rnn_conformance.conformance.mutants.chorus import Chorus
from rnn_conformance.conformance.selftest.measured import measured
from rnn_conformance.conformance.selftest.trials import check_of, failure_of, in_processes

PROMISES: Mapping[str, Sequence[str]] = {
    "Lengths and masks": ("9", "5.3"),
    "Directions": ("10",),
    "State between calls": ("3",),
    "Every way in": ("12", "2.6", "2.7"),
    "Randomness switched off": ("13",),
    "Gradients": ("11.1", "11.2", "11.3", "11.4", "11.5", "11.6", "11.7", "11.8", "11.10"),
    "Vanishing and exploding gradients": ("11.9",),
    "Types": ("2.4", "2.8", "2.9", "2.12"),
    "Awkward sizes": ("2.10", "2.11"),
    "Non-finite numbers": ("1.12",),
    "Refusals": ("14",),
    "Exact machines": ("1.9", "1.11"),
}
"""The clauses, or whole chapters, of each promise. All the others are of the forward pass."""

FORWARD = "The forward pass"


def promise_of(clause: str) -> str:
    """The promise to which a clause belongs."""
    for promise, parts in PROMISES.items():
        if clause in parts or clause.partition(".")[0] in parts:
            return promise
    return FORWARD


def promises_of(check: str) -> frozenset[str]:
    """The promises of which a check cites a clause."""
    return frozenset(map(promise_of, clauses_of(checks()[check])))


def candidates() -> list[str]:
    """The mutants that are said to break one promise beyond the forward pass and nothing else."""
    found = {name: {promise_of(clause) for clause in mutant.breaks} for name, mutant in catalogue().items()}
    return [name for name, promises in found.items() if len(promises) == 1 and promises != {FORWARD}]


def noticed_by(check: str, mutants: Sequence[str], seed: int, profile: str) -> list[str]:
    """Which of these mutants a check notices, in one of its dtypes or another."""
    noticed: list[str] = []
    for cell in filter(partial(is_about, checks()[check]), SOUND_OF):
        of_cell = [name for name in mutants if cell_of(catalogue()[name]) == cell]
        noticed += _noticed_of(cell, check, of_cell, seed, profile) if of_cell else []
    return noticed


def _noticed_of(cell: str, check: str, mutants: Sequence[str], seed: int, profile: str) -> list[str]:
    """The same of mutants of one cell."""
    function = checks()[check]
    noticed: list[str] = []
    for dtype in dtypes_of(function, PROFILES[profile]):
        chorus = Chorus((catalogue()[name] for name in mutants if name not in noticed), cell)
        tried = f"{check}[{dtype}]"
        if failure := failure_of(check_of(tried, Subject(chorus), dtype, profile, seed, cell), function):
            raise AssertionError(f"{tried} does not pass on a sound layer: {failure}")
        for name in sorted(chorus.apart):
            mutant = Subject(adapter_of(catalogue()[name]))
            failure = failure_of(check_of(tried, mutant, dtype, profile, seed, cell), function)
            if isinstance(failure, str):
                raise AssertionError(f"{tried} broke on {name}: {failure}")
            if failure is not None:
                noticed.append(name)
    return noticed


def alone(
    mutants: Sequence[str], seed: int, profile: str, jobs: int, report: Callable[[str, int], None]
) -> dict[str, list[str]]:
    """The checks that notice each of these mutants; those that checks of more than one promise notice are left out.

    `report` is told of each check that was run, and of how many mutants then remain.
    """
    found: dict[str, list[str]] = {name: [] for name in mutants}

    def remaining() -> list[str]:
        return [name for name, noticing in found.items() if not noticing or _in_common(noticing)]

    # First what crosses everything with everything, since that notices most.
    names = sorted(checks(), key=lambda check: "12.1" not in clauses_of(checks()[check]))
    with in_processes(jobs) as pool:
        for first in range(0, len(names), jobs):  # a few at a time, since fewer mutants remain after each
            some = names[first : first + jobs]
            futures = [pool.submit(noticed_by, check, remaining(), seed, profile) for check in some]
            for check, future in zip(some, futures, strict=True):
                for name in future.result():
                    found[name].append(check)
                report(check, len(remaining()))
    return {name: found[name] for name in remaining() if found[name]}


def _in_common(noticing: Sequence[str]) -> frozenset[str]:
    return frozenset.intersection(*map(promises_of, noticing))


def table(found: Mapping[str, Sequence[str]], tried: Sequence[str], seed: int, profile: str) -> dict[str, Any]:
    """What was measured: of each mutant that was tried the promise whose checks alone notice it, and these checks."""
    rows = []
    for name in tried:
        noticing = found.get(name, ())
        promise = next((promise for promise in PROMISES if noticing and promise in _in_common(noticing)), "")
        told = {"promise": promise, "checks": list(noticing), "profile": profile}
        rows.append({"mutant": name, "theme": catalogue()[name].theme, **told})
    return measured("promises", rows, profile, [seed])
