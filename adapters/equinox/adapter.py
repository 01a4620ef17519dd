"""Equinox: equinox.nn.LSTMCell and GRUCell under jax.lax.scan, which is how its users make layers of them."""

from __future__ import annotations

import io
from functools import cache, partial
from typing import Any

import numpy as np

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.equinox.script import UNROLL, script
from rnn_conformance.adapters.inlining import examples
from rnn_conformance.adapters.jax.arrays import Carry, JaxArray, Parameters, merge_function
from rnn_conformance.adapters.jax.model import apply_layers, template_of
from rnn_conformance.adapters.jax.network import JaxNetwork
from rnn_conformance.adapters.jax.shared import MODES, PRECISION, JaxAdapter
from rnn_conformance.adapters.protocol import Inputs, Lengths
from rnn_conformance.adapters.support import versions
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Mask
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import LayerWeights, Weights

_NO_PADDING = "the cells know no padding: what a scan does there is its user's own"
_ONLY_TANH = "the activations of equinox.nn.LSTMCell and GRUCell are tanh and sigmoid"
_NO_DROPOUT = "the cells have none; equinox.nn.Dropout is a layer of its own"


@cache
def _description() -> Description:
    import jax

    return Description(
        framework="Equinox",
        versions=versions("equinox", "jax", "jaxlib"),
        cells=("lstm", "gru"),
        activations=("tanh",),
        variants=(Lstm(), Gru(recurrent_bias="candidate")),
        modes=MODES,
        ways=("unrolled", "vmapped", "reloaded", "closed-over"),
        device=jax.default_backend(),
        precision=PRECISION,
        offers=(
            "symbolic state shapes",
            "backward",
            "bidirectional",
            "merge modes",
            "gradients",
            "double backward",
            "training step",
        ),
        unsupported={
            "simple_rnn": "equinox.nn has LSTMCell and GRUCell, and no cell of a simple RNN",
            **dict.fromkeys(("relu", "linear", "sigmoid"), _ONLY_TANH),
            **dict.fromkeys(("lengths", "mask"), _NO_PADDING),
            "mask_zero": "equinox.nn.Embedding makes no mask",
            "stateful": "a cell is a function of its state, and keeps none",
            "dropout": _NO_DROPOUT,
            "recurrent dropout": _NO_DROPOUT,
            "projection": "equinox.nn.LSTMCell has none",
            "mixed precision": "a cell has one dtype, that of its arrays",
            "lstm recurrent bias all": "equinox.nn.LSTMCell has one bias",
            "lstm forget bias 1.0": "equinox.nn.LSTMCell adds nothing to the forget gate",
            "gru reset before": "equinox.nn.GRUCell multiplies with the reset gate after the product",
            "gru recurrent bias all": "equinox.nn.GRUCell has a second bias for its candidate alone",
            "gru recurrent bias none": "equinox.nn.GRUCell has a second bias for its candidate",
            "gru keep 1-z": "in equinox.nn.GRUCell it is z that keeps the state",
            **{
                f"{cell} recurrent activation {name}": _ONLY_TANH
                for cell in ("lstm", "gru")
                for name in ("hard_sigmoid", "hard_sigmoid_fifth")
            },
        },
        choices=Choices(backward_outputs="aligned"),
        conventions={
            "W": "`cell.weight_ih`, `(units, features)` for each gate",
            "U": "`cell.weight_hh`, `(units, units)` for each gate",
            "b": "`cell.bias`, `(units,)` for each gate",
            "orientation": "as they are",
            "gates": "LSTM i, f, g, o; GRU r, z, n: z and r change places",
            "biases": "one; of a `GRUCell` the candidate has a second, `cell.bias_n`, `(units,)`, which is multiplied "
            "by r",
            "load": "`equinox.tree_at(lambda cell: cell.weight_ih, cell, array)`, which gives another cell",
            "read": "`numpy.asarray(cell.weight_ih)`",
            "time axis": "a cell takes one timestep of one sequence; `lax.scan` runs along 0, `jax.vmap` over a batch",
            "state": "`(units,)`; of an `LSTMCell` a tuple of two, h and c",
            "backward": "`lax.scan(reverse=True)`",
            "both directions": "two cells",
            "embedding": "`equinox.nn.Embedding(weight=array)`, `(tokens, features)`",
        },
        notes={
            "training": "`equinox.apply_updates(model, updates)`, the updates being `-rate * gradient`",
            "unrolled": f"`lax.scan(unroll={UNROLL})`",
            "vmapped": "`jax.vmap` over single sequences",
            "reloaded": "`equinox.tree_serialise_leaves` and `tree_deserialise_leaves`",
            "closed-over": "`jax.jit` of a function that closes over the modules, anew for each load",
        },
        examples=examples("equinox/example.py"),
    )


