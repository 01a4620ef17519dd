"""More mutants whose fault is rare: of some numbers of units, in a batch of nothing, between cells, in one way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnn_conformance.conformance.mutants.base import Sound, mutant
from rnn_conformance.conformance.mutants.cells import GruLayer, LstmLayer
from rnn_conformance.reference.arithmetic.words import Arithmetic, N
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.layers.gradients import Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import LayerState, State
from rnn_conformance.reference.model.weights import Array, LayerWeights


@mutant("1.1", "2.10")
class LastOfSixteenUnitsAlone(Sound):
    """Where the number of units is a multiple of 16, the last one does not see the state."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        after = super().step(layer, weights, x, h, t)
        if layer.units % 16:
            return after
        alone = super().step(layer, weights, x, np.zeros_like(h), t)
        return np.concatenate([after[:, :-1], alone[:, -1:]], axis=1)


@mutant("9.8")
class BatchOfNothingEndsInZeros(Sound):
    """Where no sequence of a batch has a valid timestep, all final states are zero, whatever they started from."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        one = super().direction(layer, weights, x, h, mask, backward)
        return one if mask is None or mask.any() else replace(one, final=np.zeros_like(one.final))


@mutant("12.1")
class LastOutputOfPredictInSingle(Sound):
    """Prediction in batches rounds a float64 output to float32 where it is the last one only."""

    def returned(self, outputs: Array, final: State) -> Output:
        single = self.architecture.mode == "predict" and not self.architecture.return_sequences
        if single and outputs.dtype == np.float64:
            outputs = outputs.astype(np.float32).astype(np.float64)
        return super().returned(outputs, final)


@mutant("16.1", "1.1")
class InputAndForgetGateMultiplied(LstmLayer):
    """What the input gate and the forget gate of an LSTM are is multiplied, and both are the product."""

    def gates(self, on: Arithmetic[N], cell: Lstm, x: N, h: N, c: N) -> tuple[N, N, N, N]:
        i, f, g, o = super().gates(on, cell, x, h, c)
        both = on.mul(i, f)
        return both, both, g, o


@mutant("4.1", "12.1")
class AboveAnotherCellHalved(GruLayer):
    """A GRU on top of a layer of another cell reads half of what that puts out."""

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        k = len(self.passes)
        mixed = k > 0 and layer.cell.name == self.of_cell != self.architecture.layers[k - 1].cell.name
        return super().layer(layer, weights, x / 2 if mixed else x, start, mask)
