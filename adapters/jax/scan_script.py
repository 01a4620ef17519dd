"""A stand-alone script of jax.lax.scan for an architecture (adapters/jax/script.py says what it reads and sets)."""

from __future__ import annotations

from rnn_conformance.adapters.inlining import functions
from rnn_conformance.adapters.jax.script import (
    ACTIVATIONS,
    MERGES,
    call,
    carry_in,
    ending,
    given,
    header,
    join,
    returns,
    weights_of,
)
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.model.architecture import Architecture

UNROLL = 4
"""How many timesteps the mode "unrolled" puts into one turn of the loop: fewer than most sequences have."""


def script(architecture: Architecture, wants: str) -> str:
    """Python source that uses only NumPy and jax; `wants` is "outputs" or "gradients"."""
    table = architecture.embedding
    weights = ["layers", "table"] if table else ["layers"]
    name, valid = ("masked_layer", ", valid") if architecture.is_masked else ("layer", "")
    unroll = f", unroll={UNROLL}" if architecture.mode == "unrolled" else ""
    used = "; ".join([name, *(step_of(layer.cell) for layer in architecture.layers)])
    lines = [*header(architecture), "", functions("jax/example.py", used), ""]
    lines += ["", f"def {call('model', *weights, *given(architecture))}:"]
    if architecture.weights_dtype:
        lines += [f"    cast = lambda array: array.astype(jnp.{architecture.dtype})"]
        lines += [f"    {name} = jax.tree.map(cast, {name})" for name in weights]
    lines += ["    x = jnp.take(table, inputs, axis=0)" if table else "    x = inputs"]
    lines += _valid(architecture)
    for k, layer in enumerate(architecture.layers):
        cell, f = step_of(layer.cell), ACTIVATIONS[layer.cell.activation]
        lines += [f"    h = {carry_in(layer, k)}"]
        if layer.is_bidirectional:
            lines += [
                f"    h_forward, forward = {name}({cell}, {f}, layers[{k}], x{valid}, h and h[0]{unroll})",
                f'    weights, h = layers[{k}]["backward"], h and h[1]',
                f"    h_backward, backward = {name}({cell}, {f}, weights, x{valid}, h, reverse=True{unroll})",
                f"    carry_{k}, x = (h_forward, h_backward), {MERGES[layer.merge]}",
            ]
        else:
            reverse = ", reverse=True" if layer.direction == "backward" else ""
            lines += [f"    carry_{k}, x = {name}({cell}, {f}, layers[{k}], x{valid}, h{reverse}{unroll})"]
    lines += [*returns(architecture), ""]
    return join([*lines, *ending(architecture, wants, weights, weights_of(architecture))])


def step_of(cell: Cell) -> str:
    """The function of example.py that makes a step of this cell."""
    return "gru_reset_before" if isinstance(cell, Gru) and cell.reset == "before" else cell.name


def _valid(architecture: Architecture) -> list[str]:
    """The mask, of whatever says which timesteps are valid."""
    timesteps = "inputs.shape[1]" if architecture.batched and architecture.mode != "vmapped" else "inputs.shape[0]"
    parts = {
        "lengths": f"jnp.arange({timesteps}) < lengths[..., None]",
        "mask": "mask",
    }
    said = [parts[architecture.masking]] if architecture.masking in parts else []
    if architecture.embedding and architecture.embedding.mask_zero:
        said.append("inputs != 0")
    joined = " & ".join(f"({part})" for part in said) if len(said) > 1 else "".join(said)
    return [f"    valid = {joined}"] if said else []
