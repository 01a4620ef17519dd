"""How far right gradients may lie from the exact ones: error bounds of backpropagation (BOUNDS.md, section 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.reference.arithmetic.bounded import Sum
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.rounding import Precision, joint_gamma
from rnn_conformance.reference.bounds.adjoints import Adjoint
from rnn_conformance.reference.bounds.backward import TapedBackward
from rnn_conformance.reference.bounds.cotangents import Cotangent, exactly, finite, rounded, split, unshown
from rnn_conformance.reference.bounds.layers import joined
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.bounds.unseen import unseen_of
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers.gradients import SLOPES, Pass, backpropagate, forward
from rnn_conformance.reference.layers.network import as_batch
from rnn_conformance.reference.model.architecture import Architecture, Choices
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.names import name_of
from rnn_conformance.reference.model.states import State, part_names
from rnn_conformance.reference.model.weights import Array, Weights


@ignoring_flags
def expected_gradients(
    architecture: Architecture,
    weights: Weights,
    inputs: NDArray[np.generic],
    cotangent: Output,
    initial_state: State | None,
    precision: Precision,
    *,
    mask: Mask | None = None,
    choices: Choices = Choices(),
    outputs_error: Array | None = None,
) -> dict[str, Expected]:
    """What the gradients of a model should be, by the names that `Gradients.arrays` gives them.

    The arguments are those of `gradients`; weights and initial state are in float64. `outputs_error` is how far the
    cotangent of the outputs may be off, where it was computed. `without_recurrence` is what a gradient would be in a
    layer that does not pass it on from a timestep to the one before.
    """
    x, state, mask = as_batch(architecture, weights, inputs, initial_state, mask)
    error: Array | None = None
    runs: list[list[_Run]] = []
    for k, layer in enumerate(architecture.layers):
        layer_runs = []
        for j, one in enumerate(forward(layer, weights.layers[k], x, state[k] if state else None, mask, choices)):
            start = state[k][j] if state else None
            x_error = None if error is None else one.course.read(error)
            states = unseen_of(layer.cell, one.weights.named, one.inputs, start, precision, x_error)
            layer_runs.append(_Run(one, x_error, states))
        outputs = joined(layer, [run.h.each(run.one.course.show) for run in layer_runs], precision)
        x, error = outputs.value, outputs.bound
        runs.append(layer_runs)

    found: dict[str, Expected] = {}
    precision = precision.without_wider_sums()  # a gradient may be added up over time in the dtype
    d_outputs, d_final = _cotangents(architecture, cotangent, outputs_error, runs, precision)
    for k, layer in reversed(list(enumerate(architecture.layers))):
        shown = [run.h.each(run.one.course.show) for run in runs[k]]
        d_inputs: list[Cotangent] = []
        without: list[Array] = []
        for j, (run, d_direction) in enumerate(zip(runs[k], split(layer, d_outputs, shown, precision), strict=True)):
            backward = _backward(layer.cell, run, d_direction, d_final[k][j], precision)
            found |= {name_of("layers", k, j, name): expected for name, expected in backward.weights()}
            initial = backward.initial()
            found |= zip(part_names("initial_state", k, j, len(initial)), initial, strict=True)
            bounded, truncated = backward.inputs()
            d_inputs.append(bounded)
            without.append(truncated)
        d_outputs, d_without = d_inputs[0], sum(without[1:], without[0])
        if len(d_inputs) > 1:
            d_outputs = rounded(d_inputs[0] + d_inputs[1], 1, precision)
    if weights.embedding is None:
        found["inputs"] = Expected(d_outputs.value, finite(d_outputs, precision), d_without)
    else:
        found["embedding"] = _table(weights.embedding, inputs, d_outputs, d_without, precision)
    if not architecture.batched:
        found = {
            name: expected.each(lambda array: array[0]) if name.startswith(("inputs", "initial_state")) else expected
            for name, expected in found.items()
        }
    return found if initial_state else {n: e for n, e in found.items() if not n.startswith("initial_state")}


@dataclass(frozen=True, eq=False)
class _Run:
    """One direction, and how far a subject's inputs and each part of its state may lie from those of `one`."""

    one: Pass
    inputs_error: Array | None
    states: tuple[Expected, ...]

    @property
    def h(self) -> Expected:
        """All that was put out."""
        return self.states[0]

    @property
    def final(self) -> Expected:
        """The last of it."""
        return Expected(self.one.final, self.one.course.final(self.h.bound), self.one.final)


