"""Mutants that take a mask for another, or that do the wrong thing where a timestep is not valid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import InAnotherOrder, Sound, mutant
from rnn_conformance.reference.layers.gradients import Pass
from rnn_conformance.reference.layers.masking import course_of
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import LayerState, State, each_state
from rnn_conformance.reference.model.weights import Array, LayerWeights


class _OtherMask(Sound):
    """Every direction of every layer sees another mask (batch, timesteps)."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        return super().direction(layer, weights, x, h, None if mask is None else self.changed(mask), backward)

    def changed(self, mask: Mask) -> Mask | None:
        raise NotImplementedError


@mutant("9.1", "9.2", "9.7")
class MaskIgnored(_OtherMask):
    """The mask is not used."""

    def changed(self, mask: Mask) -> Mask | None:
        return None


@mutant("9.1", "9.6")
class MaskInverted(_OtherMask):
    """What is valid is taken for padding, and padding for valid."""

    def changed(self, mask: Mask) -> Mask | None:
        return ~mask


@mutant("9.1")
class MaskOneStepLate(_OtherMask):
    """The mask takes effect one timestep late."""

    def changed(self, mask: Mask) -> Mask | None:
        return np.concatenate([mask[:, :1], mask[:, :-1]], axis=1)


@mutant("9.1")
class GapsEndTheSequence(_OtherMask):
    """What follows a gap is not read any more."""

    def changed(self, mask: Mask) -> Mask | None:
        begun = np.logical_or.accumulate(mask, axis=1)
        return mask & ~np.logical_or.accumulate(begun & ~mask, axis=1)


@mutant("9.1")
class GapsFilled(_OtherMask):
    """Gaps between valid timesteps are read."""

    def changed(self, mask: Mask) -> Mask | None:
        begun = np.logical_or.accumulate(mask, axis=1)
        goes_on = np.logical_or.accumulate(mask[:, ::-1], axis=1)[:, ::-1]
        return begun & goes_on


@mutant("9.1")
class PaddingBeforeIsRead(_OtherMask):
    """What stands before the first valid timestep is read."""

    def changed(self, mask: Mask) -> Mask | None:
        return mask | ~np.logical_or.accumulate(mask, axis=1)


@mutant("9.1")
class MaskMovedToTheLeft(_OtherMask):
    """A mask is taken for lengths: as many timesteps as are valid are read, from the first on."""

    def changed(self, mask: Mask) -> Mask | None:
        return np.arange(mask.shape[1]) < mask.sum(axis=1)[:, np.newaxis]


@mutant("9.1")
class MaskOfTheFirstRow(_OtherMask):
    """Every sequence of a batch has the mask of the first."""

    def changed(self, mask: Mask) -> Mask | None:
        return np.broadcast_to(mask[:1], mask.shape)


@mutant("9.1")
class MaskInTheFirstLayerOnly(_OtherMask):
    """In a stack only the first layer sees the mask."""

    def changed(self, mask: Mask) -> Mask | None:
        return None if self.position else mask


@mutant("9.1")
class OneStepTooMany(_OtherMask):
    """The first timestep after each valid one is valid too."""

    def changed(self, mask: Mask) -> Mask | None:
        return mask | np.pad(mask, ((0, 0), (1, 0)))[:, :-1]


@mutant("9.6")
class FullMaskDropsTheLastStep(_OtherMask):
    """Where all timesteps are valid, the last one is passed over."""

    def changed(self, mask: Mask) -> Mask | None:
        return mask & (np.arange(mask.shape[1]) < mask.shape[1] - 1) if mask.all() and mask.shape[1] > 1 else mask


@mutant("9.1")
class StateZeroAfterGaps(Sound):
    """After a gap the state is zero."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        order = course_of(backward, mask, self.choices).sorted.order if mask is not None else None  # type: ignore[union-attr]
        self.jumps = None if order is None else np.abs(np.diff(order, axis=1)) != 1
        return super().direction(layer, weights, x, h, mask, backward)

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        if self.jumps is not None and t:
            h = np.where(self.jumps[:, t - 1, np.newaxis], h * 0, h)
        return super().step(layer, weights, x, h, t)


@mutant("9.1")
class PaddingReadAsZero(Sound):
    """At a timestep that is not valid, zeros are read."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        read = x if mask is None else np.where(mask[..., np.newaxis], x, x.dtype.type(0))
        return super().direction(layer, weights, read, h, None, backward)


