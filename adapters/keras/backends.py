"""How each of Keras' backends calls a Model and takes its gradient, if it can: with tf.function, autograd, jax.jit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from rnn_conformance.adapters.jax.arrays import x64
from rnn_conformance.adapters.jax.room import make_room
from rnn_conformance.adapters.keras.arrays import Function, Model, Tensor, as_list, one_or_list
from rnn_conformance.adapters.keras.models import Given
from rnn_conformance.adapters.keras.network import KerasNetwork, floating
from rnn_conformance.adapters.keras.ways import COMPILED, LEGACY, UNROLLED, XLA
from rnn_conformance.adapters.protocol import Inputs, Unsupported
from rnn_conformance.adapters.support import writeable
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array


class TensorFlowNetwork(KerasNetwork):
    """tf.function with the Model's own signature: one graph for every batch and every number of timesteps."""

    backend = "tensorflow"

    def _called(self, model: Model, training: bool) -> Function:
        call = super()._called(model, training)
        if self._mode not in COMPILED:
            return call
        import tensorflow as tf

        compiled: Function = tf.function(
            call, input_signature=_signature(model.inputs), jit_compile=self._mode in XLA or None
        )
        return compiled

    def _differentiated(self, model: Model) -> Function:
        import tensorflow as tf

        # One of the ways has the tape outside of what is compiled.
        call: Function = lambda *given: model(one_or_list(given))  # noqa: E731
        if self._mode == "xla-unrolled":
            call = self._called(model, False)

        def gradient(inputs: list[Tensor], cotangents: list[Tensor]) -> list[Tensor]:
            tensors = [tf.convert_to_tensor(array) for array in inputs]
            sources = self._variables(model) + [tensors[k] for k in floating(model)]
            with tf.GradientTape() as tape:
                tape.watch(sources)
                results = as_list(call(*tensors))
            # The gradient of a table comes as tf.IndexedSlices.
            found = tape.gradient(results, sources, output_gradients=[tf.convert_to_tensor(c) for c in cotangents])
            return [tf.convert_to_tensor(g) for g in found]

        if self._mode not in COMPILED or self._mode == "xla-unrolled":
            return gradient
        compiled: Function = tf.function(
            gradient,
            input_signature=[_signature(model.inputs), _signature(model.outputs)],
            jit_compile=self._mode in XLA or None,
        )
        return compiled

    def _variables(self, model: Model) -> list[Any]:
        """What of TensorFlow's a tape watches."""
        return [variable.value for variable in model.trainable_variables]

    def _differentiated_twice(self, model: Model, inputs: Tensor, cotangent: Tensor) -> Tensor:
        import tensorflow as tf

        x = tf.convert_to_tensor(inputs)
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                outputs = model(x)
            first = inner.gradient(outputs, x, output_gradients=tf.convert_to_tensor(cotangent))
            half_squared_norm = tf.reduce_sum(first * first) / 2
        return outer.gradient(half_squared_norm, x)


def _signature(tensors: list[Tensor]) -> list[Any]:
    import tensorflow as tf

    return [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in tensors]


class LegacyNetwork(TensorFlowNetwork):
    """Keras 2, whose variables and seeds are TensorFlow's own."""

    backend = LEGACY

    def reset(self) -> None:
        for layer in self._recurrent_layers(self._plain):
            layer.reset_states()

    def _array(self, array: Any) -> Any:
        import tensorflow as tf

        # A layer that is called by itself takes no array for a state: it asks which tensor of a model that is.
        return tf.convert_to_tensor(array) if self._mode == "layers" else array

    def _seed_anew(self, given: Given) -> None:
        """It is set_random_seed that does so; what a graph was traced with, it keeps."""
        self._functions.pop(("training", given), None)

    def _variables(self, model: Model) -> list[Any]:
        return list(model.trainable_variables)

    def _read(self, tensors: Iterable[Tensor]) -> list[Array]:
        return [np.asarray(tensor) for tensor in tensors]


class TorchNetwork(KerasNetwork):
    """Called as it is, without gradients where none are asked for."""

    backend = "torch"

    def _differentiated(self, model: Model) -> Function:
        import torch

        def gradient(inputs: list[Tensor], cotangents: list[Tensor]) -> Any:
            tensors = [self._keras.ops.convert_to_tensor(array) for array in inputs]
            floats = [tensors[k].requires_grad_() for k in floating(model)]
            sources = [variable.value for variable in model.trainable_variables] + floats
            with torch.enable_grad():
                results = as_list(model(one_or_list(tensors)))
            return torch.autograd.grad(results, sources, [self._keras.ops.convert_to_tensor(c) for c in cotangents])

        return gradient

    def _differentiated_twice(self, model: Model, inputs: Tensor, cotangent: Tensor) -> Tensor:
        import torch

        x = self._keras.ops.convert_to_tensor(inputs).requires_grad_()
        with torch.enable_grad():
            cotangents = self._keras.ops.convert_to_tensor(cotangent)
            (first,) = torch.autograd.grad(model(x), x, cotangents, create_graph=True)
            (second,) = torch.autograd.grad(first.square().sum() / 2, x)
        return second

    def _context(self, *, learning: bool = False) -> AbstractContextManager[Any]:
        import torch

        context: AbstractContextManager[Any] = torch.set_grad_enabled(learning)
        return context

    def _array(self, array: Any) -> Any:
        return writeable(array)


