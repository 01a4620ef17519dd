"""Mutants that are wrong on one way in only, or in a step of training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import Sound, in_each_direction, mutant
from rnn_conformance.reference.layers.gradients import Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights


@mutant("12.1", "12.2")
class ReloadedWithoutBias(Sound):
    """A model that was saved and loaded again has no biases."""

    def used(self) -> Weights:
        if self.architecture.mode != "reloaded":
            return super().used()
        return in_each_direction(
            lambda layer: layer if layer.b is None else layer.with_arrays(b=np.zeros_like(layer.b)), super().used()
        )


@mutant("12.2")
class ReloadedRounded(Sound):
    """Weights are saved with seven digits, which loses the last bits."""

    def load(self, weights: Weights) -> None:
        super().load(weights)
        if self.architecture.mode == "reloaded":
            tenths = 10.0**6
            self._weights = weights.map(lambda a: (np.round(a.astype(float) * tenths) / tenths).astype(a.dtype))


@mutant("12.1")
class UnrolledOneStepShort(Sound):
    """An unrolled model passes over its last timestep, and repeats the output before."""

    def over_time(self, layer: Layer, weights: LayerWeights, x: Array, h: Array) -> Array:
        if self.architecture.mode != "unrolled" or x.shape[1] < 2:
            return super().over_time(layer, weights, x, h)
        states = super().over_time(layer, weights, x[:, :-1], h)
        return np.concatenate([states, states[:, -1:]], axis=1)


@mutant("12.1")
class UnrolledBackwardMasked(Sound):
    """An unrolled backward layer takes the mask in the order of the input."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        turned = mask[:, ::-1] if mask is not None and backward and self.architecture.mode == "unrolled" else mask
        return super().direction(layer, weights, x, h, turned, backward)


@mutant("12.1")
class PredictDropsTheLastRow(Sound):
    """Prediction in batches gives zeros for the last sequence, if there is more than one."""

    def returned(self, outputs: Array, final: State) -> Output:
        if self.architecture.mode == "predict" and self.architecture.batched and len(outputs) > 1:
            outputs = np.concatenate([outputs[:-1], outputs[-1:] * 0])
        return super().returned(outputs, final)


@mutant("12.1")
class PredictForgetsTheInitialState(Sound):
    """Prediction in batches ignores a given initial state."""

    def read_state(self, state: State | None) -> State | None:
        return None if self.architecture.mode == "predict" else super().read_state(state)


@mutant("12.1")
class CompiledIgnoresTheMask(Sound):
    """A compiled model does not use the mask."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        used = None if self.architecture.mode == "compiled" else mask
        return super().direction(layer, weights, x, h, used, backward)


@mutant("12.1")
class CompiledStackSaturates(Sound):
    """The upper layers of a compiled stack cut their sums at -1 and 1."""

    def activate(self, name: str, z: Array) -> Array:
        cut = self.architecture.mode == "compiled" and self.position > 0
        return super().activate(name, np.clip(z, -1, 1) if cut else z)


@mutant("12.1")
class PredictInSingle(Sound):
    """Prediction in batches rounds float64 inputs to float32."""

    def read(self, inputs: Inputs) -> Inputs:
        read = super().read(inputs)
        single = self.architecture.mode == "predict" and read.dtype == np.float64
        return read.astype(np.float32).astype(np.float64) if single else read


# One step of training


@mutant("12.3")
class RateDoubled(Sound):
    """A step of training is twice as long."""

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        super().train(inputs, targets, 2 * rate)


@mutant("12.3")
class MeanOverBatchOnly(Sound):
    """The squared errors of a sequence are added up, and only over the batch there is a mean."""

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        super().train(inputs, targets, rate * targets[0].size)


@mutant("12.3")
class BiasNotTrained(Sound):
    """A step of training does not change the biases."""

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        before = self._loaded
        super().train(inputs, targets, rate)
        pairs = zip(self._loaded.layers, before.layers, strict=True)
        self._weights = replace(self._loaded, layers=tuple(new.with_arrays(b=old.b) for new, old in pairs))


@mutant("12.3")
class TrainedUphill(Sound):
    """A step of training goes up the gradient."""

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        super().train(inputs, targets, -rate)


@mutant("12.3")
class TrainedInSingle(Sound):
    """A step of training rounds float64 inputs and targets to float32."""

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        if inputs.dtype == np.float64:
            inputs, targets = (a.astype(np.float32).astype(np.float64) for a in (inputs, targets))
        super().train(inputs, targets, rate)


@mutant("12.5")
class GradientsAccumulated(Sound):
    """The gradient of the step before is added to that of a step of training: nobody has set it to zero."""

    before: Weights | None = None

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        old, last = self._loaded, self.before
        super().train(inputs, targets, rate)
        self.before = self._loaded.map(lambda new, kept: (kept - new) / new.dtype.type(rate), old)
        if last is not None:
            self._weights = self._loaded.map(lambda new, g: new - new.dtype.type(rate) * g, last)


@mutant("12.5")
class RateOfTheFirstStep(Sound):
    """Every step of training is taken at the rate of the first."""

    rate = 0.0

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        self.rate = self.rate or rate
        super().train(inputs, targets, self.rate)


@mutant("12.4")
class CompiledBeforeTraining(Sound):
    """After a step of training, calls go on with the weights from before it."""

    stale: Weights | None = None

    def load(self, weights: Weights) -> None:
        super().load(weights)
        self.stale = None

    def used(self) -> Weights:
        return super().used() if self.stale is None else self.stale

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        before = self.used()
        super().train(inputs, targets, rate)
        self.stale = before


@mutant("12.3")
class PaddingTrained(Sound):
    """A step of training moves the row of a table that stands for masked tokens, as weight decay would."""

    def train(self, inputs: Inputs, targets: Array, rate: float) -> None:
        super().train(inputs, targets, rate)
        table, kept = self.architecture.embedding, self._loaded.embedding
        if table is not None and kept is not None and table.mask_zero:
            first = np.arange(len(kept))[:, np.newaxis] == 0
            self._weights = replace(self._loaded, embedding=np.where(first, kept * kept.dtype.type(0.5), kept))


@mutant("12.3")
class RepeatedTokensTrainedOnce(Sound):
    """In training, a token that follows itself counts once."""

    trains = False

    def train(self, inputs: Inputs, targets: Array, rate: float) -> None:
        self.trains = True
        super().train(inputs, targets, rate)
        self.trains = False

    def back_to_table(self, tokens: Inputs, d_rows: Array) -> Array:
        if self.trains and self.architecture.batched:
            again = np.zeros(tokens.shape, np.bool_)
            again[:, 1:] = np.equal(tokens[:, 1:], tokens[:, :-1])
            d_rows = np.where(again[..., np.newaxis], 0, d_rows).astype(d_rows.dtype)
        return super().back_to_table(tokens, d_rows)


@mutant("12.3")
class UpperBackwardNotTrained(Sound):
    """A step of training leaves U alone in the backward direction of every layer but the first."""

    def train(self, inputs: Inputs, targets: Array, rate: float) -> None:
        before = self._loaded
        super().train(inputs, targets, rate)
        first, *upper = self._loaded.layers
        pairs = zip(upper, before.layers[1:], strict=True)
        kept = [
            replace(now, backward=now.backward.with_arrays(U=old.backward.U)) if now.backward and old.backward else now
            for now, old in pairs
        ]
        self._weights = replace(self._loaded, layers=(first, *kept))
