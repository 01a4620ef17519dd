"""Mutants that people write: mistakes of those who implement a recurrent layer for themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import Sound, mutant
from rnn_conformance.reference.layers.gradients import Backpropagated, Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import LayerState, State, each_state
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


@mutant("1.1")
class ActivationTwice(Sound):
    """The activation is applied twice: once in the step, and once more to what it gave."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        return self.kept(self.activate(layer.cell.activation, super().step(layer, weights, x, h, t)))


@mutant("1.1")
class FirstInputLost(Sound):
    """The loop begins at the second input: at the first timestep zeros are read."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        return super().step(layer, weights, x if t else np.zeros_like(x), h, t)


@mutant("7.1", "1.1")
class SoftsignForTanh(Sound):
    """Another function of the same shape is taken for tanh: z / (1 + |z|)."""

    def activate(self, name: str, z: Array) -> Array:
        return z / (1 + np.abs(z)) if name == "tanh" else super().activate(name, z)


@mutant("1.1")
class InputsClipped(Sound):
    """Inputs are clipped to [-1, 1], as if they had been normalised."""

    def embedded(self, weights: Weights, inputs: Inputs) -> Array:
        x = super().embedded(weights, inputs)
        return x if weights.embedding is not None else np.clip(x, -1, 1)


@mutant("1.1")
class InputsScaledAsImages(Sound):
    """Where an input is larger than 1, all of them are divided by 255, as if they were images."""

    def embedded(self, weights: Weights, inputs: Inputs) -> Array:
        x = super().embedded(weights, inputs)
        return x / x.dtype.type(255) if weights.embedding is None and x.size and np.nanmax(x) > 1 else x


@mutant("3.2")
class InitialStateAddedToOutputs(Sound):
    """A given initial state is added to each output, too, as in a residual network."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        one = super().direction(layer, weights, x, h, mask, backward)
        return one if h is None else replace(one, h=one.h + h[:, np.newaxis])


@mutant("3.3")
class FinalStateOfTheLastRow(Sound):
    """The final state of the last sequence is given for each sequence of a batch: an index too few was written."""

    def returned(self, outputs: Array, final: State) -> Output:
        if self.architecture.batched:
            final = each_state(lambda h: np.broadcast_to(h[-1:], h.shape).copy(), final)
        return super().returned(outputs, final)


@mutant("12.3")
class WeightDecayInTraining(Sound):
    """A step of training makes all weights smaller by a hundredth first, though no weight decay was asked for."""

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        kept = self._loaded
        super().train(inputs, targets, rate)
        self._weights = self._loaded.map(lambda new, old: (new - old / 100).astype(old.dtype), kept)


@mutant("12.5")
class MomentumInTraining(Sound):
    """A step of training goes on for nine tenths of the step before it, though no momentum was asked for."""

    moved: Weights | None = None

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        before = self._loaded
        super().train(inputs, targets, rate)
        if self.moved is not None:
            self._weights = self._loaded.map(lambda new, d: (new + 0.9 * d).astype(new.dtype), self.moved)
        self.moved = self._loaded.map(np.subtract, before)


@mutant("11.1")
class GradientsMeanOverTime(Sound):
    """The gradients of the weights are means over the timesteps instead of sums."""

    def back(self, layer: Layer, one: Pass, d_h: Array, d_h_0: Array | None) -> Backpropagated:
        found = super().back(layer, one, d_h, d_h_0)
        timesteps = found.z.dtype.type(one.h.shape[1])
        b = None if found.b is None else found.b / timesteps
        return replace(found, W=found.W / timesteps, U=found.U / timesteps, b=b)


@mutant("4.1")
class UpperLayersAddTheirInputs(Sound):
    """A layer of a stack adds what it reads to what it puts out, where both are as wide, as in a residual network."""

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        outputs, final = super().layer(layer, weights, x, start, mask)
        return outputs + x if self.position and outputs.shape == x.shape else outputs, final
