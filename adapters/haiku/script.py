"""A stand-alone script of Haiku for an architecture (adapters/jax/script.py says what it reads and sets)."""

from __future__ import annotations

from typing import Any

from rnn_conformance.adapters.inlining import functions
from rnn_conformance.adapters.jax.script import MERGES, call, carry_in, ending, given, header, join, returns
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.names import name_of

UNROLL = 4
"""How many timesteps the mode "unrolled" puts into one turn of the loop: fewer than most sequences have."""

STATIC = "static-unroll"
"""The way in which it is Haiku that writes all timesteps one after the other."""


CORES = {"simple_rnn": ("VanillaRNN", "double_bias=False"), "lstm": ("LSTM",), "gru": ("GRU",)}
"""What Haiku calls the core of each cell, and what is said to it beside its size."""


def options(architecture: Architecture, reverse: bool) -> dict[str, Any]:
    """What `layer` of example.py is given for the architecture's mode, and for a direction."""
    found: dict[str, Any] = {"reverse": True} if reverse else {}
    if architecture.mode == "unrolled":
        found["unroll"] = UNROLL
    return {**found, "static": True} if architecture.mode == STATIC else found


def core_of(layer: Layer) -> str:
    """A function that makes the core of a layer, as source."""
    name, *one_bias = CORES[layer.cell.name]
    return f"lambda: {call(f'hk.{name}', layer.units, *one_bias)}"


def script(architecture: Architecture, wants: str) -> str:
    """Python source that uses only NumPy, jax and haiku; `wants` is "outputs" or "gradients"."""
    table, layers = architecture.embedding, architecture.layers
    weights = ["params", "embed"] if table else ["params"]
    used = ["layer", *(f"{each.cell.name}_params_of" for each in layers)]
    used += (f"{each.cell.name}_weights_in" for each in layers) if wants == "gradients" else []
    lines = [*header(architecture, "import haiku as hk"), "", functions("haiku/example.py", "; ".join(used)), "", ""]
    params = []
    for k, each in enumerate(layers):
        params_of = f"{each.cell.name}_params_of"
        both = f', {params_of}(layers[{k}]["backward"])' if each.is_bidirectional else ""
        params.append(f"[{params_of}(layers[{k}]){both}]")
    lines.append(f"params = jax.tree.map(jnp.array, [{', '.join(params)}])")
    if table:
        lines += ['embed = {"embed": {"embeddings": jnp.array(table)}}', "", "", "def lookup(tokens):"]
        lines.append(f"    return {call('hk.Embed', table.tokens, table.features)}(tokens)")
    lines += ["", "", f"def {call('model', *weights, *given(architecture))}:"]
    lines.append(
        "    x = hk.without_apply_rng(hk.transform(lookup)).apply(embed, inputs)" if table else "    x = inputs"
    )
    for k, each in enumerate(layers):
        ways = [
            call("layer", core_of(each), *(f"{name}={value}" for name, value in options(architecture, r).items()))
            for r in (each.direction == "backward", True)
        ]
        if each.is_bidirectional:
            lines += [
                f"    h = {carry_in(each, k)}",
                f"    forward, h_forward = {ways[0]}(params[{k}][0], x, h and h[0])",
                f"    backward, h_backward = {ways[1]}(params[{k}][1], x, h and h[1])",
                f"    carry_{k}, x = (h_forward, h_backward), {MERGES[each.merge]}",
            ]
        else:
            lines.append(f"    x, carry_{k} = {ways[0]}(params[{k}][0], x, {carry_in(each, k)})")
    gradients = [("embedding", 'of_embed["embed"]["embeddings"]')] if table else []
    gradients += [
        (name_of("layers", k, j, part), f'{each.cell.name}_weights_in(of_params[{k}][{j}])["{part}"]')
        for k, each in enumerate(layers)
        for j in range(1 + each.is_bidirectional)
        for part in ("W", "U", "b")
    ]
    return join([*lines, *returns(architecture), "", *ending(architecture, wants, weights, gradients)])
