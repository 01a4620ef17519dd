"""What mutants are made of: the layer in small steps, one of which a mutant gets wrong (catalogue.py)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TypeVar

import numpy as np

from rnn_conformance.adapters.description import EXTRAS, Description
from rnn_conformance.adapters.numpy.adapter import PRECISION
from rnn_conformance.adapters.numpy.dropout import scales
from rnn_conformance.adapters.numpy.network import NumpyNetwork
from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.adapters.support import refuse_unsupported
from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.layers.gradients import (
    Backpropagated,
    Pass,
    backpropagate,
    cotangents,
    split,
    weights_of,
)
from rnn_conformance.reference.layers.layer import join, last_output
from rnn_conformance.reference.layers.masking import course_of
from rnn_conformance.reference.layers.network import mask_of
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import LayerState, State, each_state
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights

WAYS = ("compiled", "unrolled", "predict", "reloaded")

SOUND = Description(
    framework="A layer in small steps",
    versions={},
    ways=WAYS,
    precision=PRECISION,
    offers=EXTRAS,
)
"""What a mutant says of itself, if it is not run in the place of another subject."""


class Sound(NumpyNetwork):
    """The layer of the specification once more, without a fault: a loop over time, of methods that a mutant replaces.

    All arrays have a batch axis, and the dtype that products are computed in. `self.position` is the number of the
    layer that is running, `self.passes` has the directions of each layer of the last call, and `self.random` is there
    in training only.
    """

    position = 0
    passes: Sequence[Sequence[Pass]] = ()
    random: np.random.Generator | None = None

    def compute(self, inputs: Inputs, start: State | None, mask: Mask | None) -> Output:
        weights = self.used()
        x, mask, state = self.embedded(weights, self.read(inputs)), self.valid(inputs, mask), self.read_state(start)
        if not self.architecture.batched:
            x, mask = x[np.newaxis], None if mask is None else mask[np.newaxis]
            state = each_state(lambda h: h[np.newaxis], state)
        final: list[LayerState] = []
        self.passes = []
        for k, layer in enumerate(self.architecture.layers):
            self.position = k
            x, h = self.layer(layer, weights.layers[k], x, state[k] if state else None, mask)
            final.append(h)
        outputs = x if self.architecture.return_sequences else self.last(x, final[-1])
        if not self.architecture.batched:
            outputs, final = outputs[0], list(each_state(lambda h: h[0], final))
        return self.returned(outputs, tuple(final))

    def returned(self, outputs: Array, final: State) -> Output:
        """What a call gives back, in the dtype of the layer; the axes are as the architecture says."""
        return Output(self.rounded(outputs), each_state(self.rounded, final))

    def embedded(self, weights: Weights, inputs: Inputs) -> Array:
        """The rows of the table for tokens; floats as they are."""
        return np.asarray(inputs, self.computing) if weights.embedding is None else weights.embedding[inputs]

    def valid(self, inputs: Inputs, mask: Mask | None) -> Mask | None:
        """The mask that every layer sees; the inputs are as they were given."""
        return mask_of(self.architecture, inputs, mask)

    def last(self, outputs: Array, final: LayerState) -> Array:
        """What the model returns where only the last output is asked for."""
        return last_output(self.architecture.layers[-1], final)

    # One layer

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        """All outputs and the final state of one layer."""
        passes = [
            self.direction(layer, one, x, start[j][0] if start else None, mask, j == 1 or layer.direction == "backward")
            for j, one in enumerate(weights.directions)
        ]
        self.passes = [*self.passes, passes]
        outputs = [self.shown(one) for one in passes]
        joined = self.join(layer.merge, *outputs) if layer.is_bidirectional else outputs[0]
        return joined, tuple((one.final,) for one in passes)

    def join(self, merge: str, forward: Array, backward: Array) -> Array:
        """The outputs of the two directions as one."""
        return join(merge, forward, backward)

    def shown(self, one: Pass) -> Array:
        """The outputs of one direction, from what was computed in the order of processing."""
        return one.course.show(one.h)

    # One direction

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        """One direction of a layer, which reads x and the mask in the order of the input."""
        course = course_of(backward, mask, self.choices, aligned=layer.is_bidirectional or None)
        read = course.read(x)
        if self.random is not None:
            read = read * self.scales(read.shape, layer.dropout)
        first = self.start(layer, x) if h is None else h
        states = self.over_time(layer, weights, read, first)
        before = np.concatenate([first[:, np.newaxis], states[:, :-1]], axis=1)
        return Pass(weights, course, read, before, states, course.final(states, first))

    def start(self, layer: Layer, x: Array) -> Array:
        """The state before the first timestep, where none is given."""
        return np.zeros((len(x), layer.units), x.dtype)

    def over_time(self, layer: Layer, weights: LayerWeights, x: Array, h: Array) -> Array:
        """h_1 ... h_T (batch, timesteps, units) of x in the order of processing, from the state h."""
        kept = None if self.random is None else self.scales((*x.shape[:2], layer.units), layer.recurrent_dropout)
        states = []
        for t in range(x.shape[1]):
            h = self.step(layer, weights, x[:, t], h if kept is None else h * kept[:, t], t)
            states.append(h)
        return np.stack(states, axis=1)

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        """h_t of x_t (batch, features) and h_{t-1} (batch, units), at timestep t of the order of processing."""
        z = self.product(x, weights.W) + self.product(h, weights.U)
        return self.kept(self.activate(layer.cell.activation, z if weights.b is None else z + weights.b))

    def product(self, x: Array, kernel: Array) -> Array:
        """kernel x for each row x of a batch."""
        return x @ kernel.T

    def activate(self, name: str, z: Array) -> Array:
        """The activation of that name."""
        return ACTIVATIONS[name].function(z)

    def kept(self, h: Array) -> Array:
        """The state as it is kept from one timestep to the next: rounded to the dtype of the layer."""
        return h.astype(self.dtype, copy=False).astype(self.computing, copy=False)

    # Gradients

    def differentiate(self, inputs: Inputs, cotangent: Output, start: State | None, mask: Mask | None) -> Gradients:
        self.compute(inputs, start, mask)
        given = Output(np.asarray(cotangent.outputs, self.computing), self.read_state(cotangent.final_state))
        d_outputs, d_final = self.cotangents(given)
        d_weights: list[LayerWeights] = []
        d_initial: list[LayerState] = []
        for k, layer in reversed(list(enumerate(self.architecture.layers))):
            self.position = k
            d_each = split(layer, d_outputs, [self.shown(one) for one in self.passes[k]])
            found = [
                self.back(layer, one, *one.course.unshow(d, d_h))
                for one, d, d_h in zip(self.passes[k], d_each, d_final[k], strict=True)
            ]
            d_outputs = reduce(np.add, map(self.unread, self.passes[k], found))
            d_weights.insert(0, weights_of(found))
            d_initial.insert(0, tuple((d.initial,) for d in found))
        table = None if self._loaded.embedding is None else self.back_to_table(inputs, d_outputs)
        if not self.architecture.batched:
            d_outputs, d_initial = d_outputs[0], list(each_state(lambda h: h[0], d_initial))
        return Gradients(
            self._loaded.map(lambda kept, d: d.astype(kept.dtype), Weights(tuple(d_weights), table)),
            self.rounded(d_outputs) if table is None else None,
            None if start is None else each_state(self.rounded, tuple(d_initial)),
        )

    def cotangents(self, given: Output) -> tuple[Array, list[list[Array]]]:
        """The cotangents of all outputs of the last layer and, for each layer, of the final state of each direction."""
        return cotangents(self.architecture, given, self.passes)

    def back(self, layer: Layer, one: Pass, d_h: Array, d_h_0: Array | None) -> Backpropagated:
        """Backpropagation through one direction, from the cotangents of its states and of its initial state."""
        return backpropagate(layer.cell.activation, one, d_h, d_h_0)

    def unread(self, one: Pass, found: Backpropagated) -> Array:
        """The gradient of the inputs of one direction, in their order."""
        return one.course.unread(found.inputs)

    def back_to_table(self, tokens: Inputs, d_rows: Array) -> Array:
        """The gradient of the table from that of the rows (batch, timesteps, features) that stand for the tokens."""
        kept = self._loaded.embedding
        assert kept is not None
        table = np.zeros(kept.shape, self.computing)
        np.add.at(table, tokens.reshape(d_rows.shape[:2]).astype(np.intp), d_rows)
        return table

    # Training

    def run_training(self, inputs: Inputs, seed: int) -> Output:
        self.random = np.random.default_rng(seed)
        try:
            return self.run(inputs)
        finally:
            self.random = None

    def scales(self, shape: tuple[int, ...], rate: float) -> Array:
        """What numbers of this shape (batch, timesteps, width) are multiplied with by dropout at this rate."""
        assert self.random is not None
        return scales(self.random, shape, rate, self.computing, self.choices)


class InAnotherOrder(Sound):
    """Where `other` is set, each sum is taken in another order: right within rounding, but of other bits."""

    other = False

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        if not self.other or weights.b is None:
            return super().step(layer, weights, x, h, t)
        z = self.product(h, weights.U) + weights.b + self.product(x, weights.W)
        return self.kept(self.activate(layer.cell.activation, z))


@dataclass(frozen=True)
class MutantAdapter:
    """An adapter with one fault; `description` is what it says of itself, and how it is run."""

    network: type[Sound]
    description: Description = SOUND

    def describe(self) -> Description:
        return self.description

    def prepare(self, architecture: Architecture) -> Sound:
        refuse_unsupported(self.description, architecture)
        return self.network(architecture, self.description.choices)


@dataclass(frozen=True)
class Mutant:
    """A fault: its name, one sentence, the clauses that it breaks, its theme, and the network that has it."""

    name: str
    sentence: str
    breaks: tuple[str, ...]
    theme: str
    network: type[Sound]

    def adapter(self, description: Description = SOUND) -> MutantAdapter:
        """The adapter that has this fault, in everything else as the description says."""
        return MutantAdapter(self.network, description)


MARKED: dict[str, Mutant] = {}
"""Every mutant of the modules that were imported, by name (catalogue.py imports them all)."""

N = TypeVar("N", bound=type[Sound])


def mutant(*breaks: str) -> Callable[[N], N]:
    """Mark a class as a mutant that breaks these clauses; its docstring is its sentence."""

    def mark(network: N) -> N:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[a-z])(?<!float)(?<!Tf)(?=[0-9])", "-", network.__name__).lower()
        sentence = " ".join((network.__doc__ or "").split()).rstrip(".")
        if network.__doc__ == Sound.__doc__ or not sentence or name in MARKED:
            raise ValueError(f"the mutant {name} needs a sentence and a name of its own")
        theme = network.__module__.rpartition(".")[2]
        MARKED[name] = Mutant(name, sentence, breaks, theme, network)
        return network

    return mark


def in_each_direction(change: Callable[[LayerWeights], LayerWeights], weights: Weights) -> Weights:
    """Weights whose every set, of every layer and both directions, is `change` of what it was."""

    return replace(
        weights, layers=tuple(LayerWeights.of([change(each) for each in layer.directions]) for layer in weights.layers)
    )


def other_last_bits(output: Output) -> Output:
    """The same, each output in its last bit nearer to zero."""
    return Output(np.nextafter(output.outputs, output.outputs.dtype.type(0)), output.final_state)
