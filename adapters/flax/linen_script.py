"""A stand-alone script of Flax Linen for an architecture (adapters/jax/script.py says what it reads and sets)."""

from __future__ import annotations

from rnn_conformance.adapters.flax.linen_cells import KINDS, class_of
from rnn_conformance.adapters.flax.script import (
    bidirectional_arguments,
    cell_arguments,
    flax_carry_in,
    flax_carry_out,
    rnn_arguments,
)
from rnn_conformance.adapters.inlining import functions
from rnn_conformance.adapters.jax.script import call, ending, given, header, join, returns, weights_of
from rnn_conformance.reference.model.architecture import Architecture


def script(architecture: Architecture, wants: str) -> str:
    """Python source that uses only NumPy, jax and flax; `wants` is "outputs" or "gradients"."""
    table, kinds = architecture.embedding, [KINDS[layer.cell.name] for layer in architecture.layers]
    weights = ["layers", "table"] if table else ["layers"]
    imports = ["from flax import linen, serialization" if architecture.mode == "reloaded" else "from flax import linen"]
    lines = [*header(architecture, *imports), *_layers(architecture), ""]
    lines += ["", functions("flax/linen_example.py", "; ".join(f"{kind.prefix}params_of" for kind in kinds)), ""]
    lines += ["", f"def {call('model', *weights, *given(architecture))}:"]
    lines += ['    x = embed.apply({"params": {"embedding": table}}, inputs)'] if table else ["    x = inputs"]
    for k, layer in enumerate(architecture.layers):
        params_of = f"{kinds[k].prefix}params_of"
        tree = f"{params_of}(layers[{k}])"
        if layer.is_bidirectional:
            tree = f'{{"forward_rnn": {tree}, "backward_rnn": {params_of}(layers[{k}]["backward"])}}'
        lengths = ["seq_lengths=lengths"] if architecture.masking == "lengths" else []
        options = [f"initial_carry={flax_carry_in(layer, k)}", *lengths, "return_carry=True"]
        apply = call(f"rnns[{k}].apply", '{"params": tree}', "x", *options)
        lines += [f"    tree = {tree}", f"    carry_{k}, x = {apply}", *flax_carry_out(layer, k)]
    lines += [*returns(architecture), ""]
    if architecture.mode == "reloaded":
        lines += ["", "layers = serialization.from_bytes(layers, serialization.to_bytes(layers))"]
        lines += ["table = serialization.from_bytes(table, serialization.to_bytes(table))"] if table else []
    return join([*lines, *ending(architecture, wants, weights, weights_of(architecture))])


def _layers(architecture: Architecture) -> list[str]:
    lines = []
    if table := architecture.embedding:
        lines.append(f"embed = {call('linen.Embed', table.tokens, table.features, *cell_arguments(architecture))}")
    lines.append("rnns = [")
    for layer in architecture.layers:
        cell = call(f"linen.{class_of(architecture, layer)}", layer.units, *cell_arguments(architecture, layer))
        rnn = call("linen.RNN", cell, *rnn_arguments(architecture, layer))
        if layer.is_bidirectional:
            rnn = call("linen.Bidirectional", rnn, rnn, *bidirectional_arguments(layer))
        lines.append(f"    {rnn},")
    return [*lines, "]"]
