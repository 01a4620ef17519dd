"""A stand-alone script of Flax NNX for an architecture (adapters/jax/script.py says what it reads and sets)."""

from __future__ import annotations

from collections.abc import Iterator

from rnn_conformance.adapters.flax.script import (
    bidirectional_arguments,
    cell_arguments,
    flax_carry_in,
    flax_carry_out,
    rnn_arguments,
)
from rnn_conformance.adapters.inlining import functions
from rnn_conformance.adapters.jax.script import call, ending, given, header, join, returns
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.names import name_of

GATE_BY_GATE = "gate-by-gate"
"""The way in which an LSTM is one of LSTMCell, which has a layer for each gate."""

_CELLS = {"simple_rnn": "SimpleCell", "lstm": "OptimizedLSTMCell", "gru": "GRUCell"}


def class_of(architecture: Architecture, layer: Layer) -> str:
    """The class of a layer's cell in flax.nnx."""
    return "LSTMCell" if _is_gate_by_gate(architecture, layer) else _CELLS[layer.cell.name]


def _is_gate_by_gate(architecture: Architecture, layer: Layer) -> bool:
    return architecture.mode == GATE_BY_GATE and layer.cell.name == "lstm"


def script(architecture: Architecture, wants: str) -> str:
    """Python source that uses only NumPy, jax and flax; `wants` is "outputs" or "gradients"."""
    reloaded = architecture.mode == "reloaded"
    lines = header(architecture, "from flax import nnx, serialization" if reloaded else "from flax import nnx")
    prefixes = {_prefix(architecture, layer) for layer in architecture.layers}
    used = "; ".join(
        f"{prefix}{name}" for prefix in prefixes for name in ("load", "read")[: 1 + (wants == "gradients")]
    )
    lines += ["", functions("flax/nnx_example.py", used), ""]
    lines += ["", *_modules(architecture), "", "", "modules = build()"]
    cells = list(_cells(architecture))
    lines += ["modules[0].embedding[...] = jnp.array(table)"] if architecture.embedding else []
    lines += [f"{prefix}load(modules{cell}, {source})" for _, cell, source, prefix in cells]
    if reloaded:
        lines += [
            "saved = serialization.to_bytes(nnx.to_pure_dict(nnx.state(modules, nnx.Param)))",
            "modules = build()",
            "state = nnx.state(modules, nnx.Param)",
            "nnx.replace_by_pure_dict(state, serialization.from_bytes(nnx.to_pure_dict(state), saved))",
            "nnx.update(modules, state)",
        ]
    weights = "modules" if architecture.mode == "nnx-jit" else "params"
    if weights == "params":
        lines.append("graph, params, others = nnx.split(modules, nnx.Param, ...)")
    lines += ["", "", f"def {call('model', weights, *given(architecture))}:"]
    if weights == "params":
        lines.append("    modules = nnx.merge(graph, params, others, copy=True)")
    first = 1 if architecture.embedding else 0
    lines += ["    x = modules[0](inputs)" if first else "    x = inputs"]
    for k, layer in enumerate(architecture.layers):
        lengths = ["seq_lengths=lengths"] if architecture.masking == "lengths" else []
        options = [f"initial_carry={flax_carry_in(layer, k)}", *lengths, "return_carry=True"]
        lines += [f"    carry_{k}, x = {call(f'modules[{first + k}]', 'x', *options)}", *flax_carry_out(layer, k)]
    lines += [*returns(architecture), ""]
    gradients = [("embedding", f"of_{weights}[0].embedding[...]")] if architecture.embedding else []
    gradients += [
        (f"{name}{part}", f'{prefix}read(of_{weights}{cell})["{part}"]')
        for name, cell, _, prefix in cells
        for part in ("W", "U", "b")
    ]
    return join([*lines, *ending(architecture, wants, [weights], gradients)])


def _modules(architecture: Architecture) -> list[str]:
    lines = ["def build():", "    rngs = nnx.Rngs(0)", "    return ["]
    if table := architecture.embedding:
        embed = call("nnx.Embed", table.tokens, table.features, *cell_arguments(architecture), "rngs=rngs")
        lines.append(f"        {embed},")
    # The default of the recurrent kernel, an orthogonal matrix, cannot be drawn in half precision.
    half = (architecture.weights_dtype or architecture.dtype) in ("float16", "bfloat16")
    zeros = ["recurrent_kernel_init=nnx.initializers.zeros_init()"] if half else []
    for layer in architecture.layers:
        arguments = [layer.features, layer.units, *cell_arguments(architecture, layer), *zeros, "rngs=rngs"]
        rnn = call(
            "nnx.RNN", call(f"nnx.{class_of(architecture, layer)}", *arguments), *rnn_arguments(architecture, layer)
        )
        if layer.is_bidirectional:
            rnn = call("nnx.Bidirectional", rnn, rnn, *bidirectional_arguments(layer))
        lines.append(f"        {rnn},")
    return [*lines, "    ]"]


def _cells(architecture: Architecture) -> Iterator[tuple[str, str, str, str]]:
    """Of each direction the names of its arrays without their ends, its cell in the list of modules, and its source.

    Last comes what the functions of nnx_example.py for this cell begin with.
    """
    first = 1 if architecture.embedding else 0
    for k, layer in enumerate(architecture.layers):
        both = ((".forward_rnn", ""), (".backward_rnn", '["backward"]'))
        for j, (rnn, key) in enumerate(both if layer.is_bidirectional else (("", ""),)):
            prefix = _prefix(architecture, layer)
            yield name_of("layers", k, j) + ".", f"[{first + k}]{rnn}.cell", f"layers[{k}]{key}", prefix


def _prefix(architecture: Architecture, layer: Layer) -> str:
    if _is_gate_by_gate(architecture, layer):
        return "gate_by_gate_"
    return "" if layer.cell.name == "simple_rnn" else f"{layer.cell.name}_"
