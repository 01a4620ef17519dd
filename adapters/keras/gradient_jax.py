"""The gradient of a Model of Keras on JAX, as a user would write it."""

from __future__ import annotations

from typing import Any

import jax
import keras


def gradient(model: Any, given: list[Any], cotangents: Any) -> list[Any]:
    """That of the weights and then of the inputs that are floats."""
    others = [variable.value for variable in model.non_trainable_variables]
    floats = [k for k, a in enumerate(given) if "float" in keras.backend.standardize_dtype(a.dtype)]

    def call(variables: Any, sources: Any) -> Any:
        arrays = list(given)
        for k, source in zip(floats, sources, strict=True):
            arrays[k] = source
        return model.stateless_call(variables, others, arrays)[0]

    variables = [variable.value for variable in model.trainable_variables]
    of_weights, of_inputs = jax.vjp(call, variables, [given[k] for k in floats])[1](cotangents)
    return [*of_weights, *of_inputs]
