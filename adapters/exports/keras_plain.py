"""The export of a Model of Keras, in plain code that scripts inline."""

from __future__ import annotations

from typing import Any

import keras


def exported(
    model: Any, path: Any, format: str, batch: int | None = None, timesteps: int | None = None, tokens: str = "int32"
) -> Any:
    """A Model in a file, or a folder, with its inputs named given_0, given_1 and so on.

    Of its open axes, it is for any batch and any timesteps, or for these alone; of integer types, for that of `tokens`.
    """
    specs = []
    for k, tensor in enumerate(model.inputs):
        first, *others = tensor.shape
        shape = (first or batch, *(size or timesteps for size in others))
        dtype = tokens if "int" in tensor.dtype else tensor.dtype
        specs.append(keras.InputSpec(dtype=dtype, shape=shape, name=f"given_{k}"))
    signature = [specs] if len(specs) > 1 else specs  # of a list of inputs, one argument
    model.export(path, format=format, verbose=False, input_signature=signature)
    return path
