"""Flax Linen's LSTM and GRU where a port starts, which leaves `weights` and `here`, and where it ends, with `there`."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from flax import linen

from rnn_conformance.adapters.flax.linen_example import (
    gru_params_of,
    gru_weights_in,
    lstm_params_of,
    lstm_weights_in,
)


def run_linen_lstm(linen_lstm: Any, params: Any, x: Any, h: Any, c: Any) -> Any:
    """All outputs and the final state."""
    (c_n, h_n), outputs = linen_lstm.apply({"params": params}, x, initial_carry=(c, h), return_carry=True)
    return {"outputs": np.asarray(outputs), "h": np.asarray(h_n), "c": np.asarray(c_n)}


def run_linen_gru(linen_gru: Any, params: Any, x: Any, h: Any) -> Any:
    """All outputs and the final state."""
    h_n, outputs = linen_gru.apply({"params": params}, x, initial_carry=h, return_carry=True)
    return {"outputs": np.asarray(outputs), "h": np.asarray(h_n)}


def lstm_source(x: Any, h: Any, c: Any) -> tuple[Any, Any]:
    """flax.linen.RNN over LSTMCell."""
    # An LSTM of Flax Linen, with biases as if it had been trained: put yours, and its params, in its place.
    linen_lstm = linen.RNN(linen.LSTMCell(4, bias_init=linen.initializers.normal(0.5)))
    params = linen_lstm.init(jax.random.key(0), x)["params"]
    weights = lstm_weights_in(params)
    here = run_linen_lstm(linen_lstm, params, x, h, c)
    return weights, here


def lstm_target(moved: Any, x: Any, h: Any, c: Any) -> Any:
    """flax.linen.RNN over LSTMCell."""
    # An LSTM of Flax Linen, to which each call gives these weights. Its state is (c, h).
    linen_lstm = linen.RNN(linen.LSTMCell(moved["U"].shape[1]))
    params = jax.tree.map(jax.numpy.array, lstm_params_of(moved))
    there = run_linen_lstm(linen_lstm, params, x, h, c)
    return there


def gru_source(x: Any, h: Any) -> tuple[Any, Any]:
    """flax.linen.RNN over GRUCell."""
    # A GRU of Flax Linen, with biases as if it had been trained: put yours, and its params, in its place.
    linen_gru = linen.RNN(linen.GRUCell(4, bias_init=linen.initializers.normal(0.5)))
    params = linen_gru.init(jax.random.key(0), x)["params"]
    weights = gru_weights_in(params)
    here = run_linen_gru(linen_gru, params, x, h)
    return weights, here


def gru_target(moved: Any, x: Any, h: Any) -> Any:
    """flax.linen.RNN over GRUCell."""
    # A GRU of Flax Linen, to which each call gives these weights.
    linen_gru = linen.RNN(linen.GRUCell(moved["U"].shape[1]))
    params = jax.tree.map(jax.numpy.array, gru_params_of(moved))
    there = run_linen_gru(linen_gru, params, x, h)
    return there
