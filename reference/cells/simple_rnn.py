"""The simple RNN, `h_t = activation(W x_t + U h_{t-1} + b)`, run over a batch of sequences (SPEC.md, chapter 1)."""

from __future__ import annotations

import numpy as np

from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.model.weights import Array, LayerWeights


@ignoring_flags
def simple_rnn(inputs: Array, weights: LayerWeights, activation: str = "tanh", initial: Array | None = None) -> Array:
    """All outputs h_1 ... h_T of one layer, (batch, timesteps, units), in the dtype of the inputs.

    `inputs` is (batch, timesteps, features), `initial` is h_0, (batch, units), or None for zeros. The input projection
    W x_t + b is one product for all timesteps; only U h_{t-1} and the activation stay in the loop.
    """
    batch, timesteps, features = inputs.shape
    units = len(weights.U)
    f = ACTIVATIONS[activation].function

    projected = (inputs.reshape(batch * timesteps, features) @ weights.W.T).reshape(batch, timesteps, units)
    # Time comes first from here, so that each step reads and writes one contiguous block.
    h = np.ascontiguousarray(projected.swapaxes(0, 1))
    if weights.b is not None:
        h += weights.b

    U_T = np.ascontiguousarray(weights.U.T)
    previous = np.zeros((batch, units), h.dtype) if initial is None else initial
    recurrent = np.empty((batch, units), h.dtype)
    for h_t in h:
        h_t += np.dot(previous, U_T, out=recurrent)
        previous = f(h_t, out=h_t)
    return h.swapaxes(0, 1)
