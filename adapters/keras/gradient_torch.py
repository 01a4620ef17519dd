"""The gradient of a Model of Keras on PyTorch, as a user would write it."""

from __future__ import annotations

from typing import Any

import keras
import torch


def gradient(model: Any, given: list[Any], cotangents: Any) -> tuple[Any, ...]:
    """That of the weights and then of the inputs that are floats."""
    variables = [variable.value for variable in model.trainable_variables]
    tensors = [keras.ops.convert_to_tensor(a) for a in given]
    floats = [a.requires_grad_() for a in tensors if "float" in keras.backend.standardize_dtype(a.dtype)]
    return torch.autograd.grad(model(tensors), variables + floats, cotangents)
