"""A model in JAX as a function of its parameters: its layers in order, its last output, and jax.vmap over a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from rnn_conformance.adapters.jax.arrays import Carry, JaxArray, Parameters, merge_function
from rnn_conformance.adapters.protocol import Inputs, Lengths
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Mask
from rnn_conformance.reference.model.states import DirectionState, LayerState, State
from rnn_conformance.reference.model.weights import Weights, weight_shapes


class Call(Protocol):
    """A model: from its parameters and what a call is given to all outputs and the final state."""

    def __call__(
        self,
        parameters: Parameters,
        inputs: Inputs,
        *,
        initial_state: State | None,
        lengths: Lengths | None,
        mask: Mask | None,
    ) -> tuple[JaxArray, State]: ...


def apply_layers(
    architecture: Architecture,
    embed: Callable[[JaxArray], JaxArray] | None,
    layers: Sequence[Callable[..., tuple[Carry, JaxArray]]],
    inputs: JaxArray,
    initial_state: State | None,
) -> tuple[JaxArray, State]:
    """One layer after the other; each is called as `layer(sequence, initial_carry=...)` and gives (carry, sequence).

    The carry is an array or, where the cell's state has several parts, a tuple of them; for a bidirectional layer it is
    a pair of such, (forward, backward). Raises ValueError for states of more or fewer layers than there are, or of
    another number of directions or parts.
    """
    x = inputs if embed is None else embed(inputs)
    final = []
    states = [None] * len(layers) if initial_state is None else initial_state
    for layer, apply, state in zip(architecture.layers, layers, states, strict=True):
        carry, x = apply(x, initial_carry=None if state is None else _carry(layer, state))
        each = carry if layer.is_bidirectional else (carry,)
        final.append(tuple((parts,) if len(layer.cell.parts) == 1 else tuple(parts) for parts in each))
    return x, tuple(final)


def _carry(layer: Layer, state: LayerState) -> Carry:
    """The state of a layer as its carry; every part of every direction is used, or none."""
    if not layer.is_bidirectional:
        (parts,) = state
        return _of_direction(layer, parts)
    forward, backward = state
    return _of_direction(layer, forward), _of_direction(layer, backward)


def _of_direction(layer: Layer, parts: DirectionState) -> Carry:
    if len(layer.cell.parts) > 1:
        return parts
    (h,) = parts
    return h


def last_output(architecture: Architecture, outputs: JaxArray, final: State) -> JaxArray:
    """What a user takes for the last output: that of the last timestep or, where another was read last, the carry.

    `outputs` are all outputs, with or without a batch axis.
    """
    layer = architecture.layers[-1]
    if layer.is_bidirectional:
        return merge_function(layer.merge)(*(parts[0] for parts in final[-1]))
    if layer.direction == "backward" or architecture.is_masked:
        return final[-1][0][0]
    return outputs[..., -1, :]


def template_of(architecture: Architecture, pack: Callable[[Weights], Parameters]) -> Parameters:
    """The shapes of the parameters that `pack` makes of the weights of a model."""
    import jax

    dtype = dtype_of(architecture.weights_dtype or architecture.dtype)
    zeros = {name: np.zeros(shape, dtype) for name, shape in weight_shapes(architecture).items()}
    struct: Any = jax.ShapeDtypeStruct
    return jax.tree.map(lambda leaf: struct(leaf.shape, leaf.dtype), pack(Weights.of(zeros)))


def over_batch(call: Call) -> Call:
    """The same model, made for a single sequence and run over the batch by jax.vmap."""
    import jax

    def vmapped(parameters: Parameters, inputs: Inputs, **given: Any) -> tuple[JaxArray, State]:
        def single(inputs: Inputs, given: dict[str, Any]) -> tuple[JaxArray, State]:
            return call(parameters, inputs, **given)

        return jax.vmap(single)(inputs, given)

    return vmapped
