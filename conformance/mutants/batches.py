"""Mutants that take a batch for the one before, or a part of a batch for the whole."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import Sound, mutant
from rnn_conformance.reference.layers.gradients import Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import State, each_state
from rnn_conformance.reference.model.weights import Array, LayerWeights


class _FirstSize(Sound):
    """Remembers how many sequences and timesteps the first call had."""

    first: tuple[int, int] | None = None

    def compute(self, inputs: Inputs, start: State | None, mask: Mask | None) -> Output:
        if self.architecture.batched:
            self.first = self.first or inputs.shape[:2]
        return super().compute(inputs, start, mask)


@mutant("8.4")
class SequencesBeyondTheFirstBatch(_FirstSize):
    """Sequences that the first call of a model had not so many of are given the outputs of its last one."""

    def returned(self, outputs: Array, final: State) -> Output:
        if self.first and len(outputs) > self.first[0]:
            outputs = outputs[np.minimum(np.arange(len(outputs)), self.first[0] - 1)]
        return super().returned(outputs, final)


@mutant("8.4")
class StatesBeyondTheFirstBatch(_FirstSize):
    """Final states of sequences that the first call of a model had not so many of are zero."""

    def returned(self, outputs: Array, final: State) -> Output:
        if self.first and len(outputs) > self.first[0]:
            kept = np.arange(len(outputs))[:, np.newaxis] < self.first[0]
            final = each_state(lambda h: h * kept.astype(h.dtype), final)
        return super().returned(outputs, final)


@mutant("8.4")
class TimestepsBeyondTheFirstCall(_FirstSize):
    """A timestep that the first call of a model had not so many of starts from zeros."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        return super().step(layer, weights, x, h * h.dtype.type(0) if self.first and t == self.first[1] else h, t)


@mutant("8.4")
class MaskOfTheFirstBatch(Sound):
    """A batch of another size than the call before is masked as that was, repeated, where the timesteps are as many."""

    before: Mask | None = None

    def valid(self, inputs: Inputs, mask: Mask | None) -> Mask | None:
        mask = super().valid(inputs, mask)
        last, self.before = self.before, mask
        if mask is None or last is None or last.shape[1:] != mask.shape[1:] or last.shape == mask.shape:
            return mask
        return np.resize(last, mask.shape)


@mutant("8.4", "11.1")
class GradientBeyondTheFirstBatch(_FirstSize):
    """Sequences that the first call of a model had not so many of have no part in the gradients of weights."""

    def differentiate(self, inputs: Inputs, cotangent: Output, start: State | None, mask: Mask | None) -> Gradients:
        found = super().differentiate(inputs, cotangent, start, mask)
        if not (self.architecture.batched and self.first and len(inputs) > self.first[0]):
            return found
        kept = np.arange(len(inputs)) < self.first[0]

        def cut(array: Array) -> Array:
            return array * kept.reshape(-1, *[1] * (array.ndim - 1)).astype(array.dtype)

        less = Output(cut(cotangent.outputs), each_state(cut, cotangent.final_state))
        return Gradients(super().differentiate(inputs, less, start, mask).weights, found.inputs, found.initial_state)


class _Predicted(Sound):
    """`predict` takes all sequences of a batch but the last, and then that one; `rest` is what becomes of it."""

    @property
    def predicts(self) -> bool:
        return self.architecture.mode == "predict" and self.architecture.batched


@mutant("12.1")
class PredictWithTheFirstMask(_Predicted):
    """Prediction in batches masks the sequence of its last, partial batch as the first sequence."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        if self.predicts and mask is not None:
            mask = np.concatenate([mask[:-1], mask[:1]])
        return super().direction(layer, weights, x, h, mask, backward)


@mutant("12.1")
class PredictFromTheFirstState(_Predicted):
    """Prediction in batches starts the sequence of its last, partial batch from the state of the first sequence."""

    def read_state(self, state: State | None) -> State | None:
        read = super().read_state(state)
        return each_state(lambda h: np.concatenate([h[:-1], h[:1]]), read) if self.predicts else read


@mutant("12.1")
class PredictReturnsTheFirstStates(_Predicted):
    """Prediction in batches returns for its last, partial batch the final state of the first sequence."""

    def returned(self, outputs: Array, final: State) -> Output:
        if self.predicts:
            final = each_state(lambda h: np.concatenate([h[:-1], h[:1]]), final)
        return super().returned(outputs, final)


@mutant("8.4")
class PredictOfTwoBatches(_Predicted):
    """Prediction of a larger batch than the first continues each batch's states where the one before it ended."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.sizes: set[int] = set()

    def read_state(self, state: State | None) -> State | None:
        read = super().read_state(state)
        if self.predicts and read is not None:
            self.sizes.add(len(read[0][0][0]))
            if len(read[0][0][0]) > min(self.sizes):
                return each_state(lambda h: np.concatenate([h[:-1], h[-2:-1]]), read)
        return read
