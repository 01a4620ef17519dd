"""W, U and b in the modules of flax.nnx.RNN: where they are, and how they are loaded, read and run by a user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from flax import nnx
from jax import numpy as jnp


def params_of(cell: Any) -> dict[str, Any]:
    """The parameters of SimpleCell or GRUCell: both kernels transposed, and the one bias beside the input kernel."""
    return {"W": cell.dense_i.kernel, "U": cell.dense_h.kernel, "b": cell.dense_i.bias}


def load(cell: Any, weights: Mapping[str, Any]) -> None:
    """Put W, U and b into a cell."""
    for name, param in params_of(cell).items():
        param[...] = jnp.array(weights[name].T)  # b.T is b


def read(cell: Any) -> dict[str, Any]:
    """W, U and b of a cell, or of gradients that are arranged like one."""
    return {name: np.asarray(param[...]).T for name, param in params_of(cell).items()}


def lstm_params_of(cell: Any) -> dict[str, Any]:
    """The parameters of OptimizedLSTMCell, whose one bias is beside the recurrent kernel; its gates are i, f, g, o."""
    return {"W": cell.dense_i.kernel, "U": cell.dense_h.kernel, "b": cell.dense_h.bias}


def lstm_load(cell: Any, weights: Mapping[str, Any]) -> None:
    """Put W, U and b into OptimizedLSTMCell."""
    for name, param in lstm_params_of(cell).items():
        param[...] = jnp.array(weights[name].T)


def lstm_read(cell: Any) -> dict[str, Any]:
    """W, U and b of OptimizedLSTMCell, or of gradients that are arranged like one."""
    return {name: np.asarray(param[...]).T for name, param in lstm_params_of(cell).items()}


def gru_load(cell: Any, weights: Mapping[str, Any]) -> None:
    """Put W, U and b into GRUCell."""
    load(cell, {name: z_and_r_swapped(weights[name]) for name in ("W", "U", "b")})


def gru_read(cell: Any) -> dict[str, Any]:
    """W, U and b of GRUCell, or of gradients that are arranged like one."""
    return {name: z_and_r_swapped(array) for name, array in read(cell).items()}


def z_and_r_swapped(array: Any) -> Any:
    """The rows of the gates z, r, n as GRUCell has them, r, z, n; or the other way round."""
    units = len(array) // 3
    return np.concatenate([array[units : 2 * units], array[:units], array[2 * units :]])


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
