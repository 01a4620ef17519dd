"""Mutants of the LSTM whose projection is another, or stands elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

import numpy as np

from rnn_conformance.conformance.mutants.base import mutant
from rnn_conformance.conformance.mutants.cells import LstmLayer
from rnn_conformance.reference.arithmetic.words import Arithmetic
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.layers.gradients import Direct, Pass, Returned
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Mask
from rnn_conformance.reference.model.states import DirectionState
from rnn_conformance.reference.model.weights import Array, LayerWeights

N = TypeVar("N")


@mutant("16.11")
class RowsOfProjectionReversed(LstmLayer):
    """The rows of a projection are in the opposite order."""

    def one_way(
        self,
        layer: Layer,
        weights: LayerWeights,
        x: Array,
        start: DirectionState | None,
        mask: Mask | None,
        backward: bool,
    ) -> Pass:
        if "P" in weights.named:
            weights = weights.with_arrays(P=np.flipud(weights.named["P"]))
        return super().one_way(layer, weights, x, start, mask, backward)


@mutant("16.11")
class ProjectionActivated(LstmLayer):
    """What is projected goes through the activation of the output once more."""

    def show(self, on: Arithmetic[N], cell: Lstm, o: N, c: N) -> N:
        h = super().show(on, cell, o, c)
        return on.act(cell.output_activation, h) if cell.projection else h


@mutant("16.11")
class ProjectionWithoutNegatives(LstmLayer):
    """Negative numbers of what is projected are put out as zero."""

    def show(self, on: Arithmetic[N], cell: Lstm, o: N, c: N) -> N:
        h = super().show(on, cell, o, c)
        return on.act("relu", h) if cell.projection else h


@mutant("16.11")
class GradientOfProjectionZero(LstmLayer):
    """The gradient of a projection is zero."""

    def way_back(self, layer: Layer, one: Pass, direct: Direct) -> Returned:
        found = super().way_back(layer, one, direct)
        if "P" not in found.weights.named:
            return found
        return replace(found, weights=found.weights.with_arrays(P=0 * found.weights.named["P"]))


@mutant("16.11")
class NoGradientThroughTheProjection(LstmLayer):
    """A projection has its gradient, and passes none on."""

    def show(self, on: Arithmetic[N], cell: Lstm, o: N, c: N) -> N:
        if not cell.projection:
            return super().show(on, cell, o, c)
        return on.affine([("P", self.held(on.mul(o, on.act(cell.output_activation, c))))])
