"""Mutants whose outputs are right and whose gradients are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import Sound, in_each_direction, mutant
from rnn_conformance.reference.layers.gradients import Backpropagated, Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights


class _OtherBack(Sound):
    """What comes back through each direction is changed."""

    def back(self, layer: Layer, one: Pass, d_h: Array, d_h_0: Array | None) -> Backpropagated:
        return self.changed(one, super().back(layer, one, d_h, d_h_0))

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        raise NotImplementedError


@mutant("11.1")
class KernelGradientZero(_OtherBack):
    """The gradient of W is zero."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        return replace(found, W=found.W * 0)


@mutant("11.1")
class KernelGradientOfOneRow(_OtherBack):
    """Only the first sequence of a batch has a part in the gradient of W."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        return replace(found, W=np.tensordot(found.z[0], one.inputs[0], (0, 0)))


@mutant("11.1")
class RecurrentGradientTransposed(_OtherBack):
    """The gradient of U is transposed."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        return replace(found, U=found.U.T)


@mutant("11.1")
class RecurrentGradientNegated(_OtherBack):
    """The gradient of U has the wrong sign."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        return replace(found, U=-found.U)


@mutant("11.1")
class RecurrentGradientOfTheSameStep(_OtherBack):
    """The gradient of U is taken with h_t instead of h_{t-1}."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        return replace(found, U=np.tensordot(found.z, one.h, ((0, 1), (0, 1))))


@mutant("11.1")
class RecurrentGradientWithoutTheFirstStep(_OtherBack):
    """The product with the initial state is missing in the gradient of U."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        return replace(found, U=np.tensordot(found.z[:, 1:], one.h_before[:, 1:], ((0, 1), (0, 1))))


@mutant("11.1")
class BiasGradientOfTheLastStep(_OtherBack):
    """In the gradient of the bias only the last timestep counts."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        return replace(found, b=None if found.b is None else found.z[:, -1].sum(axis=0))


@mutant("11.1")
class BiasGradientMean(_OtherBack):
    """The gradient of the bias is a mean over the batch instead of a sum."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        return replace(found, b=None if found.b is None else found.b / found.b.dtype.type(len(found.z)))


@mutant("11.1")
class WeightGradientsCut(_OtherBack):
    """The gradients of the weights are cut at -1 and 1."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        b = None if found.b is None else np.clip(found.b, -1, 1)
        return replace(found, W=np.clip(found.W, -1, 1), U=np.clip(found.U, -1, 1), b=b)


@mutant("11.2")
class InputGradientThroughTheRecurrentKernel(_OtherBack):
    """The gradient of the inputs is taken with U in the place of W, where features and units are equal in number."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        fits = one.weights.W.shape == one.weights.U.shape
        return replace(found, inputs=found.z @ one.weights.U) if fits else found


@mutant("11.2")
class InputGradientOfTheLastStep(_OtherBack):
    """Only the last input has a gradient."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        last = np.arange(found.inputs.shape[1]) == found.inputs.shape[1] - 1
        return replace(found, inputs=found.inputs * last[:, np.newaxis].astype(found.inputs.dtype))


@mutant("11.3")
class InitialGradientWithoutKernel(_OtherBack):
    """In the gradient of the initial state the factor U is missing."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        return replace(found, initial=found.z[:, 0])


@mutant("11.3")
class InitialGradientWithoutSlope(_OtherBack):
    """In the gradient of the initial state the slope of the first activation is missing."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        return replace(found, initial=found.h[:, 0] @ one.weights.U)


@mutant("11.3")
class InitialGradientZero(_OtherBack):
    """The gradient of the initial state is zero, as if it were a constant."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        return replace(found, initial=found.initial * 0)


@mutant("11.1")
class SlopeOfTheStateBefore(Sound):
    """The slope of the activation is taken at the state before."""

    def back(self, layer: Layer, one: Pass, d_h: Array, d_h_0: Array | None) -> Backpropagated:
        return super().back(layer, replace(one, h=one.h_before), d_h, d_h_0)


@mutant("11.1")
class SlopeAtThePreactivation(Sound):
    """The slope of tanh and sigmoid, which is written in terms of their result, is given the sum instead."""

    def back(self, layer: Layer, one: Pass, d_h: Array, d_h_0: Array | None) -> Backpropagated:
        if layer.activation not in ("tanh", "sigmoid"):
            return super().back(layer, one, d_h, d_h_0)
        z = one.inputs @ one.weights.W.T + one.h_before @ one.weights.U.T
        return super().back(layer, replace(one, h=z if one.weights.b is None else z + one.weights.b), d_h, d_h_0)


@mutant("11.1")
class ReluPassesEverything(Sound):
    """The slope of relu is 1 everywhere."""

    def back(self, layer: Layer, one: Pass, d_h: Array, d_h_0: Array | None) -> Backpropagated:
        passing = replace(layer, activation="linear") if layer.activation == "relu" else layer
        return super().back(passing, one, d_h, d_h_0)


class _Truncated(Sound):
    """Backpropagation is cut each so many timesteps: the state that is handed on there is taken for a constant."""

    length: int

    def back(self, layer: Layer, one: Pass, d_h: Array, d_h_0: Array | None) -> Backpropagated:
        parts = []
        for begin in range(0, d_h.shape[1], self.length):
            at = np.s_[:, begin : begin + self.length]
            part = replace(one, inputs=one.inputs[at], h_before=one.h_before[at], h=one.h[at])
            parts.append(super().back(layer, part, d_h[at], None if begin else d_h_0))
        W, U = (np.sum(arrays, axis=0) for arrays in ([part.W for part in parts], [part.U for part in parts]))
        b = None if one.weights.b is None else np.sum([part.b for part in parts if part.b is not None], axis=0)
        h, z, inputs = (
            np.concatenate(each, axis=1) for each in zip(*((p.h, p.z, p.inputs) for p in parts), strict=True)
        )
        return Backpropagated(h, z, W, U, b, inputs, parts[0].initial)


@mutant("11.1")
class TruncatedEachStep(_Truncated):
    """Backpropagation never goes from a timestep to the one before."""

    length = 1


@mutant("11.1")
class TruncatedEach10Steps(_Truncated):
    """Backpropagation is cut each 10 timesteps."""

    length = 10


@mutant("11.9")
class TruncatedEach100Steps(_Truncated):
    """Backpropagation is cut each 100 timesteps."""

    length = 100


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
        return replace(found, weights=replace(found.weights, layers=(replace(first, W=first.W + spoilt), *others)))


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
            lambda layer: replace(layer, W=layer.W * layer.W.dtype.type(0.999)), self._loaded
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
