"""One layer: a direction, or two that are joined (SPEC.md, chapter 10), with or without a mask (chapter 9)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.layers.masking import Course, course_of
from rnn_conformance.reference.layers.unrolled import unrolled
from rnn_conformance.reference.model.architecture import Choices, Layer
from rnn_conformance.reference.model.calls import Mask
from rnn_conformance.reference.model.states import LayerState
from rnn_conformance.reference.model.weights import Array, LayerWeights


@ignoring_flags
def run_layer(
    layer: Layer,
    weights: LayerWeights,
    inputs: Array,
    initial: LayerState | None = None,
    mask: Mask | None = None,
    choices: Choices = Choices(),
) -> tuple[Array, LayerState]:
    """All outputs (batch, timesteps, width) and the final state of one layer.

    `inputs` is (batch, timesteps, features), `mask` (batch, timesteps). No initial state means zeros, and no mask that
    every timestep is valid.
    """
    outputs, final = [], []
    for k, (direction, course) in enumerate(directions(layer, weights, mask, choices)):
        start = initial[k] if initial else None
        states = unrolled(layer.cell, direction.named, course.read(inputs), start)
        outputs.append(course.show(states[0]))
        final.append(finals(course, states, start))
    return join(layer.merge, *outputs) if layer.is_bidirectional else outputs[0], tuple(final)


def directions(
    layer: Layer, weights: LayerWeights, mask: Mask | None, choices: Choices
) -> list[tuple[LayerWeights, Course]]:
    """The weights and the course of each direction of a layer, the forward one first."""
    choices = choices.for_layer(layer)
    if not layer.is_bidirectional:
        return [(weights, course_of(layer.direction == "backward", mask, choices))]
    forward, backward = weights.directions
    return [(forward, course_of(False, mask, choices)), (backward, course_of(True, mask, choices, aligned=True))]


def finals(course: Course, states: Sequence[Array], initial: Sequence[Array] | None) -> tuple[Array, ...]:
    """Each part of the state at the last valid timestep, (batch, its width)."""
    start = initial if initial is not None else [None] * len(states)
    return tuple(course.final(part, first) for part, first in zip(states, start, strict=True))


def last_output(layer: Layer, final: LayerState) -> Array:
    """What a layer returns where only its last output is asked for, (batch, width): its final states, joined."""
    each = [parts[0] for parts in final]
    return join(layer.merge, *each) if layer.is_bidirectional else each[0]


@ignoring_flags
def join(merge: str, forward: Array, backward: Array) -> Array:
    """The outputs of two directions as one, along the last axis for ``concat`` (clauses 10.3 and 10.4)."""
    if merge == "concat":
        return np.concatenate([forward, backward], axis=-1)
    if merge == "sum":
        return forward + backward
    if merge == "mul":
        return forward * backward
    return (forward + backward) / 2
