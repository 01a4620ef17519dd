"""What cannot be carried from one framework to another, by name, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rnn_conformance.adapters.porting.ends import Place

_GATED = ("lstm", "gru")
_EVERYWHERE = ("torch", "keras", "flax-nnx", "flax-linen")
_FLAX = ("flax-nnx", "flax-linen")
_ANEW = "Train anew without it, or write the cell by hand and hold it against this one with an adapter of your own."


@dataclass(frozen=True)
class Limit:
    """What a layer of some frameworks may have that it has not in others, and `advice`; both in words."""

    name: str
    advice: str
    sources: Sequence[str]
    targets: Sequence[str] = _EVERYWHERE
    cells: Sequence[str] = _GATED


_LIMITS = (
    Limit(
        "`proj_size`",
        "h is multiplied with a kernel `weight_hr_l0` before it is put out and handed on, and no layer here does that. "
        + _ANEW,
        ("torch",),
        cells=("lstm",),
    ),
    Limit(
        "`num_layers` above 1",
        "Carry each layer with this script: that of `_l1` is the second, and reads the outputs of the first.",
        ("torch",),
    ),
    Limit(
        "`bias=False`",
        "Give the script zeros for `b` and `c`: the layer computes the same.",
        ("torch",),
    ),
    Limit(
        "`use_bias=False`",
        "Give the script zeros for `b`, and for `c` of a GRU: the layer computes the same.",
        ("keras",),
    ),
    Limit(
        "`reset_after=False`",
        "It is another equation, in which r is multiplied with h before the product with U: no weights make the two "
        "equal. Train anew with `reset_after=True`, the default, or write the cell by hand.",
        ("keras",),
        cells=("gru",),
    ),
    Limit(
        "an `activation` other than tanh, or a `recurrent_activation` other than sigmoid",
        "The layers of `torch.nn` have these two and no others. " + _ANEW,
        ("keras",),
        ("torch",),
    ),
    Limit(
        "an `activation` other than tanh, or a `recurrent_activation` other than sigmoid",
        "Give it to the cell as `activation_fn` and `gate_fn`; `hard_sigmoid` is `jax.nn.hard_sigmoid`.",
        ("keras",),
        _FLAX,
    ),
    Limit(
        "an `activation_fn` other than tanh, or a `gate_fn` other than sigmoid",
        "The layers of `torch.nn` have these two and no others. " + _ANEW,
        _FLAX,
        ("torch",),
    ),
    Limit(
        "an `activation_fn` other than tanh, or a `gate_fn` other than sigmoid",
        "Give it to the layer as `activation` and `recurrent_activation`.",
        _FLAX,
        ("keras",),
    ),
    Limit(
        "the recurrent bias of n",
        "`flax.nnx.GRUCell` has no place for it, and it cannot be added to the other one, because it is multiplied by "
        "r. The script gives the cell a `dense_h` with a bias, which the cell then adds by itself. Where the cell has "
        "to stay as it is, hold that bias at zero in training, and leave these lines out.",
        ("torch", "keras", "flax-linen"),
        ("flax-nnx",),
        ("gru",),
    ),
    Limit(
        "`LSTMCell` in place of `OptimizedLSTMCell`",
        "It computes the same, with a layer for each gate. `W` are the kernels of `cell.ii`, `cell.if_`, `cell.ig` and "
        "`cell.io`, each transposed, one above the other; `U` and `b` are those of `cell.hi`, `cell.hf` and so on.",
        ("flax-nnx",),
        cells=("lstm",),
    ),
    Limit(
        "a `dense_h` that was given a bias",
        'The script reads none. Set `weights["c"]` to `z_and_r_swapped(np.asarray(cell.dense_h.bias[...]))`, and carry '
        "the biases as from PyTorch.",
        ("flax-nnx",),
        cells=("gru",),
    ),
    Limit(
        "`go_backwards`",
        "Flip the inputs along time. The outputs are then in the order of processing, as they are in Keras.",
        ("keras",),
        ("torch",),
    ),
    Limit(
        "`go_backwards`",
        "It is `RNN(reverse=True)` without `keep_order`, which leaves the outputs in the order of processing, too.",
        ("keras",),
        _FLAX,
    ),
    Limit(
        "`reverse=True`",
        "Flip the inputs along time, and with `keep_order=True` the outputs.",
        _FLAX,
        ("torch",),
    ),
    Limit(
        "`reverse=True`",
        "It is `go_backwards=True`, whose outputs are in the order of processing: with `keep_order=True`, flip them.",
        _FLAX,
        ("keras",),
    ),
    Limit(
        "`stateful=True`",
        "Hand the final state of a call to the next one.",
        ("keras",),
    ),
    Limit(
        "`dropout` and `recurrent_dropout`",
        "There are no weights in them, and out of training both layers compute the same. In training, this layer has "
        "neither within it.",
        ("keras",),
    ),
)


def limits(cell: str, source: Place, target: Place) -> Iterator[Limit]:
    """Those that someone meets who takes this cell from one to the other."""
    for limit in _LIMITS:
        if cell in limit.cells and source.name in limit.sources and target.name in limit.targets:
            yield limit
