"""Mutants of gated cells that train some of their weights otherwise, or drop something else in training."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.adapters.numpy.dropout import Dropping
from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import mutant
from rnn_conformance.conformance.mutants.cells import Gated, GruLayer, LstmLayer
from rnn_conformance.reference.arithmetic.words import Arithmetic, N
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights


class _NotTrained(Gated):
    """A step of training leaves some of the weights as they were."""

    def frozen(self, layer: Layer, name: str, array: Array) -> slice:
        """Which rows of this array of a direction stay."""
        raise NotImplementedError

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        before = self._loaded.map(np.copy)
        super().train(inputs, targets, rate)

        def one(layer: Layer, new: LayerWeights, old: LayerWeights) -> LayerWeights:
            kept = {name: array.copy() for name, array in new.named.items()}
            for name, array in kept.items():
                rows = self.frozen(layer, name, array)
                array[rows] = old.named[name][rows]
            return LayerWeights(kept)

        self._weights = replace(
            self._loaded,
            layers=tuple(
                LayerWeights.of([one(layer, *each) for each in zip(new.directions, old.directions, strict=True)])
                if layer.cell.name == self.of_cell
                else new
                for layer, new, old in zip(self.architecture.layers, self._loaded.layers, before.layers, strict=True)
            ),
        )


def _of_gate(layer: Layer, gate: str, array: Array) -> slice:
    """The rows of a gate in an array that has rows for all of them; none in any other."""
    if len(array) != len(layer.cell.gates) * layer.units:
        return slice(0)
    first = layer.cell.gates.index(gate) * layer.units
    return slice(first, first + layer.units)


@mutant("12.3")
class ForgetGateNotTrained(LstmLayer, _NotTrained):
    """A step of training does not change the weights of an LSTM's forget gate."""

    def frozen(self, layer: Layer, name: str, array: Array) -> slice:
        return _of_gate(layer, "f", array)


@mutant("12.3")
class RecurrentBiasOfAnLstmNotTrained(LstmLayer, _NotTrained):
    """A step of training does not change the recurrent bias of an LSTM, where there is one."""

    def frozen(self, layer: Layer, name: str, array: Array) -> slice:
        return slice(None) if name == "c" else slice(0)


@mutant("12.3")
class UpdateGateNotTrained(GruLayer, _NotTrained):
    """A step of training does not change the weights of a GRU's update gate."""

    def frozen(self, layer: Layer, name: str, array: Array) -> slice:
        return _of_gate(layer, "z", array)


@mutant("12.3")
class RecurrentKernelOfTheResetGateNotTrained(GruLayer, _NotTrained):
    """A step of training does not change the recurrent kernel of a GRU's reset gate."""

    def frozen(self, layer: Layer, name: str, array: Array) -> slice:
        return _of_gate(layer, "r", array) if name == "U" else slice(0)


def _dropped(on: Any, a: Any) -> Any:
    """A number that has lost what is dropped of the state; of one that is not in training, nothing."""
    if not isinstance(on, Dropping) or "U" not in on.scales:
        return a
    return on.mul(a, on.scales["U"][0])


@mutant("13.4")
class CarryIsDropped(LstmLayer):
    """Recurrent dropout drops numbers of c, too, on their way from a timestep to the next."""

    def carry(self, on: Arithmetic[N], i: N, f: N, g: N, c: N) -> N:
        return super().carry(on, i, f, g, _dropped(on, c))


@mutant("13.4")
class KeptOutputIsDropped(GruLayer):
    """Recurrent dropout drops numbers of the h that the update gate keeps, too."""

    def show(self, on: Arithmetic[N], cell: Gru, z: N, n: N, h: N) -> N:
        return super().show(on, cell, z, n, _dropped(on, h))


class _MasksOtherwise(Gated):
    """The gates share a mask where each should have its own, or the other way round; `choice` names which."""

    choice: ClassVar[str]

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        other = "own" if getattr(self.choices, self.choice) == "shared" else "shared"
        self.choices = replace(self.choices, **{self.choice: other})


@mutant("13.8")
class InputsOfLstmDroppedOtherwise(LstmLayer, _MasksOtherwise):
    """Each gate of an LSTM has a mask of the inputs of its own where they should share one, or the other way round."""

    choice = "dropout_gates"


@mutant("13.8")
class StateOfLstmDroppedOtherwise(LstmLayer, _MasksOtherwise):
    """The gates of an LSTM share a mask of the state where each should have its own, or the other way round."""

    choice = "recurrent_dropout_gates"


@mutant("13.8")
class InputsOfGruDroppedOtherwise(GruLayer, _MasksOtherwise):
    """Each gate of a GRU has a mask of the inputs of its own where they should share one, or the other way round."""

    choice = "dropout_gates"


@mutant("13.8")
class UpdateAndResetDropTheSame(GruLayer):
    """The update and the reset gate of a GRU share a mask of the state, though each gate should have its own."""

    def scales(self, shape: tuple[int, ...], rate: float) -> Array:
        scales = super().scales(shape, rate)
        return scales[[0, 0, 2]] if len(shape) == 4 and shape[0] == 3 else scales


class _NotScaledUp(Gated):
    """In training, what is not dropped is multiplied by one."""

    def scales(self, shape: tuple[int, ...], rate: float) -> Array:
        return np.sign(super().scales(shape, rate))


@mutant("13.3", "13.4")
class LstmNotScaledUp(LstmLayer, _NotScaledUp):
    """What is not dropped in an LSTM is not divided by 1 - p."""


@mutant("13.3", "13.4")
class GruNotScaledUp(GruLayer, _NotScaledUp):
    """What is not dropped in a GRU is not divided by 1 - p."""
