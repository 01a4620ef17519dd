"""Keras 3 on TensorFlow, PyTorch and JAX: keras.layers.SimpleRNN in a model of unknown batch and timesteps."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any

import numpy as np

from rnn_conformance.adapters import _jax
from rnn_conformance.adapters.protocol import Description, Inputs, Network
from rnn_conformance.adapters.support import refuse_unsupported, versions, writeable
from rnn_conformance.reference.architecture import Architecture, LayerWeights, Output, State, Weights
from rnn_conformance.reference.rounding import Precision, standard_precision


@dataclass(frozen=True)
class KerasAdapter:
    """Keras on one backend, which a process chooses once."""

    backend: str
    framework: str
    packages: tuple[str, ...]
    modes: tuple[str, ...]

    @property
    def requires(self) -> tuple[str, ...]:
        return ("keras", self.backend)

    def describe(self) -> Description:
        return _description(self)

    def prepare(self, architecture: Architecture) -> Network:
        refuse_unsupported(_description(self), architecture)
        return _NETWORKS[self.backend](architecture)


tensorflow = KerasAdapter(
    "tensorflow", "Keras on TensorFlow", ("keras", "tensorflow", "tensorflow-cpu"), ("compiled", "eager")
)
# There is no compiled mode: torch.compile breaks the graph at every timestep, where the loop of
# keras/src/backend/torch/rnn.py indexes with a tensor and so calls Tensor.item() (keras 3.15.1, torch 2.13.0).
torch = KerasAdapter("torch", "Keras on PyTorch", ("keras", "torch"), ("eager",))
jax = KerasAdapter("jax", "Keras on JAX", ("keras", "jax", "jaxlib"), ("compiled", "eager"))


@cache
def _description(adapter: KerasAdapter) -> Description:
    _keras(adapter.backend)
    return Description(
        framework=adapter.framework,
        versions=versions(*adapter.packages),
        modes=adapter.modes,
        device=_device(adapter.backend),
        precision=_precision(adapter.backend),
        unsupported={"single sequence": "keras.layers.SimpleRNN takes batches only"},
        conventions={
            "W": "layer.weights[0], (features, units), transposed",
            "U": "layer.weights[1], (units, units), transposed",
            "b": "layer.weights[2], (units,)",
            "embedding": "Embedding.weights[0], (tokens, features)",
            "time axis": "1",
            "state": "(batch, units)",
            "load": "variable.assign(array)",
            "read": "keras.ops.convert_to_numpy(variable.value)",
        },
    )


def _device(backend: str) -> str:
    """Where Keras puts a model if nobody says otherwise."""
    if backend == "tensorflow":
        import tensorflow as tf

        return "gpu" if tf.config.list_physical_devices("GPU") else "cpu"
    if backend == "torch":
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"
    import jax

    return str(jax.default_backend())


def _precision(backend: str) -> Mapping[str, Precision]:
    if backend == "jax":
        return _jax.PRECISION
    if backend == "torch":
        return {dtype: standard_precision(dtype) for dtype in ("float32", "float64")}
    # Measured on x86-64 with AVX-512, TensorFlow 2.21.0: its tanh is wrong by up to 6.2 ULP in float32 (at x = 6.534,
    # of every number between 1e-4 and 25), and by up to 11.1 ULP in float64 (at x = 14.24, in 2e9 numbers between 0 and
    # 25, most of them between 10 and 20, against np.tanh in np.longdouble). Its sigmoid is within 6.6 and 2.9 ULP.
    return {"float32": standard_precision("float32", tanh=8), "float64": standard_precision("float64", tanh=13)}


@cache
def _keras(backend: str) -> Any:
    """The keras module, on this backend. Raises RuntimeError where the process has it on another one already."""
    if "keras" not in sys.modules:
        os.environ["KERAS_BACKEND"] = backend
    if backend == "tensorflow":
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # it warns of one graph each for many models, taking them for one model
        with suppress(RuntimeError):  # TensorFlow is in use already, with threads of its user's choice
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
    if backend == "torch":
        import torch

        torch.set_num_threads(1)  # a thread pool costs small layers a factor of ten
    import keras

    if keras.config.backend() != backend:
        raise RuntimeError(
            f"Keras runs on {keras.config.backend()} in this process, and cannot be moved to {backend}: "
            "test each backend in a process of its own"
        )
    return keras


class _KerasNetwork:
    """All but what differs between the backends: how a model is called, and in which context."""

    backend: str

    def __init__(self, architecture: Architecture) -> None:
        self._architecture = architecture
        self._keras = _keras(self.backend)
        with self._context():
            self._layers = _layers(self._keras, architecture)
            self._model = self._build()
            self._call = self._callable(self._model)
        self._variables = [variable for layer in self._layers for variable in layer.weights]

    def load(self, weights: Weights) -> None:
        arrays = [] if weights.embedding is None else [weights.embedding]
        for layer in weights.layers:
            arrays += [layer.W.T, layer.U.T] + ([] if layer.b is None else [layer.b])
        with self._context():
            for variable, array in zip(self._variables, arrays, strict=True):
                variable.assign(self._given(array))

    def weights(self) -> Weights:
        # Copies, because on PyTorch the next `load` writes into the same memory.
        arrays = iter([np.array(self._keras.ops.convert_to_numpy(variable.value)) for variable in self._variables])
        table = next(arrays) if self._architecture.embedding else None
        layers = [
            LayerWeights(next(arrays).T, next(arrays).T, next(arrays) if layer.use_bias else None)
            for layer in self._architecture.layers
        ]
        return Weights(tuple(layers), table)

    def run(self, inputs: Inputs, *, initial_state: State | None = None) -> Output:
        with self._context():
            if initial_state is None:
                result = self._call(self._given(inputs))
            else:
                result = self._call_with_state(self._given(inputs), *(self._given(h) for (h,) in initial_state))
            arrays = [self._keras.ops.convert_to_numpy(tensor) for tensor in _as_list(result)]
        return Output(arrays[0], tuple((h,) for h in arrays[1:]) if self._architecture.return_state else None)

    def parameter_count(self) -> int:
        return int(self._model.count_params())

    def symbolic_shape(self) -> tuple[int | None, ...]:
        shape = self._model.output_shape
        return tuple(shape[0] if self._architecture.return_state else shape)

    @cached_property
    def _call_with_state(self) -> Callable[..., Any]:
        return self._callable(self._connect(from_state=True))

    def _build(self) -> Any:
        """What a user builds: a Sequential, or where states are asked for a Model."""
        if self._architecture.return_state:
            return self._connect(from_state=False)
        return self._keras.Sequential([self._input(), *self._layers])

    def _connect(self, *, from_state: bool) -> Any:
        """The layers in a Model of its own, which returns the final states and, if asked to, takes initial ones."""
        architecture, keras = self._architecture, self._keras
        x = tokens = self._input()
        embedding, layers = (self._layers[:1], self._layers[1:]) if architecture.embedding else ([], self._layers)
        for layer in embedding:
            x = layer(x)
        initial = [keras.Input((layer.units,), dtype=architecture.dtype) for layer in layers] if from_state else []
        final = []
        for k, layer in enumerate(layers):
            x = layer(x, initial_state=[initial[k]]) if from_state else layer(x)
            if architecture.return_state:
                x, h = x
                final.append(h)
        return keras.Model([tokens, *initial] if from_state else tokens, [x, *final])

    def _input(self) -> Any:
        architecture = self._architecture
        if architecture.embedding:
            return self._keras.Input((None,), dtype="int32")
        return self._keras.Input((None, architecture.layers[0].features), dtype=architecture.dtype)

    def _callable(self, model: Any) -> Callable[..., Any]:
        """The model as a function of its inputs, compiled if the mode asks for it."""
        return lambda *inputs: model(_one_or_list(inputs))

    def _context(self) -> AbstractContextManager[Any]:
        return nullcontext()

    def _given(self, array: Any) -> Any:
        """What Keras is given for an array."""
        return array


class _TensorFlowNetwork(_KerasNetwork):
    backend = "tensorflow"

    def _callable(self, model: Any) -> Callable[..., Any]:
        call = super()._callable(model)
        if self._architecture.mode == "eager":
            return call
        import tensorflow as tf

        # The model's own signature: one graph for every batch and every number of timesteps.
        signature = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in model.inputs]
        compiled: Callable[..., Any] = tf.function(call, input_signature=signature)
        return compiled


class _TorchNetwork(_KerasNetwork):
    backend = "torch"

    def _context(self) -> AbstractContextManager[Any]:
        import torch

        context: AbstractContextManager[Any] = torch.no_grad()
        return context

    def _given(self, array: Any) -> Any:
        return writeable(array)


class _JaxNetwork(_KerasNetwork):
    backend = "jax"

    def _callable(self, model: Any) -> Callable[..., Any]:
        if self._architecture.mode == "eager":
            return super()._callable(model)
        import jax

        def call(trainable: Any, others: Any, inputs: Any) -> Any:
            outputs, _ = model.stateless_call(trainable, others, inputs)
            return outputs

        compiled: Callable[..., Any] = jax.jit(call)
        trainable, others = model.trainable_variables, model.non_trainable_variables
        return lambda *inputs: compiled([v.value for v in trainable], [v.value for v in others], _one_or_list(inputs))

    def _context(self) -> AbstractContextManager[Any]:
        return _jax.x64(self._architecture.dtype)


_NETWORKS = {network.backend: network for network in (_TensorFlowNetwork, _TorchNetwork, _JaxNetwork)}


def _layers(keras: Any, architecture: Architecture) -> list[Any]:
    """The embedding, if there is one, and the recurrent layers. Zeros, because other initialisers take longer."""
    table = architecture.embedding
    embedding = partial(keras.layers.Embedding, embeddings_initializer="zeros", dtype=architecture.dtype)
    layers: list[Any] = [embedding(table.tokens, table.features)] if table else []
    last = len(architecture.layers) - 1
    for k, layer in enumerate(architecture.layers):
        layers.append(
            keras.layers.SimpleRNN(
                layer.units,
                activation=layer.activation,
                use_bias=layer.use_bias,
                kernel_initializer="zeros",
                recurrent_initializer="zeros",
                return_sequences=k < last or architecture.return_sequences,
                return_state=architecture.return_state,
                dtype=architecture.dtype,
            )
        )
    return layers


def _one_or_list(inputs: tuple[Any, ...]) -> Any:
    return inputs[0] if len(inputs) == 1 else list(inputs)


def _as_list(result: Any) -> list[Any]:
    return list(result) if isinstance(result, list | tuple) else [result]
