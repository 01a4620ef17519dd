"""Every check that there is, with the clauses that it cites and the dtypes in which it is run."""

from __future__ import annotations

import importlib
import importlib.resources
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from rnn_conformance.conformance.cases.profiles import Profile
from rnn_conformance.conformance.engine.check import Function
from rnn_conformance.reference.cells.kinds import CELLS
from rnn_conformance.reference.spec import specification


@cache
def checks() -> Mapping[str, Function]:
    """Every check that cites a clause, such as ``test_values.py::test_recurrence``, in the order of SPEC.md."""
    found = every_check()
    cited = {name: clauses_of(function) for name, function in found.items()}
    order = list(specification().clauses)
    return {
        name: found[name] for name in sorted(filter(cited.get, found), key=lambda name: order.index(cited[name][0]))
    }


@cache
def every_check() -> Mapping[str, Function]:
    """The same with the observations, which cite no clause, in the order of the files."""
    folder = importlib.resources.files("rnn_conformance.conformance.checks")
    files = sorted(file.name for file in folder.iterdir() if file.name.startswith("test_"))
    found: dict[str, Function] = {}
    for file in files:
        module = importlib.import_module(f"rnn_conformance.conformance.checks.{file.removesuffix('.py')}")
        found |= {f"{file}::{name}": value for name, value in vars(module).items() if name.startswith("test_")}
    return found


def clauses_of(function: Function) -> tuple[str, ...]:
    """The clauses that a check cites; none for an observation."""
    return tuple(_mark(function).args)


def dtypes_of(function: Function, profile: Profile, cell: str | None = None) -> Sequence[str]:
    """The dtypes in which a check is run; none if it is not of that kind of cell."""
    asked = _mark(function).kwargs
    return () if cell is not None and cell not in asked.get("cells", (cell,)) else profile.dtypes(asked)


def is_about(function: Function, cell: str) -> bool:
    """Whether a check is run for this kind of cell."""
    return cell in cells_of(function)


def cells_of(function: Function) -> tuple[str, ...]:
    """The kinds of cells for which a check is run: all of them, unless its mark names some."""
    return tuple(_mark(function).kwargs.get("cells", CELLS))


def _mark(function: Function) -> Any:
    (mark,) = (mark for mark in function.pytestmark if mark.name == "clause")  # type: ignore[attr-defined]
    return mark
