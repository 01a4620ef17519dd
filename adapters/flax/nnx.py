"""Flax NNX: flax.nnx.RNN and Bidirectional over its cells."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from packaging.version import Version

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.flax.nnx_script import GATE_BY_GATE, class_of, script
from rnn_conformance.adapters.flax.shared import (
    bidirectional_options,
    describe,
    in_our_order,
    refuse_without_an_lstm,
    rnn_options,
)
from rnn_conformance.adapters.gates import z_and_r_swapped
from rnn_conformance.adapters.jax.arrays import JaxArray, Parameters, activation, x64
from rnn_conformance.adapters.jax.model import apply_layers, last_output
from rnn_conformance.adapters.jax.network import JaxNetwork
from rnn_conformance.adapters.jax.shared import JaxAdapter
from rnn_conformance.adapters.protocol import Inputs, Lengths
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Mask
from rnn_conformance.reference.model.names import name_of, place_of
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Weights

NNX_JIT = "nnx-jit"
"""The way in which the modules are an argument of a function that nnx.jit compiles."""


@cache
def _description() -> Description:
    return describe(
        "Flax NNX",
        "flax.nnx",
        Gru(recurrent_bias="none"),
        {
            "W": "`rnn.cell.dense_i.kernel`, `(features, units)`",
            "U": "`rnn.cell.dense_h.kernel`, `(units, units)`",
            "b": "`rnn.cell.dense_i.bias`, `(units,)`; of an LSTM `rnn.cell.dense_h.bias`",
            "gates": "LSTM i, f, g, o; GRU r, z, n: z and r change places",
            "biases": "one, beside the input kernel; of an LSTM beside the recurrent one",
            "load": "`param[...] = array`, in the modules, or in the state that `nnx.split` takes from them",
            "read": "`numpy.asarray(param[...])`",
            "both directions": "`Bidirectional.forward_rnn` and `.backward_rnn`",
            "embedding": "`Embed.embedding`, `(tokens, features)`",
        },
        "the pure dict of the state through `flax.serialization.to_bytes` and `from_bytes`, whose arrays are NumPy's "
        "and may only be read: `param[...] = array` raises until they are replaced",
        {
            NNX_JIT: "`nnx.jit` of a function of the modules, `nnx.jit` of `nnx.grad` for its gradients",
            GATE_BY_GATE: "an LSTM of `LSTMCell` in place of `OptimizedLSTMCell`: of each gate a layer for x, "
            "`rnn.cell.ii`, `if_`, `ig` and `io`, and one with the bias for h, `rnn.cell.hi` and so on",
        },
        "flax/nnx_example.py",
        {
            "closed-over": "is not run: plain `jax.jit` of a function that closes over modules made outside of it "
            "raises `TraceContextError`, since `RNN` counts the random numbers that it asks for; `nnx.jit` of a "
            "function of the modules does it",
        },
    )


class _NnxNetwork(JaxNetwork):
    """The parameters are the state of the weights, split from the modules; in eager mode the modules are called."""

    def __init__(self, architecture: Architecture) -> None:
        from flax import nnx

        if architecture.mode == GATE_BY_GATE:
            refuse_without_an_lstm(architecture, "flax.nnx.LSTMCell")
        modules = _modules(architecture)
        # The others are those of the random numbers, which RNN asks for and SimpleCell does not use.
        graph, *states = nnx.split(modules, nnx.Param, ...)
        parameters, others = states

        def merge(parameters: Parameters) -> list[Any]:
            # A copy, because a call counts the random numbers that it asked for; before 0.11 there is nothing else.
            merged: list[Any] = nnx.merge(graph, parameters, others, **({} if _is_before_0_11() else {"copy": True}))
            return merged

        def call(
            parameters: Parameters,
            inputs: Inputs,
            *,
            initial_state: State | None,
            lengths: Lengths | None,
            mask: Mask | None,
        ) -> tuple[JaxArray, State]:
            return _apply(architecture, merge(parameters), inputs, initial_state, lengths)

        super().__init__(architecture, call, parameters)
        self._parameters = parameters
        self._merge = merge
        self._modules: list[Any] | None = None
        self._loaded: Any = parameters  # where weights are put
        if architecture.mode == NNX_JIT:
            jitted = nnx.jit(partial(_apply, architecture))
            self._modules = self._loaded = modules
            self._call = lambda _, inputs, *, initial_state, lengths, mask: jitted(
                modules, inputs, initial_state, lengths
            )
            pull = nnx.jit(partial(_gradients, architecture))
            self._pull = lambda _, *given: pull(modules, *given)
        if architecture.mode == "eager":
            self._modules = self._loaded = modules
            self._call = lambda _, inputs, *, initial_state, lengths, mask: _apply(
                architecture, modules, inputs, initial_state, lengths
            )

    def load(self, weights: Weights) -> None:
        from flax import nnx
        from jax import numpy as jnp

        params = _params(self._architecture, self._loaded)
        with x64(self._architecture.dtype):
            for name, array in weights.arrays():
                there = _there(self._architecture, name, array)
                for param, part in zip(params[name], _parts(there, len(params[name])), strict=True):
                    # Copied first: JAX may read an array after the call.
                    _write(param, jnp.array(np.array(part)))
            self._parameters = nnx.state(self._modules, nnx.Param) if self._modules else self._loaded
            if self._architecture.mode == "reloaded":
                self._parameters = _reloaded(self._architecture, self._loaded)

    def weights(self) -> Weights:
        return self.unpack(self._modules or self._parameters)

    def unpack(self, parameters: Parameters) -> Weights:
        params = _params(self._architecture, parameters)
        found = {name: _joined([_read(param) for param in each]) for name, each in params.items()}
        return Weights.of({name: _here(self._architecture, name, array) for name, array in found.items()})

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        from flax import nnx

        super().train(inputs, targets, rate)
        if self._modules:
            nnx.update(self._modules, self._parameters)

    def step(self, parameters: Parameters, inputs: Inputs, targets: JaxArray, rate: float) -> Parameters:
        import jax
        import optax
        from flax import nnx

        def loss(parameters: Parameters) -> JaxArray:
            outputs, _ = self.returned(parameters, inputs)
            return optax.losses.squared_error(outputs, targets).mean()

        modules = self._merge(parameters)
        optimizer: Any = nnx.Optimizer(modules, optax.sgd(rate), wrt=nnx.Param)
        gradients = jax.grad(loss)(parameters)
        if _is_before_0_11():
            optimizer.update(gradients)
        else:
            optimizer.update(modules, gradients)
        return nnx.state(modules, nnx.Param)


def _gradients(
    architecture: Architecture,
    modules: list[Any],
    inputs: Inputs,
    initial_state: State | None,
    masking: Any,
    cotangent: tuple[JaxArray, State],
) -> Any:
    """Those of modules, inputs (None for tokens) and initial state (None for none), by nnx.grad."""
    import jax
    from flax import nnx

    def total(modules: list[Any], numbers: JaxArray | None, initial_state: State | None) -> JaxArray:
        given = inputs if numbers is None else numbers
        outputs, final = _apply(architecture, modules, given, initial_state, masking["lengths"])
        if not architecture.return_sequences:
            outputs = last_output(architecture, outputs, final)
        return sum((y * c).sum() for y, c in zip(*map(jax.tree.leaves, ((outputs, final), cotangent)), strict=True))

    numbers = None if architecture.embedding else inputs
    return nnx.grad(total, argnums=(0, 1, 2))(modules, numbers, initial_state)


def _is_before_0_11() -> bool:
    """Whether an optimizer still holds its model, and a split state no Params that can be indexed."""
    import flax

    return Version(flax.__version__) < Version("0.11")


def _write(param: Any, array: Any) -> None:
    if _is_before_0_11():
        param.value = array
    else:
        param[...] = array


def _read(param: Any) -> Any:
    return np.asarray(param.value if _is_before_0_11() else param[...])


def _modules(architecture: Architecture) -> list[Any]:
    """The embedding, if there is one, and the layers. Zeros, because random numbers take far longer to compile."""
    from flax import nnx

    dtype = dtype_of(architecture.dtype)
    param_dtype = dtype_of(architecture.weights_dtype or architecture.dtype)
    zeros = nnx.initializers.zeros_init()
    rngs = nnx.Rngs(0)

    def rnn(layer: Layer) -> Any:
        cell = getattr(nnx, class_of(architecture, layer))(
            layer.features,
            layer.units,
            dtype=dtype,
            param_dtype=param_dtype,
            activation_fn=activation(layer.cell.activation),
            kernel_init=zeros,
            recurrent_kernel_init=zeros,
            rngs=rngs,
        )
        return nnx.RNN(cell, **rnn_options(architecture, layer))

    modules: list[Any] = []
    if table := architecture.embedding:
        modules.append(
            nnx.Embed(
                table.tokens, table.features, dtype=dtype, param_dtype=param_dtype, embedding_init=zeros, rngs=rngs
            )
        )
    for layer in architecture.layers:
        modules.append(
            nnx.Bidirectional(rnn(layer), rnn(layer), **bidirectional_options(layer))
            if layer.is_bidirectional
            else rnn(layer)
        )
    return modules


def _there(architecture: Architecture, name: str, array: Any) -> Any:
    """An array of weights as NNX has it: transposed, its gates in NNX's order."""
    place = place_of(name)
    if place is None:
        return array
    return (z_and_r_swapped(array) if architecture.layers[place.layer].cell.name == "gru" else array).T


