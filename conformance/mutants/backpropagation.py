"""Mutants whose gradients go wrong on the way through a model: in tables, stacks, masks, directions, between calls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import Sound, in_each_direction, mutant
from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.layers.gradients import Backpropagated, Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights


@mutant("11.4")
class TokenGradientOverwritten(Sound):
    """Where a token occurs again, its gradient replaces that of the occurrence before."""

    def back_to_table(self, tokens: Inputs, d_rows: Array) -> Array:
        table = super().back_to_table(tokens, d_rows) * 0
        table[tokens.reshape(d_rows.shape[:2])] = d_rows
        return table


@mutant("11.4")
class TokenZeroWithoutGradient(Sound):
    """Row 0 of the table has no gradient, as if it were padding."""

    def back_to_table(self, tokens: Inputs, d_rows: Array) -> Array:
        table = super().back_to_table(tokens, d_rows)
        table[0] = 0
        return table


@mutant("11.4")
class AbsentTokensDecay(Sound):
    """Rows of tokens that do not occur have a small gradient."""

    def back_to_table(self, tokens: Inputs, d_rows: Array) -> Array:
        table = super().back_to_table(tokens, d_rows)
        absent = ~np.isin(np.arange(len(table)), tokens)
        table[absent] = table.dtype.type(1e-6)
        return table


@mutant("11.5")
class LastOutputGradientOfAll(Sound):
    """Where the last output is returned, every output is given the gradient of the last."""

    def cotangents(self, given: Output) -> tuple[Array, list[list[Array]]]:
        d_outputs, d_final = super().cotangents(given)
        if self.architecture.return_sequences or len(d_final[-1]) > 1:
            return d_outputs, d_final
        every = np.asarray(given.outputs)[..., np.newaxis, :]
        return d_outputs + (every if self.architecture.batched else every[np.newaxis]), d_final


@mutant("11.1")
class StateCotangentIgnored(Sound):
    """What depends on the final states has no part in any gradient."""

    def cotangents(self, given: Output) -> tuple[Array, list[list[Array]]]:
        return super().cotangents(replace(given, final_state=None))


@mutant("11.6")
class LowerLayersDetached(Sound):
    """No gradient passes from a layer of a stack to the one below."""

    def unread(self, one: Pass, found: Backpropagated) -> Array:
        gradient = super().unread(one, found)
        return gradient * 0 if self.position else gradient


@mutant("11.6")
class LowerLayersHalved(Sound):
    """Half of the gradient passes from a layer of a stack to the one below."""

    def unread(self, one: Pass, found: Backpropagated) -> Array:
        gradient = super().unread(one, found)
        return gradient / 2 if self.position else gradient


class _OtherGradients(Sound):
    """The gradients are changed after all, or taken for another call."""

    def differentiate(self, inputs: Inputs, cotangent: Output, start: State | None, mask: Mask | None) -> Gradients:
        return self.changed(super().differentiate(inputs, cotangent, start, mask), mask)

    def changed(self, found: Gradients, mask: Mask | None) -> Gradients:
        raise NotImplementedError


@mutant("11.7")
class MaskIgnoredInGradients(Sound):
    """Gradients are those of a model without a mask."""

    def differentiate(self, inputs: Inputs, cotangent: Output, start: State | None, mask: Mask | None) -> Gradients:
        return super().differentiate(inputs, cotangent, start, None)


@mutant("11.7")
class PaddingHasGradients(_OtherGradients):
    """Inputs that are not valid have the gradient of the timestep before."""

    def changed(self, found: Gradients, mask: Mask | None) -> Gradients:
        if mask is None or found.inputs is None:
            return found
        before = np.roll(found.inputs, 1, axis=-2)
        return replace(found, inputs=np.where(mask[..., np.newaxis], found.inputs, before))


@mutant("11.7")
class NanInThePaddingReachesGradients(Sound):
    """What is not valid is multiplied by zero in the gradient of W, so that NaN there makes it NaN."""

    def differentiate(self, inputs: Inputs, cotangent: Output, start: State | None, mask: Mask | None) -> Gradients:
        found = super().differentiate(inputs, cotangent, start, mask)
        if mask is None or inputs.dtype.kind in "iu":
            return found
        spoilt = found.weights.layers[0].W.dtype.type((np.where(mask[..., np.newaxis], 0, inputs) * 0).sum())
        first, *others = found.weights.layers
        return replace(found, weights=replace(found.weights, layers=(first.with_arrays(W=first.W + spoilt), *others)))


@mutant("11.8")
class BackwardInputGradientNotTurned(Sound):
    """The gradient of the inputs of a backward direction is in the order of processing."""

    def unread(self, one: Pass, found: Backpropagated) -> Array:
        return found.inputs if one.course.reverses_inputs else super().unread(one, found)


@mutant("11.8")
class BackwardWeightsWithoutGradient(_OtherGradients):
    """The second set of weights of a bidirectional layer has gradient zero."""

    def changed(self, found: Gradients, mask: Mask | None) -> Gradients:
        def stopped(layer: LayerWeights) -> LayerWeights:
            if layer.backward is None:
                return layer
            return replace(layer, backward=layer.backward.map(lambda array: array * 0))

        layers = tuple(map(stopped, found.weights.layers))
        return replace(found, weights=replace(found.weights, layers=layers))


@mutant("11.8")
class MeanNotHalvedInGradients(Sound):
    """Gradients of the mean of two directions are those of their sum."""

    def back(self, layer: Layer, one: Pass, d_h: Array, d_h_0: Array | None) -> Backpropagated:
        mean = layer.is_bidirectional and layer.merge == "ave"
        return super().back(layer, one, d_h * d_h.dtype.type(2) if mean else d_h, d_h_0)


@mutant("11.9")
class SmallGradientsLost(Sound):
    """Where it is smaller than 1e-9, what comes back from a timestep is taken for zero."""

    def back(self, layer: Layer, one: Pass, d_h: Array, d_h_0: Array | None) -> Backpropagated:
        found = super().back(layer, one, d_h, d_h_0)
        return replace(found, initial=np.where(np.abs(found.initial) < 1e-9, found.initial * 0, found.initial))


@mutant("11.10")
class GradientsAddUp(Sound):
    """The gradients of a call are added to those of the call before, as if they were never set to zero."""

    sum: Gradients | None = None

    def load(self, weights: Weights) -> None:
        super().load(weights)
        self.sum = None

    def differentiate(self, inputs: Inputs, cotangent: Output, start: State | None, mask: Mask | None) -> Gradients:
        found = super().differentiate(inputs, cotangent, start, mask)
        if self.sum is not None:
            found = replace(found, weights=found.weights.map(np.add, self.sum.weights))
        self.sum = found
        return found


@mutant("11.10")
class GradientsChangeWeights(Sound):
    """Taking a gradient multiplies the weights by 0.999."""

    def differentiate(self, inputs: Inputs, cotangent: Output, start: State | None, mask: Mask | None) -> Gradients:
        found = super().differentiate(inputs, cotangent, start, mask)
        self._weights = in_each_direction(
            lambda layer: layer.with_arrays(W=layer.W * layer.W.dtype.type(0.999)), self._loaded
        )
        return found


@mutant("11.10")
class GradientsStayInTraining(Sound):
    """After a gradient was taken, the last bits of the outputs are others."""

    taken = False

    def load(self, weights: Weights) -> None:
        super().load(weights)
        self.taken = False

    def differentiate(self, inputs: Inputs, cotangent: Output, start: State | None, mask: Mask | None) -> Gradients:
        found = super().differentiate(inputs, cotangent, start, mask)
        self.taken = True
        return found

    def returned(self, outputs: Array, final: State) -> Output:
        output = super().returned(outputs, final)
        if not self.taken:
            return output
        return replace(output, outputs=np.nextafter(output.outputs, output.outputs.dtype.type(0)))


@mutant("11.1")
class WeightsNotMovedNearSaturation(Sound):
    """The gradients of weights do not pass through an activation that is within a ten thousandth of its limits."""

    def back(self, layer: Layer, one: Pass, d_h: Array, d_h_0: Array | None) -> Backpropagated:
        found = super().back(layer, one, d_h, d_h_0)
        activation = ACTIVATIONS[layer.cell.activation]
        near = (one.h > activation.high - 1e-4) | (one.h < activation.low + 1e-4)
        kept = super().back(
            layer, replace(one, h=np.where(near, activation.high, one.h).astype(one.h.dtype)), d_h, d_h_0
        )
        return replace(found, W=kept.W, U=kept.U, b=kept.b)
