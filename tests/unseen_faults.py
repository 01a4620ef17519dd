"""Faults that the catalogue does not know: written without a look at it, to see what the diagnosis makes of them.

More are in unseen_features.py, unseen_calls.py and unseen_gates.py; unseen.py says which names would be right for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from rnn_conformance.conformance.mutants.base import Mutant, Sound
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights

FAULTS: dict[str, Mutant] = {}
"""Every fault of the modules that were imported, by the name of its class."""

N = TypeVar("N", bound=type[Sound])


def fault(*breaks: str) -> Callable[[N], N]:
    """Mark a class as a fault that breaks these clauses; its docstring is its sentence."""

    def mark(network: N) -> N:
        sentence = " ".join((network.__doc__ or "").split()).rstrip(".")
        FAULTS[network.__name__] = Mutant(network.__name__, sentence, breaks, "unseen", network)
        return network

    return mark


def with_array(weights: LayerWeights, name: str, array: Array) -> LayerWeights:
    """The same weights, but for the array of that name."""
    return LayerWeights({**weights.named, name: array})


# The equation


@fault("1.1")
class BiasAtTheFirstStepOnly(Sound):
    """The bias is added at the first timestep and at no other."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        z = self.product(x, weights.W) + self.product(h, weights.U)
        if weights.b is not None and t == 0:
            z = z + weights.b
        return self.kept(self.activate(layer.cell.activation, z))


@fault("1.1")
class NoUnitSeesItself(Sound):
    """The diagonal of U is taken as zero."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        others = weights.U * (1 - np.eye(layer.units, dtype=weights.U.dtype))
        return super().step(layer, with_array(weights, "U", others), x, h, t)


@fault("1.1")
class LastFeatureIsLost(Sound):
    """The last of several features does not count."""

    def over_time(self, layer: Layer, weights: LayerWeights, x: Array, h: Array) -> Array:
        x = x.copy()
        if x.shape[-1] > 1:
            x[..., -1] = 0
        return super().over_time(layer, weights, x, h)


@fault("1.1")
class StateBeforeTheLast(Sound):
    """The recurrence takes h_{t-2} for h_{t-1}."""

    older: Array | None = None

    def over_time(self, layer: Layer, weights: LayerWeights, x: Array, h: Array) -> Array:
        self.older = h
        return super().over_time(layer, weights, x, h)

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        older, self.older = self.older, h
        return super().step(layer, weights, x, h if older is None else older, t)


@fault("1.6", "1.1")
class ReadsOneAhead(Sound):
    """Timestep t reads x_{t+1}; the last one reads its own."""

    def over_time(self, layer: Layer, weights: LayerWeights, x: Array, h: Array) -> Array:
        return super().over_time(layer, weights, np.concatenate([x[:, 1:], x[:, -1:]], axis=1), h)


@fault("1.1")
class BiasAfterTheActivation(Sound):
    """The bias is added to the activation's value, not to its argument."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        out = self.activate(layer.cell.activation, self.product(x, weights.W) + self.product(h, weights.U))
        return self.kept(out if weights.b is None else out + weights.b)


@fault("1.1")
class Leaky(Sound):
    """A tenth of the old state leaks into the new one."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        tenth = h.dtype.type(0.1)
        return self.kept((1 - tenth) * super().step(layer, weights, x, h, t) + tenth * h)


@fault("1.1")
class Centred(Sound):
    """The mean over the units is taken off each pre-activation, as layer normalisation does."""

    def activate(self, name: str, z: Array) -> Array:
        return super().activate(name, z - z.mean(axis=-1, keepdims=True))


@fault("1.5", "1.1")
class CentredOverTheBatch(Sound):
    """The mean over the batch is taken off each input, as batch normalisation does."""

    def over_time(self, layer: Layer, weights: LayerWeights, x: Array, h: Array) -> Array:
        return super().over_time(layer, weights, x - x.mean(axis=0, keepdims=True), h)


@fault("1.1")
class EveryOtherStepForgets(Sound):
    """At odd timesteps the state before does not count."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        return super().step(layer, weights, x, h * (1 - t % 2), t)


@fault("3.2", "1.1")
class InitialStateAtEveryStep(Sound):
    """The initial state is added to the state at each timestep, not only at the first."""

    first: Array

    def over_time(self, layer: Layer, weights: LayerWeights, x: Array, h: Array) -> Array:
        self.first = h
        return super().over_time(layer, weights, x, h)

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        return super().step(layer, weights, x, h + self.first if t else h, t)


