"""Mutants whose outputs are right and whose gradients, those of one direction of a layer, are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnn_conformance.conformance.mutants.base import Sound, mutant
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers.gradients import Backpropagated, Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import Array


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
        if layer.cell.activation not in ("tanh", "sigmoid"):
            return super().back(layer, one, d_h, d_h_0)
        z = one.inputs @ one.weights.W.T + one.h_before @ one.weights.U.T
        return super().back(layer, replace(one, h=z if one.weights.b is None else z + one.weights.b), d_h, d_h_0)


@mutant("11.1")
class ReluPassesEverything(Sound):
    """The slope of relu is 1 everywhere."""

    def back(self, layer: Layer, one: Pass, d_h: Array, d_h_0: Array | None) -> Backpropagated:
        passing = replace(layer, cell=SimpleRnn("linear")) if layer.cell.activation == "relu" else layer
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
