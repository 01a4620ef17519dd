"""The arrays of a case, drawn from its seed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from rnn_conformance.conformance.cases.patterns import draw_mask
from rnn_conformance.conformance.cases.regimes import EXACT_GATES, GAIN, Regime, regime_of
from rnn_conformance.reference.arithmetic.flags import ignoring_flags
from rnn_conformance.reference.arithmetic.plain import Rows
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.cell import Shape
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import (
    DirectionState,
    LayerState,
    State,
    each_state,
    flat,
    state_arrays,
    state_of,
)
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights, direction_shapes

_GAIN_WITHOUT_LIMITS = 1.1


_LIMITED = ("tanh", "sigmoid")


@dataclass(frozen=True, eq=False)
class Drawn:
    """The arrays of a case. `mask` (batch, timesteps) is None where every timestep is valid.

    `cotangent` is what a gradient is taken with: for the outputs as the architecture returns them and, always, for the
    final states.
    """

    weights: Weights
    inputs: np.ndarray
    initial_state: State
    mask: Mask | None
    cotangent: Output

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Drawn:
        """The arrays of a case by name; the inverse of `arrays`."""
        cotangent = Output(arrays["cotangent.outputs"], state_of("cotangent.final_state", arrays) or None)
        state = state_of("initial_state", arrays)
        return Drawn(Weights.of(arrays), arrays["inputs"], state, arrays.get("mask"), cotangent)

    def arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        """Every array with its name, such as ``layers[0].backward.W`` or ``cotangent.final_state[1]``."""
        yield from self.weights.arrays()
        yield "inputs", self.inputs
        yield from state_arrays("initial_state", self.initial_state)
        if self.mask is not None:
            yield "mask", self.mask
        yield "cotangent.outputs", self.cotangent.outputs
        yield from state_arrays("cotangent.final_state", self.cotangent.final_state)


@ignoring_flags
def draw(architecture: Architecture, batch: int, timesteps: int, regime: str, seed: int, pattern: str) -> Drawn:
    """Weights, inputs (batch, timesteps, features) or tokens (batch, timesteps), and what else a call may take.

    Inputs, states and cotangents have the dtype of the architecture, weights that in which they are kept; for a single
    sequence there is no batch axis.
    """
    rng = np.random.default_rng(seed)
    dtype = dtype_of(architecture.dtype)
    scales = regime_of(regime, architecture.dtype)
    weights_dtype = dtype_of(architecture.weights_dtype or architecture.dtype)
    table = architecture.embedding
    shapes: list[tuple[int, ...]] = (
        [(table.tokens, table.features)] if table else [(batch, timesteps, architecture.layers[0].features)]
    )
    for layer in architecture.layers:
        # The same numbers are drawn for a layer with biases and for one without.
        one = [*_with_biases(layer).values(), *((batch, width) for width in layer.cell.widths(layer.units).values())]
        shapes += one * (1 + layer.is_bidirectional)
    arrays = _arrays(rng, shapes, whole=scales is None, double=architecture.dtype == "float64")

    first = next(arrays)
    if scales is not None:
        first *= first.dtype.type(scales.x)

    def direction(layer: Layer) -> tuple[LayerWeights, DirectionState]:
        named = {name: next(arrays) for name in _with_biases(layer)}
        h, *hidden = (next(arrays) for _ in layer.cell.parts)
        if scales is None:
            named["U"] = _one_a_row(rng, named["U"], layer.units)
        else:
            _scale(rng, layer, scales, named)
            hidden = [c * c.dtype.type(scales.c) for c in hidden]
        if regime == EXACT_GATES:
            _multiply_by_gate(layer, named)
            hidden = [c * c.dtype.type(GAIN // 16) for c in hidden]
        state = tuple(part.astype(dtype, copy=False) for part in (h, *hidden))
        kept = direction_shapes(layer)
        return LayerWeights({name: named[name].astype(weights_dtype, copy=False) for name in kept}), state

    layers: list[LayerWeights] = []
    state: list[LayerState] = []
    for layer in architecture.layers:
        drawn, states = zip(*(direction(layer) for _ in range(1 + layer.is_bidirectional)), strict=True)
        layers.append(LayerWeights.of(drawn))
        state.append(states)

    mask = draw_mask(rng, batch, timesteps, pattern) if pattern else None
    inputs: np.ndarray = _tokens(rng, table, (batch, timesteps)) if table else first.astype(dtype)
    if table and table.mask_zero and mask is not None:
        inputs[~mask] = 0
    width = architecture.layers[-1].width
    shapes = [(batch, timesteps, width) if architecture.return_sequences else (batch, width)]
    shapes += [h.shape for h in flat(state)]
    cotangents = (
        array.astype(dtype, copy=False) for array in _arrays(rng, shapes, scales is None, dtype.itemsize == 8)
    )
    outputs_cotangent = next(cotangents)
    state_cotangent = each_state(lambda _: next(cotangents), state)
    embedding = first.astype(weights_dtype) if table else None
    weights = Weights(tuple(layers), embedding)
    if architecture.batched:
        return Drawn(weights, inputs, tuple(state), mask, Output(outputs_cotangent, state_cotangent))
    initial, final = (each_state(lambda h: h[0], nested) for nested in (state, state_cotangent))
    return Drawn(weights, inputs[0], initial, None if mask is None else mask[0], Output(outputs_cotangent[0], final))


def _tokens(rng: np.random.Generator, table: Embedding, shape: tuple[int, int]) -> Array:
    """Tokens (batch, timesteps) of as many kinds as it happens, so that some come again, and others not at all."""
    first = 1 if table.mask_zero else 0
    kinds = rng.integers(1, min(math.prod(shape), table.tokens - first) + 1)
    occurring = first + rng.choice(table.tokens - first, kinds, replace=False)
    return rng.choice(occurring.astype(np.int32), shape)


def _with_biases(layer: Layer) -> dict[str, Shape]:
    """The shapes of one direction's arrays, if the layer had biases."""
    return direction_shapes(replace(layer, use_bias=True))


