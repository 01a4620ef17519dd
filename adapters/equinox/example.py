"""Weights in equinox.nn.LSTMCell and GRUCell: how they are loaded, read and run, as a user would write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jax import numpy as jnp

from rnn_conformance.adapters.gates import z_and_r_swapped


def without_arrays(cell: Any, W: Any, U: Any, b: Any) -> Any:
    """A cell of the sizes of W and U, with shapes in place of its arrays."""
    key = jax.random.key(0)
    return eqx.filter_eval_shape(cell, W.shape[1], U.shape[1], use_bias=b is not None, dtype=W.dtype, key=key)


def lstm_cell_of(weights: Mapping[str, Any]) -> Any:
    """An LSTMCell that has these arrays; its gates are i, f, g, o, too."""
    W, U, b = weights["W"], weights["U"], weights.get("b")
    cell = without_arrays(eqx.nn.LSTMCell, W, U, b)
    if b is None:
        return eqx.tree_at(lambda cell: (cell.weight_ih, cell.weight_hh), cell, (W, U))
    return eqx.tree_at(lambda cell: (cell.weight_ih, cell.weight_hh, cell.bias), cell, (W, U, b))


def gru_cell_of(weights: Mapping[str, Any]) -> Any:
    """A GRUCell that has these arrays; its gates are r, z, n, and c is kept as bias_n."""
    W, U, b = (z_and_r_swapped(weights[name]) if weights.get(name) is not None else None for name in ("W", "U", "b"))
    cell = without_arrays(eqx.nn.GRUCell, W, U, b)
    if b is None:
        return eqx.tree_at(lambda cell: (cell.weight_ih, cell.weight_hh), cell, (W, U))
    there = (W, U, b, weights["c"])
    return eqx.tree_at(lambda cell: (cell.weight_ih, cell.weight_hh, cell.bias, cell.bias_n), cell, there)


def lstm_weights_in(cell: Any) -> dict[str, Any]:
    """W, U and b in such a cell, or in one of gradients."""
    found = {"W": cell.weight_ih, "U": cell.weight_hh, "b": cell.bias}
    return {name: np.array(array) for name, array in found.items() if array is not None}


def gru_weights_in(cell: Any) -> dict[str, Any]:
    """W, U, b and c in such a cell, or in one of gradients."""
    found = {name: z_and_r_swapped(array) for name, array in lstm_weights_in(cell).items()}
    return found if cell.bias_n is None else {**found, "c": np.array(cell.bias_n)}


def scanned(cell: Any, x: Any, state: Any, reverse: bool = False, unroll: int = 1) -> tuple[Any, Any]:
    """The last state, and every h. A cell is made for one sequence; jax.vmap makes it one for a batch."""
    call = cell if x.ndim == 2 else jax.vmap(cell)

    def step(state: Any, x: Any) -> tuple[Any, Any]:
        state = call(x, state)
        return state, state[0] if isinstance(state, tuple) else state

    state, outputs = jax.lax.scan(step, state, jnp.moveaxis(x, -2, 0), reverse=reverse, unroll=unroll)
    return state, jnp.moveaxis(outputs, 0, -2)


def zeros(cell: Any, x: Any) -> Any:
    """The state before the first timestep: h, or h and c for an LSTMCell."""
    h = jnp.zeros((*x.shape[:-2], cell.hidden_size), x.dtype)
    return (h, h) if isinstance(cell, eqx.nn.LSTMCell) else h


def lstm_example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """equinox.nn.LSTMCell."""
    # Load. JAX copies the arrays.
    cell = jax.tree.map(jnp.array, lstm_cell_of({"W": W, "U": U, "b": b}))

    # Run.
    _, outputs = scanned(cell, jnp.array(x), zeros(cell, x))
    outputs = np.asarray(outputs)

    # Read.
    W_read, U_read, b_read = (lstm_weights_in(cell)[name] for name in "WUb")
    return outputs, W_read, U_read, b_read


def gru_example(W: Any, U: Any, b: Any, c: Any, x: Any) -> tuple[Any, Any, Any, Any, Any]:
    """equinox.nn.GRUCell."""
    # Load. Here the gates are z, r, n, there r, z, n. c, (units,), is the recurrent bias of n.
    cell = jax.tree.map(jnp.array, gru_cell_of({"W": W, "U": U, "b": b, "c": c}))

    # Run.
    _, outputs = scanned(cell, jnp.array(x), zeros(cell, x))
    outputs = np.asarray(outputs)

    # Read.
    W_read, U_read, b_read, c_read = (gru_weights_in(cell)[name] for name in "WUbc")
    return outputs, W_read, U_read, b_read, c_read
