"""One call of a user's layer, judged by the bounds of the layer that it should be, on the inputs that it really had."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rnn_conformance.adapters.canonical import Call, Canonical
from rnn_conformance.conformance.judging.comparing import Judgement, NonConforming, Place, check_shape, compare
from rnn_conformance.reference.arithmetic.rounding import Precision, computed_in, dtype_of
from rnn_conformance.reference.bounds.layers import expected_last, expected_layer
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.cells.cell import PARTS
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.names import place_of
from rnn_conformance.reference.model.states import each_state, state_arrays
from rnn_conformance.reference.model.weights import Array, in_float64


@dataclass(frozen=True)
class Judged:
    """One array of a call with its largest error as a share of the bound; `named` is the array of the call."""

    path: str
    named: str
    judgement: Judgement

    @property
    def is_proven(self) -> bool:
        """Whether most of its elements have a bound that something could have been beyond."""
        return not self.judgement.unbounded


def judge_call(call: Call, precision: Precision, of: Canonical | None = None) -> list[Judged]:
    """Hold the outputs and final states of a call against the layer `of`, or against that which was called.

    Raises NonConforming, which says where, for an element beyond its bound; ValueError for inputs that are not finite.
    """
    canonical = call.canonical if of is None else of
    found = []
    for name, actual, expected in expectations(call, canonical, precision):
        check_shape(name, actual, expected.value.shape)
        layer = _layer_of(canonical, name)
        reach = layer.cell.reach(_part_of(name))
        if layer.is_bidirectional and layer.merge == "sum" and name == "outputs":
            reach *= 2
        limit = reach if np.isfinite(reach) else None
        place = _place_in(call, canonical, name)
        judgement = compare(name, actual, expected.value, expected.bound, precision.dtype, place, limit)
        found.append(Judged(call.canonical.path, name, judgement))
    return found


def expectations(call: Call, canonical: Canonical, precision: Precision) -> Iterator[tuple[str, Array, Expected]]:
    """Each array of a call, by name, and what it should be."""
    x = call.inputs.astype(np.float64)
    if not np.isfinite(x).all():
        raise ValueError(f"{canonical.path or 'the layer'} was given inputs that are not finite")
    weights = in_float64(canonical.weights.map(lambda array: _computed_with(array, canonical)))
    state = each_state(lambda part: part.astype(np.float64), call.initial_state)
    outputs = call.output.outputs
    check_shape(
        "outputs",
        outputs,
        (len(x), canonical.architecture.layers[-1].width)
        if call.is_last
        else (*x.shape[:2], canonical.architecture.layers[-1].width),
    )
    seen = None if call.is_last else outputs.astype(np.float64)
    top, error, finals = len(canonical.architecture.layers) - 1, None, []
    for k, layer in enumerate(canonical.architecture.layers):
        expected = expected_layer(
            layer,
            weights.layers[k],
            x,
            state[k] if state else None,
            precision,
            mask=call.mask,
            choices=call.canonical.choices,
            inputs_error=error,
            seen=seen if k == top else None,
        )
        x, error = expected.outputs.value, expected.outputs.bound
        finals.append(expected.final)
    yield "outputs", outputs, expected_last(layer, expected, precision) if call.is_last else expected.outputs
    if call.output.final_state is not None:
        given = dict(state_arrays("final_state", call.output.final_state))
        wanted = dict(state_arrays("final_state", finals))
        if given.keys() != wanted.keys():
            raise NonConforming(f"final states: {', '.join(given) or 'none'}, but should be {', '.join(wanted)}")
        for name, final in wanted.items():
            yield name, given[name], final


def _computed_with(array: Array, canonical: Canonical) -> Array:
    """The weights as they are used, where they are kept in a wider type than the one that is computed in."""
    architecture = canonical.architecture
    return array.astype(dtype_of(architecture.dtype)) if architecture.weights_dtype else array


def precision_of(porter_precision: Precision, call: Call) -> Precision:
    """The arithmetic of a call; a layer that was told of a narrower type than it puts out computes in that one."""
    return (
        computed_in(porter_precision) if str(call.output.outputs.dtype) != porter_precision.dtype else porter_precision
    )


def _layer_of(canonical: Canonical, name: str) -> Layer:
    place = place_of(name)
    return canonical.architecture.layers[place.layer if place else -1]


def _part_of(name: str) -> str:
    place = place_of(name)
    return (place.part if place else "") or PARTS[0]


def _place_in(call: Call, canonical: Canonical, name: str) -> Place:
    """Where an element is: the layer's path, the sequence, the timestep, the unit and the direction."""
    layer, place = _layer_of(canonical, name), place_of(name)

    def words(at: tuple[int, ...]) -> str:
        parts = [call.canonical.path or "the layer", f"sequence {at[0]}"]
        if name == "outputs" and not call.is_last:
            is_turned = layer.direction == "backward" and call.canonical.choices.backward_outputs == "processing"
            parts.append(f"{'place in the order of processing' if is_turned else 'timestep'} {at[1]}")
        parts.append(f"unit {at[-1] % layer.of_direction}")
        if at[-1] >= layer.of_direction or (place and place.direction):
            parts.append("backward direction")
        return ", ".join(parts)

    return words
