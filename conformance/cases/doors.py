"""Doors of a cell: layers wired so that one of its activations is seen from outside, applied to one number at a time.

Everything else that the equation does is exact then: it multiplies with 0 and 1, and adds zeros. What the activation is
given comes in as an input, or as c, and what it gives is put out, or becomes c.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from rnn_conformance.conformance.cases.wiring import OFF, ON, Gate, one_of, wired
from rnn_conformance.reference.arithmetic.rounding import standard_precision
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array, LayerWeights


@dataclass(frozen=True)
class Door:
    """How one activation of a cell is seen: `role` says which, such as ``gate f``.

    `gates` are wired so, the initial state is filled with `start`, a number for each part, and what the activation
    gives is that part of the state which `shows` says. What is given enters as the inputs or, where `by_c`, as the
    initial c. What is seen is `scale` times what the activation gives, after another one, if there is (`then`), which
    is nearly the identity there.
    """

    role: str
    activation: str
    gates: Mapping[str, Gate]
    start: tuple[float, ...]
    shows: int = 0
    by_c: bool = False
    scale: float = 1.0
    then: str = ""

    @property
    def passed(self) -> list[str]:
        """The activations that a number passes: this one, and the one that follows, if there is one."""
        return [self.activation, *([self.then] if self.then else [])]

    @property
    def is_whole_cell(self) -> bool:
        """Whether the cell is nothing but this activation: then no initial state is needed."""
        return len(self.gates) == 1

    def weights(self, layer: Layer, dtype: str) -> LayerWeights:
        """The arrays of the layer, which has as many features as units."""
        return wired(layer, self.gates, dtype)

    def given(self, z: Array) -> tuple[Array, State]:
        """Inputs (batch, 1, features) and initial state by which each of z (batch, units) gets to the activation."""
        parts = [np.full_like(z, number) for number in self.start]
        if self.by_c:
            parts[1] = z
        inputs = np.zeros_like(z) if self.by_c else z
        return inputs[:, np.newaxis], ((tuple(parts),),)

    def seen(self, output: Output) -> Array:
        """What the activation gave, (batch, units)."""
        if not self.shows:
            return output.outputs[:, 0]
        assert output.final_state is not None
        part: Array = output.final_state[0][0][self.shows]
        return part

    def cotangent(self, z: Array) -> Output:
        """1 for what is seen, and zeros for all else."""
        parts = tuple(np.full_like(z, part == self.shows != 0) for part in range(len(self.start)))
        outputs = np.full_like(z[:, np.newaxis], self.shows == 0)
        return Output(outputs, ((parts,),) if len(parts) > 1 else None)


def architecture_of(cell: Cell, units: int, dtype: str, mode: str) -> Architecture:
    """The layer that all doors of a cell have in common."""
    layer = Layer(units, units, cell)
    return Architecture((layer,), dtype=dtype, mode=mode, return_state=len(cell.parts) > 1)


def doors(cell: Cell, dtype: str) -> Iterator[Door]:
    """The doors of a cell in numbers of this type."""
    if isinstance(cell, Lstm):
        yield from _of_lstm(cell)
    elif isinstance(cell, Gru):
        yield from _of_gru(cell, dtype)
    else:
        yield Door("candidate", cell.activation, {cell.candidate: _READS}, (0.0,))


_READS = Gate(W=1.0)


def _of_lstm(cell: Lstm) -> Iterator[Door]:
    gate, one = cell.recurrent_activation, Gate(b=one_of(cell.activation))
    shows_one = one_of(cell.output_activation)
    yield Door("gate o", gate, {"i": OFF, "f": ON, "o": _READS}, (0.0, shows_one))
    yield Door("gate i", gate, {"i": _READS, "f": OFF, "g": one}, (0.0, 0.0), shows=1)
    if not cell.forget_bias:  # to take it back rounds
        yield Door("gate f", gate, {"i": OFF, "f": _READS}, (0.0, 1.0), shows=1)
    yield Door("candidate", cell.activation, {"i": ON, "f": OFF, "g": _READS}, (0.0, 0.0), shows=1)
    yield Door("output", cell.output_activation, {"i": OFF, "f": ON, "o": ON}, (0.0, 0.0), by_c=True)


def _of_gru(cell: Gru, dtype: str) -> Iterator[Door]:
    gate, keeps_z = cell.recurrent_activation, cell.keep == "z"
    zero, one = Gate(b=-one_of(cell.activation)), Gate(b=one_of(cell.activation))
    new = OFF if keeps_z else ON
    # What is multiplied with z is 1, and what is multiplied with 1 - z is 0.
    nothing = zero if cell.activation == "sigmoid" else Gate()
    yield Door("gate z", gate, {"z": _READS, "n": nothing if keeps_z else one}, (1.0 if keeps_z else 0.0,))
    yield Door("candidate", cell.activation, {"z": new, "n": _READS}, (0.0,))
    if cell.activation != "sigmoid":
        # So near to zero tanh is the identity but for less than a rounding: tanh(y) = y - y^3 / 3 + ...
        curved = cell.activation == "tanh"
        digits = -math.log2(standard_precision(dtype).eps)
        scale = 2.0 ** -(digits // 2 + 1) if curved else 1.0
        then = "tanh" if curved else ""
        yield Door("gate r", gate, {"z": new, "r": _READS, "n": Gate(U=scale)}, (1.0,), scale=scale, then=then)
