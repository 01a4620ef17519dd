"""Weights, states and masks as the layers of Keras have them, Keras 3 and 2, in plain code that scripts inline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