def _here(architecture: Architecture, name: str, array: Any) -> Any:
    """The inverse of `_there`."""
    place = place_of(name)
    if place is None:
        return array
    return z_and_r_swapped(array.T) if architecture.layers[place.layer].cell.name == "gru" else array.T


def _params(architecture: Architecture, tree: Any) -> dict[str, list[Any]]:
    """The nnx.Params of each weight by its name, in a list of modules or in their split state: one, or one a gate."""
    first = 1 if architecture.embedding else 0
    params = {"embedding": [tree[0].embedding]} if first else {}
    for k, layer in enumerate(architecture.layers):
        module = tree[first + k]
        for j, rnn in enumerate((module.forward_rnn, module.backward_rnn) if layer.is_bidirectional else (module,)):
            found = _params_in(class_of(architecture, layer), rnn.cell)
            params |= {name_of("layers", k, j, part): each for part, each in found.items()}
    return params


def _params_in(kind: str, cell: Any) -> dict[str, list[Any]]:
    from rnn_conformance.adapters.flax.nnx_example import gate_by_gate_params_in, lstm_params_in, params_in

    if kind == "LSTMCell":
        return gate_by_gate_params_in(cell)
    found = (lstm_params_in if kind == "OptimizedLSTMCell" else params_in)(cell)
    return {part: [param] for part, param in found.items()}


