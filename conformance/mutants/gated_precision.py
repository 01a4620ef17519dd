"""Mutants of gated cells whose numbers are not as exact as they should be: roughly computed, kept or cut."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from rnn_conformance.adapters.numpy.dropout import Dropping
from rnn_conformance.conformance.mutants.base import mutant
from rnn_conformance.conformance.mutants.cells import Gated, GruLayer, LstmLayer
from rnn_conformance.reference.arithmetic.words import Arithmetic
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights

N = TypeVar("N")


def _of_arrays(a: Any, change: Callable[[Array], Array]) -> Any:
    """A number changed on its way there, and as it is for gradients."""
    return change(a) if isinstance(a, np.ndarray) else a


def _rough(y: Array) -> Array:
    """Off by 30 ULP where it bends."""
    return np.where((np.abs(y) > 0.1) & (np.abs(y) < 0.9), y + 30 * np.spacing(y), y).astype(y.dtype)


def _without_small(y: Array) -> Array:
    """As a sigmoid comes out that is computed as (1 + tanh(z / 2)) / 2, which loses its small values."""
    return (y + 1 - 1).astype(y.dtype)


@mutant("16.8")
class RoughOutputOfAnLstm(LstmLayer):
    """The activation of the output of an LSTM is off by 30 ULP where it bends."""

    def show(self, on: Arithmetic[N], cell: Lstm, o: N, c: N) -> N:
        h = on.mul(o, _of_arrays(on.act(cell.output_activation, c), _rough))
        return on.affine([("P", h)]) if cell.projection else h


@mutant("16.8")
class RoughGatesOfAnLstm(LstmLayer):
    """The activation of the gates of an LSTM is off by 30 ULP where it bends."""

    def gate(self, on: Arithmetic[N], cell: Lstm, z: N) -> N:
        return _of_arrays(super().gate(on, cell, z), _rough)


@mutant("16.8")
class RoughCandidateOfAnLstm(LstmLayer):
    """The activation of the candidate of an LSTM is off by 30 ULP where it bends."""

    def new(self, on: Arithmetic[N], cell: Lstm, g: N) -> N:
        return _of_arrays(super().new(on, cell, g), _rough)


@mutant("16.8")
class SmallGatesOfAnLstmInexact(LstmLayer):
    """The gates of an LSTM are computed from tanh(z / 2), which loses their small values."""

    def gate(self, on: Arithmetic[N], cell: Lstm, z: N) -> N:
        return _of_arrays(super().gate(on, cell, z), _without_small)


@mutant("17.5")
class RoughGatesOfAGru(GruLayer):
    """The activation of the gates of a GRU is off by 30 ULP where it bends."""

    def gate(self, on: Arithmetic[N], cell: Gru, z: N) -> N:
        return _of_arrays(super().gate(on, cell, z), _rough)


@mutant("17.5")
class RoughCandidateOfAGru(GruLayer):
    """The activation of the candidate of a GRU is off by 30 ULP where it bends."""

    def new(self, on: Arithmetic[N], cell: Gru, n: N) -> N:
        return _of_arrays(super().new(on, cell, n), _rough)


@mutant("16.7")
class CarriedStateInParts(LstmLayer):
    """The state c is divided by 49 and multiplied by 49 at each timestep: right within rounding, but not exact."""

    def carry(self, on: Arithmetic[N], i: N, f: N, g: N, c: N) -> N:
        return _of_arrays(super().carry(on, i, f, g, c), lambda c: c / 49 * 49)


@mutant("17.4")
class StateOfAGruInParts(GruLayer):
    """The state of a GRU is divided and multiplied by 49 at each timestep: right within rounding, but not exact."""

    def show(self, on: Arithmetic[N], cell: Gru, z: N, n: N, h: N) -> N:
        return _of_arrays(super().show(on, cell, z, n, h), lambda h: h / 49 * 49)


class _OtherKept(LstmLayer):
    """What is kept of c from one timestep to the next is another."""

    def handed_on(self, layer: Layer, state: tuple[Array, ...], t: int) -> tuple[Array, ...]:
        h, *hidden = super().handed_on(layer, state, t)
        return (h, *map(self.other, hidden)) if layer.cell.name == self.of_cell else state

    def other(self, c: Array) -> Array:
        raise NotImplementedError


@mutant("16.6", "1.1")
class CarriedStateClippedAtOne(_OtherKept):
    """The state c is cut at -1 and 1."""

    def other(self, c: Array) -> Array:
        return np.clip(c, -1, 1)


@mutant("16.6", "1.1")
class CarriedStateClippedAtThree(_OtherKept):
    """The state c is cut at -3 and 3, as options of some layers do."""

    def other(self, c: Array) -> Array:
        return np.clip(c, -3, 3)


@mutant("16.1", "1.1")
class CarriedStateInHalfPrecision(_OtherKept):
    """The state c is kept in float16 from one timestep to the next, whatever the dtype of the layer."""

    def other(self, c: Array) -> Array:
        return c.astype(np.float16).astype(c.dtype)


@mutant("16.1", "1.1")
class CarriedStateInSinglePrecision(_OtherKept):
    """The state c of a layer in double precision is kept in float32 from one timestep to the next."""

    def other(self, c: Array) -> Array:
        return c.astype(np.float32).astype(c.dtype)


@mutant("16.1", "1.1")
class CarriedStateFades(_OtherKept):
    """Of c one part in 256 is lost at every timestep."""

    def other(self, c: Array) -> Array:
        return c - c / c.dtype.type(256)


@mutant("16.1", "1.1")
class SmallCarriedStatesLost(_OtherKept):
    """Numbers of c below a thousandth are zero."""

    def other(self, c: Array) -> Array:
        return np.where(np.abs(c) < 1e-3, c.dtype.type(0), c)


class _AddingInItsType(Dropping):
    """The words of a layer whose products are added up in `dtype`, term after term: of all gates, or of one `only`."""

    dtype: np.dtype[Any]
    only = ""

    def product(self, name: str, x: Array, gates: Sequence[str] = (), *, transposed: bool = False) -> Array:
        right = super().product(name, x, gates, transposed=transposed)
        of = gates or self.rows.gates
        if self.dtype.itemsize > 2 or transposed or (self.only and (self.only not in of or name not in ("W", "U"))):
            return right
        terms = self.rows.of(name, gates)[..., np.newaxis] * x[..., np.newaxis, :, :]
        added = np.cumsum(terms.astype(self.dtype), axis=-2, dtype=self.dtype)[..., -1, :].astype(x.dtype)
        told = np.repeat([not self.only or gate == self.only for gate in of], right.shape[-2] // len(of))
        return np.where(told[:, np.newaxis], added, right)


class _GatesAddedInHalf(Gated):
    only = ""

    def words(self, layer: Layer, weights: LayerWeights) -> Dropping:
        words = _AddingInItsType(weights.named, layer.cell.gates)
        words.dtype, words.only = self.dtype, self.only
        return words


@mutant("2.13")
class LstmAddedInHalf(_GatesAddedInHalf, LstmLayer):
    """A half precision LSTM adds up in its own type, term after term."""


@mutant("2.13")
class ForgetGateAddedInHalf(_GatesAddedInHalf, LstmLayer):
    """A half precision LSTM adds up what its forget gate reads in its own type, term after term."""

    only = "f"


@mutant("2.13")
class OutputGateAddedInHalf(_GatesAddedInHalf, LstmLayer):
    """A half precision LSTM adds up what its output gate reads in its own type, term after term."""

    only = "o"


@mutant("2.13")
class GruAddedInHalf(_GatesAddedInHalf, GruLayer):
    """A half precision GRU adds up in its own type, term after term."""


@mutant("2.13")
class UpdateGateAddedInHalf(_GatesAddedInHalf, GruLayer):
    """A half precision GRU adds up what its update gate reads in its own type, term after term."""

    only = "z"


@mutant("2.13")
class ResetGateAddedInHalf(_GatesAddedInHalf, GruLayer):
    """A half precision GRU adds up what its reset gate reads in its own type, term after term."""

    only = "r"
