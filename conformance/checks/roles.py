"""Which of a subject's cells shows what a check looks for, by its activations, and through which door."""

from __future__ import annotations

from collections.abc import Sequence

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.doors import Door, doors
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.reference.cells.cell import ROLES, Cell


def doors_to(check: Check, names: Sequence[str]) -> list[tuple[Cell, Door]]:
    """The doors to these activations, each in the first cell that has it.

    In a thrifty profile one cell has to do, if it has several gates, since each has to be compiled. Raises Unsupported
    if there is none, or if the subject lacks what they need.
    """
    found: dict[tuple[str, str], tuple[Cell, Door]] = {}
    for cell in _plain_first(check.cells):
        for door in doors(cell, check.precision.dtype):
            if door.activation in names:
                found.setdefault((door.role, door.activation), (cell, door))
    if not found:
        raise Unsupported(_why_not(check, names))
    if has_state_given(check):
        check.requires("initial state")
        first, _ = next(iter(found.values()))
        if len(first.parts) > 1:
            check.requires("final state")
        if check.profile.thrifty:
            found = {key: each for key, each in found.items() if each[0] == first}
    return sorted(found.values(), key=lambda each: names.index(each[1].activation))


def has_state_given(check: Check) -> bool:
    """Whether it takes an initial state to see an activation: in all cells that are more than one activation."""
    return len(check.cells[0].gates) > 1


def cell_that_shows(check: Check, offered: Sequence[str]) -> Cell:
    """A cell with such an activation wherever a number passes; its gates it only passes by.

    Raises Unsupported where there is none.
    """
    for name in offered:
        for cell in _plain_first(check.cells):
            if {cell.activation, cell.activations.get("output", name)} == {name}:
                return cell
    raise Unsupported(f"no {check.cell} of the adapter has {' or '.join(offered)} wherever a number passes")


def _plain_first(cells: Sequence[Cell]) -> Sequence[Cell]:
    """These cells, those first whose gates are the usual ones: others are no matter of most of what is looked for."""
    return sorted(cells, key=lambda cell: cell.activations.get("gate", "sigmoid") != "sigmoid")


def _why_not(check: Check, names: Sequence[str]) -> str:
    description = check.subject.description
    reasons = [description.lacks(name) for name in names]
    for role in ROLES:
        words = (f"{check.cell} {'' if role == 'candidate' else ROLES[role].replace('_', ' ') + ' '}{n}" for n in names)
        reasons += [description.unsupported.get(each, "") for each in words]
    return next(filter(None, reasons), f"no activation of its {check.cell} is {' or '.join(names)}")
