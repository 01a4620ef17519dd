"""The arrays of a case, drawn from its seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rnn_conformance.conformance.cases.patterns import draw_mask
from rnn_conformance.conformance.cases.regimes import REGIMES
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import LayerState, State
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights

_GAIN_WITHOUT_LIMITS = 1.1


_LIMITED = ("tanh", "sigmoid")


@dataclass(frozen=True, eq=False)
class Drawn:
    """The arrays of a case. `mask` (batch, timesteps) is None where every timestep is valid.

    `cotangent` is what a gradient is taken with: for the outputs as the architecture returns them and, always, for the
    final states.
    """

    weights: Weights
    inputs: np.ndarray
    initial_state: State
    mask: Mask | None
    cotangent: Output


@ignoring_flags
def draw(architecture: Architecture, batch: int, timesteps: int, regime: str, seed: int, pattern: str) -> Drawn:
    """Weights, inputs (batch, timesteps, features) or tokens (batch, timesteps), and what else a call may take.

    Inputs, states and cotangents have the dtype of the architecture, weights that in which they are kept; for a single
    sequence there is no batch axis.
    """
    rng = np.random.default_rng(seed)
    scales = REGIMES[regime]
    dtype = dtype_of(architecture.dtype)
    weights_dtype = dtype_of(architecture.weights_dtype or architecture.dtype)
    table = architecture.embedding
    shapes: list[tuple[int, ...]] = (
        [(table.tokens, table.features)] if table else [(batch, timesteps, architecture.layers[0].features)]
    )
    for layer in architecture.layers:
        one = [(layer.units, layer.features), (layer.units, layer.units), (layer.units,), (batch, layer.units)]
        shapes += one * (2 if layer.is_bidirectional else 1)
    arrays = _arrays(rng, shapes, whole=scales is None, double=architecture.dtype == "float64")

    first = next(arrays)
    if scales is not None:
        first *= first.dtype.type(scales.x)

    def direction(layer: Layer) -> tuple[LayerWeights, Array]:
        W, U, b, h = next(arrays), next(arrays), next(arrays), next(arrays)
        if scales is None:
            U = _one_a_row(rng, layer.units, U.dtype)
        else:
            gain = scales.U if layer.activation in _LIMITED else min(scales.U, _GAIN_WITHOUT_LIMITS)
            W *= W.dtype.type(scales.W / layer.features**0.5)
            U *= U.dtype.type(gain / layer.units**0.5)
            b *= b.dtype.type(scales.b)
            if scales.zeros:
                W[rng.random(W.shape) < scales.zeros] = 0
                U[rng.random(U.shape) < scales.zeros] = 0
        W, U, b = (array.astype(weights_dtype, copy=False) for array in (W, U, b))
        return LayerWeights(W, U, b if layer.use_bias else None), h.astype(dtype, copy=False)

    layers: list[LayerWeights] = []
    state: list[LayerState] = []
    for layer in architecture.layers:
        forward, h = direction(layer)
        if layer.is_bidirectional:
            backward, h_backward = direction(layer)
            layers.append(replace(forward, backward=backward))
            state.append((h, h_backward))
        else:
            layers.append(forward)
            state.append((h,))

    mask = draw_mask(rng, batch, timesteps, pattern) if pattern else None
    inputs: np.ndarray = rng.integers(0, table.tokens, (batch, timesteps), np.int32) if table else first.astype(dtype)
    if table and table.mask_zero:
        inputs = rng.integers(1, table.tokens, (batch, timesteps), np.int32)
        if mask is not None:
            inputs[~mask] = 0
    width = architecture.layers[-1].width
    shapes = [(batch, timesteps, width) if architecture.return_sequences else (batch, width)]
    shapes += [h.shape for layer_state in state for h in layer_state]
    cotangents = (
        array.astype(dtype, copy=False) for array in _arrays(rng, shapes, scales is None, dtype.itemsize == 8)
    )
    outputs_cotangent = next(cotangents)
    state_cotangent = [tuple(next(cotangents) for _ in layer_state) for layer_state in state]
    if not architecture.batched:
        inputs, outputs_cotangent = inputs[0], outputs_cotangent[0]
        mask = None if mask is None else mask[0]
        state, state_cotangent = ([tuple(h[0] for h in hs) for hs in nested] for nested in (state, state_cotangent))
    embedding = first.astype(weights_dtype) if table else None
    return Drawn(
        Weights(tuple(layers), embedding), inputs, tuple(state), mask, Output(outputs_cotangent, tuple(state_cotangent))
    )


def _arrays(rng: np.random.Generator, shapes: Sequence[tuple[int, ...]], whole: bool, double: bool) -> Iterator[Array]:
    """Arrays of these shapes, cut from one draw: a draw for each of them would take longer than the layer.

    They are float64 or, if not `double`, float32; half precisions are rounded from that.
    """
    sizes = [math.prod(shape) for shape in shapes]
    total = sum(sizes)
    dtype = np.dtype(np.float64 if double else np.float32)
    numbers = rng.integers(-2, 3, total).astype(dtype) if whole else rng.standard_normal(total, dtype.type)
    end = 0
    for shape, size in zip(shapes, sizes, strict=True):
        end += size
        yield numbers[end - size : end].reshape(shape)


def _one_a_row(rng: np.random.Generator, units: int, dtype: np.dtype) -> Array:
    """A signed permutation: h can grow by no more than |W x + b| a timestep."""
    U = np.zeros((units, units), dtype)
    U[np.arange(units), rng.permutation(units)] = rng.choice([-1, 1], units)
    return U
