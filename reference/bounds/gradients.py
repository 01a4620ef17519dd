"""How far right gradients may lie from the exact ones: error bounds of backpropagation (BOUNDS.md, section 8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.rounding import SLACK, Precision, joint_gamma
from rnn_conformance.reference.bounds.adjoints import Adjoint
from rnn_conformance.reference.bounds.first_order import first_order_bound
from rnn_conformance.reference.bounds.layers import joined
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.layers.gradients import SLOPES, Pass, backpropagate, forward
from rnn_conformance.reference.layers.network import as_batch
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.names import name_of
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array, Weights


@dataclass(frozen=True, eq=False)
class Bounded:
    """Numbers from which a subject's lie within an `error`; `size` bounds the sum of their terms' absolute values."""

    value: Array
    error: Array
    size: Array

    def __add__(self, other: Bounded) -> Bounded:
        return Bounded(self.value + other.value, self.error + other.error, self.size + other.size)

    def each(self, change: Callable[[Array], Array]) -> Bounded:
        """The same with all three arrays changed in the same way."""
        return Bounded(change(self.value), change(self.error), change(self.size))


def exactly(value: Array) -> Bounded:
    """A number without error."""
    return Bounded(value, np.zeros_like(value), np.abs(value))


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
) -> dict[str, Expected]:
    """What the gradients of a model should be, by the names that `Gradients.arrays` gives them.

    The arguments are those of `gradients`; weights and initial state are in float64. `without_recurrence` is what a
    gradient would be in a layer that does not pass it on from a timestep to the one before.
    """
    x, state, mask = as_batch(architecture, weights, inputs, initial_state, mask)
    error: Array | None = None
    runs: list[list[_Run]] = []
    for k, layer in enumerate(architecture.layers):
        layer_runs = []
        for j, one in enumerate(forward(layer, weights.layers[k], x, state[k] if state else None, mask, choices)):
            start = state[k][j][0] if state else None
            x_error = None if error is None else one.course.read(error)
            h = first_order_bound(layer, one.weights, one.inputs, start, precision, x_error)
            layer_runs.append(_Run(one, x_error, h, Expected(one.final, one.course.final(h.bound), one.final)))
        outputs = joined(layer, [run.h.each(run.one.course.show) for run in layer_runs], precision)
        x, error = outputs.value, outputs.bound
        runs.append(layer_runs)

    found: dict[str, Expected] = {}
    precision = precision.without_wider_sums()  # a gradient may be added up over time in the dtype
    d_outputs, d_final = _cotangents(architecture, cotangent, runs, precision)
    for k, layer in reversed(list(enumerate(architecture.layers))):
        shown = [run.h.each(run.one.course.show) for run in runs[k]]
        d_inputs: list[Bounded] = []
        without: list[Array] = []
        for j, (run, d_direction) in enumerate(zip(runs[k], _split(layer, d_outputs, shown, precision), strict=True)):
            backward = _Backward(layer, run, d_direction, d_final[k][j], precision)
            found |= {name_of("layers", k, j, name): expected for name, expected in backward.weights()}
            found[name_of("initial_state", k, j)] = backward.initial()
            bounded, truncated = backward.inputs()
            d_inputs.append(bounded)
            without.append(truncated)
        d_outputs, d_without = d_inputs[0], sum(without[1:], without[0])
        if len(d_inputs) > 1:
            d_outputs = _rounded(d_inputs[0] + d_inputs[1], 1, precision)
    if weights.embedding is None:
        found["inputs"] = Expected(d_outputs.value, _finite(d_outputs, precision), d_without)
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
    """One direction with what is known of the subject's: how far its inputs and its h may lie from those of `one`.

    `final` is the final state, with its bound.
    """

    one: Pass
    inputs_error: Array | None
    h: Expected
    final: Expected


class _Backward:
    """Backpropagation through one direction of a layer, with what its every step may lose."""

    def __init__(self, layer: Layer, run: _Run, d_outputs: Bounded, d_final: Bounded, precision: Precision) -> None:
        one, course = run.one, run.one.course
        value, initial = course.unshow(d_outputs.value, d_final.value)
        direct = Bounded(
            value, course.unshow(d_outputs.error, d_final.error)[0], course.unshow(d_outputs.size, d_final.size)[0]
        )
        self.run, self.precision, self.tiny = run, precision, precision.tiny
        self.back = backpropagate(layer.cell.activation, one, direct.value, initial)
        self.abs_W, self.abs_U = np.abs(one.weights.W), np.abs(one.weights.U)
        slope = SLOPES[layer.cell.activation](run.h.value)
        # What a layer computes that takes every h_t for the end of the sequence.
        self.truncated = slope * direct.value
        # What comes from outside may be the outputs of all timesteps, where these are repeated.
        terms = 2 + direct.value.shape[1] * (course.sorted is not None)
        self.z_error = Adjoint(
            one.weights.U,
            self.back.h,
            self.back.z,
            slope,
            slope_error(layer.cell.activation, run.h, precision),
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
            b = Bounded(self.back.b, error, size)
            found.append(("b", Expected(b.value, _finite(b, self.precision), _flat(self.truncated).sum(0))))
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
        bounded = Bounded(value, error, z_size.T @ x_size)
        return Expected(value, _finite(bounded, self.precision), _flat(self.truncated).T @ _flat(factor))

    def inputs(self) -> tuple[Bounded, Array]:
        """The gradient of the inputs (batch, timesteps, features), and the same without the recurrence."""
        unread = self.run.one.course.unread
        bounded = self._through(self.back.inputs, self.z_error, self.z_size, self.abs_W)
        return bounded.each(unread), unread(self.truncated @ self.run.one.weights.W)

    def initial(self) -> Expected:
        """The gradient of the initial state, (batch, units)."""
        bounded = self._through(self.back.initial, self.z_error[:, 0], self.z_size[:, 0], self.abs_U)
        return Expected(bounded.value, _finite(bounded, self.precision), self.truncated[:, 0] @ self.run.one.weights.U)

    def _through(self, value: Array, z_error: Array, z_size: Array, kernel: Array) -> Bounded:
        """d_z passed through a kernel: a sum of `units` products, and whatever is added to it in one operation."""
        n = len(kernel) + 3
        rounding = joint_gamma(self.precision, n)
        size = z_size @ kernel + np.abs(value)
        lost = 2 * n + kernel.sum(0) + z_size.sum(-1, keepdims=True)
        return Bounded(value, z_error @ kernel + rounding * size + (1 + rounding) * self.tiny * lost, size)


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
    architecture: Architecture, cotangent: Output, runs: Sequence[Sequence[_Run]], precision: Precision
) -> tuple[Bounded, list[list[Bounded]]]:
    """The cotangents of all outputs of the last layer, and of each final state of each layer."""
    whole = (...,) if architecture.batched else (np.newaxis,)
    d_final = [[exactly(np.zeros_like(run.final.value)) for run in layer] for layer in runs]
    for k, layer_state in enumerate(cotangent.final_state or ()):
        d_final[k] = [exactly(np.asarray(d)[whole].astype(np.float64)) for (d,) in layer_state]
    d_outputs = exactly(np.asarray(cotangent.outputs)[whole].astype(np.float64))
    if architecture.return_sequences:
        return d_outputs, d_final
    top, last = architecture.layers[-1], runs[-1]
    d_last = _split(top, d_outputs, [run.final for run in last], precision)
    d_final[-1] = [d + more for d, more in zip(d_final[-1], d_last, strict=True)]
    return exactly(np.zeros((*last[0].h.value.shape[:2], top.width))), d_final


def _split(layer: Layer, d: Bounded, each: Sequence[Expected], precision: Precision) -> list[Bounded]:
    """The cotangent of joined outputs as one for each direction; `each` are the outputs that were joined."""
    if not layer.is_bidirectional:
        return [d]
    if layer.merge == "concat":
        return [d.each(lambda a: a[..., : layer.units]), d.each(lambda a: a[..., layer.units :])]
    if layer.merge == "sum":
        return [d, d]
    if layer.merge == "ave":
        return [_rounded(d.each(lambda a: a / 2), 1, precision)] * 2
    split = []
    for other in reversed(each):
        size = np.abs(other.value) + other.bound
        error = d.error * size + np.abs(d.value) * other.bound + precision.tiny * (d.size + size)
        split.append(_rounded(Bounded(d.value * other.value, error, d.size * size), 1, precision))
    return split


def _table(
    table: Array, inputs: NDArray[np.generic], d_inputs: Bounded, without: Array, precision: Precision
) -> Expected:
    """The gradient of an embedding's table: each row adds up what the occurrences of its token give."""
    tokens = inputs.astype(np.intp).reshape(d_inputs.value.shape[:2])

    def add_up(array: Array) -> Array:
        total = np.zeros_like(table)
        np.add.at(total, tokens, array)
        return total

    count = np.bincount(tokens.ravel(), minlength=len(table))
    summed = _rounded(d_inputs.each(add_up), int(count.max(initial=0)), precision)
    occurs = (count > 0)[:, np.newaxis]
    return Expected(summed.value, np.where(occurs, _finite(summed, precision), 0), add_up(without))


def _rounded(exact: Bounded, n: int, precision: Precision) -> Bounded:
    """The same after n more operations, each of which may be rounded and flushed; what is zero stays so."""
    rounding = joint_gamma(precision, n)
    lost = np.where(exact.size > 0, (1 + rounding) * 2 * n * precision.tiny, 0)
    return Bounded(exact.value, exact.error + rounding * exact.size + lost, exact.size)


def _finite(bounded: Bounded, precision: Precision) -> Array:
    """The bound of a result: infinite where a partial sum might overflow, or where an infinite error met a zero."""
    has_bound = (bounded.size < precision.largest) & (bounded.error < np.inf)
    return np.where(has_bound, bounded.error * SLACK, np.inf)


def _flat(array: Array) -> Array:
    """The two axes of sequences and timesteps as one."""
    return array.reshape(-1, array.shape[-1])
