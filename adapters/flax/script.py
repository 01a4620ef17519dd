"""What the scripts of the two adapters on Flax share: the arguments of cells, RNN and Bidirectional, as source."""

from __future__ import annotations

from rnn_conformance.adapters.flax.shared import UNROLL
from rnn_conformance.adapters.jax.script import ACTIVATIONS, MERGES, carry_in
from rnn_conformance.reference.model.architecture import Architecture, Layer


def cell_arguments(architecture: Architecture, layer: Layer | None = None) -> list[str]:
    """dtype and param_dtype of a cell or an embedding, and the activation of a cell, where they are not the default."""
    arguments = []
    if layer and layer.cell.activation != "tanh":
        arguments.append(f"activation_fn={ACTIVATIONS[layer.cell.activation]}")
    param_dtype = architecture.weights_dtype or architecture.dtype
    if (architecture.dtype, param_dtype) != ("float32", "float32"):
        arguments += [f"dtype=jnp.{architecture.dtype}", f"param_dtype=jnp.{param_dtype}"]
    return arguments


def rnn_arguments(architecture: Architecture, layer: Layer) -> list[str]:
    """Those of RNN, beside its cell."""
    arguments = ["reverse=True", "keep_order=True"] if layer.direction == "backward" else []
    return [*arguments, f"unroll={UNROLL}"] if architecture.mode == "unrolled" else arguments


def bidirectional_arguments(layer: Layer) -> list[str]:
    """Those of Bidirectional, beside its two RNNs."""
    return [] if layer.merge == "concat" else [f"merge_fn=lambda forward, backward: {MERGES[layer.merge]}"]


def flax_carry_in(layer: Layer, k: int) -> str:
    """The initial carry of layer k, or None: of an LSTM, Flax wants (c, h)."""
    if len(layer.cell.parts) == 1:
        return carry_in(layer, k)
    turned = f"tuple(state[::-1] for state in initial_state[{k}])" if layer.is_bidirectional else ""
    return f"initial_state and {turned or f'initial_state[{k}][0][::-1]'}"


def flax_carry_out(layer: Layer, k: int) -> list[str]:
    """The line that puts the carry of layer k into our order, where it has another."""
    if len(layer.cell.parts) == 1:
        return []
    turned = f"tuple(state[::-1] for state in carry_{k})" if layer.is_bidirectional else f"carry_{k}[::-1]"
    return [f"    carry_{k} = {turned}"]