class _AnyBackward(Protocol):
    """How far the gradients of one direction may be off."""

    def weights(self) -> list[tuple[str, Expected]]:
        """Those of the weights, by name."""

    def inputs(self) -> tuple[Cotangent, Array]:
        """That of the inputs, and the same without the recurrence."""

    def initial(self) -> list[Expected]:
        """That of each part of the initial state."""


@singledispatch
def _backward(
    cell: Cell, run: _Run, d_outputs: Cotangent, d_final: Sequence[Cotangent], precision: Precision
) -> _AnyBackward:
    """Backpropagation through one direction, by the cotangents of its outputs and of each part of its final state."""
    one = run.one
    nothing = [exactly(np.zeros_like(part.values)) for part in one.hidden]
    direct = [unshown(one, d, d_last) for d, d_last in zip([d_outputs, *nothing], d_final, strict=True)]
    sums = [(Sum(d.value, d.error, d.size, 0.0, terms), initial) for d, terms, initial in direct]
    return TapedBackward(cell, one, run.states, run.inputs_error, sums, precision)


@_backward.register
def _(
    cell: SimpleRnn, run: _Run, d_outputs: Cotangent, d_final: Sequence[Cotangent], precision: Precision
) -> _AnyBackward:
    """The same in fewer operations."""
    return _Backward(cell, run, d_outputs, d_final[0], precision)


class _Backward:
    """Backpropagation through one direction of a layer, with what its every step may lose."""

    def __init__(self, cell: Cell, run: _Run, d_outputs: Cotangent, d_final: Cotangent, precision: Precision) -> None:
        one = run.one
        direct, terms, initial = unshown(one, d_outputs, d_final)
        self.run, self.precision, self.tiny = run, precision, precision.tiny
        self.back = backpropagate(cell.activation, one, direct.value, initial)
        self.abs_W, self.abs_U = np.abs(one.weights.W), np.abs(one.weights.U)
        slope = SLOPES[cell.activation](run.h.value)
        # What a layer computes that takes every h_t for the end of the sequence.
        self.truncated = slope * direct.value
        self.z_error = Adjoint(
            one.weights.U,
            self.back.h,
            self.back.z,
            slope,
            slope_error(cell.activation, run.h, precision),
            direct.error,
            direct.size,
            terms,
            precision,
        ).error()
        self.z_size = np.abs(self.back.z) + self.z_error

    def weights(self) -> list[tuple[str, Expected]]:
        """The gradients of W, U and b, by name: sums over all sequences and timesteps."""
        one, d_h = self.run.one, self.run.h.bound
        h_before_error = np.zeros_like(d_h)
        h_before_error[:, 1:] = d_h[:, :-1]
        found = [
            ("W", self._products(self.back.W, one.inputs, self.run.inputs_error)),
            ("U", self._products(self.back.U, one.h_before, h_before_error)),
        ]
        if self.back.b is not None:
            count = self.z_size[..., 0].size
            rounding = joint_gamma(self.precision, count + 2)
            size = _flat(self.z_size).sum(0)
            error = _flat(self.z_error).sum(0) + rounding * size + (1 + rounding) * self.tiny * 2 * count
            b = Cotangent(self.back.b, error, size)
            found.append(("b", Expected(b.value, finite(b, self.precision), _flat(self.truncated).sum(0))))
        return found

    def _products(self, value: Array, factor: Array, factor_error: Array | None) -> Expected:
        """The sum over all sequences and timesteps of d_z times a factor, such as x."""
        z, z_size, z_error = _flat(self.back.z), _flat(self.z_size), _flat(self.z_error)
        x = _flat(np.abs(factor))
        x_size = x if factor_error is None else x + _flat(factor_error)
        count = len(z)
        rounding = joint_gamma(self.precision, count + 3)
        error = (z_error + rounding * z_size).T @ x_size
        if factor_error is not None:
            error += np.abs(z).T @ _flat(factor_error)
        error += (1 + rounding) * self.tiny * (2 * count + z_size.sum(0)[:, np.newaxis] + x_size.sum(0))
        bounded = Cotangent(value, error, z_size.T @ x_size)
        return Expected(value, finite(bounded, self.precision), _flat(self.truncated).T @ _flat(factor))

    def inputs(self) -> tuple[Cotangent, Array]:
        """The gradient of the inputs (batch, timesteps, features), and the same without the recurrence."""
        unread = self.run.one.course.unread
        bounded = self._through(self.back.inputs, self.z_error, self.z_size, self.abs_W)
        return bounded.each(unread), unread(self.truncated @ self.run.one.weights.W)

    def initial(self) -> list[Expected]:
        """The gradient of the initial state, (batch, units), its one part."""
        bounded = self._through(self.back.initial, self.z_error[:, 0], self.z_size[:, 0], self.abs_U)
        without = self.truncated[:, 0] @ self.run.one.weights.U
        return [Expected(bounded.value, finite(bounded, self.precision), without)]

    def _through(self, value: Array, z_error: Array, z_size: Array, kernel: Array) -> Cotangent:
        """d_z passed through a kernel: a sum of `units` products, and whatever is added to it in one operation."""
        n = len(kernel) + 3
        rounding = joint_gamma(self.precision, n)
        size = z_size @ kernel + np.abs(value)
        lost = 2 * n + kernel.sum(0) + z_size.sum(-1, keepdims=True)
        return Cotangent(value, z_error @ kernel + rounding * size + (1 + rounding) * self.tiny * lost, size)


