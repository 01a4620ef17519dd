"""The four activations: value, largest slope near a point, range, and the accuracy that the specification asks for."""

from __future__ import annotations

import math
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
    of `function` in float64 (BOUNDS.md, section 5). `roundings` is the accuracy of one that is not accurate in ULP:
    so many roundings of numbers up to 1. `derivative` is the one at z, told from y = f(z), and the smaller at a corner.
    `remainder(z, reach)` is how far function(z + d) may lie from function(z) + slope(z, 0) d, for |d| <= reach.
    """

    name: str
    function: Callable[..., Array]
    slope: Callable[[Array, Array], Array]
    low: float
    high: float
    ulps: float
    reference_ulps: float
    derivative: Callable[[Array], Array]
    remainder: Callable[[Array, Array], Array]
    roundings: int = 0


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
    numerator = (z >= 0).astype(z.dtype)
    e = np.abs(z, out=np.empty_like(z) if out is None else out)
    np.exp(np.negative(e, out=e), out=e)
    numerator = np.maximum(e, numerator)  # e for negative z, and else 1; np.where is ten times as slow
    e += e.dtype.type(1)
    return np.divide(numerator, e, out=e)


def _hard_sigmoid(slope: float) -> Callable[..., Array]:
    """clip(slope z + 1/2, 0, 1)."""

    def function(z: Array, out: Array | None = None) -> Array:
        y = np.multiply(z, z.dtype.type(slope), out=out)
        y += z.dtype.type(0.5)
        return np.clip(y, 0, 1, out=y)

    return function


def _tanh_slope(z: Array, radius: Array) -> Array:
    return 1 - np.square(np.tanh(_nearest_to_zero(z, radius))) + _SLOPE_ROUNDING


def _sigmoid_slope(z: Array, radius: Array) -> Array:
    s = _sigmoid(_nearest_to_zero(z, radius))
    return s * (1 - s) + _SLOPE_ROUNDING


def _relu_slope(z: Array, radius: Array) -> Array:
    return (z + radius > 0).astype(np.float64)


def _linear_slope(z: Array, radius: Array) -> Array:
    return np.ones_like(z)


def _hard_sigmoid_slope(slope: float) -> Callable[[Array, Array], Array]:
    return lambda z, radius: np.where(_nearest_to_zero(z, radius) < 0.5 / slope, slope * (1 + _SLOPE_ROUNDING), 0.0)


def _hard_sigmoid_derivative(slope: float) -> Callable[[Array], Array]:
    return lambda y: np.where((y > 0) & (y < 1), y.dtype.type(slope), y.dtype.type(0))


def _relu_derivative(y: Array) -> Array:
    return (y > 0).astype(y.dtype)


def _curved(curvature: float, steepest: float) -> Callable[[Array, Array], Array]:
    """The remainder of a function whose second derivative is at most `curvature`, the first in [0, `steepest`]."""

    def remainder(z: Array, reach: Array) -> Array:
        share: Array = np.minimum(curvature / 2 * reach, steepest) + 2 * _SLOPE_ROUNDING
        return share * reach

    return remainder


def _relu_remainder(z: Array, reach: Array) -> Array:
    return np.where(reach > np.abs(z), reach, 0)


def _linear_remainder(z: Array, reach: Array) -> Array:
    return np.zeros_like(reach)


def _hard_sigmoid_remainder(slope: float) -> Callable[[Array, Array], Array]:
    """None where both corners are out of reach, but for the rounding of the slope; else all of the change."""
    corner = 0.5 / slope

    def remainder(z: Array, reach: Array) -> Array:
        beyond = reach > np.abs(np.abs(z) - corner) - _SLOPE_ROUNDING * corner
        inside = np.where(np.abs(z) < corner, 2 * _SLOPE_ROUNDING, 0)
        return np.where(beyond, 1 + _SLOPE_ROUNDING, inside) * slope * reach

    return remainder


def _nearest_to_zero(z: Array, radius: Array) -> Array:
    """Distance from zero to [z - radius, z + radius]: there tanh and sigmoid are steepest."""
    return np.maximum(np.abs(z) - radius, 0)


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation(
            "tanh",
            np.tanh,
            _tanh_slope,
            -1,
            1,
            ulps=5,
            reference_ulps=2,
            derivative=lambda y: 1 - y * y,
            remainder=_curved(4 / (3 * math.sqrt(3)), 1),
        ),
        Activation(
            "relu",
            _relu,
            _relu_slope,
            0,
            np.inf,
            ulps=0,
            reference_ulps=0,
            derivative=_relu_derivative,
            remainder=_relu_remainder,
        ),
        Activation(
            "linear",
            _linear,
            _linear_slope,
            -np.inf,
            np.inf,
            ulps=0,
            reference_ulps=0,
            derivative=np.ones_like,
            remainder=_linear_remainder,
        ),
        Activation(
            "sigmoid",
            _sigmoid,
            _sigmoid_slope,
            0,
            1,
            ulps=12,
            reference_ulps=4,
            derivative=lambda y: y * (1 - y),
            remainder=_curved(1 / (6 * math.sqrt(3)), 0.25),
        ),
    )
}
"""Every activation of a candidate or of an output, by name."""

HARD_SIGMOIDS = {"hard_sigmoid": 1 / 6, "hard_sigmoid_fifth": 0.2}
"""Two functions go by that name, clip(z / 6 + 1/2, 0, 1) and clip(0.2 z + 1/2, 0, 1): the slope of each."""

GATE_ACTIVATIONS = {
    **ACTIVATIONS,
    **{
        name: Activation(
            name,
            _hard_sigmoid(slope),
            _hard_sigmoid_slope(slope),
            low=0,
            high=1,
            ulps=0,
            reference_ulps=0,
            derivative=_hard_sigmoid_derivative(slope),
            remainder=_hard_sigmoid_remainder(slope),
            roundings=3,
        )
        for name, slope in HARD_SIGMOIDS.items()
    },
}
"""Every activation of a gate, by name."""
