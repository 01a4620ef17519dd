"""Gradients of a whole model, by backpropagation through time (SPEC.md, chapter 11).

For cotangents of the outputs and of the final states, every gradient is that of L, the sum of all products of an output
or state with its cotangent. `d_h` stands for dL/dh, `d_z` for dL/dz, and so on; z is the pre-activation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce, singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.plain import Plain, by_sequence, by_time
from rnn_conformance.reference.cells.cell import Equation
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers.backwards import Passage
from rnn_conformance.reference.layers.layer import directions, finals, join
from rnn_conformance.reference.layers.masking import Course
from rnn_conformance.reference.layers.network import as_batch
from rnn_conformance.reference.layers.unrolled import unrolled
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import LayerState, State, each_state
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights

SLOPES: dict[str, Callable[[Array], Array]] = {name: each.derivative for name, each in ACTIVATIONS.items()}
"""The derivative of each activation, from its value h = f(z); that of relu at 0 is 0."""


@ignoring_flags
def gradients(
    architecture: Architecture,
    weights: Weights,
    inputs: NDArray[np.generic],
    cotangent: Output,
    initial_state: State | None = None,
    *,
    mask: Mask | None = None,
    choices: Choices = Choices(),
) -> Gradients:
    """The gradients of what `network.run` returns for the same arguments, in the dtype of the weights.

    `cotangent` has the shapes of that: outputs (batch, timesteps, width) or (batch, width), and final states, which may
    be None. What an output at a timestep that is not valid depends on follows the declared choice: nothing, the output
    that it repeats, or all that it evolved from.
    """
    x, state, mask = as_batch(architecture, weights, inputs, initial_state, mask)
    passes: list[list[Pass]] = []
    for k, layer in enumerate(architecture.layers):
        passes.append(forward(layer, weights.layers[k], x, state[k] if state else None, mask, choices))
        x = outputs_of(layer, passes[-1])

    d_outputs, d_final = cotangents(architecture, cotangent, passes)
    d_weights: list[LayerWeights] = []
    d_initial: list[LayerState] = []
    d_hidden = hidden_cotangents(architecture, cotangent, passes)
    for k, layer in reversed(list(enumerate(architecture.layers))):
        each = [one.course.show(one.h) for one in passes[k]]
        found = [
            back_through(layer.cell, one, [one.course.unshow(d_direction, d_h_T), *unshown(one, d_parts)])
            for one, d_direction, d_h_T, d_parts in zip(
                passes[k], split(layer, d_outputs, each), d_final[k], d_hidden[k], strict=True
            )
        ]
        # All directions read the same inputs, which become the outputs of the layer below.
        d_outputs = reduce(np.add, (one.course.unread(d.inputs) for one, d in zip(passes[k], found, strict=True)))
        d_weights.insert(0, LayerWeights.of([d.weights for d in found]))
        d_initial.insert(0, tuple(d.initial for d in found))

    d_table = None
    if weights.embedding is not None:
        d_table = np.zeros_like(weights.embedding)
        tokens = inputs.astype(np.intp).reshape(d_outputs.shape[:2])
        np.add.at(d_table, tokens, d_outputs)  # not d_table[tokens] += ...: a token may occur more than once
    whole: Any = (...,) if architecture.batched else (0,)
    return Gradients(
        Weights(tuple(d_weights), d_table),
        d_outputs[whole] if d_table is None else None,
        None if initial_state is None else each_state(lambda h: h[whole], d_initial),
    )


@ignoring_flags
def second_gradient(architecture: Architecture, weights: Weights, inputs: Array, cotangent: Output) -> Array:
    """The gradient with respect to the inputs of half the squared norm of their gradient g, in the shape of the inputs.

    All arrays are float64. As the Hessian is symmetric, this is the derivative of g along g, here by central
    differences: with a step h along g, the error is about h^2 + 2^-53 / h, some 1e-10 of the largest number.
    """

    def first(x: Array) -> Array:
        found = gradients(architecture, weights, x, cotangent).inputs
        assert found is not None
        return found

    g = first(inputs)
    h = 1e-5 / np.abs(g).max()
    return (first(inputs + h * g) - first(inputs - h * g)) / (2 * h)


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the state: its `values` (batch, timesteps, width), those one timestep earlier, and the final one."""

    before: Array
    values: Array
    final: Array


