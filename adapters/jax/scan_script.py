"""A stand-alone script of jax.lax.scan for an architecture (adapters/jax/script.py says what it reads and sets)."""

from __future__ import annotations

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
from rnn_conformance.reference.model.architecture import Architecture

UNROLL = 4
"""How many timesteps the mode "unrolled" puts into one turn of the loop: fewer than most sequences have."""


def script(architecture: Architecture, wants: str) -> str:
    """Python source that uses only NumPy and jax; `wants` is "outputs" or "gradients"."""
    table = architecture.embedding
    weights = ["layers", "table"] if table else ["layers"]
    lines = [*header(architecture), "", *_layer(architecture), ""]
    lines += ["", f"def {call('model', *weights, *given(architecture))}:"]
    if architecture.weights_dtype:
        lines += [f"    cast = lambda array: array.astype(jnp.{architecture.dtype})"]
        lines += [f"    {name} = jax.tree.map(cast, {name})" for name in weights]
    lines += ["    x = jnp.take(table, inputs, axis=0)" if table else "    x = inputs"]
    lines += _valid(architecture)
    valid = ", valid" if architecture.is_masked else ""
    for k, layer in enumerate(architecture.layers):
        f = ACTIVATIONS[layer.activation]
        lines += [f"    h = {carry_in(layer, k)}"]
        if layer.is_bidirectional:
            lines += [
                f"    h_forward, forward = layer({f}, layers[{k}], x, h and h[0], False{valid})",
                f'    h_backward, backward = layer({f}, layers[{k}]["backward"], x, h and h[1], True{valid})',
                f"    carry_{k}, x = (h_forward, h_backward), {MERGES[layer.merge]}",
            ]
        else:
            lines += [f"    carry_{k}, x = layer({f}, layers[{k}], x, h, {layer.direction == 'backward'}{valid})"]
    lines += [*returns(architecture), ""]
    return join([*lines, *ending(architecture, wants, weights, weights_of(architecture))])


def _layer(architecture: Architecture) -> list[str]:
    biases = [layer.use_bias for layer in architecture.layers]
    b = ' + weights["b"]' if all(biases) else ' + (0 if weights["b"] is None else weights["b"])' if any(biases) else ""
    unroll = f", unroll={UNROLL}" if architecture.mode == "unrolled" else ""
    if architecture.is_masked:
        signature, sequence = "f, weights, x, h, reverse, valid", "(by_time, jnp.moveaxis(valid, -1, 0)[..., None])"
        step = [
            "    def step(h, now):",
            "        x, keep = now",
            f'        new = f(jnp.where(keep, x, 0) @ weights["W"].T + h @ weights["U"].T{b})',
            "        h = jnp.where(keep, new, h)",
            "        return h, jnp.where(keep, h, 0)",
        ]
    else:
        signature, sequence = "f, weights, x, h, reverse", "by_time"
        step = [
            "    def step(h, x):",
            f'        h = f(x @ weights["W"].T + h @ weights["U"].T{b})',
            "        return h, h",
        ]
    return [
        f"def layer({signature}):",
        *step,
        "",
        "    if h is None:",
        '        h = jnp.zeros((*x.shape[:-2], len(weights["U"])), x.dtype)',
        "    by_time = jnp.moveaxis(x, -2, 0)",
        f"    h, outputs = jax.lax.scan(step, h, {sequence}, reverse=reverse{unroll})",
        "    return h, jnp.moveaxis(outputs, 0, -2)",
    ]


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
