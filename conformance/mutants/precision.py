"""Mutants that compute in a coarser arithmetic than they say, or return another type."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import Sound, in_each_direction, mutant
from rnn_conformance.reference.layers.gradients import Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import State, each_state
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights


class _RoundedProducts(Sound):
    """Both factors of each product are rounded by `round_factor`."""

    def product(self, x: Array, kernel: Array) -> Array:
        return (self.round_factor(x) @ self.round_factor(kernel).T).astype(self.computing)

    def round_factor(self, array: Array) -> Array:
        raise NotImplementedError


@mutant("1.1")
class ProductsInHalfPrecision(_RoundedProducts):
    """Products take their factors in float16."""

    def round_factor(self, array: Array) -> Array:
        return array.astype(np.float16).astype(array.dtype)


@mutant("1.1")
class ProductsInBfloat16(_RoundedProducts):
    """Products take their factors in bfloat16."""

    def round_factor(self, array: Array) -> Array:
        return array.astype(ml_dtypes.bfloat16).astype(array.dtype)


@mutant("1.1")
class ProductsInTf32(_RoundedProducts):
    """Products of float32 take their factors in TF32, with 10 bits after the point."""

    def round_factor(self, array: Array) -> Array:
        if array.dtype != np.float32:
            return array
        bits = np.ascontiguousarray(array).view(np.uint32)
        return ((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)


@mutant("1.1")
class DoubleInSingle(_RoundedProducts):
    """A layer of float64 computes its products in float32."""

    def round_factor(self, array: Array) -> Array:
        return array.astype(np.float32) if array.dtype == np.float64 else array


@mutant("1.1")
class DoubleAddedInSingle(Sound):
    """A layer of float64 adds up in float32."""

    def activate(self, name: str, z: Array) -> Array:
        return super().activate(name, z.astype(np.float32).astype(z.dtype) if z.dtype == np.float64 else z)


@mutant("1.1")
class DoubleStateInSingle(Sound):
    """A layer of float64 keeps its state in float32."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        return super().step(layer, weights, x, h.astype(np.float32).astype(h.dtype) if h.itemsize == 8 else h, t)


@mutant("15.1", "1.8")
class SumsOneRoundingOff(Sound):
    """Each sum of products lies one rounding above what it is, also where nothing is to be rounded."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        z = self.product(x, weights.W) + self.product(h, weights.U)
        z = z if weights.b is None else z + weights.b
        return self.kept(self.activate(layer.cell.activation, z + z * np.finfo(z.dtype).eps))


@mutant("1.1")
class RecurrentKernelInHalfPrecision(Sound):
    """U is kept in float16."""

    def used(self) -> Weights:
        def half(layer: LayerWeights) -> LayerWeights:
            return layer.with_arrays(U=layer.U.astype(np.float16).astype(layer.U.dtype))

        return in_each_direction(half, super().used())


@mutant("2.8")
class HalfSaturates(Sound):
    """A float16 layer cuts its sums at 8, as if they might overflow."""

    def activate(self, name: str, z: Array) -> Array:
        return super().activate(name, np.clip(z, -8, 8) if self.dtype == np.float16 else z)


@mutant("2.8")
class HalfAsBfloat16(Sound):
    """A float16 layer keeps its state in bfloat16."""

    def kept(self, h: Array) -> Array:
        return super().kept(h.astype(ml_dtypes.bfloat16).astype(h.dtype) if self.dtype == np.float16 else h)


@mutant("2.8")
class Bfloat16Truncated(Sound):
    """A bfloat16 layer cuts off the last four bits of its state."""

    def kept(self, h: Array) -> Array:
        if self.dtype != ml_dtypes.bfloat16:
            return super().kept(h)
        bits = np.ascontiguousarray(h, np.float32).view(np.uint32)
        return super().kept((bits & np.uint32(0xFFF00000)).view(np.float32))


@mutant("2.13")
class HalfAddedInHalf(Sound):
    """A half precision layer adds up in its own type, term after term."""

    def product(self, x: Array, kernel: Array) -> Array:
        if self.dtype.itemsize > 2:
            return super().product(x, kernel)
        terms = (x[:, np.newaxis] * kernel).astype(self.dtype)
        return np.cumsum(terms, axis=-1, dtype=self.dtype)[..., -1].astype(self.computing)


@mutant("2.9")
class MixedWeightsNotRounded(Sound):
    """With mixed precision the products are computed with the weights as they are kept, and in float32."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        if self.architecture.weights_dtype:
            self.computing = np.dtype(self.architecture.weights_dtype)

    def used(self) -> Weights:
        return self._loaded if self.architecture.weights_dtype else super().used()


