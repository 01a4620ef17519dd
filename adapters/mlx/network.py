"""The network of MLX's layers: one module for each, called in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.adapters.protocol import Inputs, Lengths
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import State, StateShapes, each_state, flat, state_shapes
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights, direction_shapes

KINDS = {"simple_rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
"""The class in mlx.nn of each cell."""

NO_SYMBOLIC_SHAPES = "an array of MLX has a size in every axis"

Function = Callable[..., Any]
"""From arrays of MLX, inputs first, to a list of them, outputs first."""


class MlxNetwork:
    """A Sequential of a table, if there is one, and the layers; neither lengths nor masks are offered."""

    def __init__(self, architecture: Architecture) -> None:
        self._architecture = architecture
        self._model = _build(architecture)

    def load(self, weights: Weights) -> None:
        from rnn_conformance.adapters.mlx.example import array_of

        named = [] if weights.embedding is None else [[("weight", array_of(weights.embedding))]]
        for layer, given in zip(self._architecture.layers, weights.layers, strict=True):
            named.append(_functions(layer)["parameters"](given.named))
        together = [(f"layers.{k}.{name}", array) for k, each in enumerate(named) for name, array in each]
        self._model.load_weights(together)
        if self._architecture.mode == "reloaded":
            with TemporaryDirectory() as folder:
                path = str(Path(folder, "model.safetensors"))
                self._model.save_weights(path)
                self._model = _build(self._architecture)
                self._model.load_weights(path)
                self.weights()  # an array that is loaded is read from its file when it is used

    def weights(self) -> Weights:
        return self._weights_in(self._model.parameters())

    def run(
        self,
        inputs: Inputs,
        *,
        initial_state: State | None = None,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
    ) -> Output:
        import mlx.core as mx

        call = self._function(initial_state)
        if self._architecture.mode == "vmapped":
            call = mx.vmap(call)
        outputs, *final = map(self._array, call(*_arguments(inputs, initial_state)))
        return Output(outputs, self._states(final) if self._architecture.return_state else None)

    def gradients(
        self,
        inputs: Inputs,
        cotangent: Output,
        *,
        initial_state: State | None = None,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
    ) -> Gradients:
        """mx.vjp; tokens have no gradient."""
        from rnn_conformance.adapters.mlx.example import array_of, gradients_of

        call, given = self._function(initial_state), _arguments(inputs, initial_state)
        if self._architecture.embedding:
            tokens, *given = given
            of_tokens = call
            call = lambda *state: of_tokens(tokens, *state)  # noqa: E731
        cotangents = [array_of(array) for array in (cotangent.outputs, *flat(cotangent.final_state))]
        tree, found = gradients_of(self._model, call, given, cotangents)
        rest = list(map(self._array, found))
        of_inputs = None if self._architecture.embedding else rest.pop(0)
        return Gradients(self._weights_in(tree), of_inputs, None if initial_state is None else self._states(rest))

    def second_gradient(self, inputs: Inputs, cotangent: Output) -> NDArray[np.floating]:
        """mx.grad of what mx.vjp gave."""
        import mlx.core as mx

        from rnn_conformance.adapters.mlx.example import array_of

        call, cotangents = self._function(None), [array_of(cotangent.outputs)]

        def half_squared_norm(x: Any) -> Any:
            _, (first,) = mx.vjp(lambda x: call(x)[:1], [x], cotangents)
            return (first * first).sum() / 2

        return self._array(mx.grad(half_squared_norm)(array_of(inputs)))

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        """One step of mlx.optimizers.SGD on mlx.nn.losses.mse_loss."""
        from mlx import nn, optimizers

        from rnn_conformance.adapters.mlx.example import array_of

        call = self._function(None)

        def loss(_: Any, x: Any, targets: Any) -> Any:
            return nn.losses.mse_loss(call(x)[0], targets)

        _, gradients = nn.value_and_grad(self._model, loss)(self._model, array_of(inputs), array_of(targets))
        optimizers.SGD(learning_rate=rate).update(self._model, gradients)

    def parameter_count(self) -> int:
        from mlx.utils import tree_flatten

        return sum(array.size for _, array in tree_flatten(self._model.parameters()))

    def symbolic_shape(self) -> tuple[int | None, ...]:
        raise NotImplementedError(NO_SYMBOLIC_SHAPES)

    def symbolic_state_shapes(self) -> StateShapes:
        raise NotImplementedError(NO_SYMBOLIC_SHAPES)

    def _function(self, state: State | None) -> Function:
        """What a call gives that starts from zeros, or from such a state."""
        from rnn_conformance.adapters.mlx.example import in_turn

        architecture = self._architecture
        table, *layers = [None, *self._model.layers][bool(architecture.embedding) :]

        def call(x: Any, *states: Any) -> list[Any]:
            rest = iter(states)
            outputs, final = in_turn(layers, x if table is None else table(x), each_state(lambda _: next(rest), state))
            outputs = outputs if architecture.return_sequences else outputs[..., -1, :]
            return [outputs, *(flat(final) if architecture.return_state else [])]

        return call

    def _weights_in(self, tree: Mapping[str, Any]) -> Weights:
        """The weights in a tree of the parameters' shape, which may be that of their gradients."""
        modules = tree["layers"]
        table = self._array(modules[0]["weight"]) if self._architecture.embedding else None
        layers = []
        for layer, module in zip(self._architecture.layers, modules[table is not None :], strict=True):
            arrays = {name: self._array(array) for name, array in module.items() if array is not None}
            found = _functions(layer)["weights_in"](arrays)
            layers.append(LayerWeights({name: found[name] for name in direction_shapes(layer)}))
        return Weights(tuple(layers), table)

    def _states(self, arrays: Sequence[Array]) -> State:
        rest = iter(arrays)
        return each_state(lambda _: next(rest), state_shapes(self._architecture, ()))

    def _array(self, array: Any) -> Array:
        """In NumPy, by way of its bits where that has no such type."""
        import mlx.core as mx

        if array.dtype == mx.bfloat16:
            return np.array(array.view(mx.uint16)).view(dtype_of("bfloat16"))
        return np.array(array)


def _build(architecture: Architecture) -> Any:
    from mlx import nn

    table = architecture.embedding
    modules = [nn.Embedding(table.tokens, table.features)] if table else []
    return nn.Sequential(*modules, *map(_module, architecture.layers))


def _module(layer: Layer) -> Any:
    from mlx import nn

    from rnn_conformance.adapters.mlx.example import linear

    options: dict[str, Any] = {} if layer.use_bias else {"bias": False}
    if layer.cell.name == "simple_rnn" and layer.cell.activation != "tanh":
        name = layer.cell.activation
        options["nonlinearity"] = linear if name == "linear" else getattr(nn, name)
    return getattr(nn, KINDS[layer.cell.name])(layer.features, layer.units, **options)


def _functions(layer: Layer) -> dict[str, Function]:
    """The functions of example.py for the kind of a layer, by what they do."""
    from rnn_conformance.adapters.mlx import example

    kind = KINDS[layer.cell.name].lower()
    return {what: getattr(example, f"{kind}_{what}") for what in ("parameters", "weights_in")}


def _arguments(inputs: Inputs, state: State | None) -> list[Any]:
    from rnn_conformance.adapters.mlx.example import array_of

    return [array_of(array) for array in (inputs, *flat(state))]
