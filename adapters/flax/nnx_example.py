"""Weights in the modules of flax.nnx.RNN: where they are, and how they are loaded, read and run by a user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from flax import nnx
from jax import numpy as jnp

from rnn_conformance.adapters.gates import z_and_r_swapped


def params_in(cell: Any) -> dict[str, Any]:
    """The parameters of SimpleCell or GRUCell: both kernels transposed, and the one bias beside the input kernel."""
    return {"W": cell.dense_i.kernel, "U": cell.dense_h.kernel, "b": cell.dense_i.bias}


def load(cell: Any, weights: Mapping[str, Any]) -> None:
    """Put W, U and b into a cell."""
    for name, param in params_in(cell).items():
        param[...] = jnp.array(weights[name].T)  # b.T is b


def read(cell: Any) -> dict[str, Any]:
    """W, U and b of a cell, or of gradients that are arranged like one."""
    return {name: np.asarray(param[...]).T for name, param in params_in(cell).items()}


def lstm_params_in(cell: Any) -> dict[str, Any]:
    """The parameters of OptimizedLSTMCell, whose one bias is beside the recurrent kernel; its gates are i, f, g, o."""
    return {"W": cell.dense_i.kernel, "U": cell.dense_h.kernel, "b": cell.dense_h.bias}


def lstm_load(cell: Any, weights: Mapping[str, Any]) -> None:
    """Put W, U and b into OptimizedLSTMCell."""
    for name, param in lstm_params_in(cell).items():
        param[...] = jnp.array(weights[name].T)


def lstm_read(cell: Any) -> dict[str, Any]:
    """W, U and b of OptimizedLSTMCell, or of gradients that are arranged like one."""
    return {name: np.asarray(param[...]).T for name, param in lstm_params_in(cell).items()}


def gate_by_gate_params_in(cell: Any) -> dict[str, list[Any]]:
    """The parameters of LSTMCell, a layer for each gate, i, f, g, o; the one bias is beside the recurrent kernel."""
    i, h = [cell.ii, cell.if_, cell.ig, cell.io], [cell.hi, cell.hf, cell.hg, cell.ho]
    return {"W": [gate.kernel for gate in i], "U": [gate.kernel for gate in h], "b": [gate.bias for gate in h]}


def gate_by_gate_load(cell: Any, weights: Mapping[str, Any]) -> None:
    """Put W, U and b into LSTMCell."""
    for name, params in gate_by_gate_params_in(cell).items():
        for param, rows in zip(params, np.split(weights[name], 4), strict=True):
            param[...] = jnp.array(rows.T)


def gate_by_gate_read(cell: Any) -> dict[str, Any]:
    """W, U and b of LSTMCell, or of gradients that are arranged like one."""
    found = gate_by_gate_params_in(cell).items()
    return {name: np.concatenate([np.asarray(param[...]).T for param in params]) for name, params in found}


def gru_load(cell: Any, weights: Mapping[str, Any]) -> None:
    """Put W, U and b into GRUCell."""
    load(cell, {name: z_and_r_swapped(weights[name]) for name in ("W", "U", "b")})


def gru_read(cell: Any) -> dict[str, Any]:
    """W, U and b of GRUCell, or of gradients that are arranged like one."""
    return {name: z_and_r_swapped(array) for name, array in read(cell).items()}


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


def lstm_example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """flax.nnx.RNN over OptimizedLSTMCell."""
    units, features = U.shape[1], W.shape[1]  # gates i, f, g, o: the order of Flax, too
    cell = nnx.OptimizedLSTMCell(features, units, rngs=nnx.Rngs(0))
    rnn = nnx.RNN(cell)

    # Load.
    lstm_load(cell, {"W": W, "U": U, "b": b})

    # Run.
    outputs = np.asarray(rnn(jnp.array(x)))

    # Read.
    weights = lstm_read(cell)
    W_read, U_read, b_read = weights["W"], weights["U"], weights["b"]
    return outputs, W_read, U_read, b_read


def gru_example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """flax.nnx.RNN over GRUCell."""
    units, features = U.shape[1], W.shape[1]  # gates z, r, n; the order of Flax is r, z, n
    cell = nnx.GRUCell(features, units, rngs=nnx.Rngs(0))
    rnn = nnx.RNN(cell)

    # Load.
    gru_load(cell, {"W": W, "U": U, "b": b})

    # Run.
    outputs = np.asarray(rnn(jnp.array(x)))

    # Read.
    weights = gru_read(cell)
    W_read, U_read, b_read = weights["W"], weights["U"], weights["b"]
    return outputs, W_read, U_read, b_read
