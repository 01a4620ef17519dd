"""What mutants are made of that use, load or keep the rows of gated weights otherwise (lstm_*.py, gru_*.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rnn_conformance.conformance.mutants.cells import Gated
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights

Named = dict[str, Array]

Rows = dict[str, Array]
"""The rows of an array of the weights, by gate."""


class OtherRows(Gated):
    """The rows of some gates are used otherwise, in the weights of every layer of the cell and in both directions."""

    place = (0, 0)
    """The layer and the direction whose weights are looked at."""

    def used(self) -> Weights:
        weights = super().used()
        each = [
            [self._changed(layer, k, j, one) for j, one in enumerate(of_layer.directions)]
            for k, (layer, of_layer) in enumerate(zip(self.architecture.layers, weights.layers, strict=True))
        ]
        return replace(weights, layers=tuple(map(LayerWeights.of, each)))

    def _changed(self, layer: Layer, k: int, j: int, one: LayerWeights) -> LayerWeights:
        if layer.cell.name != self.of_cell:
            return one
        self.place = k, j
        gates, named = layer.cell.gates, dict(one.named)
        for name, array in named.items():
            if len(array) == len(gates) * layer.units and name != "P":
                rows = self.changed(name, dict(zip(gates, np.split(array, len(gates)), strict=True)))
                named[name] = np.concatenate(list(rows.values()))
        return LayerWeights(named)

    def changed(self, name: str, rows: Rows) -> Rows:
        """What is used in the place of the `rows` of each gate of the array of this name, in their order."""
        raise NotImplementedError


class Exchanged(OtherRows):
    """The rows of two gates are exchanged in some arrays."""

    gates_exchanged = ("", "")
    arrays = "WUbc"

    def changed(self, name: str, rows: Rows) -> Rows:
        one, other = self.gates_exchanged
        return {**rows, one: rows[other], other: rows[one]} if name in self.arrays else rows


class OtherArrays(Gated):
    """The arrays of the weights of each direction are changed somewhere on their way."""

    def each(self, weights: Weights, change: Callable[[Named], Named]) -> Weights:
        """The same with the arrays of every direction of a layer of the cell changed."""

        def changed(one: LayerWeights) -> LayerWeights:
            return LayerWeights(change({name: array.copy() for name, array in one.named.items()}))

        return replace(
            weights,
            layers=tuple(
                LayerWeights.of(list(map(changed, each.directions))) if layer.cell.name == self.of_cell else each
                for layer, each in zip(self.architecture.layers, weights.layers, strict=True)
            ),
        )