@mutant("2.9")
class MixedOutputsWide(Sound):
    """With mixed precision the outputs have the type of the weights."""

    def returned(self, outputs: Array, final: State) -> Output:
        output = super().returned(outputs, final)
        wide = self.architecture.weights_dtype
        return Output(output.outputs.astype(wide), output.final_state) if wide else output


@mutant("2.9")
class MixedBiasLost(Sound):
    """With mixed precision there is no bias."""

    def used(self) -> Weights:
        def without(layer: LayerWeights) -> LayerWeights:
            return layer if layer.b is None else layer.with_arrays(b=np.zeros_like(layer.b))

        return in_each_direction(without, super().used()) if self.architecture.weights_dtype else super().used()


@mutant("2.9")
class MixedWeightsKeptSmall(Sound):
    """With mixed precision the weights are kept in the smaller type."""

    def weights(self) -> Weights:
        return super().used() if self.architecture.weights_dtype else super().weights()


@mutant("2.4")
class AlwaysDouble(Sound):
    """The outputs are float64, whatever the layer is."""

    def returned(self, outputs: Array, final: State) -> Output:
        output = super().returned(outputs, final)
        return Output(output.outputs.astype(np.float64), output.final_state)


@mutant("2.4")
class NeverDouble(Sound):
    """The outputs of a float64 layer are float32."""

    def returned(self, outputs: Array, final: State) -> Output:
        output = super().returned(outputs, final)
        return Output(
            output.outputs.astype(np.float32) if outputs.itemsize == 8 else output.outputs, output.final_state
        )


@mutant("2.4")
class StateInAnotherType(Sound):
    """The final state is float32, whatever the layer is."""

    def returned(self, outputs: Array, final: State) -> Output:
        output = super().returned(outputs, final)
        return Output(output.outputs, each_state(lambda h: h.astype(np.float32), final))


@mutant("2.4")
class GradientsAlwaysDouble(Sound):
    """The gradients of the inputs are float64, whatever the layer is."""

    def differentiate(self, inputs: Inputs, cotangent: Output, start: State | None, mask: Mask | None) -> Gradients:
        found = super().differentiate(inputs, cotangent, start, mask)
        return found if found.inputs is None else replace(found, inputs=found.inputs.astype(np.float64))


# Types that meet features


@mutant("12.1")
class HalfIgnoresTheMask(Sound):
    """A float16 layer does not use the mask."""

    def valid(self, inputs: Inputs, mask: Mask | None) -> Mask | None:
        return None if self.dtype == np.float16 else super().valid(inputs, mask)


@mutant("12.1")
class Bfloat16ForgetsTheInitialState(Sound):
    """A bfloat16 layer starts from zeros, whatever initial state is given."""

    def read_state(self, state: State | None) -> State | None:
        return None if self.dtype == ml_dtypes.bfloat16 else super().read_state(state)


@mutant("12.1")
class MixedBackwardReadsForward(Sound):
    """With mixed precision, a backward direction reads the sequence from its beginning."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        return super().direction(layer, weights, x, h, mask, backward and not self.architecture.weights_dtype)


@mutant("12.1")
class DoubleStatesInSingle(Sound):
    """In compiled models of float64, final states have come through float32."""

    def returned(self, outputs: Array, final: State) -> Output:
        if self.architecture.mode == "compiled":
            final = each_state(lambda h: h.astype(np.float32).astype(h.dtype), final)
        return super().returned(outputs, final)


@mutant("12.1")
class DoubleGradientsInSingle(Sound):
    """In compiled models of float64, the gradients of weights are added up in float32."""

    def differentiate(self, inputs: Inputs, cotangent: Output, start: State | None, mask: Mask | None) -> Gradients:
        found = super().differentiate(inputs, cotangent, start, mask)
        if self.architecture.mode != "compiled":
            return found
        return replace(found, weights=found.weights.map(lambda g: g.astype(np.float32).astype(g.dtype)))