def _parts(array: Any, number: int) -> list[Any]:
    """An array as NNX has it, cut along its last axis, on which the gates are; one part is the array itself."""
    return np.split(array, number, axis=-1) if number > 1 else [array]


def _joined(parts: list[Any]) -> Any:
    """The inverse of `_parts`."""
    return np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]


def _apply(
    architecture: Architecture,
    modules: list[Any],
    inputs: Inputs,
    initial_state: State | None,
    lengths: Lengths | None,
) -> tuple[JaxArray, State]:
    embed, layers = (modules[0], modules[1:]) if architecture.embedding else (None, modules)
    applied = [
        in_our_order(layer, partial(rnn, seq_lengths=lengths, return_carry=True))
        for layer, rnn in zip(architecture.layers, layers, strict=True)
    ]
    return apply_layers(architecture, embed, applied, inputs, initial_state)


def _reloaded(architecture: Architecture, parameters: Parameters) -> Parameters:
    """The state of newly built modules into which these parameters were read from their saved bytes."""
    from flax import nnx, serialization

    saved = serialization.to_bytes(nnx.to_pure_dict(parameters))
    modules = _modules(architecture)
    state = nnx.state(modules, nnx.Param)
    nnx.replace_by_pure_dict(state, serialization.from_bytes(nnx.to_pure_dict(state), saved))
    nnx.update(modules, state)
    return nnx.state(modules, nnx.Param)


adapter = JaxAdapter({"flax": "0.10.4", "jax": "0.4.36"}, _description, _NnxNetwork, script)
