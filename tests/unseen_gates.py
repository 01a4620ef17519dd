"""More faults that the catalogue does not know (unseen_faults.py): of the gates of an LSTM and of a GRU."""

from __future__ import annotations

import numpy as np
from unseen_faults import fault

from rnn_conformance.conformance.mutants.cells import GruLayer, LstmLayer
from rnn_conformance.reference.arithmetic.words import Arithmetic, N
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.states import DirectionState
from rnn_conformance.reference.model.weights import Array


@fault("1.1")
class OutputGateTwice(LstmLayer):
    """The output gate is multiplied with itself."""

    def show(self, on: Arithmetic[N], cell: Lstm, o: N, c: N) -> N:
        return super().show(on, cell, on.mul(o, o), c)


@fault("1.1")
class ForgetsMoreThanItShould(LstmLayer):
    """The forget gate is multiplied with the input gate."""

    def carry(self, on: Arithmetic[N], i: N, f: N, g: N, c: N) -> N:
        return super().carry(on, i, on.mul(f, i), g, c)


@fault("1.1")
class InputGateAlwaysOpen(LstmLayer):
    """The candidate is added without its gate."""

    def carry(self, on: Arithmetic[N], i: N, f: N, g: N, c: N) -> N:
        return on.add(on.mul(f, c), g)


@fault("3.2", "3.4")
class CellStateHalvedAtTheStart(LstmLayer):
    """Half of the given c is used."""

    def handed_on(self, layer: Layer, state: tuple[Array, ...], t: int) -> tuple[Array, ...]:
        return tuple(part / 2 if k else part for k, part in enumerate(state)) if t == 0 else state


@fault("3.1", "1.1")
class CellStateStartsFromOne(LstmLayer):
    """Where no state is given, c is one."""

    def zeros(self, layer: Layer, x: Array) -> DirectionState:
        return tuple(part + 1 if k else part for k, part in enumerate(super().zeros(layer, x)))


@fault("1.1")
class CandidateWithoutReset(GruLayer):
    """The reset gate does nothing."""

    def reset_after(self, on: Arithmetic[N], r: N, h: N) -> N:
        return on.affine([("U", h)], ["c"], ("n",))

    def reset_before(self, on: Arithmetic[N], r: N, h: N) -> N:
        return on.affine([("U", h)], ["c"], ("n",))


@fault("1.1")
class UpdateGateTwice(GruLayer):
    """The update gate is multiplied with itself."""

    def show(self, on: Arithmetic[N], cell: Gru, z: N, n: N, h: N) -> N:
        return super().show(on, cell, on.mul(z, z), n, h)


@fault("1.1", "2.10")
class GruForgetsEachTenthStep(GruLayer):
    """Each tenth timestep starts from zeros."""

    def handed_on(self, layer: Layer, state: tuple[Array, ...], t: int) -> tuple[Array, ...]:
        return tuple(map(np.zeros_like, state)) if t and t % 10 == 0 else state
