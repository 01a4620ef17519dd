"""Mutants of the GRU that use the rows of its gates otherwise: in another order, transposed, or not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnn_conformance.conformance.mutants.base import mutant
from rnn_conformance.conformance.mutants.cells import GruLayer
from rnn_conformance.conformance.mutants.rows import Exchanged, OtherRows, Rows
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights


class _Rows(OtherRows, GruLayer):
    """Rows of the GRU's gates are used otherwise."""


class _Exchanged(Exchanged, GruLayer):
    """The rows of two gates are exchanged in some arrays."""


@mutant("17.6", "1.1")
class UpdateAndResetGateExchanged(_Exchanged):
    """The rows of the update gate and of the reset gate are exchanged: r z n for z r n."""

    gates_exchanged = ("z", "r")


@mutant("17.6", "1.1")
class UpdateGateAndCandidateExchanged(_Exchanged):
    """The rows of the update gate and of the candidate are exchanged."""

    gates_exchanged = ("z", "n")


@mutant("17.6", "1.1")
class ResetGateAndCandidateExchanged(_Exchanged):
    """The rows of the reset gate and of the candidate are exchanged."""

    gates_exchanged = ("r", "n")


@mutant("17.6", "1.1")
class UpdateAndResetGateExchangedInU(_Exchanged):
    """In U the rows of the update gate and of the reset gate are exchanged; in W and the biases they are not."""

    gates_exchanged, arrays = ("z", "r"), "U"


@mutant("17.6", "1.1")
class UpdateAndResetGateExchangedInW(_Exchanged):
    """In W the rows of the update gate and of the reset gate are exchanged; in U and the biases they are not."""

    gates_exchanged, arrays = ("z", "r"), "W"


@mutant("17.6", "1.1")
class BiasesOfUpdateAndResetGateExchanged(_Exchanged):
    """The biases of the update gate and of the reset gate are exchanged; the kernels are not."""

    gates_exchanged, arrays = ("z", "r"), "b"


@mutant("17.3")
class RecurrentBiasesOfUpdateAndResetGateExchanged(_Exchanged):
    """The recurrent biases of the update gate and of the reset gate are exchanged, where there are such."""

    gates_exchanged, arrays = ("z", "r"), "c"


@mutant("17.6", "1.1")
class GruGatesRotated(_Rows):
    """The gates of a GRU are read one on: r n z for z r n."""

    def changed(self, name: str, rows: Rows) -> Rows:
        return {"z": rows["r"], "r": rows["n"], "n": rows["z"]}


@mutant("17.6", "1.1")
class GruGatesInterleaved(_Rows):
    """The rows of a GRU's arrays are taken to stand unit by unit, three gates each, instead of gate by gate."""

    def changed(self, name: str, rows: Rows) -> Rows:
        every = np.concatenate(list(rows.values()))
        return {gate: every[k :: len(rows)] for k, gate in enumerate(rows)}


class _OneGate(_Rows):
    """The rows of one gate are others in some arrays."""

    of_gate = ""
    arrays = "U"

    def changed(self, name: str, rows: Rows) -> Rows:
        return {**rows, self.of_gate: self.other(rows[self.of_gate])} if name in self.arrays else rows

    def other(self, array: Array) -> Array:
        return array.T


@mutant("17.6", "1.1")
class RecurrentKernelOfTheUpdateGateTransposed(_OneGate):
    """The rows of U that belong to the update gate are transposed."""

    of_gate = "z"


@mutant("17.6", "1.1")
class RecurrentKernelOfTheResetGateTransposed(_OneGate):
    """The rows of U that belong to the reset gate are transposed."""

    of_gate = "r"


@mutant("17.6", "1.1")
class RecurrentKernelOfTheGruCandidateTransposed(_OneGate):
    """The rows of U that belong to the candidate of a GRU are transposed."""

    of_gate = "n"


@mutant("17.6", "1.1")
class RowsOfTheUpdateGateRotated(_OneGate):
    """The rows of U that belong to the update gate are moved on by one."""

    of_gate = "z"

    def other(self, array: Array) -> Array:
        return np.roll(array, 1, axis=0)


@mutant("17.6", "1.1")
class ColumnsOfTheResetGateRotated(_OneGate):
    """The columns of U are moved on by one in the rows of the reset gate."""

    of_gate = "r"

    def other(self, array: Array) -> Array:
        return np.roll(array, 1, axis=1)


@mutant("17.6", "1.1")
class RowsOfTheGruCandidateReversed(_OneGate):
    """The rows of W that belong to the candidate of a GRU are in the opposite order."""

    of_gate, arrays = "n", "W"

    def other(self, array: Array) -> Array:
        return array[::-1]


class _Zero(_OneGate):
    """The rows of one gate are zero in some arrays."""

    def other(self, array: Array) -> Array:
        return array * 0


@mutant("17.6", "1.1")
class UpdateGateBlindToTheState(_Zero):
    """The update gate does not read h: its rows of U are zero."""

    of_gate = "z"


@mutant("17.6", "1.1")
class ResetGateBlindToTheInput(_Zero):
    """The reset gate does not read x: its rows of W are zero."""

    of_gate, arrays = "r", "W"


@mutant("17.6", "1.1")
class BiasOfTheUpdateGateLost(_Zero):
    """The update gate has no bias beside the recurrent one."""

    of_gate, arrays = "z", "b"


@mutant("17.6", "1.1")
class BiasOfTheResetGateLost(_Zero):
    """The reset gate has no bias beside the recurrent one."""

    of_gate, arrays = "r", "b"


@mutant("17.6", "1.1")
class BiasOfTheGruCandidateLost(_Zero):
    """The candidate of a GRU has no bias beside the recurrent one."""

    of_gate, arrays = "n", "b"


@mutant("17.3")
class RecurrentBiasOfTheGatesLost(_Rows):
    """The recurrent bias of a GRU is added in its candidate only, where it has one for all gates."""

    def changed(self, name: str, rows: Rows) -> Rows:
        return {gate: array * (name != "c" or gate == "n") for gate, array in rows.items()}


@mutant("17.3")
class BiasesOfTheGruCandidateExchanged(GruLayer):
    """In the candidate of a GRU bias and recurrent bias are exchanged, where it has one for all gates."""

    def used(self) -> Weights:
        weights = super().used()
        return replace(
            weights, layers=tuple(LayerWeights.of(list(map(_exchanged, each.directions))) for each in weights.layers)
        )


def _exchanged(one: LayerWeights) -> LayerWeights:
    b, c = one.b, one.named.get("c")
    if b is None or c is None or len(b) != len(c):
        return one
    gates = len(b) // 3 * 2
    return one.with_arrays(b=np.append(b[:gates], c[gates:]), c=np.append(c[:gates], b[gates:]))


@mutant("10.3", "10.1")
class BackwardGruGatesExchanged(_Exchanged):
    """In the second direction of a bidirectional GRU the rows of the update and of the reset gate are exchanged."""

    gates_exchanged = ("z", "r")

    def changed(self, name: str, rows: Rows) -> Rows:
        return super().changed(name, rows) if self.place[1] else rows


@mutant("4.1")
class SecondGruGatesExchanged(_Exchanged):
    """In every layer but the first the rows of the update gate and of the candidate are exchanged."""

    gates_exchanged = ("z", "n")

    def changed(self, name: str, rows: Rows) -> Rows:
        return super().changed(name, rows) if self.place[0] else rows
