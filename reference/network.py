"""A whole model: an optional embedding, then layers one after the other (SPEC.md, chapters 2 to 6)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.reference.architecture import Architecture, Output, State, Weights
from rnn_conformance.reference.simple_rnn import simple_rnn

Array = NDArray[np.floating]


def run(
    architecture: Architecture,
    weights: Weights,
    inputs: NDArray[np.generic],
    initial_state: State | None = None,
) -> Output:
    """What the specification says that a model returns, computed in the dtype of its weights.

    `inputs` is (batch, timesteps, features), or whole-number tokens (batch, timesteps) for a model with an embedding;
    a single sequence (`architecture.batched` is False) has no batch axis, and neither has its state.
    """
    x = embed(weights, inputs)
    state = initial_state
    if not architecture.batched:
        x = x[np.newaxis]
        state = state and tuple((h[np.newaxis],) for (h,) in state)
    final = []
    for k, layer in enumerate(architecture.layers):
        x = simple_rnn(x, weights.layers[k], layer.activation, state[k][0] if state else None)
        final.append(x[:, -1])
    outputs = x if architecture.return_sequences else x[:, -1]
    if not architecture.batched:
        outputs, final = outputs[0], [h[0] for h in final]
    return Output(outputs, tuple((h,) for h in final) if architecture.return_state else None)


def embed(weights: Weights, inputs: NDArray[np.generic]) -> Array:
    """Row k of the table for token k, or the inputs themselves where there is no table, in the weights' dtype."""
    if weights.embedding is not None:
        return weights.embedding[inputs]
    return np.asarray(inputs, weights.layers[0].W.dtype)


def parameter_count(architecture: Architecture) -> int:
    """How many numbers the weights of a model hold (clause 6.3)."""
    table = architecture.embedding
    count = table.tokens * table.features if table else 0
    return count + sum(layer.units * (layer.features + layer.units + layer.use_bias) for layer in architecture.layers)


def output_shape(
    architecture: Architecture, batch: int | None = None, timesteps: int | None = None
) -> tuple[int | None, ...]:
    """The shape of the outputs; None stands for an axis of unknown length (clauses 2.1, 2.2, 2.3, 2.6)."""
    units = architecture.layers[-1].units
    shape = (timesteps, units) if architecture.return_sequences else (units,)
    return (batch, *shape) if architecture.batched else shape
