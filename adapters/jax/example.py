"""Recurrent layers under jax.lax.scan, as its users write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp


def simple_rnn(f: Callable[[Any], Any], weights: Mapping[str, Any], h: Any, x: Any) -> tuple[Any, Any]:
    """The next state, and what the layer puts out: h both times."""
    b = 0 if weights.get("b") is None else weights["b"]
    h = f(x @ weights["W"].T + h @ weights["U"].T + b)
    return h, h


def lstm(f: Callable[[Any], Any], weights: Mapping[str, Any], state: Any, x: Any) -> tuple[Any, Any]:
    """The next h and c, and h; the gates are stacked as i, f, g, o."""
    h, c = state
    z = x @ weights["W"].T + h @ weights["U"].T + bias(weights, "b") + bias(weights, "c")
    i, forget, g, o = jnp.split(z, 4, axis=-1)
    c = jax.nn.sigmoid(forget) * c + jax.nn.sigmoid(i) * f(g)
    h = jax.nn.sigmoid(o) * f(c)
    return (h, c), h


def gru(f: Callable[[Any], Any], weights: Mapping[str, Any], h: Any, x: Any) -> tuple[Any, Any]:
    """The next h, twice; the gates are z, r, n, and r is multiplied with what U and the recurrent bias c give."""
    x_z, x_r, x_n = jnp.split(x @ weights["W"].T + bias(weights, "b"), 3, axis=-1)
    h_z, h_r, h_n = jnp.split(h @ weights["U"].T + bias(weights, "c"), 3, axis=-1)
    z, r = jax.nn.sigmoid(x_z + h_z), jax.nn.sigmoid(x_r + h_r)
    h = z * h + (1 - z) * f(x_n + r * h_n)
    return h, h


def gru_reset_before(f: Callable[[Any], Any], weights: Mapping[str, Any], h: Any, x: Any) -> tuple[Any, Any]:
    """The same, but r is multiplied with h before the product with U."""
    x_z, x_r, x_n = jnp.split(x @ weights["W"].T + bias(weights, "b"), 3, axis=-1)
    U_z, U_r, U_n = jnp.split(weights["U"], 3)
    z, r = jax.nn.sigmoid(x_z + h @ U_z.T), jax.nn.sigmoid(x_r + h @ U_r.T)
    h = z * h + (1 - z) * f(x_n + (r * h) @ U_n.T)
    return h, h


def bias(weights: Mapping[str, Any], name: str) -> Any:
    """That bias, or 0 where there is none."""
    return 0 if weights.get(name) is None else weights[name]


def zeros(cell: Callable[..., Any], weights: Mapping[str, Any], x: Any) -> Any:
    """The state before the first timestep: h, or h and c for an LSTM."""
    gates = {"simple_rnn": 1, "lstm": 4}.get(cell.__name__, 3)
    h = jnp.zeros((*x.shape[:-2], len(weights["U"]) // gates), x.dtype)
    return (h, h) if gates == 4 else h


def layer(
    cell: Callable[..., Any],
    f: Callable[[Any], Any],
    weights: Mapping[str, Any],
    x: Any,
    state: Any = None,
    reverse: bool = False,
    unroll: int = 1,
) -> tuple[Any, Any]:
    """The last state, and every h. lax.scan goes along the first axis, so time comes first on the way."""

    def step(state: Any, x: Any) -> tuple[Any, Any]:
        return cell(f, weights, state, x)

    state = zeros(cell, weights, x) if state is None else state
    state, outputs = jax.lax.scan(step, state, jnp.moveaxis(x, -2, 0), reverse=reverse, unroll=unroll)
    return state, jnp.moveaxis(outputs, 0, -2)


def masked_layer(
    cell: Callable[..., Any],
    f: Callable[[Any], Any],
    weights: Mapping[str, Any],
    x: Any,
    valid: Any,
    state: Any = None,
    reverse: bool = False,
    unroll: int = 1,
) -> tuple[Any, Any]:
    """The same, but where a timestep is not valid the state stays as it is, and the output is zero."""

    def step(before: Any, now: tuple[Any, Any]) -> tuple[Any, Any]:
        x, keep = now
        # Twice, because a gradient that meets NaN in what the outer one leaves out is NaN itself.
        state, h = cell(f, weights, before, jnp.where(keep, x, 0))
        state = jax.tree.map(lambda new, old: jnp.where(keep, new, old), state, before)
        return state, jnp.where(keep, h, 0)

    state = zeros(cell, weights, x) if state is None else state
    by_time = jnp.moveaxis(x, -2, 0), jnp.moveaxis(valid, -1, 0)[..., None]
    state, outputs = jax.lax.scan(step, state, by_time, reverse=reverse, unroll=unroll)
    return state, jnp.moveaxis(outputs, 0, -2)


def example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """jax.lax.scan."""
    # Load. The step is one's own, and so is the orientation.
    weights = {"W": jnp.array(W), "U": jnp.array(U), "b": jnp.array(b)}

    # Run.
    _, outputs = layer(simple_rnn, jnp.tanh, weights, jnp.array(x))
    outputs = np.asarray(outputs)

    # Read.
    W_read, U_read, b_read = (np.asarray(weights[name]) for name in ("W", "U", "b"))
    return outputs, W_read, U_read, b_read


def lstm_example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """An LSTM under jax.lax.scan."""
    # Load. The step is one's own, and so is the order of the gates: i, f, g, o.
    weights = {"W": jnp.array(W), "U": jnp.array(U), "b": jnp.array(b)}

    # Run.
    (_h_n, _c_n), outputs = layer(lstm, jnp.tanh, weights, jnp.array(x))
    outputs = np.asarray(outputs)

    # Read.
    W_read, U_read, b_read = (np.asarray(weights[name]) for name in ("W", "U", "b"))
    return outputs, W_read, U_read, b_read


def gru_example(W: Any, U: Any, b: Any, c: Any, x: Any) -> tuple[Any, Any, Any, Any, Any]:
    """A GRU under jax.lax.scan."""
    # Load. The step is one's own, and so is the order of the gates: z, r, n.
    weights = {"W": jnp.array(W), "U": jnp.array(U), "b": jnp.array(b), "c": jnp.array(c)}

    # Run.
    _, outputs = layer(gru, jnp.tanh, weights, jnp.array(x))
    outputs = np.asarray(outputs)

    # Read.
    W_read, U_read, b_read, c_read = (np.asarray(weights[name]) for name in ("W", "U", "b", "c"))
    return outputs, W_read, U_read, b_read, c_read
