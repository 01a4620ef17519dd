"""Haiku: haiku.VanillaRNN, LSTM and GRU under dynamic_unroll and static_unroll."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.haiku.script import STATIC, UNROLL, options, script
from rnn_conformance.adapters.inlining import examples
from rnn_conformance.adapters.jax.arrays import Carry, JaxArray, Parameters, merge_function
from rnn_conformance.adapters.jax.model import apply_layers, template_of
from rnn_conformance.adapters.jax.network import JaxNetwork
from rnn_conformance.adapters.jax.shared import MODES, PRECISION, JaxAdapter
from rnn_conformance.adapters.protocol import Inputs, Lengths, Unsupported
from rnn_conformance.adapters.support import versions
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Mask
from rnn_conformance.reference.model.states import State, StateShapes
from rnn_conformance.reference.model.weights import LayerWeights, Weights

_NO_PADDING = "an unroll of Haiku's knows no padding; hk.ResetCore starts a sequence anew, and passes nothing over"
_ONLY_RELU = "the activation of hk.VanillaRNN is relu, and those of LSTM and GRU are tanh and sigmoid"
_NO_SYMBOLS = "hk.dynamic_unroll gives the number of timesteps to jax.lax.scan, which takes no symbol for it"
_NO_DROPOUT = "the cores have none; hk.dropout is a function of its own"


@cache
def _description() -> Description:
    import jax

    return Description(
        framework="Haiku",
        versions=versions("dm-haiku", "jax", "jaxlib"),
        cells=("simple_rnn", "lstm", "gru"),
        activations=("tanh", "relu"),
        variants=(
            SimpleRnn("relu"),
            Lstm(forget_bias=1.0),
            Gru(reset="before", recurrent_bias="none", keep="1-z"),
        ),
        modes=MODES,
        ways=("unrolled", STATIC, "vmapped", "closed-over"),
        device=jax.default_backend(),
        precision=PRECISION,
        offers=(
            "backward",
            "bidirectional",
            "merge modes",
            "gradients",
            "double backward",
            "training step",
        ),
        unsupported={
            "symbolic shapes": _NO_SYMBOLS,
            "symbolic state shapes": _NO_SYMBOLS,
            "no bias": "the cores of Haiku always have a bias",
            **dict.fromkeys(("linear", "sigmoid", "simple_rnn tanh", "lstm relu", "gru relu"), _ONLY_RELU),
            **dict.fromkeys(("lengths", "mask"), _NO_PADDING),
            "mask_zero": "hk.Embed makes no mask",
            "stateful": "a function that hk.transform gives keeps no state",
            "dropout": _NO_DROPOUT,
            "recurrent dropout": _NO_DROPOUT,
            "projection": "hk.LSTM has none",
            "mixed precision": "hk.mixed_precision takes policies of jmp, a package of its own",
            "lstm recurrent bias all": "hk.LSTM has one bias",
            "lstm forget bias 0.0": "hk.LSTM adds 1 to its forget gate",
            "gru reset after": "hk.GRU multiplies with the reset gate before the product",
            "gru recurrent bias all": "hk.GRU has one bias",
            "gru recurrent bias candidate": "hk.GRU has one bias",
            "gru keep z": "in hk.GRU it is 1 - z that keeps the state",
            **{
                f"{cell} recurrent activation {name}": _ONLY_RELU
                for cell in ("lstm", "gru")
                for name in ("hard_sigmoid", "hard_sigmoid_fifth")
            },
        },
        choices=Choices(backward_outputs="aligned"),
        conventions={
            "W": '`params["vanilla_rnn/linear"]["w"]`, `(features, units)`',
            "U": '`params["vanilla_rnn/linear_1"]["w"]`, `(units, units)`',
            "b": '`params["vanilla_rnn/linear"]["b"]`, `(units,)`',
            "orientation": "transposed",
            "gates": 'LSTM i, g, f, o, in one kernel `params["lstm/linear"]["w"]`, `(features + units, 4 * units)`; '
            'GRU z, r, a, in `params["gru"]["w_i"]` and `"w_h"`',
            "biases": "one, with `VanillaRNN(double_bias=False)`; without that `VanillaRNN` has a second one, which is "
            "added. The equation of `LSTM` adds 1 to the forget gate",
            "load": "`apply(params, x, state)`: the parameters are an argument of each call",
            "read": "`numpy.asarray(leaf)`",
            "time axis": "0, and 1 with `time_major=False`",
            "state": "`(batch, units)`; of an `LSTM` `LSTMState(hidden, cell)`",
            "backward": "`hk.dynamic_unroll(reverse=True)`",
            "both directions": "two cores",
            "embedding": '`params["embed"]["embeddings"]`, `(tokens, features)`',
        },
        notes={
            "dtype": "`core.initial_state` is float32 (or float64 with JAX's 64-bit types), whatever the inputs are",
            "training": "`parameter - rate * gradient`",
            "unrolled": f"`hk.dynamic_unroll(unroll={UNROLL})`",
            STATIC: "`hk.static_unroll`, which knows no `reverse`",
            "vmapped": "`jax.vmap` over single sequences",
            "closed-over": "`jax.jit` of a function that closes over the parameters, anew for each load",
        },
        examples=examples("haiku/example.py"),
    )


class _HaikuNetwork(JaxNetwork):
    """The parameters are a pair: those of hk.Embed or None, and for each layer a list of those of each direction."""

    def __init__(self, architecture: Architecture) -> None:
        if architecture.mode == STATIC and any(layer.direction != "forward" for layer in architecture.layers):
            raise Unsupported("hk.static_unroll knows no reverse")
        template = template_of(architecture, partial(_pack, architecture))
        super().__init__(architecture, partial(_model, architecture), template)

    def pack(self, weights: Weights) -> Parameters:
        return _pack(self._architecture, weights)

    def unpack(self, parameters: Parameters) -> Weights:
        from rnn_conformance.adapters.haiku import example

        table, layers = parameters
        found = []
        for layer, each in zip(self._architecture.layers, layers, strict=True):
            weights_in = getattr(example, f"{layer.cell.name}_weights_in")
            found.append(LayerWeights.of([LayerWeights(weights_in(params)) for params in each]))
        return Weights(tuple(found), None if table is None else np.asarray(table["embed"]["embeddings"]))

    def symbolic_shape(self) -> tuple[int | None, ...]:
        raise NotImplementedError(_NO_SYMBOLS)

    def symbolic_state_shapes(self) -> StateShapes:
        raise NotImplementedError(_NO_SYMBOLS)

    def step(self, parameters: Parameters, inputs: Inputs, targets: JaxArray, rate: float) -> Parameters:
        import jax
        from jax import numpy as jnp

        def loss(parameters: Parameters) -> JaxArray:
            outputs, _ = self.returned(parameters, inputs)
            return jnp.mean((outputs - targets) ** 2)

        return jax.tree.map(lambda p, gradient: p - rate * gradient, parameters, jax.grad(loss)(parameters))


def _pack(architecture: Architecture, weights: Weights) -> Parameters:
    from rnn_conformance.adapters.haiku import example

    layers = []
    for layer, given in zip(architecture.layers, weights.layers, strict=True):
        params_of = getattr(example, f"{layer.cell.name}_params_of")
        layers.append([params_of(direction.named) for direction in given.directions])
    return None if weights.embedding is None else {"embed": {"embeddings": weights.embedding}}, layers


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
    import haiku as hk

    table, params = parameters
    embedding = architecture.embedding

    def lookup(tokens: JaxArray) -> JaxArray:
        return hk.Embed(embedding.tokens, embedding.features)(tokens) if embedding else tokens

    transformed: Any = hk.without_apply_rng(hk.transform(lookup))
    embed = partial(transformed.apply, table) if embedding else None
    layers = [partial(_layer, architecture, *each) for each in zip(architecture.layers, params, strict=True)]
    return apply_layers(architecture, embed, layers, inputs, initial_state)


def _layer(
    architecture: Architecture, layer: Layer, params: list[Any], sequence: JaxArray, *, initial_carry: Carry
) -> tuple[Carry, JaxArray]:
    """(final carry, output sequence) of `sequence`, whose last two axes are timesteps and features.

    Of a bidirectional layer the carry is a pair.
    """
    from rnn_conformance.adapters.haiku import example

    def run(params: Any, carry: Carry, reverse: bool) -> tuple[Carry, JaxArray]:
        apply = example.layer(partial(_core, layer), **options(architecture, reverse))
        outputs, state = apply(params, sequence, carry)
        return state, outputs

    if not layer.is_bidirectional:
        return run(params[0], initial_carry, layer.direction == "backward")
    carry = initial_carry or (None, None)
    (h, forward), (g, backward) = run(params[0], carry[0], False), run(params[1], carry[1], True)
    return (h, g), merge_function(layer.merge)(forward, backward)


def _core(layer: Layer) -> Any:
    """The core of a layer, within hk.transform."""
    import haiku as hk

    if layer.cell.name == "simple_rnn":
        return hk.VanillaRNN(layer.units, double_bias=False)
    return (hk.LSTM if layer.cell.name == "lstm" else hk.GRU)(layer.units)


adapter = JaxAdapter(
    {"dm-haiku": "0.0.17", "jax": "0.10"}, _description, _HaikuNetwork, script, modules=("haiku", "jax")
)
