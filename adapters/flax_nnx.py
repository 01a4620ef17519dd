"""Flax NNX: flax.nnx.RNN over flax.nnx.SimpleCell."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from rnn_conformance.adapters._jax import PRECISION, JaxAdapter, JaxNetwork, Parameters, activation, apply_layers, x64
from rnn_conformance.adapters.protocol import Description, Inputs
from rnn_conformance.adapters.support import versions
from rnn_conformance.reference.architecture import Architecture, LayerWeights, State, Weights


@cache
def _description() -> Description:
    import jax

    return Description(
        framework="Flax NNX",
        versions=versions("flax", "jax", "jaxlib"),
        modes=("compiled", "eager"),
        device=jax.default_backend(),
        precision=PRECISION,
        unsupported={"no bias": "flax.nnx.SimpleCell always has a bias"},
        conventions={
            "W": "rnn.cell.dense_i.kernel, (features, units), transposed",
            "U": "rnn.cell.dense_h.kernel, (units, units), transposed",
            "b": "rnn.cell.dense_i.bias, (units,)",
            "embedding": "embed.embedding, (tokens, features)",
            "time axis": "1 (the axis before the features)",
            "state": "the carry, (batch, units)",
            "load": "param[...] = array, in the modules, or in the state that nnx.split takes from them",
            "read": "numpy.asarray(param[...])",
        },
    )


class _NnxNetwork(JaxNetwork):
    """The parameters are the split state: that of the weights, and that of the random numbers, which RNN asks for."""

    def __init__(self, architecture: Architecture) -> None:
        from flax import nnx

        modules = _modules(architecture)
        graph, *parameters = nnx.split(modules, nnx.Param, ...)

        def call(
            architecture: Architecture, parameters: Parameters, inputs: Inputs, initial_state: State | None
        ) -> Any:
            return _apply(architecture, nnx.merge(graph, *parameters), inputs, initial_state)

        super().__init__(architecture, call, parameters)
        self._count = sum(int(param[...].size) for param in _params(architecture, modules))
        self._parameters = parameters
        self._params = _params(architecture, parameters[0])
        if architecture.mode == "eager":
            self._params = _params(architecture, modules)
            self._call = lambda _, inputs, initial_state: _apply(architecture, modules, inputs, initial_state)

    def load(self, weights: Weights) -> None:
        from jax import numpy as jnp

        arrays: list[Any] = [] if weights.embedding is None else [weights.embedding]
        for layer in weights.layers:
            arrays += layer.W.T, layer.U.T, layer.b
        with x64(self._architecture.dtype):
            for param, array in zip(self._params, arrays, strict=True):
                param.set_value(jnp.array(array))

    def weights(self) -> Weights:
        arrays = [np.asarray(param[...]) for param in self._params]
        table = arrays.pop(0) if self._architecture.embedding else None
        read = [LayerWeights(W.T, U.T, b) for W, U, b in zip(arrays[::3], arrays[1::3], arrays[2::3], strict=True)]
        return Weights(tuple(read), table)

    def parameter_count(self) -> int:
        return self._count


def _modules(architecture: Architecture) -> list[Any]:
    """The embedding, if there is one, and the layers. Zeros, because random numbers take far longer to compile."""
    from flax import nnx

    dtype = np.dtype(architecture.dtype)
    zeros = nnx.initializers.zeros_init()
    rngs = nnx.Rngs(0)
    table = architecture.embedding
    embed = (
        [nnx.Embed(table.tokens, table.features, param_dtype=dtype, embedding_init=zeros, rngs=rngs)] if table else []
    )
    cells = [
        nnx.SimpleCell(
            layer.features,
            layer.units,
            dtype=dtype,
            param_dtype=dtype,
            activation_fn=activation(layer.activation),
            kernel_init=zeros,
            recurrent_kernel_init=zeros,
            rngs=rngs,
        )
        for layer in architecture.layers
    ]
    return embed + [nnx.RNN(cell) for cell in cells]


def _params(architecture: Architecture, tree: Any) -> list[Any]:
    """The nnx.Param of each weight, in a list of modules or in their split state."""
    first = 1 if architecture.embedding else 0
    params = [tree[0].embedding] if first else []
    for k in range(len(architecture.layers)):
        cell = tree[first + k].cell
        params += cell.dense_i.kernel, cell.dense_h.kernel, cell.dense_i.bias
    return params


def _apply(architecture: Architecture, modules: list[Any], inputs: Inputs, initial_state: State | None) -> Any:
    embed, layers = (modules[0], modules[1:]) if architecture.embedding else (None, modules)
    applied = [partial(rnn, return_carry=True) for rnn in layers]
    return apply_layers(architecture, embed, applied, inputs, initial_state)


adapter = JaxAdapter(("flax", "jax"), _description, _NnxNetwork)
