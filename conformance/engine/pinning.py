"""A check pinned to the one example of a witness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rnn_conformance.adapters.description import Description
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.failures import Pin
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.conformance.witnesses.witness import Witness
from rnn_conformance.reference.cells.cell import Cell


def mode_of(witness: Witness, modes: Sequence[str]) -> str:
    """The mode to run it in: its own or, where its check is not run in a mode of that name, the first of these."""
    return witness.mode if witness.mode in modes else modes[0]


def witnesses(witness: Witness, item: Item, modes: Sequence[str]) -> bool:
    """Whether this is the one dtype and mode, of the modes of a check, in which the witness is run again."""
    here = (item.check.split("[")[0], item.dtype, item.mode)
    return here == (witness.check, witness.dtype, mode_of(witness, modes))


def offered(cell: Cell, description: Description) -> Cell:
    """The cell itself or, where the adapter has no such variant, its usual one with that activation, or else any."""
    variants = description.variants_of(cell.name)
    if cell in variants or not variants:
        return cell
    return next((variant for variant in variants if variant.activation == cell.activation), variants[0])


def pinned(check: Check, witness: Witness) -> Check:
    """The same check, but of the example of this witness alone."""
    description = check.subject.description
    case = witness.case
    if case is not None and case.architecture.mode not in set(description.modes + description.ways) - {witness.mode}:
        case = replace(case, architecture=replace(case.architecture, mode=check.mode))
    if case is not None:
        layers = tuple(replace(layer, cell=offered(layer.cell, description)) for layer in case.architecture.layers)
        case = replace(case, architecture=replace(case.architecture, layers=layers))
    profile = PROFILES[witness.profile]
    pin = Pin(witness.search, case)
    return replace(
        check,
        pin=pin,
        profile=profile,
        seed=witness.seed,
        deviations=(),
        computed_in=witness.computed_in,
        _searches=0,
    )
