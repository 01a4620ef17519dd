"""JAX: the recurrence written by hand with jax.lax.scan, a baseline for the layers that are built on it."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.inlining import example, examples
from rnn_conformance.adapters.jax.arrays import Carry, JaxArray, Parameters, activation, merge_function
from rnn_conformance.adapters.jax.model import apply_layers
from rnn_conformance.adapters.jax.network import JaxNetwork
from rnn_conformance.adapters.jax.scan_script import UNROLL, script, step_of
from rnn_conformance.adapters.jax.shared import MODES, PRECISION, JaxAdapter
from rnn_conformance.adapters.protocol import Inputs, Lengths
from rnn_conformance.adapters.support import versions
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.cell import Shape
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Mask
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import LayerWeights, Weights, direction_shapes


@cache
def _description() -> Description:
    import jax

    function = "a function of its arguments keeps nothing from call to call"
    no_dropout = "lax.scan is a loop, and the baseline's step has no dropout"
    return Description(
        framework="JAX (lax.scan)",
        versions=versions("jax", "jaxlib"),
        cells=("simple_rnn", "lstm", "gru"),
        variants=(Lstm(), Lstm(recurrent_bias="all"), Gru(), Gru(reset="before", recurrent_bias="none")),
        modes=MODES,
        ways=("unrolled", "vmapped", "closed-over"),
        device=jax.default_backend(),
        precision=PRECISION,
        offers=(
            "symbolic state shapes",
            "lengths",
            "mask",
            "mask_zero",
            "backward",
            "bidirectional",
            "merge modes",
            "gradients",
            "double backward",
            "training step",
            "mixed precision",
        ),
        unsupported={
            "stateful": function,
            "dropout": no_dropout,
            "recurrent dropout": no_dropout,
            "projection": "lax.scan is a loop, and the baseline's step has no projection",
        },
        choices=Choices(padded_outputs="zero", backward_outputs="aligned"),
        conventions={
            "W": '`params["W"]`, `(units, features)`',
            "U": '`params["U"]`, `(units, units)`',
            "b": '`params["b"]`, `(units,)`',
            "orientation": "as they are: the step is one's own",
            "gates": "the step is one's own, and so is their order: LSTM i, f, g, o; GRU z, r, n",
            "biases": "one; of a GRU a recurrent one, too",
            "load": "`jax.numpy.array(array)`: the parameters are an argument of each call",
            "read": "`numpy.asarray(param)`",
            "time axis": "`lax.scan` runs along 0, so the axes are exchanged before and after",
            "state": "the carry, `(batch, units)`; of an LSTM h and c",
            "padding": "a mask, `(batch, timesteps)`, with `jnp.where` in the step; lengths and tokens are made a mask",
            "backward": "`lax.scan(reverse=True)`",
            "both directions": '`params["backward"]`, a dict like `params`',
            "embedding": "an array `(tokens, features)`",
        },
        notes={
            "mixed precision": "the parameters are converted at the start of a call",
            "training": "`parameter - rate * gradient`",
            "unrolled": f"`lax.scan(unroll={UNROLL})`",
            "vmapped": "`jax.vmap` over single sequences",
            "closed-over": "`jax.jit` of a function that closes over the parameters, anew for each load",
        },
        example=example("jax/example.py"),
        examples=examples("jax/example.py"),
    )


class ScanNetwork(JaxNetwork):
    """The parameters are a pair: the table of the embedding or None, and for each layer a dict of W, U, b, backward."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture, partial(_model, architecture), _template(architecture))

    def pack(self, weights: Weights) -> Parameters:
        return weights.embedding, [_pack(layer) for layer in weights.layers]

    def unpack(self, parameters: Parameters) -> Weights:
        table, layers = parameters
        return Weights(tuple(_unpack(layer) for layer in layers), None if table is None else np.asarray(table))

    def step(self, parameters: Parameters, inputs: Inputs, targets: JaxArray, rate: float) -> Parameters:
        import jax
        from jax import numpy as jnp

        def loss(parameters: Parameters) -> JaxArray:
            outputs, _ = self.returned(parameters, inputs)
            return jnp.mean((outputs - targets) ** 2)

        return jax.tree.map(lambda p, gradient: p - rate * gradient, parameters, jax.grad(loss)(parameters))


