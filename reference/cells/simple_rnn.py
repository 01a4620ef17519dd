"""The simple RNN, `h_t = activation(W x_t + U h_{t-1} + b)`, run over a batch of sequences (SPEC.md, chapter 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS, Array
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.words import Arithmetic, Driven, N
from rnn_conformance.reference.cells.cell import Cell


@dataclass(frozen=True)
class SimpleRnn(Cell):
    """No gate but the candidate, which is h itself."""

    name: ClassVar[str] = "simple_rnn"
    gates: ClassVar[tuple[str, ...]] = ("h",)
    candidate: ClassVar[str] = "h"

    def reach(self, part: str) -> float:
        activation = ACTIVATIONS[self.activation]
        return activation.high - activation.low

    def drive(self, on: Arithmetic[N], projected: N, h: N) -> Driven[N]:
        return Driven(rest=(on.act(self.activation, on.add(projected, on.affine([("U", h)]))),))

    def show(self, on: Arithmetic[N], driven: Driven[N], h: N, hidden: Sequence[N]) -> N:
        return driven.rest[0]


@ignoring_flags
def simple_rnn(
    inputs: Array, weights: Mapping[str, Array], activation: str = "tanh", initial: Array | None = None
) -> Array:
    """All outputs h_1 ... h_T of one layer, (batch, timesteps, units), in the dtype of the inputs.

    `inputs` is (batch, timesteps, features), `weights` has W, U and perhaps b; `initial` is h_0, (batch, units), or
    None for zeros. The input projection W x_t + b is one product for all timesteps; only U h_{t-1} and the activation
    stay in the loop.
    """
    batch, timesteps, features = inputs.shape
    W, U, b = weights["W"], weights["U"], weights.get("b")
    units = len(U)
    f = ACTIVATIONS[activation].function

    projected = (inputs.reshape(batch * timesteps, features) @ W.T).reshape(batch, timesteps, units)
    # Time comes first from here, so that each step reads and writes one contiguous block.
    h = np.ascontiguousarray(projected.swapaxes(0, 1))
    if b is not None:
        h += b

    U_T = np.ascontiguousarray(U.T)
    previous = np.zeros((batch, units), h.dtype) if initial is None else initial
    recurrent = np.empty((batch, units), h.dtype)
    for h_t in h:
        h_t += np.dot(previous, U_T, out=recurrent)
        previous = f(h_t, out=h_t)
    return h.swapaxes(0, 1)
