"""Layers that are wrong in one way each: what the checks must notice. A function is an implementation of the layer."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np

from rnn_conformance.adapters.function import FunctionAdapter, from_function
from rnn_conformance.adapters.protocol import Inputs, Network
from rnn_conformance.reference import network
from rnn_conformance.reference.architecture import Architecture, LayerWeights, Output, State, Weights


def _with_layers(weights: Weights, change: object) -> Weights:
    return replace(weights, layers=tuple(change(layer) for layer in weights.layers))  # type: ignore[operator]


def transposed_recurrent_kernel(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """U is transposed."""
    return network.run(a, _with_layers(w, lambda k: LayerWeights(k.W, k.U.T, k.b)), x, h)


def bias_twice(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """The bias is added twice."""
    return network.run(a, _with_layers(w, lambda k: LayerWeights(k.W, k.U, None if k.b is None else 2 * k.b)), x, h)


def bias_of_its_own(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """A layer without bias has one all the same."""
    return network.run(
        a, _with_layers(w, lambda k: k if k.b is not None else LayerWeights(k.W, k.U, k.U[0] + k.W.dtype.type(1))), x, h
    )


def reversed_outputs(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """All outputs are there, the last one first."""
    output = network.run(a, w, x, h)
    return replace(output, outputs=output.outputs[..., ::-1, :]) if a.return_sequences else output


def first_output_for_last(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """The last output is h_1."""
    output = network.run(replace(a, return_sequences=True), w, x, h)
    return output if a.return_sequences else replace(output, outputs=output.outputs[..., 0, :])


def leaks_between_rows(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """Each row sees a little of the row below it."""
    return network.run(a, w, x + np.roll(x, 1, axis=0) * x.dtype.type(2**-20) if x.ndim == 3 else x, h)


def sees_the_future(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """The input is shifted by one timestep when it is long."""
    return network.run(a, w, np.roll(x, -1, axis=-2) if x.shape[-2] > 3 else x, h)


def first_unit_is_special(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """The first unit's output is a little too large."""
    output = network.run(a, w, x, h)
    outputs = output.outputs.copy()
    outputs[..., 0] *= outputs.dtype.type(1 + 2**-9)
    return replace(output, outputs=outputs)


