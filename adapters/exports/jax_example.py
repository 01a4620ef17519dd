"""A recurrence in JAX through jax.export, as a user would write it: for any batch and any number of timesteps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import export
from jax import numpy as jnp

from rnn_conformance.adapters.jax.example import gru, layer, lstm, simple_rnn


def sent(function: Callable[..., Any], arguments: Any, shapes: Any = None) -> Callable[..., Any]:
    """A function that was exported, made bytes and read again.

    It is for the shapes of the arguments or, where `shapes` has names for some of their axes, for any sizes of these.
    """
    given = arguments if shapes is None else export.symbolic_args_specs(arguments, shapes)
    return jax.jit(export.deserialize(export.export(jax.jit(function))(*given).serialize()).call)


def example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """A simple RNN with jax.lax.scan."""
    # Load.
    params = {"W": jnp.array(W), "U": jnp.array(U), "b": jnp.array(b)}

    # Export. The parameters are arguments of what is exported, too.
    shapes = (None, "batch, timesteps, ...")
    program = sent(lambda params, x: layer(simple_rnn, jnp.tanh, params, x)[1], (params, jnp.array(x)), shapes)

    # Run.
    outputs = np.asarray(program(params, jnp.array(x)))

    # Read.
    W_read, U_read, b_read = (np.asarray(params[name]) for name in "WUb")
    return outputs, W_read, U_read, b_read


def lstm_example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """An LSTM with jax.lax.scan."""
    # Load.
    params = {"W": jnp.array(W), "U": jnp.array(U), "b": jnp.array(b)}

    # Export. The parameters are arguments of what is exported, too.
    shapes = (None, "batch, timesteps, ...")
    program = sent(lambda params, x: layer(lstm, jnp.tanh, params, x)[1], (params, jnp.array(x)), shapes)

    # Run.
    outputs = np.asarray(program(params, jnp.array(x)))

    # Read.
    W_read, U_read, b_read = (np.asarray(params[name]) for name in "WUb")
    return outputs, W_read, U_read, b_read


def gru_example(W: Any, U: Any, b: Any, c: Any, x: Any) -> tuple[Any, Any, Any, Any, Any]:
    """A GRU with jax.lax.scan."""
    # Load.
    params = {"W": jnp.array(W), "U": jnp.array(U), "b": jnp.array(b), "c": jnp.array(c)}

    # Export. The parameters are arguments of what is exported, too.
    shapes = (None, "batch, timesteps, ...")
    program = sent(lambda params, x: layer(gru, jnp.tanh, params, x)[1], (params, jnp.array(x)), shapes)

    # Run.
    outputs = np.asarray(program(params, jnp.array(x)))

    # Read.
    W_read, U_read, b_read, c_read = (np.asarray(params[name]) for name in "WUbc")
    return outputs, W_read, U_read, b_read, c_read
