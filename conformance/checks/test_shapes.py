"""Chapter 2 of SPEC.md: shapes and types."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import KINDS, Structure
from rnn_conformance.conformance.checks.few import few_cases
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import NonConforming, check_dtype, check_shape
from rnn_conformance.conformance.judging.outputs import check_states
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import DIRECTIONS, Architecture, Embedding, Layer
from rnn_conformance.reference.model.states import state_arrays, state_shapes


@pytest.mark.clause("2.1", "2.2", "2.4")
def test_outputs(check: Check) -> None:
    """Outputs have the shape of their return mode and the dtype of the layer."""

    def examine(case: Case) -> Set[str]:
        outputs = check.run(case).outputs
        check_shape("outputs", outputs, network.output_shape(case.architecture, case.batch, case.timesteps))
        check_dtype("outputs", outputs, check.dtype)
        of_shape = "2.1" if case.architecture.return_sequences else "2.2"
        return (
            {of_shape, "2.4"} if len({case.batch, case.timesteps, case.architecture.layers[-1].units}) > 1 else {"2.4"}
        )

    for return_sequences in (True, False):
        check.for_all(("layer", "stack"), examine, return_sequences=return_sequences)


@pytest.mark.clause("2.4", "2.5")
def test_final_states(check: Check) -> None:
    """Each layer of a model gives a final state of its own width, in the dtype of the layer."""
    check.requires("final state")

    def examine(case: Case) -> Set[str]:
        output = check.run(case)
        check_states(case.architecture, case.batch, output.final_state)
        for name, h in state_arrays("final_state", output.final_state):
            check_dtype(name, h, check.dtype)
        return (
            {"2.4", "2.5"} if len({case.batch, *(layer.units for layer in case.architecture.layers)}) > 1 else {"2.4"}
        )

    for return_sequences in (True, False):
        check.for_all(("layer", "stack"), examine, return_sequences=return_sequences, return_state=True)


@pytest.mark.clause("2.6", modes="main")
def test_symbolic_shapes(check: Check) -> None:
    """The model that everybody starts from infers (None, None, 32) and (None, 32) from unknown batch and timesteps."""
    check.requires("symbolic shapes")
    check.requires("embedding")

    def examine() -> bool:
        model = Architecture((Layer(32, 32, check.cells[0]),), Embedding(10000, 32), check.dtype, mode=check.mode)
        for return_sequences, wanted in ((True, (None, None, 32)), (False, (None, 32))):
            prepared = check.subject.network(replace(model, return_sequences=return_sequences))
            shape = prepared.ask("symbolic_shape")
            if tuple(shape) != wanted:
                raise NonConforming(f"the symbolic output shape = {tuple(shape)}, but should be {wanted}")
        return True

    check.example(examine)


@pytest.mark.clause("2.7", modes="main")
def test_symbolic_output_shapes_fit(check: Check) -> None:
    """Every known axis of the symbolic output shape is as long as that of the outputs, whatever the model is."""
    check.requires("symbolic shapes")

    def examine(case: Case) -> bool:
        symbolic = tuple(check.network(case).ask("symbolic_shape"))
        # That the outputs have this shape is clauses 2.1 and 2.2; to see it again would take compiling.
        _fits(
            "the symbolic output shape", symbolic, network.output_shape(case.architecture, case.batch, case.timesteps)
        )
        return _tells(case)

    for how in _hows(check):
        check.every(few_cases(check, _kinds(check), where=_has_three_sizes, **how), examine)


@pytest.mark.clause("2.7", modes="main")
def test_symbolic_state_shapes_fit(check: Check) -> None:
    """Every known axis of the symbolic state shapes is as long as that of the final states, in every layer."""
    check.requires("final state")
    check.requires("symbolic state shapes")

    def examine(case: Case) -> bool:
        symbolic = dict(state_arrays("final_state", check.network(case).ask("symbolic_state_shapes")))
        final = dict(state_arrays("final_state", state_shapes(case.architecture, (case.batch,))))
        if symbolic.keys() != final.keys():
            raise NonConforming(
                f"symbolic shapes of {', '.join(symbolic) or 'none'}, but should be of {', '.join(final)}"
            )
        for name, shape in final.items():
            _fits(f"the symbolic shape of {name}", symbolic[name], shape)
        return _tells(case)

    for how in _hows(check):
        check.every(few_cases(check, _kinds(check), where=_has_three_sizes, **how, return_state=True), examine)


@pytest.mark.clause("2.14", modes="main")
def test_known_axes_stay_known(check: Check) -> None:
    """A batch or a number of timesteps that is known of the inputs is known of the outputs and final states."""
    check.requires("symbolic shapes")
    of_states = check.offers("final state") and check.offers("symbolic state shapes")

    def examine(case: Case) -> bool:
        known: tuple[tuple[int | None, int | None], ...] = (case.batch, None), (None, case.timesteps)
        for batch, timesteps in known:
            architecture = replace(case.architecture, batch=batch, timesteps=timesteps)
            prepared = check.subject.network(architecture)
            wanted = network.output_shape(architecture, batch, timesteps)
            told = f" for inputs of shape ({batch}, {timesteps}, ...)"
            _knows(f"the symbolic output shape{told}", tuple(prepared.ask("symbolic_shape")), wanted)
            if not of_states:
                continue
            symbolic = state_arrays("final_state", prepared.ask("symbolic_state_shapes"))
            wanted_states = state_arrays("final_state", state_shapes(architecture, (batch,)))
            for (name, shape), (_, wanted) in zip(symbolic, wanted_states, strict=True):
                _knows(f"the symbolic shape of {name}{told}", shape, wanted)
        return _tells(case)

    for how in _hows(check):  # one of each kind, as some frameworks take a second for each
        found = (
            few_cases(check, [kind], where=_has_three_sizes, **how, return_state=of_states) for kind in _kinds(check)
        )
        check.every([case for cases in found for case in islice(cases, 1)], examine)


def _hows(check: Check) -> Sequence[dict[str, Any]]:
    """Each direction, and the last output; in a thrifty profile every other one of these."""
    directions = [direction for direction in DIRECTIONS if direction == "forward" or check.offers(direction)]
    return check.some_of(
        [*({"direction": direction} for direction in directions), {"return_sequences": False}], every=2
    )


def _kinds(check: Check) -> Sequence[str]:
    """All kinds of models; in a thrifty profile that which has most to tell."""
    if not check.profile.thrifty:
        return KINDS
    return ("stack",) if check.offers("stack") else ("layer",)


def _fits(name: str, symbolic: tuple[int | None, ...], shape: tuple[int | None, ...]) -> None:
    """Raise NonConforming unless the last axis is known and every known axis is as long as it should be."""
    right = len(symbolic) == len(shape) and symbolic[-1] == shape[-1]
    if not right or any(size not in (None, n) for size, n in zip(symbolic, shape, strict=True)):
        raise NonConforming(f"{name} = {symbolic}, which does not fit {shape}, what comes out")


def _knows(name: str, symbolic: tuple[int | None, ...], wanted: tuple[int | None, ...]) -> None:
    """Raise NonConforming unless every axis that is known of the inputs is known, and as long as it should be."""
    if len(symbolic) != len(wanted) or any(n not in (None, size) for size, n in zip(symbolic, wanted, strict=True)):
        raise NonConforming(f"{name} = {symbolic}, but should be {wanted}")


def _has_three_sizes(structure: Structure) -> bool:
    """Whether an axis that was given the length of another would be seen."""
    return len({1, structure.batch, structure.timesteps, structure.layers[-1].units}) == 4


def _tells(case: Case) -> bool:
    return len({1, case.batch, case.timesteps, case.architecture.layers[-1].width}) == 4
