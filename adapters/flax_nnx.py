"""Flax NNX: flax.nnx.RNN over flax.nnx.SimpleCell."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from rnn_conformance.adapters._jax import PRECISION, JaxNetwork, Parameters, activation, apply_layers, x64
from rnn_conformance.adapters.protocol import Description, Inputs, Network
from rnn_conformance.adapters.support import refuse_unsupported, versions
from rnn_conformance.reference.architecture import Architecture, LayerWeights, State, Weights


class FlaxNnxAdapter:
    """The model is a list of modules: called as they are, or split into a graph and a state for jax.jit."""

    requires = ("flax", "jax")

    def describe(self) -> Description:
        return _description()

    def prepare(self, architecture: Architecture) -> Network:
        refuse_unsupported(_description(), architecture)
        with x64(architecture.dtype):
            return _NnxNetwork(architecture)


adapter = FlaxNnxAdapter()


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
