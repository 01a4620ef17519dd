"""W, U and b in the modules of flax.nnx.RNN: where they are, and how they are loaded, read and run by a user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from flax import nnx
from jax import numpy as jnp


def params_of(cell: Any, kind: str = "simple_rnn") -> dict[str, Any]:
    """The parameters of SimpleCell, OptimizedLSTMCell or GRUCell: both kernels transposed, and one bias.

    That is beside the input kernel, but in an LSTM beside the recurrent one.
    """
    beside = cell.dense_h if kind == "lstm" else cell.dense_i
    return {"W": cell.dense_i.kernel, "U": cell.dense_h.kernel, "b": beside.bias}


def reordered(array: Any, kind: str) -> Any:
    """The rows of a GRU's gates z, r, n as GRUCell has them, r, z, n, or the other way round; of other cells all."""
    if kind != "gru":
        return array
    units = len(array) // 3
    return np.concatenate([array[units : 2 * units], array[:units], array[2 * units :]])


def load(cell: Any, weights: Mapping[str, Any], kind: str = "simple_rnn") -> None:
    """Put W, U and b into a cell."""
    for name, param in params_of(cell, kind).items():
        param[...] = jnp.array(reordered(weights[name], kind).T)  # b.T is b


def read(cell: Any, kind: str = "simple_rnn") -> dict[str, Any]:
    """W, U and b of a cell, or of gradients that are arranged like one."""
    return {name: reordered(np.asarray(param[...]).T, kind) for name, param in params_of(cell, kind).items()}


def example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """flax.nnx.RNN."""
    units, features = W.shape
    cell = nnx.SimpleCell(features, units, rngs=nnx.Rngs(0))
    rnn = nnx.RNN(cell)

    # Load.
    load(cell, {"W": W, "U": U, "b": b})

    # Run.
    outputs = np.asarray(rnn(jnp.array(x)))

    # Read.
    weights = read(cell)
    W_read, U_read, b_read = weights["W"], weights["U"], weights["b"]
    return outputs, W_read, U_read, b_read
