"""Flax Linen: flax.linen.RNN over flax.linen.SimpleCell."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from rnn_conformance.adapters._jax import PRECISION, JaxAdapter, JaxNetwork, Parameters, activation, apply_layers
from rnn_conformance.adapters.protocol import Description, Inputs
from rnn_conformance.adapters.support import versions
from rnn_conformance.reference.architecture import Architecture, LayerWeights, State, Weights


@cache
def _description() -> Description:
    import jax

    return Description(
        framework="Flax Linen",
        versions=versions("flax", "jax", "jaxlib"),
        modes=("compiled", "eager"),
        device=jax.default_backend(),
        precision=PRECISION,
        unsupported={"no bias": "flax.linen.SimpleCell always has a bias"},
        conventions={
            "W": 'params["cell"]["i"]["kernel"], (features, units), transposed',
            "U": 'params["cell"]["h"]["kernel"], (units, units), transposed',
            "b": 'params["cell"]["i"]["bias"], (units,)',
            "embedding": 'params["embedding"], (tokens, features)',
            "time axis": "1 (the axis before the features)",
            "state": "the carry, (batch, units)",
            "load": "the tree of parameters is an argument of Module.apply",
            "read": "numpy.asarray of its leaves",
        },
    )


class _LinenNetwork(JaxNetwork):
    """The parameters are a pair: those of the embedding or None, and a list of those of each layer."""

    def __init__(self, architecture: Architecture) -> None:
        import jax
        from flax import linen

        dtype = np.dtype(architecture.dtype)
        table = architecture.embedding
        embedding = linen.Embed(table.tokens, table.features, param_dtype=dtype) if table else None
        layers = [
            linen.RNN(linen.SimpleCell(layer.units, activation_fn=activation(layer.activation), param_dtype=dtype))
            for layer in architecture.layers
        ]

        def initialise() -> Parameters:
            key = jax.random.key(0)
            params = [
                rnn.init(key, np.zeros((1, layer.features), dtype))["params"]
                for rnn, layer in zip(layers, architecture.layers, strict=True)
            ]
            return embedding.init(key, np.zeros((1,), np.int32))["params"] if embedding else None, params

        def call(
            architecture: Architecture, parameters: Parameters, inputs: Inputs, initial_state: State | None
        ) -> Any:
            table, params = parameters
            embed = partial(embedding.apply, {"params": table}) if embedding else None
            applied = [
                partial(rnn.apply, {"params": p}, return_carry=True) for rnn, p in zip(layers, params, strict=True)
            ]
            return apply_layers(architecture, embed, applied, inputs, initial_state)

        super().__init__(architecture, call, jax.eval_shape(initialise))

    def pack(self, weights: Weights) -> Parameters:
        table = weights.embedding
        layers = [
            {"cell": {"i": {"kernel": layer.W.T, "bias": layer.b}, "h": {"kernel": layer.U.T}}}
            for layer in weights.layers
        ]
        return None if table is None else {"embedding": table}, layers

    def unpack(self, parameters: Parameters) -> Weights:
        table, layers = parameters
        cells = [params["cell"] for params in layers]
        read = [
            LayerWeights(
                np.asarray(cell["i"]["kernel"]).T, np.asarray(cell["h"]["kernel"]).T, np.asarray(cell["i"]["bias"])
            )
            for cell in cells
        ]
        return Weights(tuple(read), np.asarray(table["embedding"]) if table else None)


adapter = JaxAdapter(("flax", "jax"), _description, _LinenNetwork)