def _scale(rng: np.random.Generator, layer: Layer, scales: Regime, named: dict[str, Array]) -> None:
    """Make the weights of one direction, drawn with a standard deviation of 1, as large as the regime says."""
    gain = scales.U if layer.cell.activation in _LIMITED else min(scales.U, _GAIN_WITHOUT_LIMITS)
    for name, array in named.items():
        is_kernel = array.ndim > 1
        factor = {"W": scales.W, "U": gain}.get(name, 1) / array.shape[1] ** 0.5 if is_kernel else scales.b
        array *= array.dtype.type(factor)
        if scales.band and not is_kernel:
            array += np.copysign(array.dtype.type(scales.band), array)
    if scales.zeros:
        for name in ("W", "U"):
            named[name][rng.random(named[name].shape) < scales.zeros] = 0
    gates = layer.cell.gates
    if scales.gain != 1 and layer.cell.activation in _LIMITED:
        for array in _rows_of(layer, named, layer.cell.candidate):
            array *= array.dtype.type(scales.gain)
    for gate in scales.shift.keys() & set(gates):
        Rows(named, gates).of("b", [gate])[...] += scales.shift[gate]
    if scales.silent:
        one = gates[rng.integers(len(gates))]
        for gate in gates:
            if (gate == one) == (scales.silent == "one"):
                for array in _rows_of(layer, named, gate):
                    array[...] = 0


def _multiply_by_gate(layer: Layer, named: dict[str, Array]) -> None:
    """Multiply with `GAIN` what leads to a gate, or to a candidate that has limits."""
    cell = layer.cell
    for gate in cell.gates:
        if gate != cell.candidate or cell.activation in _LIMITED:
            for array in _rows_of(layer, named, gate):
                array *= array.dtype.type(GAIN)


def _rows_of(layer: Layer, named: Mapping[str, Array], gate: str) -> Iterator[Array]:
    """The rows of a gate in each array that has any, as views."""
    rows = Rows(named, layer.cell.gates)
    for name in ("W", "U", "b", "c"):
        # Where but one gate has a recurrent bias, that is the candidate.
        if name in named and (len(named[name]) == len(named["b"]) or gate == layer.cell.candidate):
            yield rows.of(name, [gate])


def _arrays(rng: np.random.Generator, shapes: Sequence[tuple[int, ...]], whole: bool, double: bool) -> Iterator[Array]:
    """Arrays of these shapes, cut from one draw: a draw for each of them would take longer than the layer.

    They are float64 or, if not `double`, float32; half precisions are rounded from that.
    """
    sizes = [math.prod(shape) for shape in shapes]
    total = sum(sizes)
    dtype = np.dtype(np.float64 if double else np.float32)
    numbers = rng.integers(-2, 3, total).astype(dtype) if whole else rng.standard_normal(total, dtype.type)
    end = 0
    for shape, size in zip(shapes, sizes, strict=True):
        end += size
        yield numbers[end - size : end].reshape(shape)


def _one_a_row(rng: np.random.Generator, like: Array, units: int) -> Array:
    """A signed permutation for each gate: h can grow by no more than |W x + b| a timestep.

    Where h has not as many numbers as there are units, each row has one of them.
    """
    U, width = np.zeros_like(like), like.shape[1]
    for begin in range(0, len(U), units):
        signs = rng.choice([-1, 1], units)
        columns = rng.permutation(units) if width == units else rng.integers(0, width, units)
        U[begin + np.arange(units), columns] = signs
    return U
