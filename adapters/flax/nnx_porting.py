"""Flax NNX's LSTM and GRU where a port starts, which leaves `weights` and `here`, and where it ends, with `there`."""

from __future__ import annotations

from typing import Any

import numpy as np
from flax import nnx
from jax import numpy as jnp

from rnn_conformance.adapters.flax.nnx_example import gru_load, gru_read, lstm_load, lstm_read
from rnn_conformance.adapters.gates import z_and_r_swapped


def run_nnx_lstm(nnx_lstm: Any, x: Any, h: Any, c: Any) -> Any:
    """All outputs and the final state."""
    (c_n, h_n), outputs = nnx_lstm(jnp.array(x), initial_carry=(jnp.array(c), jnp.array(h)), return_carry=True)
    return {"outputs": np.asarray(outputs), "h": np.asarray(h_n), "c": np.asarray(c_n)}


def run_nnx_gru(nnx_gru: Any, x: Any, h: Any) -> Any:
    """All outputs and the final state."""
    h_n, outputs = nnx_gru(jnp.array(x), initial_carry=jnp.array(h), return_carry=True)
    return {"outputs": np.asarray(outputs), "h": np.asarray(h_n)}


def lstm_source(x: Any, h: Any, c: Any) -> tuple[Any, Any]:
    """flax.nnx.RNN over OptimizedLSTMCell."""
    # An LSTM of Flax NNX, with biases as if it had been trained: put yours in its place.
    cell = nnx.OptimizedLSTMCell(3, 4, bias_init=nnx.initializers.normal(0.5), rngs=nnx.Rngs(0))
    nnx_lstm = nnx.RNN(cell)
    weights = lstm_read(nnx_lstm.cell)
    here = run_nnx_lstm(nnx_lstm, x, h, c)
    return weights, here


def lstm_target(moved: Any, x: Any, h: Any, c: Any) -> Any:
    """flax.nnx.RNN over OptimizedLSTMCell."""
    # An LSTM of Flax NNX with these weights. Its state is (c, h).
    units, features = moved["U"].shape[1], moved["W"].shape[1]
    nnx_lstm = nnx.RNN(nnx.OptimizedLSTMCell(features, units, rngs=nnx.Rngs(0)))
    lstm_load(nnx_lstm.cell, moved)
    there = run_nnx_lstm(nnx_lstm, x, h, c)
    return there


def gru_source(x: Any, h: Any) -> tuple[Any, Any]:
    """flax.nnx.RNN over GRUCell."""
    # A GRU of Flax NNX, with biases as if it had been trained: put yours in its place.
    cell = nnx.GRUCell(3, 4, bias_init=nnx.initializers.normal(0.5), rngs=nnx.Rngs(0))
    nnx_gru = nnx.RNN(cell)
    weights = gru_read(nnx_gru.cell)
    here = run_nnx_gru(nnx_gru, x, h)
    return weights, here


def gru_target(moved: Any, x: Any, h: Any) -> Any:
    """flax.nnx.RNN over GRUCell, whose dense_h gets a bias."""
    # A GRU of Flax NNX with these weights. GRUCell has no place for c, so its dense_h becomes one with a bias.
    units, features = moved["U"].shape[1], moved["W"].shape[1]
    cell = nnx.GRUCell(features, units, rngs=nnx.Rngs(0))
    cell.dense_h = nnx.Linear(units, 3 * units, rngs=nnx.Rngs(0))
    cell.dense_h.bias = nnx.Param(jnp.array(z_and_r_swapped(moved["c"])))
    gru_load(cell, moved)
    nnx_gru = nnx.RNN(cell)
    there = run_nnx_gru(nnx_gru, x, h)
    return there
