"""The gradient of a Model of Keras on TensorFlow, as a user would write it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf


def gradient(model: Any, given: list[Any], cotangents: Any, call: Callable[[Any], Any] | None = None) -> list[Any]:
    """That of the weights and then of the inputs that are floats; `call` calls the model, if it is to be compiled."""
    variables = [variable.value for variable in model.trainable_variables]
    tensors = [tf.convert_to_tensor(a) for a in given]
    floats = [a for a in tensors if "float" in keras.backend.standardize_dtype(a.dtype)]
    with tf.GradientTape() as tape:
        tape.watch(floats)
        results = (call or model)(tensors)
    found = tape.gradient(results, variables + floats, cotangents)
    return [tf.convert_to_tensor(g) for g in found]
