"""A stand-alone script of Equinox for an architecture (adapters/jax/script.py says what it reads and sets)."""

from __future__ import annotations

from rnn_conformance.adapters.inlining import functions
from rnn_conformance.adapters.jax.script import MERGES, call, carry_in, ending, given, header, join, returns
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.names import name_of
from rnn_conformance.reference.model.weights import direction_shapes

UNROLL = 4
"""How many timesteps the mode "unrolled" puts into one turn of the loop: fewer than most sequences have."""


def script(architecture: Architecture, wants: str) -> str:
    """Python source that uses only NumPy, jax and equinox; `wants` is "outputs" or "gradients"."""
    table, layers = architecture.embedding, architecture.layers
    weights = ["cells", "embedding"] if table else ["cells"]
    unroll = f", unroll={UNROLL}" if architecture.mode == "unrolled" else ""
    used = ["scanned", "zeros", *(f"{layer.cell.name}_cell_of" for layer in layers)]
    if wants == "gradients":
        used += (f"{layer.cell.name}_weights_in" for layer in layers)
    imports = ["import equinox as eqx", *(["import io"] if architecture.mode == "reloaded" else [])]
    lines = [*header(architecture, *imports), "", functions("equinox/example.py", "; ".join(used)), "", ""]
    lines.append("cells = [")
    for k, layer in enumerate(layers):
        cell = f"{layer.cell.name}_cell_of(layers[{k}])"
        both = f', {layer.cell.name}_cell_of(layers[{k}]["backward"])' if layer.is_bidirectional else ""
        lines.append(f"    [{cell}{both}],")
    lines += ["]", "cells = jax.tree.map(jnp.array, cells)"]
    lines += ["embedding = eqx.nn.Embedding(weight=jnp.array(table))"] if table else []
    if architecture.mode == "reloaded":
        lines += ["file = io.BytesIO()", "eqx.tree_serialise_leaves(file, cells)", "file.seek(0)"]
        lines += ["cells = eqx.tree_deserialise_leaves(file, cells)"]
    lines += ["", "", f"def {call('model', *weights, *given(architecture))}:"]
    batched = architecture.batched and architecture.mode != "vmapped"
    lookup = "jax.vmap(jax.vmap(embedding))" if batched else "jax.vmap(embedding)"
    lines += [f"    x = {lookup}(inputs)" if table else "    x = jnp.asarray(inputs)"]
    for k, layer in enumerate(layers):
        lines.append(f"    h = {carry_in(layer, k)}")
        if layer.is_bidirectional:
            lines += [
                f"    one, other = cells[{k}]",
                "    h, g = h or (zeros(one, x), zeros(other, x))",
                f"    h_forward, forward = scanned(one, x, h{unroll})",
                f"    h_backward, backward = scanned(other, x, g, reverse=True{unroll})",
                f"    carry_{k}, x = (h_forward, h_backward), {MERGES[layer.merge]}",
            ]
        else:
            reverse = ", reverse=True" if layer.direction == "backward" else ""
            lines.append(f"    h = zeros(cells[{k}][0], x) if h is None else h")
            lines.append(f"    carry_{k}, x = scanned(cells[{k}][0], x, h{reverse}{unroll})")
    gradients = [("embedding", "of_embedding.weight")] if table else []
    gradients += [
        (name_of("layers", k, j, part), f'{layer.cell.name}_weights_in(of_cells[{k}][{j}])["{part}"]')
        for k, layer in enumerate(layers)
        for j in range(1 + layer.is_bidirectional)
        for part in direction_shapes(layer)
    ]
    return join([*lines, *returns(architecture), "", *ending(architecture, wants, weights, gradients)])