class JaxNetwork(KerasNetwork):
    """jax.jit of Model.stateless_call, which takes the variables and returns those that a call changes."""

    backend = "jax"

    def __init__(self, architecture: Architecture) -> None:
        make_room()
        super().__init__(architecture)

    def _called(self, model: Model, training: bool) -> Function:
        import jax

        if self._mode == "closed-over":
            closed: Function = jax.jit(super()._called(model, training))
            return closed
        if self._mode not in COMPILED:
            return super()._called(model, training)

        def call(trainable: Any, others: Any, inputs: Any) -> Any:
            return model.stateless_call(trainable, others, one_or_list(inputs), training=training)

        compiled: Function = jax.jit(call)
        trainable, others = model.trainable_variables, model.non_trainable_variables
        changes = self._architecture.stateful or training

        def run(*inputs: Tensor) -> Any:
            results, changed = compiled([v.value for v in trainable], [v.value for v in others], inputs)
            if changes:
                for variable, value in zip(others, changed, strict=True):
                    variable.assign(value)
            return results

        return run

    def _differentiated(self, model: Model) -> Function:
        import jax

        floats = floating(model)

        def gradient(trainable: Any, others: Any, inputs: Any, cotangents: Any) -> Any:
            def call(trainable: Any, sources: Any) -> Any:
                given = list(inputs)
                for k, source in zip(floats, sources, strict=True):
                    given[k] = source
                results, _ = model.stateless_call(trainable, others, one_or_list(given))
                return as_list(results)

            _, pull = jax.vjp(call, trainable, [inputs[k] for k in floats])
            of_weights, of_inputs = pull(cotangents)
            return [*of_weights, *of_inputs]

        function: Function = jax.jit(gradient) if self._mode in COMPILED else gradient
        trainable, others = model.trainable_variables, model.non_trainable_variables
        return lambda inputs, cotangents: function(
            [v.value for v in trainable], [v.value for v in others], inputs, cotangents
        )

    def _differentiated_twice(self, model: Model, inputs: Tensor, cotangent: Tensor) -> Tensor:
        import jax

        trainable, others = (
            [v.value for v in kept] for kept in (model.trainable_variables, model.non_trainable_variables)
        )

        def half_squared_norm(numbers: Tensor) -> Tensor:
            _, pull = jax.vjp(lambda x: model.stateless_call(trainable, others, x)[0], numbers)
            (first,) = pull(cotangent)
            return (first * first).sum() / 2

        return jax.grad(half_squared_norm)(inputs)

    def _context(self, *, learning: bool = False) -> AbstractContextManager[Any]:
        return x64(self._architecture.dtype)


class NumpyNetwork(KerasNetwork):
    """Called as it is: NumPy has neither a compiler nor gradients."""

    backend = "numpy"


LONGEST_WRITTEN_OUT = 32
"""The most timesteps that are given to layers of which OpenVINO is given every step by itself."""

_WRITTEN_OUT = (
    "on OpenVINO, Keras writes out every timestep of a layer that is no LSTM or GRU as they are by default, or has a "
    f"mask: a call of 64 takes ten seconds, and more than {LONGEST_WRITTEN_OUT} are not tried"
)


class OpenVinoNetwork(KerasNetwork):
    """Called as it is, which makes a graph of constants: it is computed when it is converted to NumPy."""

    backend = "openvino"

    def run(self, inputs: Inputs, *, initial_state: State | None = None, mask: Mask | None = None) -> Output:
        if inputs.shape[1] > LONGEST_WRITTEN_OUT and is_written_out(self._architecture, masked=mask is not None):
            raise Unsupported(_WRITTEN_OUT)
        return super().run(inputs, initial_state=initial_state, mask=mask)


def is_written_out(architecture: Architecture, *, masked: bool) -> bool:
    """Whether OpenVINO is given timesteps one by one, and no operator, as keras/src/backend/openvino/rnn.py decides it.

    `masked` says whether a call is given a mask.
    """
    table = architecture.embedding
    if masked or (table is not None and table.mask_zero) or architecture.mode in UNROLLED:
        return True
    return not all(map(_is_operator, architecture.layers))


def _is_operator(layer: Layer) -> bool:
    """Whether there is an operator for it. With recurrent dropout, a layer of Keras asks for none."""
    cell = layer.cell
    if layer.recurrent_dropout or not layer.use_bias or not isinstance(cell, Lstm | Gru):
        return False
    default = (cell.activation, cell.recurrent_activation) == ("tanh", "sigmoid")
    return default and (isinstance(cell, Lstm) or cell.reset == "after")


_BACKENDS = (TensorFlowNetwork, LegacyNetwork, TorchNetwork, JaxNetwork, NumpyNetwork, OpenVinoNetwork)

NETWORKS: Mapping[str, type[KerasNetwork]] = {network.backend: network for network in _BACKENDS}
"""The network of each backend, by its name."""
