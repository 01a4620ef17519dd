"""Mutants that people write: mistakes of those who implement a recurrent layer for themselves."""

from __future__ import annotations

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import Sound, mutant
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights


@mutant("1.1", "1.3")
class EveryOutputTheSameArray(Sound):
    """The list of outputs has the same array for each timestep, which the next one overwrites."""

    def over_time(self, layer: Layer, weights: LayerWeights, x: Array, h: Array) -> Array:
        states = super().over_time(layer, weights, x, h)
        return np.broadcast_to(states[:, -1:], states.shape).copy()


@mutant("1.1")
class StateOverwrittenWhileItIsRead(Sound):
    """Units are updated one after another in place: each reads the new values of the units before it."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        h = h.copy()
        for unit in range(h.shape[1]):
            h[:, unit] = super().step(layer, weights, x, h, t)[:, unit]
        return h


@mutant("10.3")
class DirectionsMultipliedForConcatenated(Sound):
    """Where two directions should be concatenated, each half of the outputs is their product."""

    def join(self, merge: str, forward: Array, backward: Array) -> Array:
        product = forward * backward
        return super().join(merge, product, product) if merge == "concat" else super().join(merge, forward, backward)


@mutant("10.3")
class BackwardDirectionFirst(Sound):
    """The outputs of the backward direction are concatenated before those of the forward one."""

    def join(self, merge: str, forward: Array, backward: Array) -> Array:
        return super().join(merge, *((backward, forward) if merge == "concat" else (forward, backward)))


@mutant("1.1", "7.4")
class TanhWhateverIsAsked(Sound):
    """The activation is tanh, whatever is asked."""

    def activate(self, name: str, z: Array) -> Array:
        return super().activate("tanh", z)


@mutant("1.5", "1.1")
class RowsShuffled(Sound):
    """The sequences of a batch come back in another order."""

    def returned(self, outputs: Array, final: State) -> Output:
        batched = self.architecture.batched
        return super().returned(np.roll(outputs, 1, axis=0) if batched else outputs, final)


@mutant("1.1", "1.6")
class TimestepsShuffled(Sound):
    """The timesteps of a sequence are read in another order: the odd ones after the even ones."""

    def embedded(self, weights: Weights, inputs: Inputs) -> Array:
        x = super().embedded(weights, inputs)
        return np.concatenate([x[..., ::2, :], x[..., 1::2, :]], axis=-2)


@mutant("1.1", "1.5")
class BatchAndTimeSwapped(Sound):
    """A batch is read as if its axes were time and batch, and reshaped."""

    def embedded(self, weights: Weights, inputs: Inputs) -> Array:
        x = super().embedded(weights, inputs)
        return x.swapaxes(0, 1).reshape(x.shape) if self.architecture.batched else x
