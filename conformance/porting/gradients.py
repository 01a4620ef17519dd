"""The gradients of a user's own layer: those that its framework gives for a drawn cotangent, within their bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Arguments, Call, Canonical, Porter, Refused
from rnn_conformance.conformance.judging.comparing import Judgement, NonConforming, Place, check_shape, compare
from rnn_conformance.conformance.porting.clauses import clauses_of_gradient
from rnn_conformance.conformance.porting.gates import gate_at
from rnn_conformance.conformance.porting.gradient_mistakes import explain, mistakes
from rnn_conformance.conformance.porting.judge import LayerFailed
from rnn_conformance.conformance.porting.report import GradientReport, LayerGradients
from rnn_conformance.reference.arithmetic.rounding import Precision, dtype_of
from rnn_conformance.reference.bounds.gradients import expected_gradients
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.layers.network import output_shape
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.names import place_of
from rnn_conformance.reference.model.states import each_state, state_shapes
from rnn_conformance.reference.model.weights import Array, widened


def judged_gradients(model: Any, porter: Porter, canonical: Canonical, calls: Sequence[Call]) -> LayerGradients:
    """What was judged of all calls of a layer of the model, and why of others nothing was. Raises NonConforming."""
    found: dict[str, list[GradientReport]] = {}
    reasons = []
    for call in whole(canonical, calls):
        if call.canonical.architecture.layers != canonical.architecture.layers and _turns(call, canonical):
            reasons.append("a call asked for another direction than the layer has")
            continue
        cotangent = drawn(canonical, *call.inputs.shape[:2])
        arguments = Arguments(call.inputs, call.initial_state, mask=call.mask)
        try:
            gradients = dict(porter.differentiate(model, canonical, arguments, cotangent).arrays())
        except Refused as reason:
            reasons.append(reason.reason)
            continue
        precision = porter.precision(canonical.architecture.dtype)
        differentiated = partial(expectations, call, precision)
        right = differentiated(canonical, cotangent)
        for name, expected in right.items():
            cited = clauses_of_gradient(canonical, call, name)
            try:
                judgement = _judged(canonical, name, gradients[name], expected, precision)
            except NonConforming as failure:
                looks_like = explain(gradients, name, mistakes(canonical, cotangent, right, differentiated, precision))
                raise LayerFailed(
                    f"{failure}{looks_like}",
                    failure.judgement,
                    layer=canonical,
                    clauses=cited,
                    framework=porter.name,
                    **failure.details,
                ) from None
            size, share = expected.value.size, _share_judged(expected)
            told = GradientReport(name, judgement.ratio, judgement.where, size, share, cited)
            found.setdefault(name, []).append(told)
    worst = (max(each, key=lambda one: one.share) for each in found.values())
    return LayerGradients(canonical.path, tuple(worst), tuple(dict.fromkeys(reasons)))


def _judged(canonical: Canonical, name: str, actual: Array, expected: Expected, precision: Precision) -> Judgement:
    title = f"gradient of {name}"
    check_shape(title, actual, expected.value.shape)
    return compare(title, actual, expected.value, expected.bound, precision.dtype, _place_in(canonical, name))


def expectations(call: Call, precision: Precision, canonical: Canonical, cotangent: Output) -> dict[str, Expected]:
    """What the gradients of a call of that layer should be, by the names of `Gradients.arrays`."""
    architecture = canonical.architecture
    return expected_gradients(
        architecture,
        widened(canonical.weights, architecture.dtype),
        call.inputs,
        cotangent,
        each_state(lambda part: part.astype(np.float64), call.initial_state),
        precision,
        mask=call.mask,
        choices=canonical.choices,
    )


def drawn(canonical: Canonical, batch: int, timesteps: int) -> Output:
    """A cotangent of all that the layer returns: normal numbers, always the same ones."""
    rng, architecture = np.random.default_rng(0), canonical.architecture
    dtype = dtype_of(architecture.dtype)

    def normal(shape: Any) -> Any:
        return rng.normal(size=shape).astype(dtype)

    outputs = normal(output_shape(architecture, batch, timesteps))
    shapes = state_shapes(architecture, (batch,))
    return Output(outputs, each_state(normal, shapes) if architecture.return_state else None)


def whole(canonical: Canonical, calls: Sequence[Call]) -> Iterator[Call]:
    """The calls of a layer; those of each layer of a stack, which were seen apart, as one of the stack."""
    mine = [call for call in calls if call.canonical.path == canonical.path]
    yield from mine
    if mine:
        return
    apart = [call for call in calls if call.canonical.path.startswith(f"{canonical.path}[")]
    count = len(canonical.architecture.layers)
    for each in (apart[k : k + count] for k in range(0, len(apart), count)):
        states = [call.initial_state for call in each]
        state = None if states[0] is None else tuple(layer for state in states for layer in state or ())
        yield replace(each[0], canonical=canonical, initial_state=state)


def _turns(call: Call, canonical: Canonical) -> bool:
    mine, yours = (c.architecture.layers[0].direction for c in (canonical, call.canonical))
    return mine != yours


def _share_judged(expected: Expected) -> float:
    """The share of numbers whose bound is no more than the largest number of the gradient, as `compare` has it."""
    reach = float(np.abs(expected.value).max(initial=0)) or np.inf
    return float(np.mean((expected.bound <= reach) & ~np.isposinf(expected.bound)))


def _place_in(canonical: Canonical, name: str) -> Place:
    """Where an element of a gradient belongs: the layer, and the gate, the unit, the timestep or the sequence."""
    place = place_of(name)
    path = canonical.path or "the layer"

    def words(at: tuple[int, ...]) -> str:
        if place is None:
            return f"{path}, sequence {at[0]}, timestep {at[1]}, feature {at[-1]}"
        parts = [path, *([f"layer {place.layer}"] if len(canonical.architecture.layers) > 1 else [])]
        layer = canonical.architecture.layers[place.layer]
        if place.of == "initial_state":
            parts += [f"sequence {at[0]}", f"unit {at[-1]}"]
        elif place.part == "P":
            parts.append(f"row {at[0]} of the projection")
        else:
            gate = layer.cell.candidate if place.part == "c" and _has_one_gate(canonical, place) else None
            parts += [f"gate {gate or gate_at(layer.cell, layer.units, at[0])}", f"unit {at[0] % layer.units}"]
        return ", ".join([*parts, *(["backward direction"] if place.direction else [])])

    return words


def _has_one_gate(canonical: Canonical, place: Any) -> bool:
    """Whether a recurrent bias is that of the candidate alone."""
    layer = canonical.architecture.layers[place.layer]
    return len(canonical.weights.layers[place.layer].named["c"]) == layer.units
