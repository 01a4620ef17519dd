"""A whole model: an optional embedding, then layers one after the other (SPEC.md, chapters 2 to 6, 9 and 10)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.layers.layer import last_output, run_layer
from rnn_conformance.reference.model.architecture import Architecture, Choices
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import LayerState, State, each_state
from rnn_conformance.reference.model.weights import Array, Weights


@ignoring_flags
def run(
    architecture: Architecture,
    weights: Weights,
    inputs: NDArray[np.generic],
    initial_state: State | None = None,
    *,
    mask: Mask | None = None,
    choices: Choices = Choices(),
) -> Output:
    """What the specification says that a model returns, computed in the dtype of the architecture or of its weights.

    `inputs` is (batch, timesteps, features), or whole-number tokens (batch, timesteps) for a model with an embedding;
    a single sequence (`architecture.batched` is False) has no batch axis, and neither have its state and its mask.
    `mask` is True at valid timesteps; an embedding that masks zero makes its own.
    """
    x, state, mask = as_batch(architecture, weights, inputs, initial_state, mask)
    final: list[LayerState] = []
    for k, layer in enumerate(architecture.layers):
        x, h = run_layer(layer, weights.layers[k], x, state[k] if state else None, mask, choices)
        final.append(h)
    outputs = x if architecture.return_sequences else last_output(architecture.layers[-1], final[-1])
    state = tuple(final) if architecture.return_state else None
    if architecture.batched:
        return Output(outputs, state)
    return Output(outputs[0], each_state(lambda h: h[0], state))


def as_batch(
    architecture: Architecture,
    weights: Weights,
    inputs: NDArray[np.generic],
    initial_state: State | None,
    mask: Mask | None,
) -> tuple[Array, State | None, Mask | None]:
    """What the first layer reads (batch, timesteps, features), the state and the mask, all with a batch axis."""
    mask = mask_of(architecture, inputs, mask)
    x = embed(weights, inputs)
    if architecture.batched:
        return x, initial_state, mask
    state = each_state(lambda h: h[np.newaxis], initial_state)
    return x[np.newaxis], state, None if mask is None else mask[np.newaxis]


def mask_of(architecture: Architecture, inputs: NDArray[np.generic], mask: Mask | None) -> Mask | None:
    """The mask that the layers see: the one given, or that of the tokens where the embedding masks zero."""
    if architecture.embedding is not None and architecture.embedding.mask_zero:
        tokens_mask: Mask = np.asarray(inputs != 0)
        return tokens_mask if mask is None else tokens_mask & mask
    return mask


def embed(weights: Weights, inputs: NDArray[np.generic]) -> Array:
    """Row k of the table for token k, or the inputs themselves where there is no table, in the weights' dtype."""
    if weights.embedding is not None:
        return weights.embedding[inputs]
    return np.asarray(inputs, weights.layers[0].W.dtype)


def output_shape(
    architecture: Architecture, batch: int | None = None, timesteps: int | None = None
) -> tuple[int | None, ...]:
    """The shape of the outputs; None stands for an axis of unknown length (clauses 2.1, 2.2, 2.3, 2.6)."""
    width = architecture.layers[-1].width
    shape = (timesteps, width) if architecture.return_sequences else (width,)
    return (batch, *shape) if architecture.batched else shape
