"""The gradient of a Model of Keras 2, as a user would write it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def gradient(model: Any, given: list[Any], cotangents: Any, call: Callable[[Any], Any] | None = None) -> list[Any]:
    """That of the weights and then of the inputs that are floats; `call` calls the model, if it is to be compiled."""
    tensors = [tf.convert_to_tensor(a) for a in given]
    floats = [a for a in tensors if a.dtype.is_floating]
    with tf.GradientTape() as tape:
        tape.watch(floats)
        results = (call or model)(tensors)
    found = tape.gradient(results, model.trainable_variables + floats, cotangents)
    return [tf.convert_to_tensor(g) for g in found]
