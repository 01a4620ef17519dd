"""Mutants of the LSTM that load, keep, count or read back the weights of some gates otherwise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnn_conformance.conformance.mutants.base import mutant
from rnn_conformance.conformance.mutants.cells import LstmLayer
from rnn_conformance.conformance.mutants.rows import Named, OtherArrays
from rnn_conformance.reference.model.weights import Array, Weights


class _OtherArrays(OtherArrays, LstmLayer):
    """The arrays of an LSTM's directions are changed somewhere on their way."""


def _block(array: Array, gate: int) -> Array:
    """The rows of one gate, to be written to."""
    return array[gate * len(array) // 4 : (gate + 1) * len(array) // 4]


class _OtherLoad(_OtherArrays):
    """What is loaded is changed."""

    def load(self, weights: Weights) -> None:
        super().load(weights)
        self._weights = self.each(self._loaded, self.changed)

    def changed(self, named: Named) -> Named:
        raise NotImplementedError


@mutant("6.1", "1.1")
class BiasOfOneGateNotLoaded(_OtherLoad):
    """The bias of the output gate is not loaded, and stays zero."""

    def changed(self, named: Named) -> Named:
        if "b" in named:
            _block(named["b"], 3)[:] = 0
        return named


@mutant("6.1")
class BiasesAddedUpWhenLoaded(_OtherLoad):
    """The recurrent bias of an LSTM is added to the other when weights are loaded, and kept as zero."""

    def changed(self, named: Named) -> Named:
        if "c" in named:
            named["b"] += named["c"]
            named["c"] *= 0
        return named


@mutant("6.1", "1.1")
class KernelOfOneGateRoundedWhenLoaded(_OtherLoad):
    """The input kernel of the forget gate is rounded to float16 when it is loaded."""

    def changed(self, named: Named) -> Named:
        rows = _block(named["W"], 1)
        rows[:] = rows.astype(np.float16)
        return named


class _OtherReadBack(_OtherArrays):
    """What is read back is not what is used."""

    def weights(self) -> Weights:
        return self.each(super().weights(), self.changed)

    def changed(self, named: Named) -> Named:
        raise NotImplementedError


@mutant("6.1")
class GatesReadBackInAnotherOrder(_OtherReadBack):
    """Weights are read back with the candidate and the output gate exchanged: i f o g for i f g o."""

    def changed(self, named: Named) -> Named:
        def turned(array: Array) -> Array:
            i, f, g, o = np.split(array, 4)
            return np.concatenate([i, f, o, g])

        return {name: turned(array) for name, array in named.items()}


@mutant("6.1")
class BiasOfOneGateReadBackZero(_OtherReadBack):
    """The bias of the forget gate is read back as zero."""

    def changed(self, named: Named) -> Named:
        if "b" in named:
            _block(named["b"], 1)[:] = 0
        return named


@mutant("6.1")
class RecurrentBiasReadBackZero(_OtherReadBack):
    """The recurrent bias of an LSTM is read back as zero, where there is one."""

    def changed(self, named: Named) -> Named:
        return {name: array * 0 if name == "c" else array for name, array in named.items()}


@mutant("6.2")
class ForgetGateStale(LstmLayer):
    """Where weights are loaded a second time the forget gate keeps its rows of the first time."""

    first: Weights | None = None

    def load(self, weights: Weights) -> None:
        super().load(weights)
        self.first = self.first or self._loaded

    def used(self) -> Weights:
        assert self.first is not None
        weights = super().used()

        def stale(new: Array, old: Array) -> Array:
            mixed = new.copy()
            if len(mixed) % 4 == 0:
                _block(mixed, 1)[:] = _block(old, 1)
            return mixed

        each = zip(self.architecture.layers, weights.layers, self.first.layers, strict=True)
        layers = tuple(a.map(stale, b) if layer.cell.name == self.of_cell else a for layer, a, b in each)
        return replace(weights, layers=layers)


@mutant("6.3")
class OneGateNotCounted(LstmLayer):
    """The number of parameters of an LSTM is that of three gates."""

    def parameter_count(self) -> int:
        return sum(a.size * 3 // 4 if name != "embedding" else a.size for name, a in self._loaded.arrays())


@mutant("6.3")
class RecurrentBiasNotCounted(LstmLayer):
    """The recurrent bias of an LSTM is not among its parameters, where there is one."""

    def parameter_count(self) -> int:
        return sum(array.size for name, array in self._loaded.arrays() if not name.endswith(".c"))


class _OtherReloaded(_OtherLoad):
    """A model that was saved and loaded again has other weights."""

    def load(self, weights: Weights) -> None:
        if self.architecture.mode == "reloaded":
            super().load(weights)
        else:
            LstmLayer.load(self, weights)


@mutant("12.2", "12.1")
class BiasOfOneGateNotSaved(_OtherReloaded):
    """The bias of the forget gate is not saved with the model, and is zero when it is loaded again."""

    def changed(self, named: Named) -> Named:
        if "b" in named:
            _block(named["b"], 1)[:] = 0
        return named


@mutant("12.2", "12.1")
class GatesSavedInAnotherOrder(_OtherReloaded):
    """A saved LSTM is loaded again with the input gate and the forget gate exchanged."""

    def changed(self, named: Named) -> Named:
        def turned(array: Array) -> Array:
            i, f, g, o = np.split(array, 4)
            return np.concatenate([f, i, g, o])

        return {name: turned(array) for name, array in named.items()}


@mutant("12.2")
class RecurrentBiasNotSaved(_OtherReloaded):
    """The recurrent bias of an LSTM is not saved with the model, where there is one."""

    def changed(self, named: Named) -> Named:
        return {name: array * 0 if name == "c" else array for name, array in named.items()}
