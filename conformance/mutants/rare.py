"""Mutants whose fault is rare, or comes late: at many calls, sequences, units, timesteps or tokens."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import Sound, mutant
from rnn_conformance.reference.layers.gradients import Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights


@mutant("1.1")
class AfterThreeHundredCalls(Sound):
    """From the three hundredth call of a model on, the outputs are zero."""

    calls = 0

    def run(self, inputs: Inputs, **given: Any) -> Output:
        output = super().run(inputs, **given)
        self.calls += 1
        return output if self.calls < 300 else replace(output, outputs=np.zeros_like(output.outputs))


@mutant("11.1")
class OneGradientInTwoHundred(Sound):
    """Each two hundredth gradient of a model is zero."""

    calls = 0

    def differentiate(self, inputs: Inputs, cotangent: Output, start: State | None, mask: Mask | None) -> Gradients:
        found = super().differentiate(inputs, cotangent, start, mask)
        self.calls += 1
        return found if self.calls % 200 else replace(found, weights=found.weights.map(np.zeros_like))


@mutant("11.1", "11.8")
class GradientFromTheNinthSequence(Sound):
    """In a backward direction, sequences from the ninth on have no part in any gradient."""

    def back(self, layer: Layer, one: Pass, d_h: Array, *others: Any) -> Any:
        if one.course.reverses_inputs and len(d_h) > 8:
            d_h = d_h * (np.arange(len(d_h)) < 8).astype(d_h.dtype)[:, np.newaxis, np.newaxis]
        return super().back(layer, one, d_h, *others)


@mutant("10.1", "2.10")
class BackwardLoses128Timesteps(Sound):
    """A backward direction starts from zeros again at its 128th timestep."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        self.backward = backward
        return super().direction(layer, weights, x, h, mask, backward)

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        return super().step(layer, weights, x, h * h.dtype.type(not (self.backward and t == 127)), t)


@mutant("9.1", "2.10")
class LengthsInAByte(Sound):
    """A length is kept in a byte, where 256 is zero; the rest is not valid."""

    def valid(self, inputs: Inputs, mask: Mask | None) -> Mask | None:
        mask = super().valid(inputs, mask)
        if mask is None or mask.ndim < 2 or (mask[:, 1:] > mask[:, :-1]).any():
            return mask
        return np.arange(mask.shape[1]) < mask.sum(axis=1)[:, np.newaxis] % 256


@mutant("5.1", "2.10")
class TokensInTwoBytes(Sound):
    """A token is kept in two bytes."""

    def embedded(self, weights: Weights, inputs: Inputs) -> Array:
        return super().embedded(weights, inputs % 2**16 if inputs.dtype.kind in "iu" else inputs)
