"""Mutants of the LSTM that lose one part of its state, or take one for the other: over time and between calls."""

from __future__ import annotations

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import mutant
from rnn_conformance.conformance.mutants.cells import LstmLayer
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import DirectionState, LayerState, StateShapes
from rnn_conformance.reference.model.weights import Array, LayerWeights


class _OtherHidden(LstmLayer):
    """The c from which a timestep begins is another."""

    def handed_on(self, layer: Layer, state: tuple[Array, ...], t: int) -> tuple[Array, ...]:
        h, *hidden = super().handed_on(layer, state, t)
        return (h, *(self.carried(h, c, t) for c in hidden))

    def carried(self, h: Array, c: Array, t: int) -> Array:
        """What stands for c, which is (units, batch), when timestep t begins."""
        raise NotImplementedError


@mutant("16.1", "1.1")
class CarriedStateLostAtOnce(_OtherHidden):
    """At each timestep after the first c begins from zero."""

    def carried(self, h: Array, c: Array, t: int) -> Array:
        return c if t == 0 else c * 0


@mutant("10.1")
class CarriedStateLostBackward(_OtherHidden):
    """In a direction that goes from the end c begins from zero at each timestep after the first."""

    def carried(self, h: Array, c: Array, t: int) -> Array:
        return c * 0 if self.backward and t else c


@mutant("4.1")
class CarriedStateLostInTheSecondLayer(_OtherHidden):
    """In every layer but the first c begins from zero at each timestep after the first."""

    def carried(self, h: Array, c: Array, t: int) -> Array:
        return c * 0 if self.position and t else c


@mutant("1.1", "2.10")
class CarriedStateLostAfterEightSteps(_OtherHidden):
    """After every eight timesteps c begins from zero."""

    def carried(self, h: Array, c: Array, t: int) -> Array:
        return c * 0 if t and t % 8 == 0 else c


@mutant("2.10")
class CarriedStateLostAfterSixtyFourSteps(_OtherHidden):
    """After every 64 timesteps c begins from zero."""

    def carried(self, h: Array, c: Array, t: int) -> Array:
        return c * 0 if t and t % 64 == 0 else c


@mutant("16.1", "1.1")
class OutputCarriedForC(_OtherHidden):
    """From one timestep to the next h is carried on for c, where it has as many numbers."""

    def carried(self, h: Array, c: Array, t: int) -> Array:
        return h if t and h.shape == c.shape else c


@mutant("1.5", "1.1")
class CarriedStateOfTheFirstRow(_OtherHidden):
    """From the second timestep on every sequence of a batch goes on from the c of the first."""

    def carried(self, h: Array, c: Array, t: int) -> Array:
        return np.broadcast_to(c[:, :1], c.shape) if t else c


@mutant("1.5", "1.1")
class CarriedStateOfRowsBeyondFour(_OtherHidden):
    """In a batch of five sequences or more c is lost in all beyond the fourth."""

    def carried(self, h: Array, c: Array, t: int) -> Array:
        return np.where(np.arange(c.shape[1]) < 4, c, c.dtype.type(0)) if t else c


@mutant("2.10", "1.1")
class CarriedStateOfUnitsBeyondSixteen(_OtherHidden):
    """In layers of more than 16 units c is lost in all beyond the sixteenth."""

    def carried(self, h: Array, c: Array, t: int) -> Array:
        return np.where(np.arange(len(c))[:, np.newaxis] < 16, c, c.dtype.type(0)) if t else c


@mutant("3.1")
class CarriedStateStartsFromOnes(LstmLayer):
    """Where no initial state is given c is one."""

    def zeros(self, layer: Layer, x: Array) -> DirectionState:
        h, *hidden = super().zeros(layer, x)
        return (h, *(c + c.dtype.type(1) for c in hidden))


# Between calls


class _Stateful(LstmLayer):
    """What a stateful model keeps of its state from one call to the next is another."""

    def run(self, inputs: Inputs, **given: object) -> Output:
        output = super().run(inputs, **given)  # type: ignore[arg-type]
        if self.state is not None:
            kept = tuple(
                tuple(self.kept_of(*parts) if len(parts) == 2 else parts for parts in layer) for layer in self.state
            )
            self.state = kept
        return output

    def kept_of(self, h: Array, c: Array) -> DirectionState:
        raise NotImplementedError


@mutant("3.7")
class CarriedStateLostBetweenCalls(_Stateful):
    """A stateful LSTM keeps h from call to call, and loses c."""

    def kept_of(self, h: Array, c: Array) -> DirectionState:
        return h, c * 0


@mutant("3.7")
class OutputLostBetweenCalls(_Stateful):
    """A stateful LSTM keeps c from call to call, and loses h."""

    def kept_of(self, h: Array, c: Array) -> DirectionState:
        return h * 0, c


@mutant("3.7")
class RowsOfTheCarriedStateReversedBetweenCalls(_Stateful):
    """A stateful LSTM hands the c of the last row to the first row of the next call."""

    def kept_of(self, h: Array, c: Array) -> DirectionState:
        return h, c[::-1]


@mutant("3.8")
class ResetForgetsTheCarriedState(LstmLayer):
    """Resetting a stateful LSTM resets h, and leaves c as it was."""

    def reset(self) -> None:
        if self.state is not None:
            self.state = tuple(tuple((h * 0, *hidden) for h, *hidden in layer) for layer in self.state)


@mutant("3.5")
class CarriedStateLeaksBetweenCalls(LstmLayer):
    """Where no initial state is given c is that of the end of the call before, if the batch is as large."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self.left: dict[tuple[int, ...], Array] = {}

    def zeros(self, layer: Layer, x: Array) -> DirectionState:
        h, *hidden = super().zeros(layer, x)
        return (h, *(self.left.get((self.position, *c.shape), c) for c in hidden))

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        outputs, final = super().layer(layer, weights, x, start, mask)
        self.left |= {(self.position, *c.shape): c for c in final[0][1:]}
        return outputs, final


@mutant("2.7")
class SymbolicStateWithoutC(LstmLayer):
    """The symbolic shapes of an LSTM's state are those of h alone."""

    def symbolic_state_shapes(self) -> StateShapes:
        return tuple(tuple(parts[:1] for parts in layer) for layer in super().symbolic_state_shapes())
