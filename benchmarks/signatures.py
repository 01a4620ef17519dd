"""How much a profile has a backend compile: the calls of different shapes that it asks for, and by which checks.

    python benchmarks/signatures.py [BACKEND [PROFILE [CELL]]]

Frameworks that compile do so for each model, method, shape and set of arguments. All checks are run in this process,
without known deviations and without frozen examples, which come by no others than these.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from rnn_conformance.adapters import registry
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks import test_observations
from rnn_conformance.conformance.checks.catalogue import checks, dtypes_of, is_about
from rnn_conformance.conformance.engine.subject import GuardedNetwork, Subject
from rnn_conformance.conformance.selftest.trials import check_of, failure_of
from rnn_conformance.reference.model.architecture import Architecture

COMPILED = ("run", "gradients", "train", "run_training", "second_gradient")
"""The methods for which a framework compiles; of the others it only asks for shapes or arrays."""

Signature = tuple[Any, ...]


class Counting(Subject):
    """A subject that notes down each signature which it has not seen before."""

    def __init__(self, name: str) -> None:
        super().__init__(registry.load(name))
        self.seen: dict[Signature, str] = {}
        self.check = ""

    def network(self, architecture: Architecture) -> GuardedNetwork:
        network = super().network(architecture)
        if type(network) is GuardedNetwork:
            network = self._networks[architecture] = _Counted(network, self)
        return network


class _Counted(GuardedNetwork):
    def __init__(self, network: GuardedNetwork, counting: Counting) -> None:
        super().__init__(network._network, network._architecture, network._home)
        self._counting = counting

    def _call(self, method: str, *arguments: Any, **given: Any) -> Any:
        result = super()._call(method, *arguments, **given)
        if method in COMPILED:  # and was not refused
            told = sorted((name, _shape(value)) for name, value in given.items() if value is not None)
            signature = (self._architecture, method, *map(_shape, arguments), *told)
            self._counting.seen.setdefault(signature, self._counting.check)
        return result


def _shape(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.shape, str(value.dtype)
    return tuple(map(_shape, value)) if isinstance(value, tuple | list) else type(value).__name__


def count(
    backend: str, profile: str, only: Iterable[str] | None = None, cell: str = "simple_rnn"
) -> tuple[dict[Signature, str], int]:
    """Each signature with the check that came first with it, and how many models were prepared."""
    subject = Counting(backend)
    observations = {name: value for name, value in vars(test_observations).items() if name.startswith("test_")}
    for name, function in {**checks(), **observations}.items():
        if is_about(function, cell) and (only is None or name in only):
            subject.check = name
            for dtype in dtypes_of(function, PROFILES[profile]):
                check = check_of(name, subject, dtype, profile, 0, cell=cell)
                if isinstance(failure := failure_of(check, function), str):
                    raise RuntimeError(f"{name} in {dtype}: {failure}")
    return subject.seen, len(subject._networks)


def main(backend: str = "numpy", profile: str = "smoke", cell: str = "simple_rnn") -> None:
    """Print how many there are, and which checks come with more than two that no check before them has."""
    seen, models = count(backend, profile, cell=cell)
    table = Table("check", "signatures of its own", title=f"{backend}, {profile}, {cell}")
    for name, number in Counter(seen.values()).most_common():
        if number > 2:
            table.add_row(name, str(number))
    Console().print(table)
    print(f"{backend}, {profile}, {cell}: {len(seen)} signatures of {models} models")


if __name__ == "__main__":
    main(*sys.argv[1:])