@mutant("9.2")
class FinalStateOfThePadding(Sound):
    """The final state is the output at the last timestep, valid or not."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        one = super().direction(layer, weights, x, h, mask, backward)
        return replace(one, final=self.shown(one)[:, 0 if one.course.reverses_outputs else -1])


@mutant("9.3")
class LastOutputOfThePadding(Sound):
    """The last output is that of the last timestep, valid or not."""

    def last(self, outputs: Array, final: LayerState) -> Array:
        top = self.passes[-1]
        return (
            outputs[:, 0 if top[0].course.reverses_outputs else -1] if len(top) == 1 else super().last(outputs, final)
        )


@mutant("9.4")
class PaddedOutputsOtherwise(Sound):
    """Outputs at timesteps that are not valid are not as declared."""

    def __init__(self, architecture: Architecture, choices: Choices) -> None:
        other = {"zero": "repeat", "repeat": "zero", "continue": "repeat"}[choices.padded_outputs]
        super().__init__(architecture, replace(choices, padded_outputs=other))


@mutant("9.4")
class PaddedOutputsTiny(Sound):
    """Outputs at timesteps that are not valid are 2^-20 off."""

    def shown(self, one: Pass) -> Array:
        outputs = super().shown(one)
        filled = None if one.course.sorted is None else one.course.sorted.filled[..., np.newaxis]
        return outputs if filled is None else np.where(filled, outputs + outputs.dtype.type(2**-20), outputs)


@mutant("9.4")
class StateBeforeTheFirstValidStep(Sound):
    """Before the first valid timestep, the outputs of a forward layer are its initial state."""

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        outputs, final = super().layer(layer, weights, x, start, mask)
        if mask is None or start is None or layer.direction != "forward":
            return outputs, final
        begun = np.logical_or.accumulate(mask, axis=1)[..., np.newaxis]
        return np.where(begun, outputs, start[0][0][:, np.newaxis]), final


@mutant("9.5")
class PaddingMultipliedByZero(Sound):
    """What is not valid is multiplied by zero and added, so that NaN in the padding reaches the state."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        one = super().direction(layer, weights, x, h, mask, backward)
        if mask is None:
            return one
        spoilt = (np.where(mask[..., np.newaxis], 0, x) * 0).sum(axis=(1, 2))[:, np.newaxis]
        return replace(one, final=self.kept(one.final + spoilt))


@mutant("9.5")
class PaddingScalesTheRow(Sound):
    """The largest number of a row, padding included, changes the last bits of its outputs."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        if mask is not None:
            largest = np.maximum(np.abs(x).max(axis=(1, 2), keepdims=True), x.dtype.type(1))
            x = x / largest * largest
        return super().direction(layer, weights, x, h, mask, backward)


@mutant("9.5")
class OtherPathForNanInThePadding(InAnotherOrder):
    """Where the padding holds a number that is not finite, a call goes another way, whose last bits are others."""

    def run(self, inputs: Inputs, **given: Any) -> Output:
        self.other = self.architecture.is_masked and inputs.dtype.kind not in "iu" and not np.isfinite(inputs).all()
        output = super().run(inputs, **given)
        self.other = False
        return output


@mutant("9.7")
class RowsUntilTheShortestEnds(_OtherMask):
    """All sequences of a batch end where the shortest ends."""

    def changed(self, mask: Mask) -> Mask | None:
        return mask & (np.arange(mask.shape[1]) < mask.sum(axis=1).min())


@mutant("5.3")
class TokenOneMasked(Sound):
    """Token 1 is masked where token 0 should be."""

    def valid(self, inputs: Inputs, mask: Mask | None) -> Mask | None:
        valid = super().valid(inputs, mask)
        return valid if valid is None or valid is mask else np.asarray(inputs != 1)


@mutant("5.3")
class TokenZeroNotMasked(Sound):
    """An embedding that should mask zero does not."""

    def valid(self, inputs: Inputs, mask: Mask | None) -> Mask | None:
        return mask


@mutant("5.2")
class TokenZeroAlwaysMasked(Sound):
    """Every embedding masks zero, asked or not."""

    def valid(self, inputs: Inputs, mask: Mask | None) -> Mask | None:
        return np.asarray(inputs != 0) if self.architecture.embedding else mask


@mutant("5.3")
class TokensUpToOneMasked(Sound):
    """An embedding that masks zero masks token 1 as well."""

    def valid(self, inputs: Inputs, mask: Mask | None) -> Mask | None:
        valid = super().valid(inputs, mask)
        return valid if valid is None or valid is mask else np.asarray((inputs != 0) & (inputs != 1))


@mutant("9.2")
class StateUnderAMaskRounded(Sound):
    """Under a mask the final state of every layer but the last is rounded to float16."""

    def returned(self, outputs: Array, final: State) -> Output:
        if self.architecture.is_masked:
            half = each_state(lambda h: h.astype(np.float16).astype(h.dtype), final[:-1])
            final = (*half, final[-1])
        return super().returned(outputs, final)
