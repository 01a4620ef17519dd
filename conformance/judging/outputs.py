"""Comparing what a subject returned with what the specification expects, element by element."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.judging.comparing import Judgement, NonConforming, Place, check_shape, compare
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.rounding import Precision
from rnn_conformance.reference.bounds.layers import expected_last, expected_layer
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.cells.cell import PARTS
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.names import place_of
from rnn_conformance.reference.model.states import State, each_state, state_arrays, state_shapes
from rnn_conformance.reference.model.weights import Array, widened


@dataclass
class Findings:
    """The judgements of one example, and whether a wrong recurrence would have shown in any of them."""

    judgements: list[Judgement] = field(default_factory=list)
    discriminates: bool = False

    def add(self, judgement: Judgement, expected: Expected) -> None:
        """Add the judgement of something that should be as expected."""
        self.judgements.append(judgement)
        shows = np.abs(expected.value - expected.without_recurrence) > expected.bound
        self.discriminates |= bool(shows.any())


@ignoring_flags
def judge(
    case: Case, output: Output, precision: Precision, choices: Choices, *, from_given_state: bool = False
) -> Findings:
    """Judge everything in the output of `case`: outputs and, if there, final states.

    `from_given_state` says that the case's own initial state was given to the call. Raises NonConforming.
    """
    findings = Findings()
    for name, actual, expected in expectations(case, output, precision, choices, from_given_state):
        place, reach = place_in(case.architecture, choices, name), reach_of(case.architecture, name)
        dtype = case.architecture.dtype
        findings.add(compare(name, actual, expected.value, expected.bound, dtype, place, reach), expected)
    return findings


def expectations(
    case: Case, output: Output, precision: Precision, choices: Choices, from_given_state: bool
) -> Iterator[tuple[str, Array, Expected]]:
    """Each thing that was returned, its name, and what it should be.

    The subject's own outputs are the sharpest starting point (step residual), where they are to be seen: for the last
    layer, if it returns all of them. Everything else is judged by the propagated bound.
    """
    architecture = case.architecture
    whole: Any = (...,) if architecture.batched else (0,)
    weights = widened(case.weights, architecture.dtype)
    state, mask = given_to(case, from_given_state)
    x, state, mask = network.as_batch(architecture, weights, case.inputs, state, mask)
    actual = np.asarray(output.outputs)
    check_shape("outputs", actual, network.output_shape(architecture, case.batch, case.timesteps))
    seen = actual.astype(np.float64).reshape(*x.shape[:2], -1) if architecture.return_sequences else None

    error, finals = None, []
    top = len(architecture.layers) - 1
    for k, layer in enumerate(architecture.layers):
        expected = expected_layer(
            layer,
            weights.layers[k],
            x,
            state[k] if state else None,
            precision,
            mask=mask,
            choices=choices,
            inputs_error=error,
            seen=seen if k == top else None,
        )
        x, error = expected.outputs.value, expected.outputs.bound
        finals.append(expected.final)
    outputs = expected.outputs if architecture.return_sequences else expected_last(layer, expected, precision)
    yield "outputs", actual, outputs.each(lambda array: array[whole])

    if architecture.return_state:
        check_states(architecture, case.batch, output.final_state)
        given = state_arrays("final_state", output.final_state)
        for (name, h), (_, final) in zip(given, state_arrays("final_state", finals), strict=True):
            yield name, h, final.each(lambda array: array[whole])


def given_to(case: Case, from_given_state: bool) -> tuple[State | None, Mask | None]:
    """The initial state, in float64, and the mask of a call; None for what the call is not given."""
    state = each_state(lambda h: h.astype(np.float64), case.initial_state) if from_given_state else None
    return state, case.mask if case.architecture.is_masked else None


def place_in(architecture: Architecture, choices: Choices, name: str) -> Place:
    """The place of each element of `outputs` or of `final_state[k]` in words: layer, timestep and unit."""
    k, layer = _layer_of(architecture, name)
    place = place_of(name)
    processing = layer.direction == "backward" and choices.backward_outputs == "processing"

    def words(at: tuple[int, ...]) -> str:
        *before, unit = at
        parts = [f"layer {k}"]
        if name == "outputs" and architecture.return_sequences:
            parts.append(f"{'place in the order of processing' if processing else 'timestep'} {before[-1]}")
        parts.append(f"unit {unit % layer.units}")
        if unit >= layer.units or (place and place.direction):
            parts.append("backward direction")
        return ", ".join(parts)

    return words


def reach_of(architecture: Architecture, name: str) -> float | None:
    """How far apart two values of `outputs` or of `final_state[k]` can be; None if there is no limit."""
    layer, place = _layer_of(architecture, name)[1], place_of(name)
    reach = layer.cell.reach(place.part if place and place.part else PARTS[0])
    if not np.isfinite(reach):
        return None
    return 2 * reach if layer.is_bidirectional and layer.merge == "sum" and name == "outputs" else reach


def _layer_of(architecture: Architecture, name: str) -> tuple[int, Layer]:
    """The layer, and its number, of which `outputs` or `final_state[k]` are."""
    place = place_of(name)
    k = place.layer if place else len(architecture.layers) - 1
    return k, architecture.layers[k]


def check_states(architecture: Architecture, batch: int, states: State | None) -> None:
    """Raise NonConforming unless there is a final state for each layer, of the right shape."""
    shapes = state_shapes(architecture, (batch,) if architecture.batched else ())
    if states is None or len(states) != len(shapes):
        given = "none" if states is None else f"{len(states)}"
        raise NonConforming(f"final states: {given}, but should be {len(shapes)}, one for each layer")
    found, wanted = dict(state_arrays("final_state", states)), dict(state_arrays("final_state", shapes))
    if found.keys() != wanted.keys():
        raise NonConforming(f"final states: {', '.join(found) or 'none'}, but should be {', '.join(wanted)}")
    for name, shape in wanted.items():
        check_shape(name, found[name], shape)