@dataclass(frozen=True, eq=False)
class Pass:
    """One direction of a layer, run forward; all that has a time axis is in the order of processing.

    `inputs` is (batch, timesteps, features), `h` (batch, timesteps, units) what was computed, `h_before` the same one
    timestep earlier, `final` (batch, units) the final one; `hidden` are the other parts of the state.
    """

    weights: LayerWeights
    course: Course
    inputs: Array
    h_before: Array
    h: Array
    final: Array
    hidden: tuple[Part, ...] = ()


@dataclass(frozen=True, eq=False)
class Returned:
    """The gradients of one direction's weights, of its inputs, and of each part of its initial state."""

    weights: LayerWeights
    inputs: Array
    initial: tuple[Array, ...]


@dataclass(frozen=True, eq=False)
class Backpropagated:
    """What comes back through one direction: `z` and `h`, then the gradients; the time axis as in `Pass`."""

    h: Array
    z: Array
    W: Array
    U: Array
    b: Array | None
    inputs: Array
    initial: Array


@ignoring_flags
def forward(
    layer: Layer,
    weights: LayerWeights,
    inputs: Array,
    initial: LayerState | None,
    mask: Mask | None,
    choices: Choices,
) -> list[Pass]:
    """Each direction of a layer, run forward; the arguments are those of `run_layer`."""
    passes = []
    for j, (direction, course) in enumerate(directions(layer, weights, mask, choices)):
        x, start = course.read(inputs), initial[j] if initial else None
        states = unrolled(layer.cell, direction.named, x, start)
        first = start if start is not None else [np.zeros_like(part[:, 0]) for part in states]
        h, *hidden = (
            Part(np.concatenate([begin[:, np.newaxis], part[:, :-1]], axis=1), part, final)
            for begin, part, final in zip(first, states, finals(course, states, start), strict=True)
        )
        passes.append(Pass(direction, course, x, h.before, h.values, h.final, tuple(hidden)))
    return passes


def outputs_of(layer: Layer, passes: Sequence[Pass]) -> Array:
    """The outputs (batch, timesteps, width) of a layer from those of its directions."""
    each = [one.course.show(one.h) for one in passes]
    return join(layer.merge, *each) if layer.is_bidirectional else each[0]


def cotangents(
    architecture: Architecture, cotangent: Output, passes: Sequence[Sequence[Pass]]
) -> tuple[Array, list[list[Array]]]:
    """The cotangents of all outputs (batch, timesteps, width) of the last layer, and of each final state of each layer.

    That of a last output is one of final states, which it joins, and leaves nothing for the other outputs.
    """
    whole = (...,) if architecture.batched else (np.newaxis,)
    dtype = passes[0][0].h.dtype
    d_final = [[np.zeros_like(one.final) for one in layer] for layer in passes]
    for k, layer_state in enumerate(cotangent.final_state or ()):
        for j, (d, *_) in enumerate(layer_state):
            d_final[k][j] += d[whole].astype(dtype)
    d_outputs = np.asarray(cotangent.outputs)[whole].astype(dtype)
    if architecture.return_sequences:
        return d_outputs, d_final
    top, last = architecture.layers[-1], passes[-1]
    for d, d_last in zip(d_final[-1], split(top, d_outputs, [one.final for one in last]), strict=True):
        d += d_last
    return np.zeros((*last[0].h.shape[:2], top.width), dtype), d_final


def hidden_cotangents(
    architecture: Architecture, cotangent: Output, passes: Sequence[Sequence[Pass]]
) -> list[list[list[Array]]]:
    """The cotangents of the other parts of each final state, by layer, by direction, by part; zeros for none."""
    if cotangent.final_state is None:
        return [[[np.zeros_like(part.final) for part in one.hidden] for one in layer] for layer in passes]
    whole = (...,) if architecture.batched else (np.newaxis,)
    dtype = passes[0][0].h.dtype
    return [[[d[whole].astype(dtype) for d in parts[1:]] for parts in layer] for layer in cotangent.final_state]


def unshown(one: Pass, d_final: Sequence[Array]) -> list[tuple[Array, Array | None]]:
    """The cotangents of what was computed of the hidden parts, (batch, timesteps, width), and of what was handed in."""
    return [one.course.unshow(np.zeros_like(part.values), d) for part, d in zip(one.hidden, d_final, strict=True)]


