"""Mutants whose activation is another one, or a rough one."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnn_conformance.conformance.mutants.base import Sound, mutant
from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.layers.gradients import Backpropagated, Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import Array


class _Tanh(Sound):
    """tanh is another function; `changed` makes it of z and of the right result."""

    def activate(self, name: str, z: Array) -> Array:
        y = super().activate(name, z)
        return self.changed(z, y).astype(y.dtype, copy=False) if name == "tanh" else y

    def changed(self, z: Array, y: Array) -> Array:
        raise NotImplementedError


@mutant("7.1", "7.2")
class RoughTanh(_Tanh):
    """tanh is off by 30 ULP where it bends."""

    def changed(self, z: Array, y: Array) -> Array:
        return np.where((np.abs(y) > 0.4) & (np.abs(y) < 0.6), y + 30 * np.spacing(y), y)


@mutant("7.1")
class RoughTanhOfManyUnits(_Tanh):
    """tanh is off by 30 ULP in layers of eight units or more, whose vectors are computed by other code."""

    def changed(self, z: Array, y: Array) -> Array:
        return y + 30 * np.spacing(y / 2) if z.shape[-1] >= 8 else y


@mutant("1.9")
class TanhStopsShort(_Tanh):
    """tanh is cut at 0.9999."""

    def changed(self, z: Array, y: Array) -> Array:
        return np.clip(y, -0.9999, 0.9999)


@mutant("7.3")
class TanhBeyondOne(_Tanh):
    """tanh can be one ULP larger than 1."""

    def changed(self, z: Array, y: Array) -> Array:
        return np.where(y == 1, y + np.spacing(y), y)


@mutant("7.1")
class TanhOfExponentials(_Tanh):
    """tanh is computed as (e^2z - 1) / (e^2z + 1), which cancels near zero and is no number far from it."""

    def changed(self, z: Array, y: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            e = np.exp(2 * z)
            return (e - 1) / (e + 1)


@mutant("7.1")
class TanhOfSmallNumbersZero(_Tanh):
    """tanh of numbers below 0.0001 is zero."""

    def changed(self, z: Array, y: Array) -> Array:
        return np.where(np.abs(z) < 1e-4, z * 0, y)


@mutant("7.1")
class TanhIsHard(_Tanh):
    """tanh is z, cut at -1 and 1."""

    def changed(self, z: Array, y: Array) -> Array:
        return np.clip(z, -1, 1)


@mutant("7.1")
class TanhIsSigmoid(_Tanh):
    """tanh is taken for the sigmoid."""

    def changed(self, z: Array, y: Array) -> Array:
        return super(_Tanh, self).activate("sigmoid", z)


@mutant("7.1", "7.3")
class SigmoidIsHard(Sound):
    """The sigmoid is z / 6 + 1/2, cut at 0 and 1."""

    def activate(self, name: str, z: Array) -> Array:
        return np.clip(z / 6 + z.dtype.type(0.5), 0, 1) if name == "sigmoid" else super().activate(name, z)


@mutant("7.3")
class SigmoidStopsShort(Sound):
    """The sigmoid is never nearer to its limits than 1e-7."""

    def activate(self, name: str, z: Array) -> Array:
        y = super().activate(name, z)
        return np.clip(y, 1e-7, 1 - 1e-7).astype(y.dtype) if name == "sigmoid" else y


@mutant("7.1")
class SigmoidOfSmallNumbersInexact(Sound):
    """The sigmoid is computed from tanh(z / 2), which loses its small values."""

    def activate(self, name: str, z: Array) -> Array:
        return (1 + np.tanh(z / 2)) / 2 if name == "sigmoid" else super().activate(name, z)


@mutant("7.4")
class ReluLeaks(Sound):
    """relu of a negative number is a hundredth of it."""

    def activate(self, name: str, z: Array) -> Array:
        return np.where(z < 0, z / z.dtype.type(100), z) if name == "relu" else super().activate(name, z)


@mutant("7.4")
class ReluStopsAtSix(Sound):
    """relu of numbers greater than 6 is 6."""

    def activate(self, name: str, z: Array) -> Array:
        return np.clip(z, 0, 6) if name == "relu" else super().activate(name, z)


@mutant("7.4")
class LinearIsCut(Sound):
    """linear is cut at -100 and 100."""

    def activate(self, name: str, z: Array) -> Array:
        return np.clip(z, -100, 100) if name == "linear" else super().activate(name, z)


@mutant("4.1", "4.3")
class SecondLayerIsTanh(Sound):
    """Every layer but the first has tanh, whatever it should have."""

    def activate(self, name: str, z: Array) -> Array:
        return super().activate("tanh" if self.position else name, z)


@mutant("7.5")
class HalfSigmoidFarOutIsZero(Sound):
    """In half precision, sigmoid of numbers below -9 is zero, where there are smaller numbers yet."""

    def activate(self, name: str, z: Array) -> Array:
        y = super().activate(name, z)
        return np.where(z < -9, 0, y).astype(y.dtype) if name == "sigmoid" and self.dtype.itemsize == 2 else y


@mutant("7.5")
class HalfTanhOffInANarrowBand(_Tanh):
    """In half precision, tanh is off by a thirtieth between 2.71 and 2.72."""

    def changed(self, z: Array, y: Array) -> Array:
        in_band = (np.abs(z) > 2.71) & (np.abs(z) < 2.72)
        return np.where(in_band, y * (29 / 30), y) if self.dtype.itemsize == 2 else y


@mutant("7.5")
class HalfSlopesNearSaturationAreZero(Sound):
    """In half precision, no gradient passes through an activation that is within a hundredth of its limits."""

    def back(self, layer: Layer, one: Pass, d_h: Array, *rest: Any) -> Backpropagated:
        activation = layer.cell.activation
        if self.dtype.itemsize == 2 and activation in ("tanh", "sigmoid"):
            low, high = ACTIVATIONS[activation].low, ACTIVATIONS[activation].high
            d_h = np.where((one.h > high - 0.01) | (one.h < low + 0.01), 0, d_h).astype(d_h.dtype)
        return super().back(layer, one, d_h, *rest)