def slope_error(activation: str, h: Expected, precision: Precision) -> Array:
    """How far the slope that a subject takes from its own h may lie from that of the reference."""
    value, error = np.abs(h.value), h.bound
    rounding = joint_gamma(precision, 4)
    if activation == "tanh":
        return error * (2 * value + error) + rounding * np.square(1 + value + error)
    if activation == "sigmoid":
        return error * (np.abs(1 - 2 * value) + error) + rounding * (value + error) * (1 + value + error)
    if activation == "relu":
        # Beyond its bound h is surely positive. Where z is surely negative, the bound is no more than `tiny`.
        return ((value <= error) & (error > 2 * precision.tiny)).astype(np.float64)
    return np.zeros_like(value)


def _cotangents(
    architecture: Architecture,
    cotangent: Output,
    outputs_error: Array | None,
    runs: Sequence[Sequence[_Run]],
    precision: Precision,
) -> tuple[Cotangent, list[list[list[Cotangent]]]]:
    """The cotangents of all outputs of the last layer, and of each part of each final state of each layer."""
    whole = (...,) if architecture.batched else (np.newaxis,)
    d_final = [
        [
            [exactly(np.zeros_like(each)) for each in (run.one.final, *(part.final for part in run.one.hidden))]
            for run in layer
        ]
        for layer in runs
    ]
    for k, layer_state in enumerate(cotangent.final_state or ()):
        d_final[k] = [[exactly(np.asarray(d)[whole].astype(np.float64)) for d in parts] for parts in layer_state]
    d_outputs = exactly(np.asarray(cotangent.outputs)[whole].astype(np.float64))
    if outputs_error is not None:
        error = outputs_error[whole]
        d_outputs = Cotangent(d_outputs.value, error, d_outputs.size + error)
    if architecture.return_sequences:
        return d_outputs, d_final
    top, last = architecture.layers[-1], runs[-1]
    d_last = split(top, d_outputs, [run.final for run in last], precision)
    for parts, more in zip(d_final[-1], d_last, strict=True):
        parts[0] += more
    return exactly(np.zeros((*last[0].h.value.shape[:2], top.width))), d_final


def _table(
    table: Array, inputs: NDArray[np.generic], d_inputs: Cotangent, without: Array, precision: Precision
) -> Expected:
    """The gradient of an embedding's table: each row adds up what the occurrences of its token give."""
    tokens = inputs.astype(np.intp).reshape(d_inputs.value.shape[:2])

    def add_up(array: Array) -> Array:
        total = np.zeros_like(table)
        np.add.at(total, tokens, array)
        return total

    count = np.bincount(tokens.ravel(), minlength=len(table))
    summed = rounded(d_inputs.each(add_up), int(count.max(initial=0)), precision)
    occurs = (count > 0)[:, np.newaxis]
    return Expected(summed.value, np.where(occurs, finite(summed, precision), 0), add_up(without))


def _flat(array: Array) -> Array:
    """The two axes of sequences and timesteps as one."""
    return array.reshape(-1, array.shape[-1])
