"""The recurrence under jax.lax.scan, as its users write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax import numpy as jnp


def layer(
    f: Callable[[Any], Any], weights: Mapping[str, Any], x: Any, h: Any = None, reverse: bool = False, unroll: int = 1
) -> tuple[Any, Any]:
    """The last h, and all of them. lax.scan goes along the first axis, so time comes first on the way."""
    W, U, b = weights["W"], weights["U"], 0 if weights.get("b") is None else weights["b"]

    def step(h: Any, x: Any) -> tuple[Any, Any]:
        h = f(x @ W.T + h @ U.T + b)
        return h, h

    if h is None:
        h = jnp.zeros((*x.shape[:-2], len(U)), x.dtype)
    h, outputs = jax.lax.scan(step, h, jnp.moveaxis(x, -2, 0), reverse=reverse, unroll=unroll)
    return h, jnp.moveaxis(outputs, 0, -2)


def masked_layer(
    f: Callable[[Any], Any],
    weights: Mapping[str, Any],
    x: Any,
    valid: Any,
    h: Any = None,
    reverse: bool = False,
    unroll: int = 1,
) -> tuple[Any, Any]:
    """The same, but where a timestep is not valid h stays as it is, and the output is zero."""
    W, U, b = weights["W"], weights["U"], 0 if weights.get("b") is None else weights["b"]

    def step(h: Any, now: tuple[Any, Any]) -> tuple[Any, Any]:
        x, keep = now
        # Twice, because a gradient that meets NaN in what the outer one leaves out is NaN itself.
        h = jnp.where(keep, f(jnp.where(keep, x, 0) @ W.T + h @ U.T + b), h)
        return h, jnp.where(keep, h, 0)

    if h is None:
        h = jnp.zeros((*x.shape[:-2], len(U)), x.dtype)
    by_time = jnp.moveaxis(x, -2, 0), jnp.moveaxis(valid, -1, 0)[..., None]
    h, outputs = jax.lax.scan(step, h, by_time, reverse=reverse, unroll=unroll)
    return h, jnp.moveaxis(outputs, 0, -2)


def example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """jax.lax.scan."""
    # Load. The step is one's own, and so is the orientation.
    weights = {"W": jnp.array(W), "U": jnp.array(U), "b": jnp.array(b)}

    # Run.
    _, outputs = layer(jnp.tanh, weights, jnp.array(x))
    outputs = np.asarray(outputs)

    # Read.
    W_read, U_read, b_read = (np.asarray(weights[name]) for name in ("W", "U", "b"))
    return outputs, W_read, U_read, b_read
