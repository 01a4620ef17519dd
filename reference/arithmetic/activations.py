"""The four activations: value, largest slope near a point, range, and the accuracy that the specification asks for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

_SLOPE_ROUNDING = 2.0**-50
"""More than 1 - tanh(z)^2 and s (1 - s) lose to cancellation in float64 where the activation saturates."""


@dataclass(frozen=True)
class Activation:
    """One activation; every one of them is non-decreasing.

    `function(z, out=None)` works in the dtype of z. `slope(z, radius)` is the largest derivative on
    [z - radius, z + radius], in float64. `ulps` is the accuracy of clause 7.1, and `reference_ulps` bounds the error
    of `function` in float64 (BOUNDS.md, section 5).
    """

    name: str
    function: Callable[..., Array]
    slope: Callable[[Array, Array], Array]
    low: float
    high: float
    ulps: float
    reference_ulps: float


def _relu(z: Array, out: Array | None = None) -> Array:
    return np.maximum(z, 0, out=out)


def _linear(z: Array, out: Array | None = None) -> Array:
    if out is None:
        return z.copy()
    if out is not z:
        out[...] = z
    return out


def _sigmoid(z: Array, out: Array | None = None) -> Array:
    """1 / (1 + exp(-z)), written so that exp never overflows and small results keep their relative accuracy."""
    e = np.exp(-np.abs(z))
    return np.divide(np.where(z >= 0, z.dtype.type(1), e), 1 + e, out=out)


def _tanh_slope(z: Array, radius: Array) -> Array:
    return 1 - np.square(np.tanh(_nearest_to_zero(z, radius))) + _SLOPE_ROUNDING


def _sigmoid_slope(z: Array, radius: Array) -> Array:
    s = _sigmoid(_nearest_to_zero(z, radius))
    return s * (1 - s) + _SLOPE_ROUNDING


def _relu_slope(z: Array, radius: Array) -> Array:
    return (z + radius > 0).astype(np.float64)


def _linear_slope(z: Array, radius: Array) -> Array:
    return np.ones_like(z)


def _nearest_to_zero(z: Array, radius: Array) -> Array:
    """Distance from zero to [z - radius, z + radius]: there tanh and sigmoid are steepest."""
    return np.maximum(np.abs(z) - radius, 0)


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("tanh", np.tanh, _tanh_slope, low=-1, high=1, ulps=5, reference_ulps=2),
        Activation("relu", _relu, _relu_slope, low=0, high=np.inf, ulps=0, reference_ulps=0),
        Activation("linear", _linear, _linear_slope, low=-np.inf, high=np.inf, ulps=0, reference_ulps=0),
        Activation("sigmoid", _sigmoid, _sigmoid_slope, low=0, high=1, ulps=12, reference_ulps=4),
    )
}
"""Every activation by name."""
