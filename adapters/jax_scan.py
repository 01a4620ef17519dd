"""JAX: the recurrence written by hand with jax.lax.scan, a baseline for the layers that are built on it."""

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
        framework="JAX (lax.scan)",
        versions=versions("jax", "jaxlib"),
        modes=("compiled", "eager"),
        device=jax.default_backend(),
        precision=PRECISION,
        conventions={
            "W": "(units, features)",
            "U": "(units, units)",
            "b": "(units,)",
            "embedding": "(tokens, features)",
            "time axis": "lax.scan runs over axis 0, so the sequence is transposed before and after",
            "load": "jax.numpy.array",
            "read": "numpy.asarray",
        },
    )


class _ScanNetwork(JaxNetwork):
    """The parameters are a pair: the table of the embedding or None, and for each layer a dict of W, U, b."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture, _model, _template(architecture))

    def pack(self, weights: Weights) -> Parameters:
        return weights.embedding, [dict(layer.arrays()) for layer in weights.layers]

    def unpack(self, parameters: Parameters) -> Weights:
        table, layers = parameters
        read = [LayerWeights(**{name: np.asarray(array) for name, array in layer.items()}) for layer in layers]
        return Weights(tuple(read), None if table is None else np.asarray(table))


def _model(architecture: Architecture, parameters: Parameters, inputs: Inputs, initial_state: State | None) -> Any:
    import jax

    table, weights = parameters
    embed = None if table is None else partial(jax.numpy.take, table, axis=0)
    layers = [
        partial(_layer, activation(layer.activation), **arrays)
        for layer, arrays in zip(architecture.layers, weights, strict=True)
    ]
    return apply_layers(architecture, embed, layers, inputs, initial_state)


def _layer(activation: Any, sequence: Any, *, W: Any, U: Any, b: Any = 0, initial_carry: Any) -> tuple[Any, Any]:
    """(final carry, output sequence) of `sequence`, whose last two axes are timesteps and features."""
    import jax
    from jax import numpy as jnp

    def step(h: Any, x: Any) -> tuple[Any, Any]:
        h = activation(x @ W.T + h @ U.T + b)
        return h, h

    if initial_carry is None:
        initial_carry = jnp.zeros((*sequence.shape[:-2], U.shape[0]), U.dtype)
    carry, outputs = jax.lax.scan(step, initial_carry, jnp.moveaxis(sequence, -2, 0))
    return carry, jnp.moveaxis(outputs, 0, -2)


def _template(architecture: Architecture) -> Parameters:
    """The shapes of the parameters."""
    import jax

    struct: Any = jax.ShapeDtypeStruct

    def shape(*sizes: int) -> Any:
        return struct(sizes, np.dtype(architecture.dtype))

    table = architecture.embedding
    layers = [
        {"W": shape(layer.units, layer.features), "U": shape(layer.units, layer.units)}
        | ({"b": shape(layer.units)} if layer.use_bias else {})
        for layer in architecture.layers
    ]
    return shape(table.tokens, table.features) if table else None, layers


adapter = JaxAdapter(("jax",), _description, _ScanNetwork)
