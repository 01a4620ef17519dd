"""One model on the reference: what it refuses, what it keeps between calls, and how it is trained."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.adapters.numpy.dropout import run_with_dropout
from rnn_conformance.adapters.protocol import Inputs, Lengths
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.layers.gradients import gradients, second_gradient
from rnn_conformance.reference.layers.masking import mask_of_lengths
from rnn_conformance.reference.model.architecture import Architecture, Choices
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import State, StateShapes, each_state, state_shapes
from rnn_conformance.reference.model.weights import Array, Weights, in_float64, weight_shapes


class NumpyNetwork:
    """A model that keeps copies of its weights; a stateful one keeps its state from call to call.

    Raises ValueError for inputs, states, weights, lengths and masks that do not fit (chapter 14).
    """

    def __init__(self, architecture: Architecture, choices: Choices) -> None:
        self.refuse_rates(architecture)
        self.architecture = architecture
        self.choices = choices
        self.dtype = dtype_of(architecture.dtype)
        # NumPy has no products of bfloat16: they are float32, and what a call returns is rounded.
        self.computing = np.dtype(np.float32) if architecture.dtype == "bfloat16" else self.dtype
        self.state: State | None = None
        self._weights: Weights | None = None

    def refuse_rates(self, architecture: Architecture) -> None:
        """Raise ValueError for a rate of dropout that is no probability less than one."""
        for layer in architecture.layers:
            for name, rate in (("dropout", layer.dropout), ("recurrent_dropout", layer.recurrent_dropout)):
                if not 0 <= rate < 1:
                    raise ValueError(f"{name} should be a rate from 0 to less than 1, but is {rate:g}")

    def load(self, weights: Weights) -> None:
        wanted, given = weight_shapes(self.architecture), {name: array.shape for name, array in weights.arrays()}
        if given != wanted:
            raise ValueError(f"the weights have the shapes {given}, but should have {wanted}")
        self._weights = weights.map(_copy)

    def weights(self) -> Weights:
        return self._loaded.map(_copy)

    @ignoring_flags  # NaN and infinities are results like others
    def run(
        self,
        inputs: Inputs,
        *,
        initial_state: State | None = None,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
    ) -> Output:
        mask = self.mask_of_call(inputs, initial_state, lengths, mask)
        start = self.state if initial_state is None else initial_state
        output = self.compute(inputs, start, mask)
        if self.architecture.stateful:
            self.state = output.final_state
        return output if self.architecture.return_state else replace(output, final_state=None)

    def compute(self, inputs: Inputs, start: State | None, mask: Mask | None) -> Output:
        """The outputs and, always, the final states of one call."""
        returning_state = replace(self.architecture, return_state=True)
        output = network.run(
            returning_state, self.used(), self.read(inputs), self.read_state(start), mask=mask, choices=self.choices
        )
        return Output(self.rounded(output.outputs), each_state(self.rounded, output.final_state))

    def parameter_count(self) -> int:
        return sum(array.size for _, array in self._loaded.arrays())

    def symbolic_shape(self) -> tuple[int | None, ...]:
        return network.output_shape(self.architecture, self.architecture.batch, self.architecture.timesteps)

    def symbolic_state_shapes(self) -> StateShapes:
        return state_shapes(self.architecture, (self.architecture.batch,) if self.architecture.batched else ())

    @ignoring_flags
    def gradients(
        self,
        inputs: Inputs,
        cotangent: Output,
        *,
        initial_state: State | None = None,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
    ) -> Gradients:
        mask = self.mask_of_call(inputs, initial_state, lengths, mask)
        return self.differentiate(inputs, cotangent, initial_state, mask)

    def differentiate(self, inputs: Inputs, cotangent: Output, start: State | None, mask: Mask | None) -> Gradients:
        """The gradients, each in the dtype of what it is the gradient of."""
        found = gradients(
            self.architecture,
            self.used(),
            self.read(inputs),
            Output(self.read(cotangent.outputs), self.read_state(cotangent.final_state)),
            self.read_state(start),
            mask=mask,
            choices=self.choices,
        )
        return Gradients(
            self._loaded.map(lambda kept, g: g.astype(kept.dtype), found.weights),
            None if found.inputs is None else self.rounded(found.inputs),
            each_state(self.rounded, found.initial_state),
        )

    @ignoring_flags
    def second_gradient(self, inputs: Inputs, cotangent: Output) -> Array:
        wide = Output(np.asarray(cotangent.outputs, np.float64))
        weights = in_float64(self.used())
        return self.rounded(second_gradient(self.architecture, weights, np.asarray(inputs, np.float64), wide))

    def reset(self) -> None:
        self.state = None

    @ignoring_flags
    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        error = self.run(inputs).outputs - targets
        cotangent = Output((2 * error / error.size).astype(self.dtype))
        slope = self.gradients(inputs, cotangent).weights
        self._weights = self._loaded.map(lambda old, g: (old - rate * g).astype(old.dtype), slope)

    @ignoring_flags
    def run_training(self, inputs: Inputs, seed: int) -> Output:
        mask = self.mask_of_call(inputs, None, None, None)
        output = run_with_dropout(self.architecture, self.used(), self.read(inputs), mask, self.choices, seed)
        final = each_state(self.rounded, output.final_state) if self.architecture.return_state else None
        return Output(self.rounded(output.outputs), final)

    # What a call is given, and in which dtype it computes

    def mask_of_call(
        self, inputs: Inputs, initial_state: State | None, lengths: Lengths | None, mask: Mask | None
    ) -> Mask | None:
        """The mask of a call, after everything that does not fit was refused."""
        _refuse_inputs(self.architecture, inputs)
        _refuse_state(self.architecture, inputs, initial_state)
        timesteps = inputs.shape[1] if self.architecture.batched else inputs.shape[0]
        if lengths is not None:
            given, wanted = np.asarray(lengths), inputs.shape[: self.architecture.batched]
            if given.shape != wanted:
                raise ValueError(f"lengths has the shape {given.shape}, but should have {wanted}")
            if (given < 0).any() or (given > timesteps).any():
                raise ValueError(f"the lengths should lie between 0 and {timesteps}, but are {given.tolist()}")
            of_lengths = mask_of_lengths(np.atleast_1d(given), timesteps)
            mask = of_lengths if self.architecture.batched else of_lengths[0]
        steps = inputs.shape[:2] if self.architecture.batched else inputs.shape[:1]
        if mask is not None and mask.shape != steps:
            raise ValueError(f"the mask has the shape {mask.shape}, but should have {steps}")
        return mask

    @property
    def _loaded(self) -> Weights:
        if self._weights is None:
            raise RuntimeError("no weights are loaded")
        return self._weights

    def used(self) -> Weights:
        """The weights as products take them: rounded to the dtype of the layer, whatever they are kept in."""
        return self._loaded.map(lambda array: array.astype(self.dtype).astype(self.computing))

    def read(self, inputs: Inputs) -> Any:
        """The inputs as products take them; tokens stay as they are."""
        # In one layout, since NumPy adds up in another order where a row is not contiguous.
        return inputs if inputs.dtype.kind in "iu" else np.array(inputs, self.computing, order="C")

    def read_state(self, state: State | None) -> State | None:
        return each_state(lambda h: np.array(h, self.computing, order="C"), state)

    def rounded(self, array: Array) -> Array:
        """What a call returns is in the dtype of the layer."""
        return array.astype(self.dtype, copy=False)


class ReloadedNetwork(NumpyNetwork):
    """Saves its weights each time they are loaded, and runs with what the file has."""

    def load(self, weights: Weights) -> None:
        super().load(weights)
        file = io.BytesIO()
        np.savez(file, *(array for _, array in self._loaded.arrays()))
        file.seek(0)
        with np.load(file, allow_pickle=False) as saved:
            # NumPy writes bfloat16 as two bytes without a meaning.
            arrays = iter([saved[name] for name in saved.files])
            self._weights = self._loaded.map(lambda array: next(arrays).view(array.dtype))


def _copy(array: Array) -> Array:
    return np.array(array, order="C")


def _refuse_inputs(architecture: Architecture, inputs: Inputs) -> None:
    axes = 1 + architecture.batched + (architecture.embedding is None)
    features = architecture.layers[0].features
    if inputs.ndim != axes or (architecture.embedding is None and inputs.shape[-1] != features):
        raise ValueError(f"inputs of shape {inputs.shape} for {axes} axes and {features} features")
    table = architecture.embedding
    if table is not None and inputs.size and not 0 <= inputs.min() <= inputs.max() < table.tokens:
        raise ValueError(f"the tokens should lie between 0 and {table.tokens - 1}: {inputs.min()} to {inputs.max()}")
    if architecture.batch is not None and len(inputs) != architecture.batch:
        raise ValueError(f"inputs of shape {inputs.shape} for a batch of {architecture.batch}")


def _refuse_state(architecture: Architecture, inputs: Inputs, state: State | None) -> None:
    if state is None:
        return
    batch = inputs.shape[:1] if architecture.batched else ()
    wanted, given = state_shapes(architecture, batch), each_state(lambda h: h.shape, state)
    if given != wanted:
        raise ValueError(f"the initial state has the shapes {given}, but should have {wanted}")
