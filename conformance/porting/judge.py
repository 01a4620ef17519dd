"""One call of a user's layer, judged by the bounds of the layer that it should be, on the inputs that it really had."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Call, Canonical
from rnn_conformance.conformance.judging.comparing import (
    Judgement,
    NonConforming,
    Place,
    check_dtype,
    check_shape,
    compare,
)
from rnn_conformance.conformance.porting.clauses import clauses_of
from rnn_conformance.reference.arithmetic.rounding import Precision, dtype_of
from rnn_conformance.reference.bounds.layers import expected_last, expected_layer
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.cells.cell import PARTS
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.names import place_of
from rnn_conformance.reference.model.states import each_state, state_arrays
from rnn_conformance.reference.model.weights import Array, LayerWeights, in_float64


class LayerFailed(NonConforming):
    """A departure of one layer of the `framework`: what it is, and which clauses speak of what is wrong with it."""

    def __init__(
        self,
        message: str,
        judgement: Judgement | None = None,
        *,
        layer: Canonical,
        clauses: Sequence[str] = (),
        framework: str = "",
        **details: Any,
    ) -> None:
        super().__init__(message, judgement, **details)
        self.layer, self.clauses, self.framework = layer, tuple(clauses), framework

    def told(self, message: str, framework: str = "") -> LayerFailed:
        """The same with more words."""
        framework = framework or self.framework
        return LayerFailed(
            message, self.judgement, layer=self.layer, clauses=self.clauses, framework=framework, **self.details
        )


@dataclass(frozen=True)
class Judged:
    """One array of a call with its largest error as a share of the bound; `named` is the array of the call.

    `clauses` are those of SPEC.md that speak of it.
    """

    path: str
    named: str
    judgement: Judgement
    clauses: tuple[str, ...] = ()

    @property
    def is_proven(self) -> bool:
        """Whether most of its elements have a bound that something could have been beyond."""
        return not self.judgement.unbounded


def judge_call(call: Call, precision: Precision, of: Canonical | None = None) -> list[Judged]:
    """Hold the outputs and final states of a call against the layer `of`, or against that which was called.

    Raises LayerFailed, a NonConforming, which says where, for an element beyond its bound; ValueError for inputs that
    are not finite.
    """
    canonical = call.canonical if of is None else of
    found, name = [], "outputs"
    try:
        for name, actual, expected in expectations(call, canonical, precision):
            check_shape(name, actual, expected.value.shape)
            check_dtype(name, actual, canonical.architecture.dtype)
            layer = _layer_of(canonical, name)
            reach = layer.cell.reach(_part_of(name))
            if layer.is_bidirectional and layer.merge == "sum" and name == "outputs":
                reach *= 2
            limit = reach if np.isfinite(reach) else None
            place = _place_in(call, canonical, name)
            judgement = compare(name, actual, expected.value, expected.bound, precision.dtype, place, limit)
            found.append(Judged(call.canonical.path, name, judgement, clauses_of(call, name)))
    except NonConforming as failure:
        cited = clauses_of(call, name)
        raise LayerFailed(
            str(failure), failure.judgement, layer=call.canonical, clauses=cited, **failure.details
        ) from None
    return found


def expectations(call: Call, canonical: Canonical, precision: Precision) -> Iterator[tuple[str, Array, Expected]]:
    """Each array of a call, by name, and what it should be."""
    if not np.isfinite(call.inputs.astype(np.float64)).all():
        raise ValueError(f"{canonical.path or 'the layer'} was given inputs that are not finite")
    batch, timesteps = call.inputs.shape[:2]
    outputs, top = call.output.outputs, canonical.architecture.layers[-1]
    check_shape("outputs", outputs, (batch, top.width) if call.is_last else (batch, timesteps, top.width))
    weights = in_float64(canonical.weights.map(lambda array: _computed_with(array, canonical)))
    given = {"outputs": outputs, **dict(state_arrays("final_state", call.output.final_state))}
    size = max(len(layer.cell.gates) * layer.units for layer in canonical.architecture.layers)
    some = max(1, _AT_ONCE // (size * max(timesteps, 1)))
    parts = [
        expected_of(call, canonical, weights.layers, precision, slice(k, k + some))
        for k in range(0, max(batch, 1), some)
    ]
    if call.output.final_state is not None and given.keys() != parts[0].keys():
        raise NonConforming(f"there are {', '.join(given)}, but should be {', '.join(parts[0])}")
    for name, actual in given.items():
        each = [part[name] for part in parts]
        yield (
            name,
            actual,
            Expected(
                np.concatenate([one.value for one in each]),
                np.concatenate([one.bound for one in each]),
                np.concatenate([one.without_recurrence for one in each]),
            ),
        )


_AT_ONCE = 2**18
"""So many numbers of each kind are worked on at once: a few sequences at a time stay within a processor's cache."""


def expected_of(
    call: Call, canonical: Canonical, weights: Sequence[LayerWeights], precision: Precision, rows: slice
) -> dict[str, Expected]:
    """What the outputs and final states of some sequences should be, by name."""
    x: Array = call.inputs[rows].astype(np.float64)
    error, finals = None, []
    state = each_state(lambda part: part[rows].astype(np.float64), call.initial_state)
    seen = None if call.is_last else call.output.outputs[rows].astype(np.float64)
    top = len(canonical.architecture.layers) - 1
    for k, layer in enumerate(canonical.architecture.layers):
        expected = expected_layer(
            layer,
            weights[k],
            x,
            state[k] if state else None,
            precision,
            mask=None if call.mask is None else call.mask[rows],
            choices=call.canonical.choices,
            inputs_error=error,
            seen=seen if k == top else None,
        )
        x, error = expected.outputs.value, expected.outputs.bound
        finals.append(expected.final)
    outputs = expected_last(layer, expected, precision) if call.is_last else expected.outputs
    return {"outputs": outputs, **dict(state_arrays("final_state", finals))}


def _computed_with(array: Array, canonical: Canonical) -> Array:
    """The weights as they are used, where they are kept in a wider type than the one that is computed in."""
    architecture = canonical.architecture
    return array.astype(dtype_of(architecture.dtype)) if architecture.weights_dtype else array


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