@ignoring_flags
def split(layer: Layer, d_outputs: Array, each: Sequence[Array]) -> list[Array]:
    """The cotangent of joined outputs as one for each direction; `each` are the outputs that were joined."""
    if not layer.is_bidirectional:
        return [d_outputs]
    if layer.merge == "concat":
        return [d_outputs[..., : layer.of_direction], d_outputs[..., layer.of_direction :]]
    if layer.merge == "sum":
        return [d_outputs, d_outputs]
    if layer.merge == "mul":
        return [d_outputs * each[1], d_outputs * each[0]]
    return [d_outputs / 2, d_outputs / 2]


Direct = Sequence[tuple[Array, Array | None]]
"""For each part of the state, how L depends directly on all its values, and on what was handed in; None: not at all."""


@singledispatch
@ignoring_flags
def back_through(cell: Equation, one: Pass, direct: Direct) -> Returned:
    """Backpropagation through all timesteps of one direction."""
    on = Plain(one.weights.named, cell.gates)
    before = [by_time(part) for part in (one.h_before, *(part.before for part in one.hidden))]
    passage = Passage(cell, on, by_time(one.inputs), before, lambda array, t: array[t], np.stack)
    found = passage.back([by_time(d) for d, _ in direct], one.h.shape[1])
    weights = {name: np.zeros_like(array) for name, array in one.weights.named.items()}
    for name, gates, d in found.weights:
        if name in weights:
            weights[name][on.rows.where(name, gates)] += d
    initial = (d.T if more is None else d.T + more for d, (_, more) in zip(found.initial, direct, strict=True))
    return Returned(LayerWeights(weights), by_sequence(found.inputs), tuple(initial))


@back_through.register
def _(cell: SimpleRnn, one: Pass, direct: Direct) -> Returned:
    """The same in fewer operations."""
    found = backpropagate(cell.activation, one, *direct[0])
    return Returned(weights_of([found]), found.inputs, (found.initial,))


@ignoring_flags
def backpropagate(activation: str, one: Pass, d_h: Array, d_h_0: Array | None = None) -> Backpropagated:
    """Backpropagation through all timesteps of one direction of a simple RNN.

    `d_h` (batch, timesteps, units) holds how L depends on each h_t directly; how it does so through h_{t+1} is added
    here. `d_h_0` (batch, units) is the same of the initial state. The chain rule, for z_t = W x_t + U h_{t-1} + b and
    h_t = f(z_t), says:

        d_h_t    = (direct part) + U^T d_z_{t+1}
        d_z_t    = f'(z_t) * d_h_t
        d_x_t    = W^T d_z_t
        d_W      = sum over t of d_z_t x_t^T
        d_U      = sum over t of d_z_t h_{t-1}^T
        d_b      = sum over t of d_z_t
        d_h_0    = (direct part) + U^T d_z_1

    In a batch the sums go over its sequences, too.
    """
    W, U = one.weights.W, one.weights.U
    slope = SLOPES[activation](one.h)
    timesteps = d_h.shape[1]

    d_h = d_h.copy()
    d_z = np.empty_like(d_h)
    for t in reversed(range(timesteps)):
        if t < timesteps - 1:
            d_h[:, t] += d_z[:, t + 1] @ U  # U^T d_z, for each sequence of the batch
        d_z[:, t] = slope[:, t] * d_h[:, t]

    initial = d_z[:, 0] @ U
    return Backpropagated(
        h=d_h,
        z=d_z,
        W=np.tensordot(d_z, one.inputs, ((0, 1), (0, 1))),
        U=np.tensordot(d_z, one.h_before, ((0, 1), (0, 1))),
        b=None if one.weights.b is None else d_z.sum((0, 1)),
        inputs=d_z @ W,
        initial=initial if d_h_0 is None else initial + d_h_0,
    )


def weights_of(found: Sequence[Backpropagated]) -> LayerWeights:
    """The gradients of a layer's weights, in their shapes."""
    each = [LayerWeights({"W": d.W, "U": d.U}).with_arrays(b=d.b) for d in found]
    return LayerWeights.of(each)
