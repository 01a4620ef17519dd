"""Flax Linen: flax.linen.RNN and Bidirectional over its cells."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.flax.linen_cells import KINDS, OPTIMISED, Kind, class_of
from rnn_conformance.adapters.flax.linen_script import script
from rnn_conformance.adapters.flax.shared import (
    bidirectional_options,
    describe,
    in_our_order,
    refuse_without_an_lstm,
    rnn_options,
)
from rnn_conformance.adapters.jax.arrays import Carry, JaxArray, Parameters, activation
from rnn_conformance.adapters.jax.model import apply_layers
from rnn_conformance.adapters.jax.network import JaxNetwork
from rnn_conformance.adapters.jax.shared import JaxAdapter
from rnn_conformance.adapters.protocol import Inputs, Lengths
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Mask
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import LayerWeights, Weights

_DIRECTIONS = ("forward_rnn", "backward_rnn")
"""What Bidirectional calls the parameters of its two layers."""


@cache
def _description() -> Description:
    return describe(
        "Flax Linen",
        "flax.linen",
        Gru(recurrent_bias="candidate"),
        {
            "W": '`params["cell"]["i"]["kernel"]`, `(features, units)`',
            "U": '`params["cell"]["h"]["kernel"]`, `(units, units)`',
            "b": '`params["cell"]["i"]["bias"]`, `(units,)`',
            "gates": 'of each a kernel of its own, by name: LSTM `params["cell"]["ii"]`, `"if"`, `"ig"`, `"io"` and '
            '`"hi"` and so on, GRU `"ir"`, `"iz"`, `"in"` and `"hr"` and so on',
            "biases": "one, beside the input kernel; of an LSTM beside the recurrent ones; of a GRU n has a second, "
            '`params["cell"]["hn"]["bias"]`, which is multiplied by r',
            "load": '`rnn.apply({"params": params}, x)`: the tree is an argument of each call',
            "read": "`numpy.asarray(leaf)`",
            "both directions": '`params["forward_rnn"]` and `params["backward_rnn"]` of a `Bidirectional`',
            "embedding": '`params["embedding"]`, `(tokens, features)`',
        },
        "the tree through `flax.serialization.to_bytes` and `from_bytes`",
        {
            "closed-over": "`jax.jit` of a function that closes over the tree, anew for each load",
            OPTIMISED: "an LSTM of `OptimizedLSTMCell` in place of `LSTMCell`: the same tree, whose kernels are put "
            "side by side in each step",
        },
        "flax/linen_example.py",
        {
            "minimal gated unit": "`MGUCell` is not run: `f = sigmoid(W_f x + b_f + U_f h)`, "
            "`n = tanh(W_n x + b_n + f * (U_n h + c))`, `h' = (1 - f) * n + f * h` is a GRU with one gate in place of "
            "z and r, and every GRU here has weights for each of them. With `reset_gate=False` neither f nor c is in n",
        },
    )


class _LinenNetwork(JaxNetwork):
    """The parameters are a pair: those of the embedding or None, and a list of those of each layer."""

    def __init__(self, architecture: Architecture) -> None:
        import jax
        from flax import linen

        if architecture.mode == OPTIMISED:
            refuse_without_an_lstm(architecture, "flax.linen.OptimizedLSTMCell")
        dtype, param_dtype = dtype_of(architecture.dtype), dtype_of(architecture.weights_dtype or architecture.dtype)
        table = architecture.embedding
        embedding = linen.Embed(table.tokens, table.features, dtype=dtype, param_dtype=param_dtype) if table else None
        layers = [_layer(architecture, layer) for layer in architecture.layers]

        def initialise() -> Parameters:
            key = jax.random.key(0)
            params = []
            for rnn, layer in zip(layers, architecture.layers, strict=True):
                x, carry = np.zeros((1, 1, layer.features), dtype), _zero_carry(layer, dtype)
                params.append(rnn.init(key, x, initial_carry=carry)["params"])
            return embedding.init(key, np.zeros((1,), np.int32))["params"] if embedding else None, params

        def call(
            parameters: Parameters,
            inputs: Inputs,
            *,
            initial_state: State | None,
            lengths: Lengths | None,
            mask: Mask | None,
        ) -> tuple[JaxArray, State]:
            table, params = parameters
            embed = partial(embedding.apply, {"params": table}) if embedding else None
            applied = [
                in_our_order(layer, partial(rnn.apply, {"params": p}, seq_lengths=lengths, return_carry=True))
                for layer, rnn, p in zip(architecture.layers, layers, params, strict=True)
            ]
            return apply_layers(architecture, embed, applied, inputs, initial_state)

        super().__init__(architecture, call, jax.eval_shape(initialise))

    def load(self, weights: Weights) -> None:
        from flax import serialization

        super().load(weights)
        if self._architecture.mode == "reloaded":
            saved = serialization.to_bytes(self._parameters)
            self._parameters = serialization.from_bytes(self._template, saved)

    def pack(self, weights: Weights) -> Parameters:
        table = weights.embedding
        return None if table is None else {"embedding": table}, [
            _pack(_kind(layer), each) for layer, each in zip(self._architecture.layers, weights.layers, strict=True)
        ]

    def unpack(self, parameters: Parameters) -> Weights:
        table, layers = parameters
        read = tuple(
            _unpack(_kind(layer), params) for layer, params in zip(self._architecture.layers, layers, strict=True)
        )
        return Weights(read, np.asarray(table["embedding"]) if table else None)

    def step(self, parameters: Parameters, inputs: Inputs, targets: JaxArray, rate: float) -> Parameters:
        import jax
        import optax

        def loss(parameters: Parameters) -> JaxArray:
            outputs, _ = self.returned(parameters, inputs)
            return optax.losses.squared_error(outputs, targets).mean()

        optimiser = optax.sgd(rate)
        updates, _ = optimiser.update(jax.grad(loss)(parameters), optimiser.init(parameters), parameters)
        return optax.apply_updates(parameters, updates)


def _layer(architecture: Architecture, layer: Layer) -> Any:
    from flax import linen

    def rnn() -> Any:
        cell = getattr(linen, class_of(architecture, layer))(
            layer.units,
            activation_fn=activation(layer.cell.activation),
            dtype=dtype_of(architecture.dtype),
            param_dtype=dtype_of(architecture.weights_dtype or architecture.dtype),
        )
        return linen.RNN(cell, **rnn_options(architecture, layer))

    return linen.Bidirectional(rnn(), rnn(), **bidirectional_options(layer)) if layer.is_bidirectional else rnn()


def _zero_carry(layer: Layer, dtype: np.dtype[Any]) -> Carry:
    """A carry for a batch of one: RNN cannot make its own where dtype is not param_dtype (flax 0.12.8)."""
    h = np.zeros((1, layer.units), dtype)
    state = h if len(layer.cell.parts) == 1 else (h, h)
    return (state, state) if layer.is_bidirectional else state


def _kind(layer: Layer) -> Kind:
    return KINDS[layer.cell.name]


def _pack(kind: Kind, weights: LayerWeights) -> Parameters:
    trees = [kind.params_of(direction.named) for direction in weights.directions]
    return trees[0] if len(trees) == 1 else dict(zip(_DIRECTIONS, trees, strict=True))


def _unpack(kind: Kind, params: Parameters) -> LayerWeights:
    trees = [params[name] for name in _DIRECTIONS] if _DIRECTIONS[0] in params else [params]
    return LayerWeights.of([LayerWeights(kind.weights_in(tree)) for tree in trees])


adapter = JaxAdapter({"flax": "0.8", "jax": "0.4.30"}, _description, _LinenNetwork, script)
