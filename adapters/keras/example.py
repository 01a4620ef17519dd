"""W, U and b in Keras' recurrent layers: how they are loaded, read and run, as a user would write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras


def keras_weights(weights: Mapping[str, Any]) -> list[Any]:
    """W, U and b as a layer of Keras keeps them, both kernels transposed."""
    W, U, b = weights["W"], weights["U"], weights.get("b")
    return [W.T, U.T] if b is None else [W.T, U.T, b]


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
