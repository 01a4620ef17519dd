"""Mutants of gated cells whose step of training is too long, too short or turned round for a gate."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from numpy import floating
from numpy.typing import NDArray

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import mutant
from rnn_conformance.conformance.mutants.cells import Gated, GruLayer, LstmLayer
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import LayerWeights


class _StepOfAGate(Gated):
    """A step of training changes the weights of the gate `trained` by `times` what it should."""

    trained: ClassVar[str]
    times: ClassVar[float]

    def steps(self, k: int) -> bool:
        """Whether it is so in the layer of this number."""
        return True

    def train(self, inputs: Inputs, targets: NDArray[floating], rate: float) -> None:
        before = self._loaded
        super().train(inputs, targets, rate)

        def one(layer: Layer, new: LayerWeights, old: LayerWeights) -> LayerWeights:
            first = layer.cell.gates.index(self.trained) * layer.units
            rows = slice(first, first + layer.units)
            named = {name: array.copy() for name, array in new.named.items()}
            for name, array in named.items():
                if len(array) == len(layer.cell.gates) * layer.units:
                    kept = old.named[name][rows]
                    array[rows] = kept + array.dtype.type(self.times) * (array[rows] - kept)
            return LayerWeights(named)

        layers = list(self._loaded.layers)
        for k, layer in enumerate(self.architecture.layers):
            if layer.cell.name == self.of_cell and self.steps(k):
                pairs = zip(layers[k].directions, before.layers[k].directions, strict=True)
                layers[k] = LayerWeights.of([one(layer, *each) for each in pairs])
        self._weights = replace(self._loaded, layers=tuple(layers))


@mutant("12.3")
class ForgetGateTrainedTwice(LstmLayer, _StepOfAGate):
    """A step of training changes the weights of an LSTM's forget gate by twice what it should."""

    trained, times = "f", 2.0


@mutant("12.3")
class OutputGateTrainedUphill(LstmLayer, _StepOfAGate):
    """A step of training goes up the gradient of the weights of an LSTM's output gate."""

    trained, times = "o", -1.0


@mutant("12.3")
class InputGateAboveTrainedTwice(LstmLayer, _StepOfAGate):
    """A step of training changes the weights of the input gates of a stack's upper LSTMs by twice what it should."""

    trained, times = "i", 2.0

    def steps(self, k: int) -> bool:
        return k > 0


@mutant("12.3")
class UpdateGateTrainedTwice(GruLayer, _StepOfAGate):
    """A step of training changes the weights of a GRU's update gate by twice what it should."""

    trained, times = "z", 2.0


@mutant("12.3")
class ResetGateBelowTrainedByHalf(GruLayer, _StepOfAGate):
    """A step of training changes the weights of the reset gates of a stack's lower GRUs by half of what it should."""

    trained, times = "r", 0.5

    def steps(self, k: int) -> bool:
        return k < len(self.architecture.layers) - 1
