"""Keras' LSTM and GRU where a port starts, which leaves `weights` and `here`, and where it ends, with `there`."""

from __future__ import annotations

from typing import Any

import keras

from rnn_conformance.adapters.keras.plain import keras_weights, named_weights


def run_keras_lstm(keras_lstm: Any, x: Any, h: Any, c: Any) -> Any:
    """All outputs and the final state."""
    outputs, h_n, c_n = map(keras.ops.convert_to_numpy, keras_lstm(x, initial_state=[h, c]))
    return {"outputs": outputs, "h": h_n, "c": c_n}


def run_keras_gru(keras_gru: Any, x: Any, h: Any) -> Any:
    """All outputs and the final state."""
    outputs, h_n = map(keras.ops.convert_to_numpy, keras_gru(x, initial_state=h))
    return {"outputs": outputs, "h": h_n}


def lstm_source(x: Any, h: Any, c: Any) -> tuple[Any, Any]:
    """keras.layers.LSTM."""
    # An LSTM of Keras, with biases as if it had been trained: put yours in its place.
    keras_lstm = keras.layers.LSTM(4, bias_initializer="glorot_uniform", return_sequences=True, return_state=True)
    keras_lstm.build((None, None, 3))
    weights = named_weights(*keras_lstm.get_weights())
    here = run_keras_lstm(keras_lstm, x, h, c)
    return weights, here


def lstm_target(moved: Any, x: Any, h: Any, c: Any) -> Any:
    """keras.layers.LSTM."""
    # An LSTM of Keras with these weights. It has none before it knows its features.
    units, features = moved["U"].shape[1], moved["W"].shape[1]
    keras_lstm = keras.layers.LSTM(units, return_sequences=True, return_state=True)
    keras_lstm.build((None, None, features))
    keras_lstm.set_weights(keras_weights(moved))
    there = run_keras_lstm(keras_lstm, x, h, c)
    return there


def gru_source(x: Any, h: Any) -> tuple[Any, Any]:
    """keras.layers.GRU."""
    # A GRU of Keras, with biases as if it had been trained: put yours in its place.
    keras_gru = keras.layers.GRU(4, bias_initializer="glorot_uniform", return_sequences=True, return_state=True)
    keras_gru.build((None, None, 3))
    weights = named_weights(*keras_gru.get_weights())
    here = run_keras_gru(keras_gru, x, h)
    return weights, here


def gru_target(moved: Any, x: Any, h: Any) -> Any:
    """keras.layers.GRU."""
    # A GRU of Keras with these weights. It has none before it knows its features.
    units, features = moved["U"].shape[1], moved["W"].shape[1]
    keras_gru = keras.layers.GRU(units, return_sequences=True, return_state=True)
    keras_gru.build((None, None, features))
    keras_gru.set_weights(keras_weights(moved))
    there = run_keras_gru(keras_gru, x, h)
    return there
