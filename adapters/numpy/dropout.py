"""A call in training on the reference: dropout on the inputs of each layer and on its state (SPEC.md, chapter 13)."""

from __future__ import annotations

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.layers.layer import join, last_output, run_layer
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import LayerState, each_state
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights


def run_with_dropout(
    architecture: Architecture, weights: Weights, inputs: Inputs, mask: Mask | None, choices: Choices, seed: int
) -> Output:
    """The outputs and final states of one call in training, from zeros, its random numbers from `seed`.

    There is no recurrent dropout under a mask: the adapter does not prepare such a model.
    """
    rng = np.random.default_rng(seed)
    x, mask = network.embed(weights, inputs), network.mask_of(architecture, inputs, mask)
    if not architecture.batched:
        x, mask = x[np.newaxis], None if mask is None else mask[np.newaxis]
    final: list[LayerState] = []
    for layer, kept in zip(architecture.layers, weights.layers, strict=True):
        x = x * scales(rng, x.shape, layer.dropout, x.dtype, choices)
        if layer.recurrent_dropout == 0:
            x, h = run_layer(layer, kept, x, None, mask, choices)
        else:
            x, h = _drop_in_state(rng, layer, kept, x, choices)
        final.append(h)
    outputs = x if architecture.return_sequences else last_output(architecture.layers[-1], final[-1])
    if architecture.batched:
        return Output(outputs, tuple(final))
    return Output(outputs[0], each_state(lambda h: h[0], final))


def scales(
    rng: np.random.Generator, shape: tuple[int, ...], rate: float, dtype: np.dtype[np.floating], choices: Choices
) -> Array:
    """What numbers of this shape (batch, timesteps, width) are multiplied with: 0 at this rate, else 1 / (1 - rate)."""
    batch, timesteps, width = shape
    drawn = rng.random((batch, 1 if choices.dropout_mask == "fixed" else timesteps, width)) >= rate
    return np.broadcast_to((drawn / (1 - rate)).astype(dtype), shape)


def _drop_in_state(
    rng: np.random.Generator, layer: Layer, weights: LayerWeights, x: Array, choices: Choices
) -> tuple[Array, LayerState]:
    """The outputs and the final state of a layer with recurrent dropout, each direction with a mask of its own."""

    def direction(one: LayerWeights, x: Array) -> Array:
        f = ACTIVATIONS[layer.cell.activation].function
        h = np.zeros((len(x), layer.units), x.dtype)
        kept = scales(rng, (*x.shape[:2], layer.units), layer.recurrent_dropout, x.dtype, choices)
        outputs = []
        for t in range(x.shape[1]):
            z = x[:, t] @ one.W.T + (h * kept[:, t]) @ one.U.T
            h = f(z if one.b is None else z + one.b)
            outputs.append(h)
        return np.stack(outputs, axis=1)

    if layer.direction == "forward":
        outputs = direction(weights, x)
        return outputs, ((outputs[:, -1],),)
    if layer.direction == "backward":
        outputs = direction(weights, x[:, ::-1])
        final = outputs[:, -1]
        return outputs if choices.backward_outputs == "processing" else outputs[:, ::-1], ((final,),)
    forward, backward = map(direction, weights.directions, (x, x[:, ::-1]))
    return join(layer.merge, forward, backward[:, ::-1]), ((forward[:, -1],), (backward[:, -1],))
