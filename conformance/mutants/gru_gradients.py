"""Mutants of the GRU whose outputs are right and whose gradients are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from rnn_conformance.conformance.mutants.base import mutant
from rnn_conformance.conformance.mutants.cells import GruLayer
from rnn_conformance.reference.arithmetic.words import Arithmetic
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.layers.gradients import Direct, Pass, Returned
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights

N = TypeVar("N")


@mutant("11.1")
class NoGradientThroughTheResetGate(GruLayer):
    """No gradient passes through the reset gate."""

    def candidate(self, on: Arithmetic[N], cell: Gru, x: N, r: N, h: N) -> N:
        return super().candidate(on, cell, x, self.held(r), h)


@mutant("11.1")
class NoGradientThroughTheUpdateGate(GruLayer):
    """No gradient passes through the update gate."""

    def show(self, on: Arithmetic[N], cell: Gru, z: N, n: N, h: N) -> N:
        return super().show(on, cell, self.held(z), n, h)


@mutant("11.1")
class NoGradientThroughTheCandidateOfAGru(GruLayer):
    """No gradient passes through the candidate of a GRU."""

    def show(self, on: Arithmetic[N], cell: Gru, z: N, n: N, h: N) -> N:
        return super().show(on, cell, z, self.held(n), h)


@mutant("11.1")
class NoGradientThroughWhatIsKept(GruLayer):
    """No gradient passes to the state before through what the update gate keeps of it."""

    def show(self, on: Arithmetic[N], cell: Gru, z: N, n: N, h: N) -> N:
        return super().show(on, cell, z, n, self.held(h))


@mutant("11.1")
class NoGradientFromTheCandidateToTheState(GruLayer):
    """No gradient passes from the candidate of a GRU to the state before."""

    def candidate(self, on: Arithmetic[N], cell: Gru, x: N, r: N, h: N) -> N:
        return super().candidate(on, cell, x, r, self.held(h))


@mutant("11.1")
class NoGradientFromGatesToTheState(GruLayer):
    """No gradient passes from the gates of a GRU to the state before."""

    def gates(self, on: Arithmetic[N], cell: Gru, x: N, h: N) -> tuple[N, N]:
        return super().gates(on, cell, x, self.held(h))


@mutant("11.6")
class NoGradientThroughTheResetGateAbove(GruLayer):
    """In every layer but the first no gradient passes through the reset gate."""

    def candidate(self, on: Arithmetic[N], cell: Gru, x: N, r: N, h: N) -> N:
        return super().candidate(on, cell, x, self.held(r) if self.position else r, h)


class _OtherRowsOfGradients(GruLayer):
    """The rows of some gates are others in the gradients of some arrays."""

    arrays = "WUbc"

    def way_back(self, layer: Layer, one: Pass, direct: Direct) -> Returned:
        found = super().way_back(layer, one, direct)
        if layer.cell.name != self.of_cell:
            return found
        named = {
            name: np.concatenate(self.rows(np.split(d, 3))) if name in self.arrays and len(d) > layer.units else d
            for name, d in found.weights.named.items()
        }
        return replace(found, weights=LayerWeights(named))

    def rows(self, gates: Sequence[Array]) -> Sequence[Array]:
        """What stands for the gradients of z, r and n."""
        raise NotImplementedError


@mutant("11.1")
class GradientsOfGruGatesExchanged(_OtherRowsOfGradients):
    """In the gradients of a GRU's weights the update and the reset gate are exchanged."""

    def rows(self, gates: Sequence[Array]) -> Sequence[Array]:
        z, r, n = gates
        return r, z, n


@mutant("11.1")
class KernelGradientOfTheResetGateZero(_OtherRowsOfGradients):
    """The gradient of W is zero in the rows of the reset gate."""

    arrays = "W"

    def rows(self, gates: Sequence[Array]) -> Sequence[Array]:
        z, r, n = gates
        return z, r * 0, n


@mutant("11.1")
class RecurrentGradientOfTheUpdateGateNegated(_OtherRowsOfGradients):
    """The gradient of U has the wrong sign in the rows of the update gate."""

    arrays = "U"

    def rows(self, gates: Sequence[Array]) -> Sequence[Array]:
        z, r, n = gates
        return -z, r, n


@mutant("11.1")
class RecurrentGradientOfTheGruCandidateTransposed(_OtherRowsOfGradients):
    """The gradient of U is transposed in the rows of the candidate of a GRU."""

    arrays = "U"

    def rows(self, gates: Sequence[Array]) -> Sequence[Array]:
        z, r, n = gates
        return z, r, n.T if n.shape == n.T.shape else n


class _OtherBiasGradients(GruLayer):
    """The gradients of bias and recurrent bias are others, where there are both."""

    def way_back(self, layer: Layer, one: Pass, direct: Direct) -> Returned:
        found = super().way_back(layer, one, direct)
        named = dict(found.weights.named)
        if "c" in named:
            named["b"], named["c"] = self.changed(named["b"], named["c"])
        return replace(found, weights=LayerWeights(named)) if layer.cell.name == self.of_cell else found

    def changed(self, b: Array, c: Array) -> tuple[Array, Array]:
        raise NotImplementedError


@mutant("11.1")
class RecurrentBiasGradientIsThatOfTheBias(_OtherBiasGradients):
    """The gradient of the recurrent bias of a GRU is that of its bias, as if no reset were between."""

    def changed(self, b: Array, c: Array) -> tuple[Array, Array]:
        return b, b[-len(c) :]


@mutant("11.1")
class BiasGradientIsThatOfTheRecurrentBias(_OtherBiasGradients):
    """The gradient of the bias of a GRU is that of its recurrent bias, as if it were within the reset."""

    def changed(self, b: Array, c: Array) -> tuple[Array, Array]:
        return np.append(b[: len(b) - len(c)], c), c


@mutant("11.1")
class RecurrentBiasGradientOfAGruZero(_OtherBiasGradients):
    """The gradient of the recurrent bias of a GRU is zero."""

    def changed(self, b: Array, c: Array) -> tuple[Array, Array]:
        return b, c * 0


@mutant("11.3")
class GradientOfTheInitialStateOfAGruHalved(GruLayer):
    """The gradient of the initial state of a GRU is half of what it should be."""

    def way_back(self, layer: Layer, one: Pass, direct: Direct) -> Returned:
        found = super().way_back(layer, one, direct)
        return replace(found, initial=tuple(h / 2 for h in found.initial)) if layer.cell.name == self.of_cell else found
