"""JAX: the recurrence written by hand with jax.lax.scan, a baseline for the layers that are built on it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np

from rnn_conformance.adapters import examples as _examples
from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.jax.model import Parameters, apply_layers
from rnn_conformance.adapters.jax.network import JaxNetwork
from rnn_conformance.adapters.jax.scan_script import UNROLL, script
from rnn_conformance.adapters.jax.shared import MODES, PRECISION, JaxAdapter, activation, merge_function
from rnn_conformance.adapters.protocol import Inputs, Lengths
from rnn_conformance.adapters.support import versions
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Mask
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import LayerWeights, Weights


@cache
def _description() -> Description:
    import jax

    function = "a function of its arguments keeps nothing from call to call"
    no_dropout = "lax.scan is a loop, and the baseline's step has no dropout"
    return Description(
        framework="JAX (lax.scan)",
        versions=versions("jax", "jaxlib"),
        modes=MODES,
        ways=("unrolled", "vmapped"),
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
        unsupported={"stateful": function, "dropout": no_dropout, "recurrent dropout": no_dropout},
        choices=Choices(padded_outputs="zero", backward_outputs="aligned"),
        conventions={
            "W": '`params["W"]`, `(units, features)`',
            "U": '`params["U"]`, `(units, units)`',
            "b": '`params["b"]`, `(units,)`',
            "orientation": "as they are: the step is one's own",
            "biases": "one",
            "load": "`jax.numpy.array(array)`: the parameters are an argument of each call",
            "read": "`numpy.asarray(param)`",
            "time axis": "`lax.scan` runs along 0, so the axes are exchanged before and after",
            "state": "the carry, `(batch, units)`",
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
        },
        example=_examples.source(_examples.lax_scan),
    )


class _ScanNetwork(JaxNetwork):
    """The parameters are a pair: the table of the embedding or None, and for each layer a dict of W, U, b, backward."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture, partial(_model, architecture), _template(architecture))

    def pack(self, weights: Weights) -> Parameters:
        return weights.embedding, [_pack(layer) for layer in weights.layers]

    def unpack(self, parameters: Parameters) -> Weights:
        table, layers = parameters
        return Weights(tuple(_unpack(layer) for layer in layers), None if table is None else np.asarray(table))

    def step(self, parameters: Parameters, inputs: Inputs, targets: Any, rate: float) -> Parameters:
        import jax
        from jax import numpy as jnp

        def loss(parameters: Parameters) -> Any:
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
) -> tuple[Any, State]:
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
        partial(_bidirectional if layer.is_bidirectional else _layer, layer, arrays, valid=valid, unroll=unroll)
        for layer, arrays in zip(architecture.layers, weights, strict=True)
    ]
    embed = None if table is None else partial(jnp.take, table, axis=0)
    return apply_layers(architecture, embed, layers, inputs, initial_state)


def _layer(
    layer: Layer, weights: dict[str, Any], sequence: Any, *, initial_carry: Any, valid: Any, unroll: int
) -> tuple[Any, Any]:
    """(final carry, output sequence) of `sequence`, whose last two axes are timesteps and features.

    `valid` is the mask, without the last of these axes, or None.
    """
    import jax
    from jax import numpy as jnp

    W, U, b, f = weights["W"], weights["U"], weights.get("b", 0), activation(layer.activation)

    def step(h: Any, now: Any) -> tuple[Any, Any]:
        x, keep = now
        if keep is None:
            h = f(x @ W.T + h @ U.T + b)
            return h, h
        # Twice, because a gradient that meets NaN in what the outer one leaves out is NaN itself.
        h = jnp.where(keep, f(jnp.where(keep, x, 0) @ W.T + h @ U.T + b), h)
        return h, jnp.where(keep, h, 0)

    if initial_carry is None:
        initial_carry = jnp.zeros((*sequence.shape[:-2], U.shape[0]), U.dtype)
    by_time = jnp.moveaxis(sequence, -2, 0), None if valid is None else jnp.moveaxis(valid, -1, 0)[..., None]
    carry, outputs = jax.lax.scan(step, initial_carry, by_time, reverse=layer.direction == "backward", unroll=unroll)
    return carry, jnp.moveaxis(outputs, 0, -2)


def _bidirectional(
    layer: Layer, weights: dict[str, Any], sequence: Any, *, initial_carry: Any, valid: Any, unroll: int
) -> tuple[Any, Any]:
    """The same in both directions: (final carries, joined output sequences)."""
    carries, outputs = [], []
    for k, direction in enumerate(("forward", "backward")):
        carry, sequence_out = _layer(
            replace(layer, direction=direction),
            weights["backward"] if k else weights,
            sequence,
            initial_carry=None if initial_carry is None else initial_carry[k],
            valid=valid,
            unroll=unroll,
        )
        carries.append(carry)
        outputs.append(sequence_out)
    return tuple(carries), merge_function(layer.merge)(*outputs)


def _pack(weights: LayerWeights) -> Parameters:
    arrays = {"W": weights.W, "U": weights.U, "b": weights.b, "backward": weights.backward and _pack(weights.backward)}
    return {name: array for name, array in arrays.items() if array is not None}


def _unpack(params: Parameters) -> LayerWeights:
    arrays = {name: np.asarray(array) for name, array in params.items() if name != "backward"}
    return LayerWeights(**arrays, backward=_unpack(params["backward"]) if "backward" in params else None)


def _template(architecture: Architecture) -> Parameters:
    """The shapes of the parameters."""
    import jax

    struct: Any = jax.ShapeDtypeStruct

    def shape(*sizes: int) -> Any:
        return struct(sizes, dtype_of(architecture.weights_dtype or architecture.dtype))

    def shapes(layer: Layer) -> Parameters:
        one = {"W": shape(layer.units, layer.features), "U": shape(layer.units, layer.units)}
        if layer.use_bias:
            one["b"] = shape(layer.units)
        return {**one, "backward": one} if layer.is_bidirectional else one

    table = architecture.embedding
    return shape(table.tokens, table.features) if table else None, [shapes(layer) for layer in architecture.layers]


adapter = JaxAdapter(("jax",), _description, _ScanNetwork, script)
