"""Mutants of the LSTM that use the rows of its gates otherwise: in another order, transposed, or not at all."""

from __future__ import annotations

import numpy as np

from rnn_conformance.conformance.mutants.base import mutant
from rnn_conformance.conformance.mutants.cells import LstmLayer
from rnn_conformance.conformance.mutants.rows import Exchanged, OtherRows, Rows
from rnn_conformance.reference.model.weights import Array


class _Rows(OtherRows, LstmLayer):
    """Rows of the LSTM's gates are used otherwise."""


class _Exchanged(Exchanged, LstmLayer):
    """The rows of two gates are exchanged in some arrays."""


@mutant("16.9", "1.1")
class InputAndForgetGateExchanged(_Exchanged):
    """The rows of the input gate and of the forget gate are exchanged."""

    gates_exchanged = ("i", "f")


@mutant("16.9", "1.1")
class InputGateAndCandidateExchanged(_Exchanged):
    """The rows of the input gate and of the candidate are exchanged."""

    gates_exchanged = ("i", "g")


@mutant("16.9", "1.1")
class InputAndOutputGateExchanged(_Exchanged):
    """The rows of the input gate and of the output gate are exchanged."""

    gates_exchanged = ("i", "o")


@mutant("16.9", "1.1")
class ForgetGateAndCandidateExchanged(_Exchanged):
    """The rows of the forget gate and of the candidate are exchanged."""

    gates_exchanged = ("f", "g")


@mutant("16.9", "1.1")
class ForgetAndOutputGateExchanged(_Exchanged):
    """The rows of the forget gate and of the output gate are exchanged."""

    gates_exchanged = ("f", "o")


@mutant("16.9", "1.1")
class CandidateAndOutputGateExchanged(_Exchanged):
    """The rows of the candidate and of the output gate are exchanged: i f o g for i f g o."""

    gates_exchanged = ("g", "o")


@mutant("16.9", "1.1")
class CandidateAndOutputGateExchangedInU(_Exchanged):
    """In U the rows of the candidate and of the output gate are exchanged; in W and the biases they are not."""

    gates_exchanged, arrays = ("g", "o"), "U"


@mutant("16.9", "1.1")
class ForgetGateAndCandidateExchangedInW(_Exchanged):
    """In W the rows of the forget gate and of the candidate are exchanged; in U and the biases they are not."""

    gates_exchanged, arrays = ("f", "g"), "W"


@mutant("16.9", "1.1")
class BiasesOfInputAndForgetGateExchanged(_Exchanged):
    """The biases of the input gate and of the forget gate are exchanged; the kernels are not."""

    gates_exchanged, arrays = ("i", "f"), "bc"


@mutant("16.9", "1.1")
class LstmGatesReversed(_Rows):
    """The gates of an LSTM are read in the opposite order."""

    def changed(self, name: str, rows: Rows) -> Rows:
        return dict(zip(rows, reversed(list(rows.values())), strict=True))


@mutant("16.9", "1.1")
class LstmGatesRotated(_Rows):
    """The gates of an LSTM are read one on: f g o i for i f g o."""

    def changed(self, name: str, rows: Rows) -> Rows:
        return {"i": rows["f"], "f": rows["g"], "g": rows["o"], "o": rows["i"]}


@mutant("16.9", "1.1")
class LstmGatesInterleaved(_Rows):
    """The rows of an LSTM's arrays are taken to stand unit by unit, four gates each, instead of gate by gate."""

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
        raise NotImplementedError


class _Transposed(_OneGate):
    """The recurrent kernel of one gate is transposed."""

    def other(self, array: Array) -> Array:
        return array.T


@mutant("16.9", "1.1")
class RecurrentKernelOfTheInputGateTransposed(_Transposed):
    """The rows of U that belong to the input gate are transposed."""

    of_gate = "i"


@mutant("16.9", "1.1")
class RecurrentKernelOfTheForgetGateTransposed(_Transposed):
    """The rows of U that belong to the forget gate are transposed."""

    of_gate = "f"


@mutant("16.9", "1.1")
class RecurrentKernelOfTheCandidateTransposed(_Transposed):
    """The rows of U that belong to the candidate of an LSTM are transposed."""

    of_gate = "g"


@mutant("16.9", "1.1")
class RecurrentKernelOfTheOutputGateTransposed(_Transposed):
    """The rows of U that belong to the output gate are transposed."""

    of_gate = "o"


@mutant("16.9", "1.1")
class RowsOfTheInputGateRotated(_OneGate):
    """The rows of U that belong to the input gate are moved on by one."""

    of_gate = "i"

    def other(self, array: Array) -> Array:
        return np.roll(array, 1, axis=0)


@mutant("16.9", "1.1")
class ColumnsOfTheForgetGateRotated(_OneGate):
    """The columns of U are moved on by one in the rows of the forget gate."""

    of_gate = "f"

    def other(self, array: Array) -> Array:
        return np.roll(array, 1, axis=1)


