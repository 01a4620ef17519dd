"""Mutants that are wrong in a way to run a model which only some frameworks have, and no thrifty profile runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.protocol import Inputs, Unsupported
from rnn_conformance.conformance.mutants.base import (
    MARKED,
    SOUND,
    WAYS,
    Mutant,
    MutantAdapter,
    Sound,
    in_each_direction,
    mutant,
)
from rnn_conformance.reference.layers.gradients import Backpropagated, Pass
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import LayerState, State, each_state
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights

N = TypeVar("N", bound=type[Sound])


@dataclass(frozen=True)
class MutantOfAWay(Mutant):
    """A fault of a way that a mutant has only if it is about that: the others need not be run in it."""

    way: str = ""
    rounding: bool = False

    def adapter(self, description: Description = SOUND) -> MutantAdapter:
        own = replace(SOUND, ways=(*WAYS, self.way), rounding=(self.way,) if self.rounding else ())
        return super().adapter(own if description is SOUND else description)


def of_way(way: str, *breaks: str, rounding: bool = False) -> Callable[[N], N]:
    """Mark a class as `mutant` does, as a fault of this way, which may be one that rounds weights."""

    def mark(network: N) -> N:
        mutant(*breaks)(network)
        name, plain = next((name, m) for name, m in MARKED.items() if m.network is network)
        MARKED[name] = MutantOfAWay(plain.name, plain.sentence, plain.breaks, plain.theme, network, way, rounding)
        return network

    return mark


@of_way("closed-over", "12.1")
class ClosedOverTheFirstWeights(Sound):
    """A function that closes over a model keeps the weights that it was first called with."""

    first: Weights | None = None

    def used(self) -> Weights:
        if self.architecture.mode != "closed-over":
            return super().used()
        self.first = self.first or super().used()
        return self.first


@of_way("vmapped", "12.1")
class VmappedFromTheFirstState(Sound):
    """Run over a batch of single sequences, each starts from the initial state of the first."""

    def read_state(self, state: State | None) -> State | None:
        read = super().read_state(state)
        if self.architecture.mode != "vmapped" or read is None:
            return read
        return each_state(lambda h: np.broadcast_to(h[:1], h.shape), read)


@of_way("vmapped", "12.1")
class VmappedGradientsAveraged(Sound):
    """Run over a batch of single sequences, the gradients of weights are their mean in place of their sum."""

    def back(self, layer: Layer, one: Pass, d_h: Array, d_h_0: Array | None) -> Backpropagated:
        found = super().back(layer, one, d_h, d_h_0)
        if self.architecture.mode != "vmapped":
            return found
        b = None if found.b is None else found.b / len(d_h)
        return replace(found, W=found.W / len(d_h), U=found.U / len(d_h), b=b)


@of_way("exported-open-batch", "12.1")
class ExportedForTwoSequences(Sound):
    """A program that was exported from a batch of two leaves all further sequences zero."""

    def returned(self, outputs: Array, final: State) -> Output:
        if self.architecture.mode == "exported-open-batch" and self.architecture.batched:
            outputs = np.concatenate([outputs[:2], outputs[2:] * 0])
        return super().returned(outputs, final)


class _BehindAMaskingLayer(Sound):
    """A model with a layer in front that masks by what it reads; tokens it refuses, as Keras' adapter does."""

    def __init__(self, architecture: Architecture, choices: Choices) -> None:
        if architecture.mode == "masking-layer" and architecture.embedding:
            raise Unsupported("a masking layer reads floats, and tokens are masked by their embedding")
        super().__init__(architecture, choices)


@of_way("masking-layer", "12.1")
class MaskInFrontReachesOneLayer(_BehindAMaskingLayer):
    """The mask of a layer in front reaches the first recurrent layer only."""

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        lost = self.architecture.mode == "masking-layer" and self.position > 0
        return super().layer(layer, weights, x, start, None if lost else mask)


@of_way("masking-layer", "12.1")
class MaskingLayerTakesZerosForPadding(_BehindAMaskingLayer):
    """A masking layer takes a timestep for padding if one of its features is zero."""

    def valid(self, inputs: Inputs, mask: Mask | None) -> Mask | None:
        found = super().valid(inputs, mask)
        if self.architecture.mode != "masking-layer" or found is None:
            return found
        return found & (inputs != 0).all(-1)


@of_way("time-distributed", "12.1")
class TimeCutToTheBatch(Sound):
    """What is applied to each timestep takes the number of sequences for that of timesteps, and zeros follow."""

    def returned(self, outputs: Array, final: State) -> Output:
        if self.architecture.mode == "time-distributed" and self.architecture.batched and outputs.ndim == 3:
            read = len(outputs)
            outputs = np.concatenate([outputs[:, :read], outputs[:, read:] * 0], axis=1)
        return super().returned(outputs, final)


@of_way("functional", "12.1")
class FunctionalWithoutBias(Sound):
    """A call with weights beside those of the module takes its kernels from these, and biases of zero."""

    def used(self) -> Weights:
        if self.architecture.mode != "functional":
            return super().used()
        return in_each_direction(
            lambda layer: layer if layer.b is None else layer.with_arrays(b=np.zeros_like(layer.b)), super().used()
        )


@of_way("parametrised", "12.1")
class ParametrisedAsItIsKept(Sound):
    """A recurrent kernel that is kept transposed is used as it is kept."""

    def used(self) -> Weights:
        if self.architecture.mode != "parametrised":
            return super().used()
        return in_each_direction(lambda layer: layer.with_arrays(U=layer.U.T.copy()), super().used())


@of_way("weight-normed", "12.1", rounding=True)
class WeightNormTooShort(Sound):
    """A weight that is kept as the lengths and directions of its rows comes back a hundredth of a per cent shorter."""

    def load(self, weights: Weights) -> None:
        super().load(weights)
        if self.architecture.mode == "weight-normed":
            self._weights = in_each_direction(
                lambda layer: layer.with_arrays(W=(layer.W * (1 - 1e-4)).astype(layer.W.dtype)), self._loaded
            )


@of_way("xla", "12.1")
class GradientWithoutTheLastTimestep(Sound):
    """A gradient that is compiled with its tape inside leaves out what comes from the last timestep."""

    def back(self, layer: Layer, one: Pass, d_h: Array, d_h_0: Array | None) -> Backpropagated:
        if self.architecture.mode == "xla" and d_h.shape[1] > 1:
            d_h = np.concatenate([d_h[:, :-1], d_h[:, -1:] * 0], axis=1)
        return super().back(layer, one, d_h, d_h_0)