# Activations and their values


@fault("7.1", "1.1")
class LeCunsTanh(Sound):
    """tanh is 1.7159 tanh(2 z / 3)."""

    def activate(self, name: str, z: Array) -> Array:
        if name != "tanh":
            return super().activate(name, z)
        return super().activate(name, z * z.dtype.type(2 / 3)) * z.dtype.type(1.7159)


@fault("7.1", "1.1")
class TanhFromATable(Sound):
    """tanh is looked up among 4,096 numbers between -8 and 8."""

    def activate(self, name: str, z: Array) -> Array:
        if name != "tanh":
            return super().activate(name, z)
        return np.tanh(np.rint(np.clip(z, -8, 8) * z.dtype.type(256)) / z.dtype.type(256))


@fault("1.8", "7.4")
class ReluLeaks(Sound):
    """relu lets a hundredth of what is negative through."""

    def activate(self, name: str, z: Array) -> Array:
        return np.where(z < 0, z * z.dtype.type(0.01), z) if name == "relu" else super().activate(name, z)


@fault("7.1", "1.1")
class ClippedAtFive(Sound):
    """Pre-activations are clipped to [-5, 5]."""

    def activate(self, name: str, z: Array) -> Array:
        return super().activate(name, np.clip(z, -5, 5))


@fault("7.3", "1.1")
class StateKeptBelowOne(Sound):
    """No state is larger than 0.95."""

    def kept(self, h: Array) -> Array:
        return super().kept(np.clip(h, -0.95, 0.95))


@fault("1.12")
class NoNumberIsZero(Sound):
    """NaN in an input counts as 0."""

    def over_time(self, layer: Layer, weights: LayerWeights, x: Array, h: Array) -> Array:
        return super().over_time(layer, weights, np.where(np.isnan(x), x.dtype.type(0), x), h)


# Numbers


@fault("1.1")
class WeightsDecay(Sound):
    """W is a thousandth smaller than what was loaded."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        smaller = weights.W * weights.W.dtype.type(0.999)
        return super().step(layer, with_array(weights, "W", smaller), x, h, t)


@fault("1.1")
class EightBitKernel(Sound):
    """U is quantised to 255 levels."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        level = (np.abs(weights.U).max() / 127) or weights.U.dtype.type(1)
        levels = (np.rint(weights.U / level) * level).astype(weights.U.dtype)
        return super().step(layer, with_array(weights, "U", levels), x, h, t)


@fault("2.10", "1.1")
class ChunksInHalfPrecision(Sound):
    """Every 16th timestep hands its state on in float16."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        return super().step(layer, weights, x, h.astype(np.float16).astype(h.dtype) if t % 16 == 0 else h, t)


@fault("1.1")
class ProductsOfFourBits(Sound):
    """The input is rounded to 12 bits before the product."""

    def over_time(self, layer: Layer, weights: LayerWeights, x: Array, h: Array) -> Array:
        with np.errstate(all="ignore"):
            return super().over_time(layer, weights, np.rint(x * 4096).astype(x.dtype) / x.dtype.type(4096), h)


# Sizes


@fault("2.10", "1.1")
class ForgetsAfterTwentySteps(Sound):
    """After each 20 timesteps the state starts from zero."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        return super().step(layer, weights, x, h * (t % 20 != 0) if t else h, t)


@fault("2.10", "1.1")
class FourRowsOnly(Sound):
    """From the fifth sequence on, the outputs are those of the first four again."""

    def over_time(self, layer: Layer, weights: LayerWeights, x: Array, h: Array) -> Array:
        again = np.arange(len(x)) % 4
        return super().over_time(layer, weights, x[again], h[again])


@fault("2.10", "1.1")
class EightFeaturesOnly(Sound):
    """Features beyond the eighth do not count."""

    def over_time(self, layer: Layer, weights: LayerWeights, x: Array, h: Array) -> Array:
        return super().over_time(layer, weights, x * (np.arange(x.shape[-1]) < 8), h)


@fault("2.10", "1.1", "8.4")
class OddRowAtTheEnd(Sound):
    """In a batch of an odd number of sequences, the last one is not computed."""

    def over_time(self, layer: Layer, weights: LayerWeights, x: Array, h: Array) -> Array:
        states = super().over_time(layer, weights, x, h)
        if len(x) > 1 and len(x) % 2:
            states[-1] = 0
        return states