def half_precision_products(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """The kernels are rounded to half precision, as fast modes of some hardware do."""

    def rounded(k: LayerWeights) -> LayerWeights:
        half = k.U.astype(np.float16).astype(k.U.dtype)
        return LayerWeights(k.W.astype(np.float16).astype(k.W.dtype), half, k.b)

    return network.run(a, _with_layers(w, rounded), x, h)


def leaky_saturation(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """tanh stops short of 1."""
    output = network.run(a, w, x, h)
    if a.layers[-1].activation != "tanh":
        return output
    limit = output.outputs.dtype.type(0.9999)
    return replace(output, outputs=np.clip(output.outputs, -limit, limit))


def keeps_the_batch_axis(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """A single sequence comes back as a batch of one."""
    output = network.run(a, w, x, h)
    return output if a.batched else replace(output, outputs=output.outputs[np.newaxis])


def time_first(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """The outputs are (timesteps, batch, units)."""
    output = network.run(a, w, x, h)
    swap = a.return_sequences and a.batched
    return replace(output, outputs=output.outputs.swapaxes(0, 1)) if swap else output


def last_output_with_a_time_axis(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """The last output is (batch, 1, units)."""
    output = network.run(a, w, x, h)
    return output if a.return_sequences else replace(output, outputs=output.outputs[..., np.newaxis, :])


def always_double(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """The outputs are float64, whatever the layer is."""
    output = network.run(a, w, x, h)
    return replace(output, outputs=output.outputs.astype(np.float64))


def state_of_the_last_layer_only(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """Of a stack, only the last layer's final state is returned."""
    output = network.run(a, w, x, h)
    return replace(output, final_state=output.final_state[-1:]) if output.final_state else output


def ignores_initial_state(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """A given initial state is not used."""
    return network.run(a, w, x)


def starts_from_ones(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """Where no initial state is given, it is one."""
    batch = x.shape[:1] if a.batched else ()
    ones = tuple((np.ones((*batch, layer.units), a.dtype),) for layer in a.layers)
    return network.run(a, w, x, h or ones)


def state_before_the_last_step(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """The final state is h_{T-1}."""
    output = network.run(replace(a, return_sequences=True, return_state=True), w, x, h)
    if not a.return_state or x.shape[-2] < 2:
        return network.run(a, w, x, h)
    earlier = network.run(replace(a, return_state=True), w, x[..., :-1, :], h)
    return replace(network.run(a, w, x, h), final_state=earlier.final_state if output else None)


def forgets_the_stack(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """Every layer reads only the last output of the layer below, repeated."""
    if len(a.layers) == 1:
        return network.run(a, w, x, h)
    below = replace(a, layers=a.layers[:-1], return_sequences=True, return_state=False)
    hidden = network.run(below, replace(w, layers=w.layers[:-1]), x).outputs
    repeated = np.broadcast_to(hidden[..., -1:, :], hidden.shape)
    above = replace(a, layers=a.layers[-1:], embedding=None)
    return network.run(above, Weights(w.layers[-1:]), repeated)


def next_token(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """Token k is looked up as k + 1."""
    return network.run(a, w, (x + 1) % a.embedding.tokens if a.embedding else x, h)


def rough_tanh(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """tanh is off by 30 ULP in the region where it bends, in a layer of many units."""
    output = network.run(a, w, x, h)
    y = output.outputs
    if a.layers[-1].activation != "tanh" or y.shape[-1] < 8:
        return output
    bent = (np.abs(y) > 0.4) & (np.abs(y) < 0.6)
    return replace(output, outputs=np.where(bent, y + 30 * np.spacing(y), y))


def tanh_beyond_one(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """tanh can be one ULP larger than 1."""
    output = network.run(a, w, x, h)
    y = output.outputs
    return replace(output, outputs=np.where(y == 1, np.nextafter(y, y.dtype.type(2)), y))


def leaky_relu(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """relu of a negative number is a hundredth of it."""
    output = network.run(a, w, x, h)
    if a.layers[-1].activation != "relu":
        return output
    linear = replace(a, layers=(*a.layers[:-1], replace(a.layers[-1], activation="linear")))
    z = network.run(linear, w, x, h).outputs
    return replace(output, outputs=np.where(z < 0, z * z.dtype.type(0.01), output.outputs))


def writes_to_its_inputs(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """The inputs are scaled in place, and back, with rounding."""
    if x.dtype.kind == "f":
        x *= x.dtype.type(3)
        x /= x.dtype.type(3)
    return network.run(a, w, x, h)


_random = np.random.default_rng(0)


def flips_a_coin(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """Now and then the last bits of a call differ."""
    output = network.run(a, w, x, h)
    if _random.random() < 0.3:
        return replace(output, outputs=np.nextafter(output.outputs, output.outputs.dtype.type(0)))
    return output


_calls = count()


def now_and_then(a: Architecture, w: Weights, x: Inputs, h: State | None) -> Output:
    """Each fiftieth call is wrong, whatever it is called with."""
    output = network.run(a, w, x, h)
    return replace(output, outputs=output.outputs + 1) if next(_calls) % 50 == 49 else output


class _Faulty(FunctionAdapter):
    """The reference, with a network that is wrong in another way than in its values."""

    def __init__(self, change: type) -> None:
        super().__init__(network.run, from_function(network.run).description)
        object.__setattr__(self, "_change", change)

    def prepare(self, architecture: Architecture) -> Network:
        return self._change(super().prepare(architecture), architecture)  # type: ignore[attr-defined,no-any-return]


class _Network:
    def __init__(self, right: Network, architecture: Architecture) -> None:
        self.right, self.architecture = right, architecture

    def __getattr__(self, name: str) -> object:
        return getattr(self.right, name)


class StaleWeights(_Network):
    """Only the first weights that were loaded are ever used."""

    loaded = False

    def load(self, weights: Weights) -> None:
        if not self.loaded:
            self.right.load(weights)
        self.loaded = True


class RoundedWeights(_Network):
    """Weights are read back with the last bits lost."""

    def weights(self) -> Weights:
        weights = self.right.weights()
        W = weights.layers[0].W
        first = LayerWeights(W.astype(np.float16).astype(W.dtype), weights.layers[0].U, weights.layers[0].b)
        return replace(weights, layers=(first, *weights.layers[1:]))


class Stateful(_Network):
    """The final state of a call is the initial state of the next one."""

    state: State | None = None

    def run(self, inputs: Inputs, *, initial_state: State | None = None) -> Output:
        full = replace(self.architecture, return_state=True)
        start = initial_state or self.state
        if start is not None and start[0][0].shape[0] != inputs.shape[0]:
            start = None
        output = network.run(full, self.right.weights(), inputs, start)
        self.state = output.final_state
        return output if self.architecture.return_state else replace(output, final_state=None)


class OneBuffer(_Network):
    """All calls return the same array, with new contents."""

    buffer: np.ndarray | None = None

    def run(self, inputs: Inputs, *, initial_state: State | None = None) -> Output:
        output = self.right.run(inputs, initial_state=initial_state)
        if self.buffer is None or self.buffer.shape != output.outputs.shape:
            self.buffer = np.empty(output.outputs.shape, output.outputs.dtype)
        self.buffer[...] = output.outputs
        return replace(output, outputs=self.buffer)


class OneBiasTooMany(_Network):
    """The framework counts a second bias for each layer."""

    def parameter_count(self) -> int:
        return self.right.parameter_count() + sum(layer.units for layer in self.architecture.layers)


class FixedBatch(_Network):
    """The symbolic shape has a batch of one."""

    def symbolic_shape(self) -> tuple[int | None, ...]:
        return (1, *self.right.symbolic_shape()[1:])


def adapter_of(fault: object) -> FunctionAdapter:
    """An adapter with this fault, a function or a network class of this file."""
    return _Faulty(fault) if isinstance(fault, type) else from_function(fault)  # type: ignore[arg-type]
