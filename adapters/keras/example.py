"""Weights in Keras' recurrent layers: how they are loaded, read and run, as a user would write it."""

from __future__ import annotations

from typing import Any

import keras

from rnn_conformance.adapters.keras.plain import keras_weights


def example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """keras.layers.SimpleRNN."""
    units, features = W.shape
    layer = keras.layers.SimpleRNN(units, return_sequences=True)
    layer.build((None, None, features))  # a layer has no weights before it knows its features

    # Load.
    layer.set_weights(keras_weights({"W": W, "U": U, "b": b}))

    # Run.
    outputs = keras.ops.convert_to_numpy(layer(x))

    # Read.
    kernel, recurrent_kernel, bias = layer.get_weights()
    W_read, U_read, b_read = kernel.T, recurrent_kernel.T, bias
    return outputs, W_read, U_read, b_read


def lstm_example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """keras.layers.LSTM."""
    units, features = W.shape[0] // 4, W.shape[1]  # gates i, f, g, o: the order of Keras, which calls g c
    layer = keras.layers.LSTM(units, return_sequences=True)
    layer.build((None, None, features))

    # Load.
    layer.set_weights(keras_weights({"W": W, "U": U, "b": b}))

    # Run.
    outputs = keras.ops.convert_to_numpy(layer(x))

    # Read.
    kernel, recurrent_kernel, bias = layer.get_weights()
    W_read, U_read, b_read = kernel.T, recurrent_kernel.T, bias
    return outputs, W_read, U_read, b_read


def gru_example(W: Any, U: Any, b: Any, c: Any, x: Any) -> tuple[Any, Any, Any, Any, Any]:
    """keras.layers.GRU."""
    units, features = W.shape[0] // 3, W.shape[1]  # gates z, r, n: the order of Keras, which calls n h
    layer = keras.layers.GRU(units, return_sequences=True)
    layer.build((None, None, features))

    # Load.
    layer.set_weights(keras_weights({"W": W, "U": U, "b": b, "c": c}))

    # Run.
    outputs = keras.ops.convert_to_numpy(layer(x))

    # Read. With reset_after=False, the bias is b alone, (3 * units,).
    kernel, recurrent_kernel, bias = layer.get_weights()
    W_read, U_read, (b_read, c_read) = kernel.T, recurrent_kernel.T, bias
    return outputs, W_read, U_read, b_read, c_read
