"""The parts of a stand-alone script that are the same for every adapter on JAX: imports, the call, the gradient.

A script is what a user would put into a bug report. It reads the variables `layers` (dicts of W, U, b and backward),
`table`, `inputs`, `initial_state`, `lengths`, `mask` and `cotangent`, and sets `outputs` and `final_state`, or
`gradients`, by the names of `Gradients.arrays`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.weights import weight_shapes

ACTIVATIONS = {"tanh": "jnp.tanh", "relu": "jax.nn.relu", "linear": "(lambda x: x)", "sigmoid": "jax.nn.sigmoid"}
"""How each is written. jax.nn.identity, which is what linear is, is younger than the oldest JAX that is tested."""

MERGES = {
    "concat": "jnp.concatenate([forward, backward], axis=-1)",
    "sum": "forward + backward",
    "mul": "forward * backward",
    "ave": "(forward + backward) / 2",
}


def header(architecture: Architecture, *imports: str) -> list[str]:
    """The imports, and 64-bit types where they are needed."""
    lines = ["import jax", "import numpy as np", *imports, "from jax import numpy as jnp", ""]
    return [*lines, 'jax.config.update("jax_enable_x64", True)', ""] if architecture.dtype == "float64" else lines


def call(function: str, *arguments: object) -> str:
    """The source of a call.

    >>> call("f", 1, "x=2")
    'f(1, x=2)'
    """
    return f"{function}({', '.join(map(str, arguments))})"


def given(architecture: Architecture) -> list[str]:
    """What a call is given beside the weights."""
    return ["inputs", "initial_state", *([] if architecture.masking == "none" else [architecture.masking])]


def carry_in(layer: Layer, k: int) -> str:
    """The initial carry of layer k, or None."""
    return f"initial_state and initial_state[{k}]{'' if layer.is_bidirectional else '[0]'}"


def returns(architecture: Architecture) -> list[str]:
    """The end of a model whose sequence is x, and the carry of whose layer k is carry_k."""
    last = len(architecture.layers) - 1
    layer = architecture.layers[-1]
    outputs, lines = "x", []
    if not architecture.return_sequences:
        h = "[0]" if len(layer.cell.parts) > 1 else ""
        if layer.is_bidirectional:
            lines, outputs = [f"    forward, backward = carry_{last}"], MERGES[layer.merge]
            lines += [f"    forward, backward = forward{h}, backward{h}"] if h else []
        elif layer.direction == "backward" or architecture.is_masked:
            outputs = f"carry_{last}{h}"
        else:
            outputs = "x[..., -1, :]"
    if not architecture.return_state:
        return [*lines, f"    return {outputs}"]
    final = (f"carry_{k}" if layer.is_bidirectional else f"(carry_{k},)" for k, layer in enumerate(architecture.layers))
    return [*lines, f"    return {outputs}, [{', '.join(final)}]"]


def ending(
    architecture: Architecture, wants: str, weights: Sequence[str], named: Sequence[tuple[str, str]]
) -> list[str]:
    """The call of `model` or of its gradient, as the architecture's mode says.

    `weights` are the model's first arguments; `named` gives for each array of weights its name and where it stands in
    the gradients, which are called as the arguments, with of_ before it. Raises ValueError for other `wants`.
    """
    arguments = [*weights, *given(architecture)]
    lines = [""]
    if architecture.mode == "vmapped":
        axes = ["None"] * len(weights) + ["0"] * len(given(architecture))
        lines.append(f"model = jax.vmap(model, in_axes={call('', *axes)})")
    if wants == "outputs":
        function = "model" if architecture.mode == "eager" else f"{_library(architecture)}.jit(model)"
        if architecture.mode == "closed-over":
            function = f"jax.jit(lambda {', '.join(given(architecture))}: {call('model', *arguments)})"
            arguments = given(architecture)
        results = "outputs, final_state" if architecture.return_state else "outputs"
        lines += [f"{results} = {call(function, *arguments)}", "outputs = np.asarray(outputs)"]
        if architecture.return_state:
            lines.append("final_state = jax.tree.map(np.asarray, final_state)")
        return lines
    if wants == "gradients":
        return [*lines, *_gradient(architecture, weights, arguments, named)]
    raise ValueError(f"a script gives outputs or gradients, not {wants}")


def _library(architecture: Architecture) -> str:
    """Whose jit and grad the script calls."""
    return "nnx" if architecture.mode == "nnx-jit" else "jax"


def _gradient(
    architecture: Architecture, weights: Sequence[str], arguments: list[str], named: Sequence[tuple[str, str]]
) -> Iterator[str]:
    yield from ("", "", f"def {call('loss', *arguments)}:")
    if architecture.return_state:
        yield f"    outputs, final_state = {call('model', *arguments)}"
        yield '    total = jnp.sum(outputs * cotangent["outputs"])'
        yield '    for h, of_h in zip(jax.tree.leaves(final_state), jax.tree.leaves(cotangent["final_state"])):'
        yield "        total += jnp.sum(h * of_h)"
        yield "    return total"
    else:
        yield f'    return jnp.sum({call("model", *arguments)} * cotangent["outputs"])'
    # Tokens have no gradient.
    wanted = [k for k, name in enumerate(arguments) if name in (*weights, "inputs", "initial_state")]
    if architecture.embedding:
        wanted.remove(arguments.index("inputs"))
    library = _library(architecture)
    gradient = f"{library}.grad(loss, argnums=({', '.join(map(str, wanted))}))"
    gradient = gradient if architecture.mode == "eager" else f"{library}.jit({gradient})"
    yield from ("", "")
    yield f"{', '.join(f'of_{arguments[k]}' for k in wanted)} = {call(gradient, *arguments)}"
    yield "gradients = {"
    yield from (f'    "{name}": {where},' for name, where in named)
    if not architecture.embedding:
        yield '    "inputs": of_inputs,'
    yield "}"
    yield "for k, state in enumerate(of_initial_state or ()):"
    yield '    for h, direction in zip(state, ("", ".backward")):'
    if any(len(layer.cell.parts) > 1 for layer in architecture.layers):
        yield '        parts = {".h": h[0], ".c": h[1]} if isinstance(h, tuple) else {"": h}'
        yield '        gradients |= {f"initial_state[{k}]{direction}{part}": array for part, array in parts.items()}'
    else:
        yield '        gradients[f"initial_state[{k}]{direction}"] = h'
    yield "gradients = {name: np.asarray(array) for name, array in gradients.items()}"


def weights_of(architecture: Architecture) -> list[tuple[str, str]]:
    """For each array of weights its name, and where it stands in gradients that are made like `layers` and `table`."""

    def place(name: str) -> str:
        layer, _, keys = name.partition(".")
        return "of_table" if name == "embedding" else f"of_{layer}" + "".join(f'["{key}"]' for key in keys.split("."))

    return [(name, place(name)) for name in weight_shapes(architecture)]


def join(lines: Sequence[str]) -> str:
    """Source text, in which no more than two empty lines follow one another."""
    text = "\n".join(lines) + "\n"
    while "\n\n\n\n" in text:
        text = text.replace("\n\n\n\n", "\n\n\n")
    return text
