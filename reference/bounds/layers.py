"""How far a right answer of one whole layer may lie from the exact one: under masks, in both directions (BOUNDS.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.rounding import SLACK, Precision, joint_gamma
from rnn_conformance.reference.bounds.cells import residual_of
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.bounds.unseen import unseen_of
from rnn_conformance.reference.layers.layer import directions, join
from rnn_conformance.reference.layers.masking import Course
from rnn_conformance.reference.model.architecture import Choices, Layer
from rnn_conformance.reference.model.calls import Mask
from rnn_conformance.reference.model.states import LayerState
from rnn_conformance.reference.model.weights import Array, LayerWeights


@dataclass(frozen=True, eq=False)
class ExpectedLayer:
    """All outputs (batch, timesteps, width) of a layer, and its final state: for each direction all its parts."""

    outputs: Expected
    final: tuple[tuple[Expected, ...], ...]


@ignoring_flags
def expected_layer(
    layer: Layer,
    weights: LayerWeights,
    inputs: Array,
    initial: LayerState | None,
    precision: Precision,
    *,
    mask: Mask | None = None,
    choices: Choices = Choices(),
    inputs_error: Array | None = None,
    seen: Array | None = None,
) -> ExpectedLayer:
    """What a layer should return, element by element; the arguments are those of `run_layer`, all in float64.

    `inputs_error` is that of `propagated_bound`. `seen` are all outputs of the subject, where it returned them: they
    are judged by the step residual, unless two directions were added, multiplied or averaged and neither is seen.
    """
    if layer.is_bidirectional and layer.merge != "concat":
        seen = None
    outputs, final = [], []
    for j, (direction, course) in enumerate(directions(layer, weights, mask, choices)):
        x, start = course.read(inputs), initial[j] if initial else None
        error = None if inputs_error is None else course.read(inputs_error)
        if seen is None:
            computed = unseen_of(layer.cell, direction.named, x, start, precision, error)
            outputs.append(computed[0].each(course.show))
        else:
            own = course.computed(seen[..., j * layer.of_direction :][..., : layer.of_direction])
            computed = residual_of(layer.cell, direction.named, x, own, start, precision, error)
            outputs.append(_as_seen(course, computed[0], own))
        final.append(finals_of(course, computed, start))
    return ExpectedLayer(joined(layer, outputs, precision), tuple(final))


def finals_of(course: Course, states: Sequence[Expected], initial: Sequence[Array] | None) -> tuple[Expected, ...]:
    """Each part of the final state."""
    return tuple(
        Expected(
            course.final(part.value, start),
            course.final(part.bound),  # an initial state that is handed on is exact
            course.final(part.without_recurrence, start),
        )
        for part, start in zip(states, initial if initial is not None else [None] * len(states), strict=True)
    )


@ignoring_flags
def expected_last(layer: Layer, expected: ExpectedLayer, precision: Precision) -> Expected:
    """The last output, (batch, width): the final states, joined."""
    return joined(layer, [parts[0] for parts in expected.final], precision)


@ignoring_flags
def joined(layer: Layer, each: Sequence[Expected], precision: Precision) -> Expected:
    """The outputs of all directions as one; the error of a sum, a product or a mean follows from those of its parts."""
    if not layer.is_bidirectional:
        return each[0]
    a, b = each
    value = join(layer.merge, a.value, b.value)
    without_recurrence = join(layer.merge, a.without_recurrence, b.without_recurrence)
    if layer.merge == "concat":
        return Expected(value, np.concatenate([a.bound, b.bound], axis=-1), without_recurrence)
    size_a, size_b = np.abs(a.value) + a.bound, np.abs(b.value) + b.bound
    if layer.merge == "mul":
        bound = np.abs(a.value) * b.bound + np.abs(b.value) * a.bound + a.bound * b.bound
        size = size_a * size_b
    else:
        share = 0.5 if layer.merge == "ave" else 1
        bound, size = share * (a.bound + b.bound), size_a + size_b
    roundoff = joint_gamma(precision, 2)
    bound = (bound + roundoff * size + precision.tiny * (2 + size_a + size_b)) * SLACK
    bound[~(size < precision.largest)] = np.inf
    return Expected(value, bound, without_recurrence)


def _as_seen(course: Course, computed: Expected, own: Array) -> Expected:
    """What was computed, as the outputs show it; what only repeats an output of the subject has to do so exactly."""
    shown = computed.each(course.show)
    if course.sorted is None or not course.sorted.passes_over:
        return shown
    filled, repeated = course.sorted.filled[..., np.newaxis], course.show(own)
    finite = np.isfinite(repeated)
    repeated = np.where(finite, repeated, 0)
    return Expected(
        np.where(filled, repeated, shown.value),
        np.where(filled, np.where(finite, 0, np.inf), shown.bound),
        np.where(filled, repeated, shown.without_recurrence),
    )
