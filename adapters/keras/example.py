"""Weights in Keras' recurrent layers: how they are loaded, read and run, as a user would write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np


def keras_weights(weights: Mapping[str, Any]) -> list[Any]:
    """W, U and b as a layer of Keras keeps them, both kernels transposed; a recurrent bias c is the second row of b."""
    W, U, b, c = weights["W"], weights["U"], weights.get("b"), weights.get("c")
    biases = [] if b is None else [b if c is None else np.stack([b, c])]
    return [W.T, U.T, *biases]


def named_weights(kernel: Any, recurrent_kernel: Any, *biases: Any) -> dict[str, Any]:
    """The inverse: W, U and, if the layer has a bias, b, perhaps with a recurrent bias c."""
    rows = [row for bias in biases for row in (bias if bias.ndim == 2 else [bias])]
    return {"W": kernel.T, "U": recurrent_kernel.T, **dict(zip("bc", rows, strict=False))}


def flat(state: Any) -> list[Any]:
    """The state of a layer as Keras takes it: of each direction h, and of an LSTM's c after it."""
    return [array for h in state for array in (h if isinstance(h, tuple) else (h,))]


def filled(inputs: Any, mask: Any, value: float) -> Any:
    """Inputs whose every feature is `value` where the mask says that a timestep is padding, for a Masking layer."""
    return np.where(mask[..., np.newaxis], inputs, inputs.dtype.type(value))


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
