"""Mutants that are wrong about lengths which are seldom drawn: all alike, one, or none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import Sound, mutant
from rnn_conformance.reference.layers.gradients import Backpropagated, Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Mask
from rnn_conformance.reference.model.weights import Array, LayerWeights


class _OtherFinal(Sound):
    """The final state of one direction under a mask is another: `ended` says which."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        one = super().direction(layer, weights, x, h, mask, backward)
        if mask is None:
            return one
        return replace(one, final=self.ended(one, mask))

    def ended(self, one: Pass, mask: Mask) -> Array:
        raise NotImplementedError


@mutant("9.8")
class EmptySequenceEndsInZeros(_OtherFinal):
    """The final state of a sequence without a valid timestep is zero, whatever it started from."""

    def ended(self, one: Pass, mask: Mask) -> Array:
        return one.final * mask.any(axis=1, keepdims=True).astype(one.final.dtype)


@mutant("9.8")
class EmptySequenceEndsAtTheEnd(_OtherFinal):
    """The final state of a sequence without a valid timestep is looked up at index -1, in the last timestep."""

    def ended(self, one: Pass, mask: Mask) -> Array:
        return np.where(mask.any(axis=1, keepdims=True), one.final, one.h[:, -1])


@mutant("9.8", "9.2")
class EmptySequenceEmptiesTheBatch(_OtherFinal):
    """Where one sequence of a batch has no valid timestep, all end where they began."""

    def ended(self, one: Pass, mask: Mask) -> Array:
        return one.final if mask.any(axis=1).all() else one.h_before[:, 0]


@mutant("9.1", "9.2")
class EqualLengthsTakenForFull(Sound):
    """Where all sequences of a batch are of the same length, the mask is not used."""

    def valid(self, inputs: Inputs, mask: Mask | None) -> Mask | None:
        mask = super().valid(inputs, mask)
        of_batch = mask is not None and mask.ndim == 2 and len(mask) > 1
        return None if of_batch and mask is not None and (mask == mask[0]).all() and mask[0, 0] else mask


@mutant("9.1", "9.2")
class SingleTimestepsTakenForTwo(Sound):
    """Where no sequence of a batch has more than one valid timestep, the second timestep is valid, too."""

    def valid(self, inputs: Inputs, mask: Mask | None) -> Mask | None:
        mask = super().valid(inputs, mask)
        if mask is None or mask.shape[-1] < 2 or mask.ndim < 2 or len(mask) < 2 or not mask[:, 0].all():
            return mask
        return mask | (np.arange(mask.shape[1]) == 1) if (mask.sum(axis=1) == 1).all() else mask


@mutant("9.8", "11.7")
class GradientOfEmptySequencesLost(Sound):
    """The gradient of the final state of a sequence without a valid timestep reaches no initial state."""

    def back(self, layer: Layer, one: Pass, d_h: Array, d_h_0: Array | None) -> Backpropagated:
        return super().back(layer, one, d_h, None if d_h_0 is None else d_h_0 * d_h_0.dtype.type(0))
