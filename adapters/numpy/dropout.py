"""A call in training on the reference: dropout on the inputs of each layer and on its state (SPEC.md, chapter 13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.reference.arithmetic.plain import Plain, by_sequence, by_time
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.layers.layer import directions, join, last_output, run_layer
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import LayerState, each_state
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights


def run_with_dropout(
    architecture: Architecture, weights: Weights, inputs: Inputs, mask: Mask | None, choices: Choices, seed: int
) -> Output:
    """The outputs and final states of one call in training, from zeros, its random numbers from `seed`.

    There is no dropout within a cell under a mask: the adapter does not prepare such a model.
    """
    rng = np.random.default_rng(seed)
    x, mask = network.embed(weights, inputs), network.mask_of(architecture, inputs, mask)
    if not architecture.batched:
        x, mask = x[np.newaxis], None if mask is None else mask[np.newaxis]
    final: list[LayerState] = []
    for layer, kept in zip(architecture.layers, weights.layers, strict=True):
        masks_of_inputs, _ = choices.masks(layer)
        if masks_of_inputs == 1:
            x = x * scales(rng, x.shape, layer.dropout, x.dtype, choices)
        if layer.recurrent_dropout == 0 and masks_of_inputs == 1:
            x, h = run_layer(layer, kept, x, None, mask, choices)
        else:
            x, h = _drop_in_cell(rng, layer, kept, x, choices)
        final.append(h)
    outputs = x if architecture.return_sequences else last_output(architecture.layers[-1], final[-1])
    if architecture.batched:
        return Output(outputs, tuple(final))
    return Output(outputs[0], each_state(lambda h: h[0], final))


def scales(
    rng: np.random.Generator, shape: tuple[int, ...], rate: float, dtype: np.dtype[np.floating], choices: Choices
) -> Array:
    """What numbers of this shape are multiplied with: 0 at this rate, else 1 / (1 - rate).

    The shape is (batch, timesteps, width), with an axis of masks before it where there are several.
    """
    *masks, timesteps, width = shape
    drawn = rng.random((*masks, 1 if choices.dropout_mask == "fixed" else timesteps, width)) >= rate
    return np.broadcast_to((drawn / (1 - rate)).astype(dtype), shape)


class Dropping(Plain):
    """The words of an equation in which what a kernel is multiplied with has lost some of its numbers.

    `scales` has, by the name of a kernel, what those numbers are multiplied with: one array, or one for each gate.
    """

    def __init__(self, weights: Mapping[str, Array], gates: Sequence[str]) -> None:
        super().__init__(weights, gates)
        self.scales: dict[str, Array] = {}

    def product(self, name: str, x: Array, gates: Sequence[str] = (), *, transposed: bool = False) -> Array:
        scales = self.scales.get(name)
        if scales is None:
            return super().product(name, x, gates, transposed=transposed)
        if len(scales) == 1:
            return super().product(name, x * scales[0], gates, transposed=transposed)
        of_each = super().product
        numbered = [(gate, self.rows.gates.index(gate)) for gate in gates or self.rows.gates]
        return np.concatenate([of_each(name, x * scales[k], (gate,)) for gate, k in numbered], axis=-2)


def _drop_in_cell(
    rng: np.random.Generator, layer: Layer, weights: LayerWeights, x: Array, choices: Choices
) -> tuple[Array, LayerState]:
    """The outputs and the final state of a layer with dropout within its cell, each direction with its own masks."""
    outputs, final = [], []
    for one, course in directions(layer, weights, None, choices):
        parts = _direction(rng, layer, one, course.read(x), choices)
        outputs.append(course.show(parts[0]))
        final.append(tuple(part[:, -1] for part in parts))
    return join(layer.merge, *outputs) if layer.is_bidirectional else outputs[0], tuple(final)


def _direction(
    rng: np.random.Generator, layer: Layer, weights: LayerWeights, x: Array, choices: Choices
) -> list[Array]:
    """Each part of the state (batch, timesteps, width), in the order of processing."""
    of_inputs, of_state = choices.masks(layer)
    on = Dropping(weights.named, layer.cell.gates)
    if of_inputs > 1:
        dropped = scales(rng, (of_inputs, *x.shape), layer.dropout, x.dtype, choices)
        on.scales["W"] = np.stack([by_time(each) for each in dropped])
    shape = (of_state, *x.shape[:2], layer.of_direction)
    kept = scales(rng, shape, layer.recurrent_dropout, x.dtype, choices).swapaxes(1, 3)
    state = tuple(np.zeros((width, len(x)), x.dtype) for width in layer.cell.widths(layer.units).values())
    projected: Array = layer.cell.project(on, by_time(x))
    states = []
    for t, x_t in enumerate(projected):
        on.scales["U"] = kept[:, :, t]
        state = layer.cell.step(on, x_t, state)
        states.append(state)
    return [by_sequence(np.stack(part)) for part in zip(*states, strict=True)]
