"""Mutants of the GRU that load, keep, count or read back the weights of some gates otherwise."""

from __future__ import annotations

import numpy as np

from rnn_conformance.conformance.mutants.base import mutant
from rnn_conformance.conformance.mutants.cells import GruLayer
from rnn_conformance.conformance.mutants.rows import Named, OtherArrays
from rnn_conformance.reference.model.weights import Array, Weights


class _OtherArrays(OtherArrays, GruLayer):
    """The arrays of a GRU's directions are changed somewhere on their way."""


def _turned(named: Named) -> Named:
    """The same with the update and the reset gate exchanged, wherever there are rows for all gates."""

    def turned(array: Array) -> Array:
        z, r, n = np.split(array, 3)
        return np.concatenate([r, z, n])

    rows = len(named["W"])
    return {name: turned(array) if len(array) == rows else array for name, array in named.items()}


def _without_c(named: Named) -> Named:
    return {name: array * 0 if name == "c" else array for name, array in named.items()}


@mutant("6.1")
class GruGatesReadBackInAnotherOrder(_OtherArrays):
    """Weights of a GRU are read back with the update and the reset gate exchanged: r z n for z r n."""

    def weights(self) -> Weights:
        return self.each(super().weights(), _turned)


@mutant("6.1")
class RecurrentBiasOfAGruReadBackZero(_OtherArrays):
    """The recurrent bias of a GRU is read back as zero."""

    def weights(self) -> Weights:
        return self.each(super().weights(), _without_c)


@mutant("6.1", "1.1")
class RecurrentBiasOfAGruNotLoaded(_OtherArrays):
    """The recurrent bias of a GRU is not loaded, and stays zero."""

    def load(self, weights: Weights) -> None:
        super().load(weights)
        self._weights = self.each(self._loaded, _without_c)


@mutant("6.2")
class RecurrentKernelOfAGruStale(_OtherArrays):
    """Where weights are loaded a second time the recurrent kernel of a GRU stays that of the first time."""

    first: Weights | None = None

    def load(self, weights: Weights) -> None:
        super().load(weights)
        self.first = self.first or self._loaded

    def used(self) -> Weights:
        assert self.first is not None
        first = iter([one.U for each in self.first.layers for one in each.directions])
        return self.each(super().used(), lambda named: {**named, "U": next(first).astype(self.computing)})


@mutant("6.3")
class RecurrentBiasOfAGruNotCounted(GruLayer):
    """The recurrent bias of a GRU is not among its parameters, where there is one."""

    def parameter_count(self) -> int:
        return sum(array.size for name, array in self._loaded.arrays() if not name.endswith(".c"))


@mutant("12.2", "12.1")
class GruGatesSavedInAnotherOrder(_OtherArrays):
    """A saved GRU is loaded again with the update and the reset gate exchanged."""

    def load(self, weights: Weights) -> None:
        super().load(weights)
        if self.architecture.mode == "reloaded":
            self._weights = self.each(self._loaded, _turned)


@mutant("12.2")
class RecurrentBiasOfAGruNotSaved(_OtherArrays):
    """The recurrent bias of a GRU is not saved with the model, and is zero when it is loaded again."""

    def load(self, weights: Weights) -> None:
        super().load(weights)
        if self.architecture.mode == "reloaded":
            self._weights = self.each(self._loaded, _without_c)
