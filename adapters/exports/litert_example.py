"""Layers of Keras in LiteRT: exported, run and read, as a user would write it."""

from __future__ import annotations

from typing import Any

import keras
from ai_edge_litert.interpreter import Interpreter

from rnn_conformance.adapters.exports.keras_plain import exported
from rnn_conformance.adapters.keras.plain import keras_weights


def served(path: Any, given: list[Any]) -> list[Any]:
    """What a model in LiteRT gives for these inputs."""
    run = Interpreter(path).get_signature_runner("serving_default")
    results = run(**{f"given_{k}": array for k, array in enumerate(given)})
    return [results[f"output_{k}"] for k in range(len(results))]


def example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """keras.layers.SimpleRNN, exported for any batch."""
    units, features = W.shape
    layer = keras.layers.SimpleRNN(units, return_sequences=True, unroll=True)
    model = keras.Sequential([keras.Input((x.shape[1], features)), layer])

    # Load.
    layer.set_weights(keras_weights({"W": W, "U": U, "b": b}))

    # Export.
    path = exported(model, "model.tflite", "litert")

    # Run.
    outputs = served(path, [x])[0]

    # Read. What was exported has them as constants, under names of the exporter's.
    kernel, recurrent_kernel, bias = layer.get_weights()
    W_read, U_read, b_read = kernel.T, recurrent_kernel.T, bias
    return outputs, W_read, U_read, b_read


def lstm_example(W: Any, U: Any, b: Any, x: Any) -> tuple[Any, Any, Any, Any]:
    """keras.layers.LSTM, exported for any batch."""
    units, features = W.shape[0] // 4, W.shape[1]  # gates i, f, g, o: the order of Keras, which calls g c
    layer = keras.layers.LSTM(units, return_sequences=True, unroll=True)
    model = keras.Sequential([keras.Input((x.shape[1], features)), layer])

    # Load.
    layer.set_weights(keras_weights({"W": W, "U": U, "b": b}))

    # Export.
    path = exported(model, "model.tflite", "litert")

    # Run.
    outputs = served(path, [x])[0]

    # Read. What was exported has them as constants, under names of the exporter's.
    kernel, recurrent_kernel, bias = layer.get_weights()
    W_read, U_read, b_read = kernel.T, recurrent_kernel.T, bias
    return outputs, W_read, U_read, b_read


def gru_example(W: Any, U: Any, b: Any, c: Any, x: Any) -> tuple[Any, Any, Any, Any, Any]:
    """keras.layers.GRU, exported for any batch."""
    units, features = W.shape[0] // 3, W.shape[1]  # gates z, r, n: the order of Keras, which calls n h
    layer = keras.layers.GRU(units, return_sequences=True, unroll=True)
    model = keras.Sequential([keras.Input((x.shape[1], features)), layer])

    # Load.
    layer.set_weights(keras_weights({"W": W, "U": U, "b": b, "c": c}))

    # Export.
    path = exported(model, "model.tflite", "litert")

    # Run.
    outputs = served(path, [x])[0]

    # Read. What was exported has them as constants, under names of the exporter's.
    kernel, recurrent_kernel, bias = layer.get_weights()
    W_read, U_read, (b_read, c_read) = kernel.T, recurrent_kernel.T, bias
    return outputs, W_read, U_read, b_read, c_read
