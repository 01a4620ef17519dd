"""What the two adapters on Flax share: what it offers and lacks, its choices, and the fixed options of its layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.jax.arrays import merge_function
from rnn_conformance.adapters.jax.shared import MODES, PRECISION
from rnn_conformance.adapters.support import versions
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer

UNROLL = 4
"""How many timesteps the mode "unrolled" puts into one turn of the loop: fewer than most sequences have."""


def describe(framework: str, module: str, conventions: Mapping[str, str], reloaded: str, example: str) -> Description:
    """The description of one of the two; `module` is its name as it is imported, `reloaded` its way to save."""
    import jax

    cell = f"{module}.SimpleCell"
    return Description(
        framework=framework,
        versions=versions("flax", "optax", "jax", "jaxlib"),
        modes=MODES,
        ways=("unrolled", "vmapped", "reloaded"),
        device=jax.default_backend(),
        precision=PRECISION,
        offers=(
            "symbolic state shapes",
            "lengths",
            "backward",
            "bidirectional",
            "merge modes",
            "gradients",
            "double backward",
            "training step",
            "mixed precision",
        ),
        unsupported={
            "no bias": f"{cell} always has a bias",
            "mask": f"{module}.RNN takes seq_lengths, and no mask",
            "mask_zero": f"{module}.Embed makes no mask",
            "stateful": f"{module}.RNN keeps no state between calls",
            "dropout": f"{cell} and {module}.RNN have none; {module}.Dropout is a layer of its own",
            "recurrent dropout": f"{cell} and {module}.RNN have none",
        },
        choices=Choices(padded_outputs="continue", backward_outputs="aligned"),
        conventions={
            **conventions,
            "orientation": "transposed",
            "biases": "one, beside the input kernel",
            "time axis": "1, the one before the features; `time_major=True` makes it 0",
            "state": "the carry, `(batch, units)`; of a `Bidirectional` a pair, the forward one first",
            "padding": "lengths: `rnn(x, seq_lengths=lengths)`, `(batch,)`",
            "backward": "`RNN(reverse=True, keep_order=True)`; without `keep_order` the outputs are in the order of "
            "processing",
        },
        notes={
            "merge": "`merge_fn`: the default for concat, `jnp.add`, `jnp.multiply`, and `(forward + backward) / 2`",
            "last output": "`outputs[..., -1, :]`; with lengths or backwards the carry; of a `Bidirectional` both, "
            "merged",
            "mixed precision": "`dtype` is that of computing, `param_dtype` that of weights",
            "training": "`optax.sgd` on the mean of `optax.losses.squared_error`",
            "unrolled": f"`RNN(unroll={UNROLL})`",
            "vmapped": "`jax.vmap` over single sequences",
            "reloaded": reloaded,
        },
        example=example,
    )


def rnn_options(architecture: Architecture, layer: Layer) -> dict[str, Any]:
    """The options of RNN, beside its cell. Bidirectional sees to the directions by itself."""
    options: dict[str, Any] = {"unroll": UNROLL} if architecture.mode == "unrolled" else {}
    if layer.direction == "backward":
        options |= {"reverse": True, "keep_order": True}
    return options


def bidirectional_options(layer: Layer) -> dict[str, Any]:
    """The options of Bidirectional, beside its two RNNs."""
    return {} if layer.merge == "concat" else {"merge_fn": merge_function(layer.merge)}
