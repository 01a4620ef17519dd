"""Weights in haiku.VanillaRNN, LSTM and GRU: how they are loaded, read and run, as a user would write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import haiku as hk
import jax
import numpy as np
from jax import numpy as jnp


def f_and_g_swapped(array: Any) -> Any:
    """The rows of an LSTM's gates i, f, g, o in the order i, g, f, o; or the other way round."""
    i, one, other, o = np.split(array, 4)
    return np.concatenate([i, other, one, o])


def simple_rnn_params_of(weights: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a VanillaRNN with one bias: both kernels transposed."""
    input_to_hidden = {"w": weights["W"].T, "b": weights["b"]}
    return {"vanilla_rnn/linear": input_to_hidden, "vanilla_rnn/linear_1": {"w": weights["U"].T}}


def simple_rnn_weights_in(params: Mapping[str, Any]) -> dict[str, Any]:
    """W, U and b in such parameters, or in their gradients."""
    linear, recurrent = params["vanilla_rnn/linear"], params["vanilla_rnn/linear_1"]
    return {"W": np.asarray(linear["w"]).T, "U": np.asarray(recurrent["w"]).T, "b": np.asarray(linear["b"])}


def lstm_params_of(weights: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of an LSTM: one kernel, for x and h side by side, and gates i, g, f, o."""
    W, U, b = (f_and_g_swapped(weights[name]) for name in ("W", "U", "b"))
    return {"lstm/linear": {"w": np.concatenate([W, U], axis=1).T, "b": b}}


def lstm_weights_in(params: Mapping[str, Any]) -> dict[str, Any]:
    """W, U and b in such parameters, or in their gradients."""
    w, b = (f_and_g_swapped(np.asarray(params["lstm/linear"][name]).T) for name in "wb")
    features = w.shape[1] - len(b) // 4
    return {"W": w[:, :features], "U": w[:, features:], "b": b}


def gru_params_of(weights: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a GRU: both kernels transposed; its gates are z, r, a."""
    return {"gru": {"w_i": weights["W"].T, "w_h": weights["U"].T, "b": weights["b"]}}


def gru_weights_in(params: Mapping[str, Any]) -> dict[str, Any]:
    """W, U and b in such parameters, or in their gradients."""
    gru = params["gru"]
    return {"W": np.asarray(gru["w_i"]).T, "U": np.asarray(gru["w_h"]).T, "b": np.asarray(gru["b"])}


def layer(core_of: Callable[[], Any], static: bool = False, **options: Any) -> Any:
    """A function of parameters, x and a state to the outputs and the state; x may be a single sequence."""

    def unrolled(x: Any, state: Any) -> tuple[Any, Any]:
        core = core_of()
        if state is None:
            state = core.initial_state(x.shape[0] if x.ndim == 3 else None)
        state = hk.LSTMState(*state) if isinstance(state, tuple) else state
        unroll: Any = hk.static_unroll if static else hk.dynamic_unroll
        return unroll(core, x, state, time_major=x.ndim == 2, **options)

    transformed: Any = hk.without_apply_rng(hk.transform(unrolled))
    return transformed.apply


def example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """haiku.VanillaRNN, whose activation is relu."""
    # Load: the parameters are an argument of each call. JAX copies the arrays.
    params = jax.tree.map(jnp.array, simple_rnn_params_of({"W": W, "U": U, "b": b}))

    # Run.
    outputs, _ = layer(lambda: hk.VanillaRNN(len(W), double_bias=False))(params, x, None)
    outputs = np.asarray(outputs)

    # Read.
    read = simple_rnn_weights_in(params)
    W_read, U_read, b_read = read["W"], read["U"], read["b"]
    return outputs, W_read, U_read, b_read


def lstm_example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """haiku.LSTM, which adds 1 to what comes of b in the forget gate: for another layer's b, load b_f - 1."""
    # Load: the parameters are an argument of each call. JAX copies the arrays.
    params = jax.tree.map(jnp.array, lstm_params_of({"W": W, "U": U, "b": b}))

    # Run.
    outputs, _ = layer(lambda: hk.LSTM(U.shape[1]))(params, x, None)
    outputs = np.asarray(outputs)

    # Read.
    read = lstm_weights_in(params)
    W_read, U_read, b_read = read["W"], read["U"], read["b"]
    return outputs, W_read, U_read, b_read


def gru_example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """haiku.GRU, which keeps 1 - z of the state, and multiplies with r before the product."""
    # Load: the parameters are an argument of each call. JAX copies the arrays.
    params = jax.tree.map(jnp.array, gru_params_of({"W": W, "U": U, "b": b}))

    # Run.
    outputs, _ = layer(lambda: hk.GRU(U.shape[1]))(params, x, None)
    outputs = np.asarray(outputs)

    # Read.
    read = gru_weights_in(params)
    W_read, U_read, b_read = read["W"], read["U"], read["b"]
    return outputs, W_read, U_read, b_read
