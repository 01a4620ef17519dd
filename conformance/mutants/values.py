"""Mutants whose sum is wrong: kernels the wrong way round, terms left out, the bias in the wrong place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import Sound, in_each_direction, mutant
from rnn_conformance.reference.arithmetic.rounding import standard_precision
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights


class _OtherWeights(Sound):
    """Another set of weights is used than was loaded."""

    def used(self) -> Weights:
        return in_each_direction(self.changed, super().used())

    def changed(self, layer: LayerWeights) -> LayerWeights:
        raise NotImplementedError


@mutant("1.1")
class RecurrentKernelTransposed(_OtherWeights):
    """U is transposed."""

    def changed(self, layer: LayerWeights) -> LayerWeights:
        return layer.with_arrays(U=layer.U.T)


@mutant("1.1")
class KernelReshaped(_OtherWeights):
    """W is reshaped where it should be transposed."""

    def changed(self, layer: LayerWeights) -> LayerWeights:
        return layer.with_arrays(W=layer.W.T.reshape(layer.W.shape))


@mutant("1.1")
class RowsOfKernelReversed(_OtherWeights):
    """The rows of W are in the opposite order."""

    def changed(self, layer: LayerWeights) -> LayerWeights:
        return layer.with_arrays(W=layer.W[::-1])


@mutant("1.1")
class FeaturesReversed(_OtherWeights):
    """The columns of W are in the opposite order."""

    def changed(self, layer: LayerWeights) -> LayerWeights:
        return layer.with_arrays(W=layer.W[:, ::-1])


@mutant("1.1")
class ColumnsOfRecurrentKernelRotated(_OtherWeights):
    """The columns of U are moved on by one."""

    def changed(self, layer: LayerWeights) -> LayerWeights:
        return layer.with_arrays(U=np.roll(layer.U, 1, axis=1))


@mutant("1.1")
class RowsOfRecurrentKernelSwapped(_OtherWeights):
    """The first two rows of U are swapped."""

    def changed(self, layer: LayerWeights) -> LayerWeights:
        return layer.with_arrays(U=np.concatenate([layer.U[1::-1], layer.U[2:]]))


@mutant("1.1")
class RecurrentKernelDiagonal(_OtherWeights):
    """Of U only the diagonal is used."""

    def changed(self, layer: LayerWeights) -> LayerWeights:
        return layer.with_arrays(U=np.diag(np.diag(layer.U)))


@mutant("1.1")
class RecurrentKernelNegated(_OtherWeights):
    """U has the wrong sign."""

    def changed(self, layer: LayerWeights) -> LayerWeights:
        return layer.with_arrays(U=-layer.U)


@mutant("1.1")
class RecurrentKernelWithoutNegatives(_OtherWeights):
    """Negative entries of U are read as zero."""

    def changed(self, layer: LayerWeights) -> LayerWeights:
        return layer.with_arrays(U=np.maximum(layer.U, 0))


@mutant("1.1")
class BiasTwice(_OtherWeights):
    """The bias is added twice."""

    def changed(self, layer: LayerWeights) -> LayerWeights:
        return layer.with_arrays(b=None if layer.b is None else 2 * layer.b)


@mutant("1.1")
class BiasMissing(_OtherWeights):
    """The bias is left out."""

    def changed(self, layer: LayerWeights) -> LayerWeights:
        return layer.with_arrays(b=None)


@mutant("1.1")
class BiasNegated(_OtherWeights):
    """The bias is subtracted."""

    def changed(self, layer: LayerWeights) -> LayerWeights:
        return layer.with_arrays(b=None if layer.b is None else -layer.b)


@mutant("1.2")
class BiasOfItsOwn(_OtherWeights):
    """A layer without bias has one all the same: the first row of U."""

    def changed(self, layer: LayerWeights) -> LayerWeights:
        return layer.with_arrays(b=layer.U[0] if layer.b is None else layer.b)


@mutant("4.1")
class BiasOfTheFirstLayer(Sound):
    """The second layer uses the bias of the first, where it fits."""

    def used(self) -> Weights:
        weights = super().used()
        first, *others = weights.layers
        fit = [other.b is not None and first.b is not None and other.b.shape == first.b.shape for other in others]
        changed = (other.with_arrays(b=first.b) if fits else other for fits, other in zip(fit, others, strict=True))
        return replace(weights, layers=(first, *changed))


@mutant("1.1")
class BiasAtTheFirstStepOnly(Sound):
    """The bias is added at the first timestep only."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        return super().step(layer, weights if t == 0 else weights.with_arrays(b=None), x, h, t)


