"""More faults that the catalogue does not know (unseen_faults.py): of gradients, of calls and of what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from unseen_faults import fault

from rnn_conformance.adapters.protocol import Inputs, Lengths
from rnn_conformance.conformance.mutants.base import Sound
from rnn_conformance.reference.layers.gradients import Backpropagated, Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array, Weights


class OfBack(Sound):
    """What comes back through a direction, changed; the other faults of gradients are made of it."""

    def back(self, layer: Layer, one: Pass, d_h: Array, d_h_0: Array | None) -> Backpropagated:
        return self.changed(one, super().back(layer, one, d_h, d_h_0))

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        return found


@fault("11.1", "11.3")
class BiasGradientIsAMean(OfBack):
    """The gradient of the bias is the mean over the batch, not the sum."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        return replace(found, b=None if found.b is None else found.b / len(one.h))


@fault("11.1")
class KernelGradientOneAhead(OfBack):
    """The gradient of W pairs each timestep with the next input."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        ahead = np.concatenate([one.inputs[:, 1:], one.inputs[:, -1:]], axis=1)
        return replace(found, W=np.einsum("btu,btf->uf", found.z, ahead))


@fault("11.1")
class GradientsClipped(Sound):
    """Gradients of weights are clipped to [-1, 1]."""

    def differentiate(self, inputs: Inputs, cotangent: Output, start: State | None, mask: Mask | None) -> Gradients:
        found = super().differentiate(inputs, cotangent, start, mask)
        return replace(found, weights=found.weights.map(lambda g: np.clip(g, -1, 1).astype(g.dtype)))


@fault("11.3")
class InitialStateGradientTooEarly(OfBack):
    """The gradient of the initial state lacks the factor U^T."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        return replace(found, initial=found.z[:, 0].copy())


@fault("11.2", "11.1")
class InputGradientIsAMean(OfBack):
    """The gradient of the inputs is divided by the number of timesteps."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        return replace(found, inputs=found.inputs / found.inputs.dtype.type(one.h.shape[1]))


@fault("11.1")
class KernelGradientSymmetric(OfBack):
    """The gradient of U is made symmetric."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        return replace(found, U=(found.U + found.U.T) / 2)


@fault("11.1", "8.4", "8.1")
class GradientsAddUp(Sound):
    """Gradients of weights are added to those of earlier calls."""

    earlier: Weights | None = None

    def differentiate(self, inputs: Inputs, cotangent: Output, start: State | None, mask: Mask | None) -> Gradients:
        found = super().differentiate(inputs, cotangent, start, mask)
        if self.earlier is not None:
            found = replace(found, weights=found.weights.map(np.add, self.earlier))
        self.earlier = found.weights
        return found


@fault("11.1")
class FirstRowTrains(OfBack):
    """The gradient of U comes from the first sequence of the batch alone."""

    def changed(self, one: Pass, found: Backpropagated) -> Backpropagated:
        return replace(found, U=np.einsum("tu,tv->uv", found.z[0], one.h_before[0]))


@fault("11.4", "11.1")
class TokensTrainOnce(Sound):
    """A token that occurs more than once has the gradient of its last place."""

    def back_to_table(self, tokens: Inputs, d_rows: Array) -> Array:
        assert self._loaded.embedding is not None
        table = np.zeros(self._loaded.embedding.shape, self.computing)
        table[tokens.reshape(d_rows.shape[:2]).astype(np.intp)] = d_rows
        return table


# Calls


@fault("8.1", "8.4", "1.1")
class EveryTenthCallRepeats(Sound):
    """Every tenth call returns what the call before returned, if that had its shape."""

    count = 0
    before: Output | None = None

    def compute(self, inputs: Inputs, start: State | None, mask: Mask | None) -> Output:
        output = super().compute(inputs, start, mask)
        self.count += 1
        if self.count % 10 == 0 and self.before is not None and self.before.outputs.shape == output.outputs.shape:
            return self.before
        self.before = output
        return output


@fault("8.2")
class InputsAreRounded(Sound):
    """The caller's inputs come out of a call in float16's rounding."""

    def run(
        self,
        inputs: Inputs,
        *,
        initial_state: State | None = None,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
    ) -> Output:
        output = super().run(inputs, initial_state=initial_state, lengths=lengths, mask=mask)
        if inputs.dtype.kind == "f" and inputs.flags.writeable:
            with np.errstate(over="ignore"):
                inputs[...] = inputs.astype(np.float16)
        return output


@fault("6.1")
class ReadBackInHalf(Sound):
    """Weights are read back through float16."""

    def weights(self) -> Weights:
        return super().weights().map(lambda array: array.astype(np.float16).astype(array.dtype))


@fault("6.2")
class SecondLoadKeepsTheBias(Sound):
    """A second load replaces all but the biases."""

    def load(self, weights: Weights) -> None:
        before = self._weights
        super().load(weights)
        if before is not None:
            self._weights = self._loaded.map(lambda new, old: old if new.ndim == 1 else new, before)


@fault("8.3", "8.5")
class OneBufferForStates(Sound):
    """The final state of the last call lies where those of all earlier calls lay."""

    buffer: Array | None = None

    def returned(self, outputs: Array, final: State) -> Output:
        given = super().returned(outputs, final)
        h = given.final_state[0][0][0]  # type: ignore[index]
        if self.buffer is None or self.buffer.shape != h.shape:
            self.buffer = np.empty_like(h)
        self.buffer[...] = h
        first, *others = given.final_state  # type: ignore[misc]
        return Output(given.outputs, (((self.buffer,), *first[1:]), *others))


# What is refused


@fault("14.1")
class FeaturesRepeated(Sound):
    """Where an input has half as many features as it should, they are repeated."""

    def run(
        self,
        inputs: Inputs,
        *,
        initial_state: State | None = None,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
    ) -> Output:
        features = self.architecture.layers[0].features
        if self.architecture.embedding is None and inputs.shape[-1] != features:
            inputs = np.resize(inputs, (*inputs.shape[:-1], features))
        return super().run(inputs, initial_state=initial_state, lengths=lengths, mask=mask)


@fault("14.2")
class StateOfTheFirstRowForAll(Sound):
    """A state of one sequence is taken for every sequence of the batch."""

    def run(
        self,
        inputs: Inputs,
        *,
        initial_state: State | None = None,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
    ) -> Output:
        if initial_state is not None and self.architecture.batched:
            initial_state = tuple(
                tuple(tuple(np.resize(h, (len(inputs), h.shape[-1])) for h in parts) for parts in layer)
                for layer in initial_state
            )
        return super().run(inputs, initial_state=initial_state, lengths=lengths, mask=mask)


@fault("2.6", "2.7", "2.14")
class SymbolicBatchIsOne(Sound):
    """The symbolic output shape says one sequence, whatever the batch."""

    def symbolic_shape(self) -> tuple[int | None, ...]:
        return (1, *super().symbolic_shape()[1:])


@fault("6.3")
class CountsNoBias(Sound):
    """The count of parameters leaves out the biases."""

    def parameter_count(self) -> int:
        return sum(array.size for _, array in self._loaded.arrays() if array.ndim > 1)
