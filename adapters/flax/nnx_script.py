"""A stand-alone script of Flax NNX for an architecture (adapters/jax/script.py says what it reads and sets)."""

from __future__ import annotations

from rnn_conformance.adapters.flax.script import bidirectional_arguments, cell_arguments, rnn_arguments
from rnn_conformance.adapters.jax.script import call, carry_in, ending, given, header, join, returns
from rnn_conformance.reference.model.architecture import Architecture


def script(architecture: Architecture, wants: str) -> str:
    """Python source that uses only NumPy, jax and flax; `wants` is "outputs" or "gradients"."""
    reloaded = architecture.mode == "reloaded"
    lines = header(architecture, "from flax import nnx, serialization" if reloaded else "from flax import nnx")
    lines += ["", *_modules(architecture), "", "", "modules = build()"]
    named = _params(architecture)
    lines += [f"{where}[...] = {source}" for _, where, source in named]
    if reloaded:
        lines += [
            "saved = serialization.to_bytes(nnx.to_pure_dict(nnx.state(modules, nnx.Param)))",
            "modules = build()",
            "state = nnx.state(modules, nnx.Param)",
            "nnx.replace_by_pure_dict(state, serialization.from_bytes(nnx.to_pure_dict(state), saved))",
            "nnx.update(modules, state)",
        ]
    lines += ["graph, params, others = nnx.split(modules, nnx.Param, ...)", "", ""]
    lines += [f"def {call('model', 'params', *given(architecture))}:"]
    lines += ["    modules = nnx.merge(graph, params, others, copy=True)"]
    first = 1 if architecture.embedding else 0
    lines += ["    x = modules[0](inputs)" if first else "    x = inputs"]
    for k, layer in enumerate(architecture.layers):
        lengths = ["seq_lengths=lengths"] if architecture.masking == "lengths" else []
        options = [f"initial_carry={carry_in(layer, k)}", *lengths, "return_carry=True"]
        lines += [f"    carry_{k}, x = {call(f'modules[{first + k}]', 'x', *options)}"]
    lines += [*returns(architecture), ""]
    gradients = [
        (name, f"of_params{where.removeprefix('modules')}[...]{'.T' if source.endswith('.T') else ''}")
        for name, where, source in named
    ]
    return join([*lines, *ending(architecture, wants, ["params"], gradients)])


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
        rnn = call("nnx.RNN", call("nnx.SimpleCell", *arguments), *rnn_arguments(architecture, layer))
        if layer.is_bidirectional:
            rnn = call("nnx.Bidirectional", rnn, rnn, *bidirectional_arguments(layer))
        lines.append(f"        {rnn},")
    return [*lines, "    ]"]


def _params(architecture: Architecture) -> list[tuple[str, str, str]]:
    """For each array of weights its name, its nnx.Param, and where it is given."""
    first = 1 if architecture.embedding else 0
    named = [("embedding", "modules[0].embedding", "table")] if first else []
    for k, layer in enumerate(architecture.layers):
        both = (("", ".forward_rnn", ""), ("backward.", ".backward_rnn", '["backward"]'))
        for name, rnn, key in both if layer.is_bidirectional else (("", "", ""),):
            cell, source = f"modules[{first + k}]{rnn}.cell", f"layers[{k}]{key}"
            named += [
                (f"layers[{k}].{name}W", f"{cell}.dense_i.kernel", f'{source}["W"].T'),
                (f"layers[{k}].{name}U", f"{cell}.dense_h.kernel", f'{source}["U"].T'),
                (f"layers[{k}].{name}b", f"{cell}.dense_i.bias", f'{source}["b"]'),
            ]
    return named