class _EquinoxNetwork(JaxNetwork):
    """The parameters are a pair of modules: an Embedding or None, and for each layer a list of a cell a direction."""

    def __init__(self, architecture: Architecture) -> None:
        template = template_of(architecture, partial(_pack, architecture))
        super().__init__(architecture, partial(_model, architecture), template)

    def load(self, weights: Weights) -> None:
        import equinox as eqx

        super().load(weights)
        if self._architecture.mode == "reloaded":
            file = io.BytesIO()
            eqx.tree_serialise_leaves(file, self._parameters)
            file.seek(0)
            self._parameters = eqx.tree_deserialise_leaves(file, self._template)

    def pack(self, weights: Weights) -> Parameters:
        return _pack(self._architecture, weights)

    def unpack(self, parameters: Parameters) -> Weights:
        from rnn_conformance.adapters.equinox import example

        table, cells = parameters
        layers = []
        for layer, each in zip(self._architecture.layers, cells, strict=True):
            weights_in = getattr(example, f"{layer.cell.name}_weights_in")
            layers.append(LayerWeights.of([LayerWeights(weights_in(cell)) for cell in each]))
        return Weights(tuple(layers), None if table is None else np.asarray(table.weight))

    def step(self, parameters: Parameters, inputs: Inputs, targets: JaxArray, rate: float) -> Parameters:
        import equinox as eqx
        import jax
        from jax import numpy as jnp

        def loss(parameters: Parameters) -> JaxArray:
            outputs, _ = self.returned(parameters, inputs)
            return jnp.mean((outputs - targets) ** 2)

        updates = jax.tree.map(lambda gradient: -rate * gradient, jax.grad(loss)(parameters))
        return eqx.apply_updates(parameters, updates)


def _pack(architecture: Architecture, weights: Weights) -> Parameters:
    import equinox as eqx

    from rnn_conformance.adapters.equinox import example

    cells = []
    for layer, given in zip(architecture.layers, weights.layers, strict=True):
        cell_of = getattr(example, f"{layer.cell.name}_cell_of")
        cells.append([cell_of(direction.named) for direction in given.directions])
    table: Any = weights.embedding
    return None if table is None else eqx.nn.Embedding(weight=table), cells


def _model(
    architecture: Architecture,
    parameters: Parameters,
    inputs: Inputs,
    *,
    initial_state: State | None,
    lengths: Lengths | None,
    mask: Mask | None,
) -> tuple[JaxArray, State]:
    """The layers; there is no mask, since none is offered."""
    import jax

    table, cells = parameters
    unroll = UNROLL if architecture.mode == "unrolled" else 1

    def embed(tokens: JaxArray) -> JaxArray:
        each = table
        for _ in range(tokens.ndim):
            each = jax.vmap(each)
        return each(tokens)

    layers = [partial(_layer, layer, each, unroll) for layer, each in zip(architecture.layers, cells, strict=True)]
    return apply_layers(architecture, None if table is None else embed, layers, inputs, initial_state)


def _layer(
    layer: Layer, cells: list[Any], unroll: int, sequence: JaxArray, *, initial_carry: Carry
) -> tuple[Carry, JaxArray]:
    """(final carry, output sequence) of `sequence`, whose last two axes are timesteps and features.

    Of a bidirectional layer the carry is a pair.
    """
    from jax import numpy as jnp

    from rnn_conformance.adapters.equinox import example

    x = jnp.asarray(sequence)

    def run(cell: Any, carry: Carry, reverse: bool) -> tuple[Carry, JaxArray]:
        state = example.zeros(cell, x) if carry is None else carry
        return example.scanned(cell, x, state, reverse=reverse, unroll=unroll)

    if not layer.is_bidirectional:
        return run(cells[0], initial_carry, layer.direction == "backward")
    carry = initial_carry or (None, None)
    (h, forward), (g, backward) = run(cells[0], carry[0], False), run(cells[1], carry[1], True)
    return (h, g), merge_function(layer.merge)(forward, backward)


adapter = JaxAdapter({"equinox": "0.13", "jax": "0.10"}, _description, _EquinoxNetwork, script)
