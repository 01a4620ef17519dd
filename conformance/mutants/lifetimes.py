"""Mutants of which something lives too long: memory, weights or states that calls or models share."""

from __future__ import annotations

import time
from typing import Any, ClassVar

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import Sound, mutant
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import State, state_arrays
from rnn_conformance.reference.model.weights import Array, Weights


@mutant("6.4")
class WeightsHandedOut(Sound):
    """Weights that are read back are the arrays that the model uses."""

    def weights(self) -> Weights:
        return self._loaded


@mutant("8.5")
class OneBufferForAllGradients(Sound):
    """All gradients of the inputs of a model are returned in the same array, with new contents."""

    buffer: Array | None = None

    def differentiate(self, inputs: Inputs, cotangent: Output, start: State | None, mask: Mask | None) -> Gradients:
        found = super().differentiate(inputs, cotangent, start, mask)
        if found.inputs is None:
            return found
        if self.buffer is None or self.buffer.shape != found.inputs.shape:
            self.buffer = np.empty_like(found.inputs)
        self.buffer[...] = found.inputs
        return Gradients(found.weights, self.buffer, found.initial_state)


@mutant("8.5")
class OutputsOverwrittenByGradients(Sound):
    """A gradient is computed in the memory of the outputs that the call before returned."""

    handed: Array | None = None

    def returned(self, outputs: Array, final: State) -> Output:
        output = super().returned(outputs, final)
        self.handed = output.outputs
        return output

    def differentiate(self, inputs: Inputs, cotangent: Output, start: State | None, mask: Mask | None) -> Gradients:
        before, self.handed = self.handed, None
        found = super().differentiate(inputs, cotangent, start, mask)
        if before is not None and before.shape == cotangent.outputs.shape:
            before[...] = cotangent.outputs
        return found


@mutant("8.5")
class OneBufferForWeights(Sound):
    """Weights are read back into the same arrays each time."""

    read_back: Weights | None = None

    def weights(self) -> Weights:
        fresh = super().weights()
        if self.read_back is None:
            self.read_back = fresh
        for (_, array), (_, new) in zip(self.read_back.arrays(), fresh.arrays(), strict=True):
            array[...] = new
        return self.read_back


@mutant("8.5")
class OutputsOverwrittenByAnotherModel(Sound):
    """A model writes its outputs over those that another one of the same shape returned before."""

    handed: ClassVar[dict[tuple[int, ...], tuple[int, Array]]] = {}

    def run(self, inputs: Inputs, **given: Any) -> Output:
        output = super().run(inputs, **given)
        owner, before = self.handed.get(output.outputs.shape, (id(self), output.outputs))
        if owner != id(self) and before.dtype == output.outputs.dtype:
            before[...] = output.outputs
        self.handed[output.outputs.shape] = id(self), output.outputs
        return output


@mutant("8.6")
class WeightsSharedByModels(Sound):
    """Models of the same shape have the weights in common that were loaded last into one of them."""

    shared: ClassVar[dict[Any, Weights]] = {}

    def load(self, weights: Weights) -> None:
        super().load(weights)
        self.shared[self.architecture] = self._loaded

    def used(self) -> Weights:
        self._weights = self.shared[self.architecture]
        return super().used()


@mutant("8.6")
class MemorySharedByThreads(Sound):
    """Models of the same shape read their inputs from the same memory, also while the other is at work."""

    scratch: ClassVar[dict[tuple[int, ...], Any]] = {}

    def read(self, inputs: Inputs) -> Any:
        self.scratch[inputs.shape] = super().read(inputs)
        time.sleep(1e-4)
        return self.scratch[inputs.shape]


class _AfterRefusal(Sound):
    """Does something else at the call after one that was refused."""

    def mask_of_call(self, inputs: Inputs, initial_state: State | None, *given: Any) -> Mask | None:
        try:
            return super().mask_of_call(inputs, initial_state, *given)
        except ValueError:
            self.remember(inputs, initial_state)
            raise

    def remember(self, inputs: Inputs, state: State | None) -> None:
        raise NotImplementedError


@mutant("8.7")
class RefusedInputsCounted(_AfterRefusal):
    """After inputs that were refused, the next call returns zeros."""

    left = False

    def remember(self, inputs: Inputs, state: State | None) -> None:
        self.left = True

    def returned(self, outputs: Array, final: State) -> Output:
        scale = outputs.dtype.type(0 if self.left else 1)
        self.left = False
        return super().returned(outputs * scale, final)


@mutant("8.7")
class RefusedStateKept(_AfterRefusal):
    """The sum of an initial state that was refused is added to the outputs of the next call."""

    left = 0.0

    def remember(self, inputs: Inputs, state: State | None) -> None:
        self.left = sum(float(np.abs(h).sum()) for _, h in state_arrays("state", state))

    def returned(self, outputs: Array, final: State) -> Output:
        added, self.left = outputs.dtype.type(self.left), 0.0
        return super().returned(outputs + added, final)