@mutant("16.9", "1.1")
class RowsOfTheCandidateReversed(_OneGate):
    """The rows of W that belong to the candidate of an LSTM are in the opposite order."""

    of_gate, arrays = "g", "W"

    def other(self, array: Array) -> Array:
        return array[::-1]


@mutant("16.9", "1.1")
class ColumnsOfTheOutputGateReversed(_OneGate):
    """The columns of W are in the opposite order in the rows of the output gate."""

    of_gate, arrays = "o", "W"

    def other(self, array: Array) -> Array:
        return array[:, ::-1]


@mutant("16.9", "1.1")
class RecurrentKernelOfTheOutputGateNegated(_OneGate):
    """The rows of U that belong to the output gate have the wrong sign."""

    of_gate = "o"

    def other(self, array: Array) -> Array:
        return -array


class _Zero(_OneGate):
    """The rows of one gate are zero in some arrays."""

    def other(self, array: Array) -> Array:
        return array * 0


@mutant("16.9", "1.1")
class InputGateBlindToTheState(_Zero):
    """The input gate does not read h: its rows of U are zero."""

    of_gate = "i"


@mutant("16.9", "1.1")
class ForgetGateBlindToTheState(_Zero):
    """The forget gate does not read h: its rows of U are zero."""

    of_gate = "f"


@mutant("16.9", "1.1")
class CandidateBlindToTheState(_Zero):
    """The candidate of an LSTM does not read h: its rows of U are zero."""

    of_gate = "g"


@mutant("16.9", "1.1")
class OutputGateBlindToTheInput(_Zero):
    """The output gate does not read x: its rows of W are zero."""

    of_gate, arrays = "o", "W"


@mutant("16.9", "1.1")
class BiasOfTheInputGateLost(_Zero):
    """The input gate has no bias."""

    of_gate, arrays = "i", "bc"


@mutant("16.9", "1.1")
class BiasOfTheForgetGateLost(_Zero):
    """The forget gate has no bias."""

    of_gate, arrays = "f", "bc"


@mutant("16.9", "1.1")
class BiasOfTheCandidateLost(_Zero):
    """The candidate of an LSTM has no bias."""

    of_gate, arrays = "g", "bc"


@mutant("16.9", "1.1")
class BiasOfTheOutputGateLost(_Zero):
    """The output gate has no bias."""

    of_gate, arrays = "o", "bc"


@mutant("16.9", "1.1")
class BiasOfTheForgetGateDoubled(_OneGate):
    """The bias of the forget gate is added twice."""

    of_gate, arrays = "f", "bc"

    def other(self, array: Array) -> Array:
        return 2 * array


@mutant("16.4")
class RecurrentBiasOfAnLstmLost(_Rows):
    """The recurrent bias of an LSTM is not added, where it has one."""

    def changed(self, name: str, rows: Rows) -> Rows:
        return {gate: array * (name != "c") for gate, array in rows.items()}


@mutant("16.4")
class RecurrentBiasOfAnLstmTwice(_Rows):
    """The recurrent bias of an LSTM is added twice, where it has one."""

    def changed(self, name: str, rows: Rows) -> Rows:
        return {gate: array * (1 + (name == "c")) for gate, array in rows.items()}


@mutant("16.4")
class RecurrentBiasOfTheForgetGateLost(_Zero):
    """The recurrent bias of the forget gate is not added, where there is one."""

    of_gate, arrays = "f", "c"


@mutant("10.3", "10.1")
class BackwardLstmGatesExchanged(_Exchanged):
    """In the second direction of a bidirectional LSTM the rows of the input and of the output gate are exchanged."""

    gates_exchanged = ("i", "o")

    def changed(self, name: str, rows: Rows) -> Rows:
        return super().changed(name, rows) if self.place[1] else rows


@mutant("4.1")
class SecondLstmForgetGateExchanged(_Exchanged):
    """In every layer but the first the rows of the forget gate and of the candidate are exchanged."""

    gates_exchanged = ("f", "g")

    def changed(self, name: str, rows: Rows) -> Rows:
        return super().changed(name, rows) if self.place[0] else rows


@mutant("2.10", "1.1")
class OneUnitHasNoOutputGate(_Zero):
    """In an LSTM of one unit the output gate reads nothing and is one half."""

    of_gate, arrays = "o", "WUbc"

    def other(self, array: Array) -> Array:
        return array * 0 if len(array) == 1 else array


@mutant("1.7", "16.9")
class OneForgetGateForAllUnits(_Rows):
    """The forget gate of the first unit is that of all units."""

    def changed(self, name: str, rows: Rows) -> Rows:
        return {**rows, "f": np.repeat(rows["f"][:1], len(rows["f"]), axis=0)}
