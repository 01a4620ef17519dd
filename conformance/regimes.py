"""The numbers to check with: each regime says how large weights and inputs are, and so which faults they can show."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rnn_conformance.reference.architecture import Architecture, Array, LayerWeights, State, Weights


@dataclass(frozen=True)
class Regime:
    """Standard deviations: of the pre-activation's parts W x, U h and b, and of the inputs; `zeros` is a share.

    An activation without limits takes at most a gain of 1.1 in U, lest long sequences overflow.
    """

    W: float
    U: float
    b: float
    x: float = 1.0
    zeros: float = 0.0


REGIMES: dict[str, Regime | None] = {
    "integers": None,  # comes first, so that a failure shrinks to numbers that a person can follow
    "unit": Regime(W=1.0, U=1.0, b=0.5),
    "small": Regime(W=0.1, U=0.5, b=0.1, x=0.5),
    "contractive": Regime(W=1.0, U=0.4, b=0.5),
    "expanding": Regime(W=0.5, U=2.0, b=0.2),
    "saturating": Regime(W=4.0, U=4.0, b=1.0),
    "sparse": Regime(W=1.5, U=1.5, b=0.5, zeros=0.6),
}
"""Every regime by name. None: small whole numbers, and a U with one 1 or -1 a row, so that sums stay exact."""

_GAIN_WITHOUT_LIMITS = 1.1
_LIMITED = ("tanh", "sigmoid")

Drawn = tuple[Weights, np.ndarray, State]


def draw(architecture: Architecture, batch: int, timesteps: int, regime: str, seed: int) -> Drawn:
    """Weights, inputs (batch, timesteps, features) or tokens (batch, timesteps), and an initial state.

    Everything has the dtype of the architecture; for a single sequence there is no batch axis.
    """
    rng = np.random.default_rng(seed)
    scales = REGIMES[regime]
    dtype = np.dtype(architecture.dtype)
    table = architecture.embedding
    shapes: list[tuple[int, ...]] = (
        [(table.tokens, table.features)] if table else [(batch, timesteps, architecture.layers[0].features)]
    )
    for layer in architecture.layers:
        shapes += [(layer.units, layer.features), (layer.units, layer.units), (layer.units,), (batch, layer.units)]
    arrays = _arrays(rng, shapes, dtype, whole=scales is None)

    first = next(arrays)
    if scales is not None:
        first *= dtype.type(scales.x)
    layers, state = [], []
    for layer in architecture.layers:
        W, U, b, h = next(arrays), next(arrays), next(arrays), next(arrays)
        if scales is None:
            U = _one_a_row(rng, layer.units, dtype)
        else:
            gain = scales.U if layer.activation in _LIMITED else min(scales.U, _GAIN_WITHOUT_LIMITS)
            W *= dtype.type(scales.W / layer.features**0.5)
            U *= dtype.type(gain / layer.units**0.5)
            b *= dtype.type(scales.b)
            if scales.zeros:
                W[rng.random(W.shape) < scales.zeros] = 0
                U[rng.random(U.shape) < scales.zeros] = 0
        layers.append(LayerWeights(W, U, b if layer.use_bias else None))
        state.append(h)

    inputs: np.ndarray = rng.integers(0, table.tokens, (batch, timesteps), np.int32) if table else first
    if not architecture.batched:
        inputs, state = inputs[0], [h[0] for h in state]
    return Weights(tuple(layers), first if table else None), inputs, tuple((h,) for h in state)


def _arrays(
    rng: np.random.Generator, shapes: list[tuple[int, ...]], dtype: np.dtype, *, whole: bool
) -> Iterator[Array]:
    """Arrays of these shapes, cut from one draw: a draw for each of them would take longer than the layer."""
    sizes = [math.prod(shape) for shape in shapes]
    total = sum(sizes)
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
