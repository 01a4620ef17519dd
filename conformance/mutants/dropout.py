"""Mutants whose dropout drops too much, too little, at the wrong time, or at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import Sound, mutant
from rnn_conformance.reference.layers.gradients import Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array, LayerWeights


@mutant("13.1")
class DropoutOutsideTraining(Sound):
    """Dropout works outside training too."""

    def over_time(self, layer: Layer, weights: LayerWeights, x: Array, h: Array) -> Array:
        if self.random is None and layer.dropout:
            x = x * (np.random.default_rng(0).random(x.shape) >= layer.dropout).astype(x.dtype)
        return super().over_time(layer, weights, x, h)


@mutant("13.1")
class OutputsScaledOutsideTraining(Sound):
    """Outside training the inputs are multiplied by one minus the rate, as the first paper did."""

    def over_time(self, layer: Layer, weights: LayerWeights, x: Array, h: Array) -> Array:
        scale = 1 - layer.dropout if self.random is None else 1
        return super().over_time(layer, weights, x * x.dtype.type(scale), h)


@mutant("13.1")
class RecurrentDropoutOutsideTraining(Sound):
    """Recurrent dropout works outside training too."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        if self.random is None and layer.recurrent_dropout:
            h = h * (np.random.default_rng(t).random(h.shape) >= layer.recurrent_dropout).astype(h.dtype)
        return super().step(layer, weights, x, h, t)


class _OtherScales(Sound):
    """In training, numbers are multiplied by something else; `changed` makes it of the right scales."""

    def scales(self, shape: tuple[int, ...], rate: float) -> Array:
        return self.changed(super().scales(shape, rate), rate)

    def changed(self, scales: Array, rate: float) -> Array:
        raise NotImplementedError


@mutant("13.2")
class DropoutAtRateZero(_OtherScales):
    """At rate 0 one number in ten is dropped in training."""

    def scales(self, shape: tuple[int, ...], rate: float) -> Array:
        return super().scales(shape, rate or 0.1)

    def changed(self, scales: Array, rate: float) -> Array:
        return scales


@mutant("13.2")
class TrainingOtherBits(Sound):
    """In training the last bits of the outputs are others, whatever the rate."""

    def returned(self, outputs: Array, final: State) -> Output:
        output = super().returned(outputs, final)
        if self.random is None:
            return output
        return Output(np.nextafter(output.outputs, output.outputs.dtype.type(0)), output.final_state)


@mutant("13.3", "13.4")
class DropoutNotRescaled(_OtherScales):
    """What is not dropped is not divided by one minus the rate."""

    def changed(self, scales: Array, rate: float) -> Array:
        return (scales != 0).astype(scales.dtype)


@mutant("13.3", "13.4")
class DropoutAtTheOtherRate(Sound):
    """The rate is taken for the share that is kept."""

    def scales(self, shape: tuple[int, ...], rate: float) -> Array:
        return super().scales(shape, 1 - rate if rate else 0)


@mutant("13.3")
class DropoutByHalves(Sound):
    """Dropout is always at rate a half, if there is any."""

    def scales(self, shape: tuple[int, ...], rate: float) -> Array:
        return super().scales(shape, 0.5 if rate else 0)


@mutant("13.3")
class DropoutNotApplied(Sound):
    """Dropout is not applied."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        return super().direction(replace(layer, dropout=0.0), weights, x, h, mask, backward)


@mutant("13.4")
class RecurrentDropoutNotApplied(Sound):
    """Recurrent dropout is not applied."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        return super().direction(replace(layer, recurrent_dropout=0.0), weights, x, h, mask, backward)


@mutant("13.5")
class DropoutMaskOtherwise(Sound):
    """The mask of dropout is drawn anew where it should be fixed, and fixed where it should be drawn anew."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        other = "fresh" if self.choices.dropout_mask == "fixed" else "fixed"
        self.choices = replace(self.choices, dropout_mask=other)


@mutant("13.4")
class OneRateForBoth(Sound):
    """Where there is dropout of the inputs, recurrent dropout works at the same rate."""

    def over_time(self, layer: Layer, weights: LayerWeights, x: Array, h: Array) -> Array:
        both = layer.dropout and layer.recurrent_dropout
        return super().over_time(replace(layer, recurrent_dropout=layer.dropout) if both else layer, weights, x, h)


@mutant("13.3", "13.4")
class DirectionsDropTheSame(Sound):
    """The backward direction draws the random numbers of the forward one once more."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        if self.random is not None:
            self.random = np.random.default_rng(int(np.abs(x).sum()))
        return super().direction(layer, weights, x, h, mask, backward)


@mutant("13.3", "13.4")
class HalvesOfTheBatchDropTheSame(_OtherScales):
    """The second half of a batch has the masks of the first."""

    def changed(self, scales: Array, rate: float) -> Array:
        half = len(scales) // 2
        return scales if len(scales) % 2 or not half else np.concatenate([scales[:half], scales[:half]])


@mutant("13.6")
class SeedNotUsed(Sound):
    """The random numbers of a call in training go on from those of the call before, whatever the seed."""

    def run_training(self, inputs: Inputs, seed: int) -> Output:
        self.number = getattr(self, "number", 0) + 1
        return super().run_training(inputs, self.number)


@mutant("13.7")
class TrainingLeavesDropoutOn(Sound):
    """The first call after one in training is one in training, too."""

    left = False

    def run_training(self, inputs: Inputs, seed: int) -> Output:
        output = super().run_training(inputs, seed)
        self.left = True
        return output

    def run(self, inputs: Inputs, **given: Any) -> Output:
        left, self.left = self.left, False
        return super().run_training(inputs, 0) if left and self.random is None else super().run(inputs, **given)


@mutant("12.1", "13.3")
class UnrolledWithoutDropout(Sound):
    """Unrolled, a layer with dropout drops nothing."""

    def scales(self, shape: tuple[int, ...], rate: float) -> Array:
        unrolled = self.architecture.mode == "unrolled"
        return super().scales(
            shape, 0 if unrolled and any(layer.dropout for layer in self.architecture.layers) else rate
        )


@mutant("12.1", "13.4")
class ReloadedRecurrentDropoutNotScaled(_OtherScales):
    """Loaded again, a layer does not divide by one minus its rate what recurrent dropout leaves of its state."""

    def changed(self, scales: Array, rate: float) -> Array:
        lost = any(layer.recurrent_dropout == rate for layer in self.architecture.layers)
        return (scales != 0).astype(scales.dtype) if lost and self.architecture.mode == "reloaded" else scales


@mutant("12.1", "13.6")
class CompiledWithItsSeed(Sound):
    """Compiled, a call in training drops what the first one dropped: its seed became part of the program."""

    first: int | None = None

    def run_training(self, inputs: Inputs, seed: int) -> Output:
        if self.first is None:
            self.first = seed
        return super().run_training(inputs, self.first if self.architecture.mode == "compiled" else seed)
