"""What the two adapters on Flax share: what it offers and lacks, its choices, and the fixed options of its layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.inlining import example, examples
from rnn_conformance.adapters.jax.arrays import Carry, JaxArray, merge_function
from rnn_conformance.adapters.jax.shared import MODES, PRECISION
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.adapters.support import versions
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer

UNROLL = 4
"""How many timesteps the mode "unrolled" puts into one turn of the loop: fewer than most sequences have."""


def describe(
    framework: str,
    module: str,
    gru: Gru,
    conventions: Mapping[str, str],
    reloaded: str,
    seldom: Mapping[str, str],
    plain: str,
    notes: Mapping[str, str] | None = None,
) -> Description:
    """The description of one of the two; `module` is its name as it is imported, `reloaded` its way to save.

    `gru` is the one whose biases it has, `plain` the plain module with its examples, `seldom` names ways that
    few people take, with what each is, and `notes` has what else there is to know of this one alone.
    """
    import jax

    has_simple_cell = hasattr(import_module(module), "SimpleCell")  # flax.linen has had one since 0.8.2
    return Description(
        framework=framework,
        versions=versions("flax", "optax", "jax", "jaxlib"),
        cells=(*(("simple_rnn",) if has_simple_cell else ()), "lstm", "gru"),
        variants=(
            *(Lstm(name, output_activation=name) for name in ("tanh", "relu", "sigmoid")),
            *(replace(gru, activation=name) for name in ("tanh", "relu", "sigmoid")),
        ),
        modes=MODES,
        ways=("unrolled", "vmapped", "reloaded", *seldom),
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
            "no bias": f"the cells of {module} always have a bias",
            "gru reset before": f"{module}.GRUCell multiplies with the reset gate after the product",
            "mask": f"{module}.RNN takes seq_lengths, and no mask",
            "mask_zero": f"{module}.Embed makes no mask",
            "stateful": f"{module}.RNN keeps no state between calls",
            "dropout": f"the cells of {module} and {module}.RNN have none; {module}.Dropout is a layer of its own",
            "recurrent dropout": f"the cells of {module} and {module}.RNN have none",
            "projection": f"{module}.LSTMCell has none",
            **({} if has_simple_cell else {"simple_rnn": f"{module} has no SimpleCell before flax 0.8.2"}),
        },
        choices=Choices(padded_outputs="continue", backward_outputs="aligned"),
        conventions={
            **conventions,
            "orientation": "transposed",
            "time axis": "1, the one before the features; `time_major=True` makes it 0",
            "state": "the carry, `(batch, units)`; of an LSTM `(c, h)`; of a `Bidirectional` a pair of such, forward "
            "first",
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
            **seldom,
            **(notes or {}),
        },
        example=example(plain),
        examples=examples(plain),
    )


def swapped(layer: Layer, carry: Carry) -> Carry:
    """The carry of a layer as Flax has it, whose LSTM has (c, h); or such a one as (h, c). None stays None."""
    if carry is None or len(layer.cell.parts) == 1:
        return carry
    return tuple(state[::-1] for state in carry) if layer.is_bidirectional else carry[::-1]


def in_our_order(layer: Layer, apply: Callable[..., tuple[Carry, JaxArray]]) -> Callable[..., tuple[Carry, JaxArray]]:
    """A layer of Flax's that takes and gives its carry in the order of SPEC.md."""

    def applied(sequence: JaxArray, *, initial_carry: Carry) -> tuple[Carry, JaxArray]:
        carry, outputs = apply(sequence, initial_carry=swapped(layer, initial_carry))
        return swapped(layer, carry), outputs

    return applied


def refuse_without_an_lstm(architecture: Architecture, other: str) -> None:
    """Raise Unsupported for a model that has no LSTM, whose `other` class in Flax this way is about."""
    if all(layer.cell.name != "lstm" for layer in architecture.layers):
        raise Unsupported(f"{other} is another class of an LSTM, and this model has none: other cells have one class")


def rnn_options(architecture: Architecture, layer: Layer) -> dict[str, Any]:
    """The options of RNN, beside its cell. Bidirectional sees to the directions by itself."""
    options: dict[str, Any] = {"unroll": UNROLL} if architecture.mode == "unrolled" else {}
    if layer.direction == "backward":
        options |= {"reverse": True, "keep_order": True}
    return options


def bidirectional_options(layer: Layer) -> dict[str, Any]:
    """The options of Bidirectional, beside its two RNNs."""
    return {} if layer.merge == "concat" else {"merge_fn": merge_function(layer.merge)}
