"""What the checks of activations share: the doors of a subject's cells, by the activation behind them."""

from __future__ import annotations

from collections.abc import Sequence

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.doors import Door, doors
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.reference.cells.cell import ROLES, Cell


def doors_to(check: Check, names: Sequence[str]) -> list[tuple[Cell, Door]]:
    """The doors to these activations, of every cell that has its own choice of them.

    In a thrifty profile one such cell has to do, if it has several gates, since each has to be compiled. Raises
    Unsupported if there is none, or if the subject lacks what they need.
    """
    first_of: dict[tuple[str, ...], Cell] = {}
    for cell in check.cells:
        first_of.setdefault(tuple(cell.activations.values()), cell)
    has = {cell: [d for d in doors(cell, check.precision.dtype) if d.activation in names] for cell in first_of.values()}
    cells = [cell for cell, found in has.items() if found]
    if not cells:
        raise Unsupported(_why_not(check, names))
    if has_state_given(check):
        check.requires("initial state")
        if len(cells[0].parts) > 1:
            check.requires("final state")
        if check.profile.thrifty:
            cells = cells[:1]
    return [(cell, door) for name in names for cell in cells for door in has[cell] if door.activation == name]


def has_state_given(check: Check) -> bool:
    """Whether it takes an initial state to see an activation: in all cells that are more than one activation."""
    return len(check.cells[0].gates) > 1


def _why_not(check: Check, names: Sequence[str]) -> str:
    description = check.subject.description
    reasons = [description.lacks(name) for name in names]
    for role in ROLES:
        words = (f"{check.cell} {'' if role == 'candidate' else ROLES[role].replace('_', ' ') + ' '}{n}" for n in names)
        reasons += [description.unsupported.get(each, "") for each in words]
    return next(filter(None, reasons), f"no activation of its {check.cell} is {' or '.join(names)}")