def _model(
    architecture: Architecture,
    parameters: Parameters,
    inputs: Inputs,
    *,
    initial_state: State | None,
    lengths: Lengths | None,
    mask: Mask | None,
) -> tuple[JaxArray, State]:
    import jax
    from jax import numpy as jnp

    table, weights = jax.tree.map(lambda array: array.astype(dtype_of(architecture.dtype)), parameters)
    valid: Any = mask
    if lengths is not None:
        timesteps = inputs.shape[-1 if architecture.embedding else -2]
        valid = jnp.arange(timesteps) < jnp.asarray(lengths)[..., None]
    if architecture.embedding and architecture.embedding.mask_zero:
        valid = inputs != 0 if valid is None else valid & (inputs != 0)
    unroll = UNROLL if architecture.mode == "unrolled" else 1
    layers = [
        partial(_layer, layer, arrays, valid=valid, unroll=unroll)
        for layer, arrays in zip(architecture.layers, weights, strict=True)
    ]
    embed = None if table is None else partial(jnp.take, table, axis=0)
    return apply_layers(architecture, embed, layers, inputs, initial_state)


def _layer(
    layer: Layer,
    weights: dict[str, Any],
    sequence: JaxArray,
    *,
    initial_carry: Carry,
    valid: JaxArray | None,
    unroll: int,
) -> tuple[Carry, JaxArray]:
    """(final carry, output sequence) of `sequence`, whose last two axes are timesteps and features.

    `valid` is the mask, without the last of these axes, or None. Of a bidirectional layer the carry is a pair.
    """
    from rnn_conformance.adapters.jax import example as example_module

    def run(weights: dict[str, Any], state: Carry, reverse: bool) -> tuple[Carry, JaxArray]:
        cell, f = getattr(example_module, step_of(layer.cell)), activation(layer.cell.activation)
        options: dict[str, Any] = {"state": state, "reverse": reverse, "unroll": unroll}
        if valid is None:
            return example_module.layer(cell, f, weights, sequence, **options)
        return example_module.masked_layer(cell, f, weights, sequence, valid, **options)

    if not layer.is_bidirectional:
        return run(weights, initial_carry, layer.direction == "backward")
    carry = initial_carry or (None, None)
    (h, forward), (g, backward) = run(weights, carry[0], False), run(weights["backward"], carry[1], True)
    return (h, g), merge_function(layer.merge)(forward, backward)


def _pack(weights: LayerWeights) -> Parameters:
    forward, *backward = (direction.named for direction in weights.directions)
    return {**forward, "backward": backward[0]} if backward else forward


def _unpack(params: Parameters) -> LayerWeights:
    # JAX sorts the keys of a dict.
    arrays = {name: np.asarray(params[name]) for name in ("W", "U", "b", "c") if name in params}
    return LayerWeights(arrays, _unpack(params["backward"]) if "backward" in params else None)


def _template(architecture: Architecture) -> Parameters:
    """The shapes of the parameters."""
    import jax

    struct: Any = jax.ShapeDtypeStruct

    def shape(sizes: Shape) -> Any:
        return struct(sizes, dtype_of(architecture.weights_dtype or architecture.dtype))

    def shapes(layer: Layer) -> Parameters:
        one = {name: shape(sizes) for name, sizes in direction_shapes(layer).items()}
        return {**one, "backward": one} if layer.is_bidirectional else one

    table = architecture.embedding
    return shape((table.tokens, table.features)) if table else None, [shapes(layer) for layer in architecture.layers]


adapter = JaxAdapter({"jax": "0.4.30"}, _description, ScanNetwork, script)
