"""Layers of Keras in a SavedModel: exported, run and read, as a user would write it."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from rnn_conformance.adapters.exports.keras_plain import exported
from rnn_conformance.adapters.keras.plain import keras_weights


def served(path: Any, given: list[Any]) -> list[Any]:
    """What a model in a SavedModel gives for these inputs."""
    loaded = tf.saved_model.load(path)
    results = loaded.serve(given[0] if len(given) == 1 else given)
    return [result.numpy() for result in (results if isinstance(results, list | tuple) else [results])]


def example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """keras.layers.SimpleRNN, exported for any batch and any timesteps."""
    units, features = W.shape
    layer = keras.layers.SimpleRNN(units, return_sequences=True)
    model = keras.Sequential([keras.Input((None, features)), layer])

    # Load.
    layer.set_weights(keras_weights({"W": W, "U": U, "b": b}))

    # Export.
    path = exported(model, "model", "tf_saved_model")

    # Run.
    outputs = served(path, [x])[0]

    # Read. What is loaded has variables.
    loaded = tf.saved_model.load(path)
    kernel, recurrent_kernel, bias = (v.numpy() for v in loaded.trainable_variables)
    W_read, U_read, b_read = kernel.T, recurrent_kernel.T, bias
    return outputs, W_read, U_read, b_read


def lstm_example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """keras.layers.LSTM, exported for any batch and any timesteps."""
    units, features = W.shape[0] // 4, W.shape[1]  # gates i, f, g, o: the order of Keras, which calls g c
    layer = keras.layers.LSTM(units, return_sequences=True)
    model = keras.Sequential([keras.Input((None, features)), layer])

    # Load.
    layer.set_weights(keras_weights({"W": W, "U": U, "b": b}))

    # Export.
    path = exported(model, "model", "tf_saved_model")

    # Run.
    outputs = served(path, [x])[0]

    # Read. What is loaded has variables.
    loaded = tf.saved_model.load(path)
    kernel, recurrent_kernel, bias = (v.numpy() for v in loaded.trainable_variables)
    W_read, U_read, b_read = kernel.T, recurrent_kernel.T, bias
    return outputs, W_read, U_read, b_read


def gru_example(W: Any, U: Any, b: Any, c: Any, x: Any) -> tuple[Any, Any, Any, Any, Any]:
    """keras.layers.GRU, exported for any batch and any timesteps."""
    units, features = W.shape[0] // 3, W.shape[1]  # gates z, r, n: the order of Keras, which calls n h
    layer = keras.layers.GRU(units, return_sequences=True)
    model = keras.Sequential([keras.Input((None, features)), layer])

    # Load.
    layer.set_weights(keras_weights({"W": W, "U": U, "b": b, "c": c}))

    # Export.
    path = exported(model, "model", "tf_saved_model")

    # Run.
    outputs = served(path, [x])[0]

    # Read. What is loaded has variables.
    loaded = tf.saved_model.load(path)
    kernel, recurrent_kernel, bias = (v.numpy() for v in loaded.trainable_variables)
    W_read, U_read, (b_read, c_read) = kernel.T, recurrent_kernel.T, bias
    return outputs, W_read, U_read, b_read, c_read
