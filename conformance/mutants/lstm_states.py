"""Mutants of the LSTM that lose one part of its state, or take one for the other: at the ends of a call."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnn_conformance.conformance.mutants.base import mutant
from rnn_conformance.conformance.mutants.cells import LstmLayer
from rnn_conformance.reference.layers.gradients import Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import DirectionState, LayerState, State, each_state
from rnn_conformance.reference.model.weights import Array, LayerWeights


class _OtherParts(LstmLayer):
    """The parts of each direction's state are others, wherever it is an LSTM's."""

    def each(self, state: State | None) -> State | None:
        if state is None:
            return None
        return tuple(
            tuple(self.changed(*parts, k, j) if len(parts) == 2 else parts for j, parts in enumerate(layer))
            for k, layer in enumerate(state)
        )

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        """The parts in the place of `h` and `c` of direction j of layer k."""
        raise NotImplementedError


class _OtherStart(_OtherParts):
    """An initial state that was given is used as another."""

    def read_state(self, state: State | None) -> State | None:
        return self.each(super().read_state(state))


@mutant("3.2")
class InitialCarriedStateIgnored(_OtherStart):
    """Of a given initial state c is not used."""

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        return h, c * 0


@mutant("3.2")
class InitialOutputIgnored(_OtherStart):
    """Of a given initial state of an LSTM h is not used."""

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        return h * 0, c


@mutant("16.3", "3.2")
class InitialPartsExchanged(_OtherStart):
    """A given initial state is read as c and h, where it is h and c."""

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        return (c, h) if c.shape == h.shape else (h, c)


@mutant("3.2")
class InitialOutputForBoth(_OtherStart):
    """Of a given initial state h serves as c, too."""

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        return h, h if c.shape == h.shape else c


@mutant("3.2")
class InitialCarriedStateOfOneRow(_OtherStart):
    """Every sequence starts from the c of the first."""

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        return h, np.broadcast_to(c[:1], c.shape) if self.architecture.batched else c


@mutant("3.2")
class InitialCarriedStateOfOneUnit(_OtherStart):
    """Every unit starts from the c of the first."""

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        return h, np.broadcast_to(c[..., :1], c.shape)


@mutant("3.2")
class InitialCarriedStateSquashed(_OtherStart):
    """A given initial c is used as its tanh."""

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        return h, np.tanh(c)


@mutant("3.2")
class InitialCarriedStateOfTheFirstLayerOnly(_OtherStart):
    """In a stack only the first layer starts from its initial c; the others start from zeros."""

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        return h, c if k == 0 else c * 0


@mutant("10.1", "10.3", "3.2")
class InitialCarriedStateOfTheBackwardDirectionLost(_OtherStart):
    """The second direction of a bidirectional LSTM starts from a c of zeros, whatever was given."""

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        return h, c if j == 0 else c * 0


class _OtherEnd(_OtherParts):
    """The final states that are returned are others."""

    def returned(self, outputs: Array, final: State) -> Output:
        changed = self.each(final)
        assert changed is not None
        return super().returned(outputs, changed)


@mutant("16.3", "3.3")
class FinalPartsExchanged(_OtherEnd):
    """The final state is given as c and h, where it should be h and c."""

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        return (c, h) if c.shape == h.shape else (h, c)


@mutant("3.3")
class FinalOutputForBoth(_OtherEnd):
    """In the final state h stands for c, too."""

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        return h, h if c.shape == h.shape else c


@mutant("3.3")
class FinalCarriedStateForBoth(_OtherEnd):
    """In the final state c stands for h, too."""

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        return c if c.shape == h.shape else h, c


@mutant("3.3")
class FinalCarriedStateZero(_OtherEnd):
    """In the final state c is zero."""

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        return h, c * 0


@mutant("3.3")
class FinalCarriedStateSquashed(_OtherEnd):
    """The final c is given as its tanh."""

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        return h, np.tanh(c)


@mutant("3.3")
class RowsOfTheFinalCarriedStateRotated(_OtherEnd):
    """The rows of the final c are moved on by one."""

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        return h, np.roll(c, 1, axis=0)


@mutant("2.5")
class FinalCarriedStateMissing(_OtherEnd):
    """The final state of an LSTM is given without c."""

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        return (h,)


@mutant("2.5")
class FinalCarriedStateTransposed(_OtherEnd):
    """The final c of a batch is (units, batch)."""

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        return h, c.T


@mutant("2.4")
class FinalCarriedStateInDouble(_OtherEnd):
    """The final c is float64, whatever the dtype of the layer."""

    def returned(self, outputs: Array, final: State) -> Output:
        output = super().returned(outputs, final)
        return Output(output.outputs, super().each(output.final_state))

    def changed(self, h: Array, c: Array, k: int, j: int) -> DirectionState:
        return h, c.astype(np.float64)


@mutant("3.3")
class FinalCarriedStatesFromTheTop(LstmLayer):
    """The final c of the layers of a stack are given from the last to the first, where they fit."""

    def returned(self, outputs: Array, final: State) -> Output:
        turned = [
            tuple((h, *other) for (h, *_), (_, *other) in zip(layer, beside, strict=True))
            for layer, beside in zip(final, final[::-1], strict=True)
            if len(layer) == len(beside)
        ]
        fits = each_state(np.shape, turned) == each_state(np.shape, final)
        return super().returned(outputs, tuple(turned) if fits else final)


@mutant("10.5")
class FinalCarriedStatesOfDirectionsExchanged(LstmLayer):
    """The final c of the two directions are exchanged; the final h are not."""

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        outputs, final = super().layer(layer, weights, x, start, mask)
        return outputs, tuple((parts[0], *other[1:]) for parts, other in zip(final, final[::-1], strict=True))


@mutant("3.3", "3.4")
class CarriedStateBeforeTheLastStep(LstmLayer):
    """The final c is that before the last timestep."""

    def ended(self, layer: Layer, one: Pass, x: Array) -> Pass:
        if self.mask is not None:
            return one
        return replace(one, hidden=tuple(replace(part, final=part.before[:, -1]) for part in one.hidden))