@mutant("1.1")
class BiasAfterActivation(Sound):
    """The bias is added to the result of the activation."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        y = super().step(layer, weights.with_arrays(b=None), x, h, t)
        return y if weights.b is None else self.kept(y + weights.b)


@mutant("1.1")
class StateBeforeRecurrentKernelActivated(Sound):
    """The activation is applied to U h_{t-1} before W x_t is added."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        z = self.product(x, weights.W) + self.activate(layer.cell.activation, self.product(h, weights.U))
        return self.kept(self.activate(layer.cell.activation, z if weights.b is None else z + weights.b))


@mutant("1.1")
class OldStateKept(Sound):
    """A hundredth of the state before is added to each state."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        return self.kept(super().step(layer, weights, x, h, t) + h / self.computing.type(100))


@mutant("1.1", "2.10")
class InputAddedToOutput(Sound):
    """Where features and units are equal in number, the input is added to the output, as in a residual network."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        y = super().step(layer, weights, x, h, t)
        return self.kept(y + x) if x.shape == y.shape else y


@mutant("1.1")
class UnitsReversedInOutputs(Sound):
    """The units of the outputs are in the opposite order; those of the state are not."""

    def returned(self, outputs: Array, final: State) -> Output:
        return super().returned(outputs[..., ::-1], final)


@mutant("1.7", "1.8")
class FirstUnitTooLarge(Sound):
    """The output of the first unit is too large by one part in 512."""

    def returned(self, outputs: Array, final: State) -> Output:
        first = np.arange(outputs.shape[-1]) == 0
        return super().returned(np.where(first, outputs * outputs.dtype.type(1 + 2**-9), outputs), final)


@mutant("1.8")
class SumInParts(Sound):
    """The sum is divided by 49 and multiplied by 49: right within rounding, but not exact."""

    def activate(self, name: str, z: Array) -> Array:
        return super().activate(name, z / z.dtype.type(49) * z.dtype.type(49))


@mutant("1.1")
class SubnormalWeightsReadAsOne(Sound):
    """A weight that is subnormal is read as if its exponent were that of 1."""

    def used(self) -> Weights:
        def read(W: Array) -> Array:
            subnormal = (W != 0) & (np.abs(W) < standard_precision(self.architecture.dtype).tiny)
            return np.where(subnormal, np.copysign(1, W), W).astype(W.dtype)

        return super().used().map(read)


@mutant("1.1")
class SubnormalInputsAreNan(Sound):
    """An input that is subnormal makes NaN."""

    def read(self, inputs: Inputs) -> Inputs:
        read = super().read(inputs)
        if read.dtype.kind in "iu":
            return read
        subnormal = (read != 0) & (np.abs(read) < standard_precision(self.architecture.dtype).tiny)
        return np.where(subnormal, np.nan, read).astype(read.dtype)


@mutant("1.1")
class SmallRecurrentSumsLost(Sound):
    """What U adds is left out where all of it is smaller than 1e-20, as if nothing so small could count."""

    def product(self, x: Array, kernel: Array) -> Array:
        z = super().product(x, kernel)
        is_recurrent = kernel.shape[0] == kernel.shape[1]
        return np.where(np.abs(z) < 1e-20, 0, z).astype(z.dtype) if is_recurrent else z


@mutant("1.1")
class StateNearOneIsOne(Sound):
    """A state that is nearer to 1 or -1 than 20 roundings is kept as that."""

    def kept(self, h: Array) -> Array:
        near = np.abs(1 - np.abs(h)) < 20 * standard_precision(self.architecture.dtype).eps
        return super().kept(np.where(near, np.sign(h), h).astype(h.dtype))
