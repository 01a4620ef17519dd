"""A network of Keras layers: loading, running, gradients and training, whichever backend Keras runs on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.adapters.keras.arrays import Function, Model, RecurrentLayer, Tensor, as_list, one_or_list
from rnn_conformance.adapters.keras.layers import (
    arrays_of,
    cells_of,
    keras_on,
    make_behind,
    make_front,
    make_layers,
    states_of,
    weights_of,
)
from rnn_conformance.adapters.keras.models import Given, apply, connect, reloaded
from rnn_conformance.adapters.keras.plain import filled
from rnn_conformance.adapters.keras.ways import MASKED_BY, UNROLLED
from rnn_conformance.adapters.protocol import Inputs, Unsupported
from rnn_conformance.adapters.room import Recent
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import State, StateShapes, flat
from rnn_conformance.reference.model.weights import Array, Weights

_RECENT = Recent(64)
"""A graph of TensorFlow takes some megabytes, and a check that crosses features has hundreds of networks."""


class KerasNetwork:
    """Layers, and Models of them for the different kinds of calls; the mode says what else happens to these (WAYS).

    A subclass says how its backend calls a Model and differentiates it, and in which context.
    """

    backend: str

    def __init__(self, architecture: Architecture) -> None:
        self._architecture = architecture
        self._mode = architecture.mode
        self._keras = keras_on(self.backend)
        self._built: dict[Given, Model] = {}
        self._used: dict[Given, Model] = {}
        self._trainers: dict[Given, Any] = {}
        self._functions: dict[tuple[str, Given], Function] = {}
        # Variables are there as soon as a first Model is; one timestep will do where their number is not yet known.
        timesteps = architecture.timesteps or (1 if self._mode in UNROLLED else None)
        self._plain = Given(timesteps, False, False)
        with self._context():
            self._front = make_front(self._keras, architecture)
            self._layers = make_layers(self._keras, architecture)
            self._behind = make_behind(self._keras, architecture)
            self._built[self._plain] = self._connect(self._plain)

    def release(self) -> None:
        """Drop what was compiled; not where layers keep a state, which may be that of a Model that came from a file."""
        if self._architecture.stateful:
            return
        self._functions.clear()
        self._trainers.clear()
        for model in self._used.values():
            model.predict_function = None

    def load(self, weights: Weights) -> None:
        _RECENT.use(self)
        if self._mode in ("reloaded", "closed-over"):
            for kept in (self._used, self._trainers, self._functions):
                kept.clear()
        with self._context():
            for variable, array in zip(self._built[self._plain].trainable_variables, arrays_of(weights), strict=True):
                variable.assign(self._array(array))

    def weights(self) -> Weights:
        with self._context():
            variables = self._model(self._plain).trainable_variables
        # Copies, because on PyTorch the next `load` writes into the same memory.
        return weights_of(self._architecture, iter([np.array(array) for array in self._read(variables)]))

    def run(self, inputs: Inputs, *, initial_state: State | None = None, mask: Mask | None = None) -> Output:
        given, arrays = self._arguments(inputs, initial_state, mask)
        return self._output("call", given, arrays)

    def run_training(self, inputs: Inputs, seed: int) -> Output:
        """As if every layer had been made just after keras.utils.set_random_seed(seed)."""
        if self._mode == "predict":
            raise Unsupported("Model.predict does not call in training mode")
        if self._mode == "closed-over":
            raise Unsupported("what jax.jit traces cannot change the random numbers of a layer that it closes over")
        given, arrays = self._arguments(inputs)
        with self._context():
            self._keras.utils.set_random_seed(seed)
            self._seed_anew(given)
        return self._output("training", given, arrays)

    def reset(self) -> None:
        with self._context():
            for layer in self._recurrent_layers(self._plain):
                layer.reset_state()

    def gradients(
        self, inputs: Inputs, cotangent: Output, *, initial_state: State | None = None, mask: Mask | None = None
    ) -> Gradients:
        if self._mode == "closed-over":
            raise Unsupported("to a function that closes over a Model, its weights are constants")
        if self._mode in ("predict", "layers"):
            raise Unsupported(
                f"gradients are those of a Model that is called, and there is none in the way {self._mode!r}"
            )
        given, arrays = self._arguments(inputs, initial_state, mask)
        cotangents = [cotangent.outputs, *flat(cotangent.final_state)]
        with self._context():
            tensors = self._function("gradient", given)(arrays, [self._array(array) for array in cotangents])
        found = iter(self._read(tensors))
        weights = weights_of(self._architecture, found)
        of_inputs = None if self._architecture.embedding else next(found)
        return Gradients(weights, of_inputs, states_of(self._architecture, found) if given.state else None)

    def second_gradient(self, inputs: Inputs, cotangent: Output) -> Array:
        given, (array,) = self._arguments(inputs)
        with self._context():
            second = self._differentiated_twice(self._model(given), array, self._array(cotangent.outputs))
        return self._read([second])[0]

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        """Model.compile with SGD and "mse", and one step of Model.fit."""
        given, (array,) = self._arguments(inputs)
        with self._context(learning=True):
            if given not in self._trainers:
                model = self._model(given)
                # One output: no loss is asked of final states.
                trainer = self._keras.Model(one_or_list(model.inputs), model.outputs[0])
                sgd = self._keras.optimizers.SGD(rate)
                trainer.compile(optimizer=sgd, loss="mse", run_eagerly=self._mode == "eager")
                self._trainers[given] = trainer
            trainer = self._trainers[given]
            trainer.optimizer.learning_rate = rate
            trainer.fit(array, self._array(targets), batch_size=len(array), shuffle=False, verbose=0)

    def parameter_count(self) -> int:
        return int(self._built[self._plain].count_params())

    def symbolic_shape(self) -> tuple[int | None, ...]:
        return tuple(self._built[self._plain].outputs[0].shape)

    def symbolic_state_shapes(self) -> StateShapes:
        shapes = [tuple(tensor.shape) for tensor in self._built[self._plain].outputs[1:]]
        return states_of(self._architecture, iter(shapes))

    # What is called

    def _connect(self, given: Given) -> Model:
        return connect(self._keras, self._architecture, self._front, self._layers, self._behind, given)

    def _model(self, given: Given) -> Model:
        """The Model for calls of this kind."""
        if given not in self._built:
            self._built[given] = self._connect(given)
        if given not in self._used:
            model = self._built[given]
            self._used[given] = reloaded(self._keras, model) if self._mode == "reloaded" else model
        return self._used[given]

    def _seed_anew(self, given: Given) -> None:
        """Give the layers that a call of this kind runs the seeds that they would have if they were made now."""
        for layer in self._recurrent_layers(given):
            for cell in cells_of(layer):
                cell.seed_generator.state.assign(self._keras.random.SeedGenerator().state.value)

    def _recurrent_layers(self, given: Given) -> Sequence[RecurrentLayer]:
        """Those that a call of this kind runs."""
        if self._mode != "reloaded":
            return self._layers
        return [self._model(given).get_layer(layer.name) for layer in self._layers]

    def _function(self, purpose: str, given: Given) -> Function:
        """The function of [inputs, mask, *states], or what of it is given, that does this; made once."""
        function = self._functions.get((purpose, given))
        if function is None:
            function = self._functions[purpose, given] = self._make_function(purpose, given)
        return function

    def _make_function(self, purpose: str, given: Given) -> Function:
        if purpose == "gradient":
            return self._differentiated(self._model(given))
        training = purpose == "training"
        if self._mode == "layers":
            return partial(self._call_layers, given, training)
        if self._mode == "predict":
            return partial(self._predict, self._model(given))
        return self._called(self._model(given), training)

    def _call_layers(self, given: Given, training: bool, *arrays: Tensor) -> list[Tensor]:
        return apply(
            self._keras, self._architecture, self._front, self._layers, self._behind, given, arrays, training=training
        )

    def _predict(self, model: Model, *arrays: Tensor) -> Any:
        batch = len(arrays[0])
        size = batch if self._architecture.stateful else max(batch - 1, 1)
        return model.predict(one_or_list(arrays), batch_size=size, verbose=0)

    # What differs between the backends

    def _called(self, model: Model, training: bool) -> Function:
        """The Model as a function of its inputs, compiled if the mode asks for it."""
        return lambda *inputs: model(one_or_list(inputs), training=training)

    def _differentiated(self, model: Model) -> Function:
        """From the inputs of a Model and cotangents of its outputs to gradients of its weights, inputs and states.

        Tokens and masks, which are no floats, have none.
        """
        raise NotImplementedError

    def _differentiated_twice(self, model: Model, inputs: Tensor, cotangent: Tensor) -> Tensor:
        """The gradient of half the squared norm of the gradient of the inputs."""
        raise NotImplementedError

    def _context(self, *, learning: bool = False) -> AbstractContextManager[Any]:
        return nullcontext()

    def _array(self, array: Any) -> Tensor:
        """What Keras is given for an array."""
        return array

    # From the words of the protocol to those of Keras, and back

    def _arguments(
        self, inputs: Inputs, initial_state: State | None = None, mask: Mask | None = None
    ) -> tuple[Given, list[Tensor]]:
        if mask is not None and self._mode == "masking-layer":
            inputs, mask = masked_by(inputs, mask), None
        arrays = [inputs]
        if mask is not None:
            arrays.append(mask)
        arrays += flat(initial_state)
        timesteps = inputs.shape[1] if self._mode in UNROLLED else None
        return Given(timesteps, initial_state is not None, mask is not None), [self._array(array) for array in arrays]

    def _output(self, purpose: str, given: Given, arrays: Sequence[Tensor]) -> Output:
        with self._context():
            outputs, *final = self._read(as_list(self._function(purpose, given)(*arrays)))
        if not self._architecture.return_state:
            return Output(outputs)
        return Output(outputs, states_of(self._architecture, iter(final)))

    def _read(self, tensors: Iterable[Tensor]) -> list[Array]:
        with self._context():
            return [self._keras.ops.convert_to_numpy(tensor) for tensor in tensors]


def masked_by(inputs: Inputs, mask: Mask) -> Inputs:
    """The inputs (batch, timesteps, features) as a Masking layer wants them, which reads from them what is padding.

    Raises ValueError where a valid timestep has only the number that stands for padding.
    """
    if (mask & (inputs == MASKED_BY).all(-1)).any():
        raise ValueError(f"a timestep whose every feature is {MASKED_BY} cannot be valid here")
    masked: Inputs = filled(inputs, mask, MASKED_BY)
    return masked


def floating(model: Model) -> list[int]:
    """Which of a Model's inputs are floats, and so have gradients."""
    return [k for k, tensor in enumerate(model.inputs) if "float" in str(tensor.dtype)]
