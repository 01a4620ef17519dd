"""Recurrent layers under jax.lax.scan, as its users write them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp


def simple_rnn(f: Callable[[Any], Any], weights: Mapping[str, Any], h: Any, x: Any) -> Any:
    """The next h."""
    return f(x @ weights["W"].T + h @ weights["U"].T + bias(weights, "b"))


def lstm(f: Callable[[Any], Any], weights: Mapping[str, Any], state: Any, x: Any) -> Any:
    """The next h and c; the gates are stacked as i, f, g, o."""
    h, c = state
    z = x @ weights["W"].T + h @ weights["U"].T + bias(weights, "b") + bias(weights, "c")
    i, forget, g, o = jnp.split(z, 4, axis=-1)
    c = jax.nn.sigmoid(forget) * c + jax.nn.sigmoid(i) * f(g)
    return jax.nn.sigmoid(o) * f(c), c


def gru(f: Callable[[Any], Any], weights: Mapping[str, Any], h: Any, x: Any) -> Any:
    """The next h; the gates are stacked as z, r, n, and r is multiplied with what U and the recurrent bias c give."""
    x_z, x_r, x_n = jnp.split(x @ weights["W"].T + bias(weights, "b"), 3, axis=-1)
    h_z, h_r, h_n = jnp.split(h @ weights["U"].T + bias(weights, "c"), 3, axis=-1)
    z, r = jax.nn.sigmoid(x_z + h_z), jax.nn.sigmoid(x_r + h_r)
    return z * h + (1 - z) * f(x_n + r * h_n)


def gru_reset_before(f: Callable[[Any], Any], weights: Mapping[str, Any], h: Any, x: Any) -> Any:
    """The same, but r is multiplied with h before the product with U."""
    x_z, x_r, x_n = jnp.split(x @ weights["W"].T + bias(weights, "b"), 3, axis=-1)
    U_z, U_r, U_n = jnp.split(weights["U"], 3)
    z, r = jax.nn.sigmoid(x_z + h @ U_z.T), jax.nn.sigmoid(x_r + h @ U_r.T)
    return z * h + (1 - z) * f(x_n + (r * h) @ U_n.T)


def bias(weights: Mapping[str, Any], name: str) -> Any:
    """That bias, or 0 where there is none."""
    return 0 if weights.get(name) is None else weights[name]


def zeros(cell: Callable[..., Any], weights: Mapping[str, Any], x: Any) -> Any:
    """The state before the first timestep: h, or h and c for an LSTM."""
    gates = {"simple_rnn": 1, "lstm": 4}.get(cell.__name__, 3)
    h = jnp.zeros((*x.shape[:-2], len(weights["U"]) // gates), x.dtype)
    return (h, h) if gates == 4 else h


def h_of(state: Any) -> Any:
    """What a layer puts out: the first part of the state, where it has several."""
    return state[0] if isinstance(state, tuple) else state


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
        state = cell(f, weights, state, x)
        return state, h_of(state)

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
        state = cell(f, weights, before, jnp.where(keep, x, 0))
        state = jax.tree.map(lambda new, old: jnp.where(keep, new, old), state, before)
        return state, jnp.where(keep, h_of(state), 0)

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
