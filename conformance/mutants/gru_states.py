"""Mutants of the GRU that start, end or go on from another state, in a call, under a mask and between calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import mutant
from rnn_conformance.conformance.mutants.cells import GruLayer, Masked
from rnn_conformance.reference.layers.gradients import Part, Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import LayerState, State, each_state
from rnn_conformance.reference.model.weights import Array, LayerWeights


@mutant("3.2")
class InitialStateOfAGruIgnored(GruLayer):
    """A given initial state of a GRU is not used."""

    def read_state(self, state: State | None) -> State | None:
        return None


@mutant("3.2")
class InitialStateOfTheFirstGruOnly(GruLayer):
    """In a stack only the first GRU starts from its initial state; the others start from zeros."""

    def read_state(self, state: State | None) -> State | None:
        read = super().read_state(state)
        return read and (read[0], *each_state(lambda h: h * 0, read[1:]))


@mutant("10.1", "10.3")
class InitialStateOfABackwardGruLost(GruLayer):
    """The second direction of a bidirectional GRU starts from zeros, whatever was given."""

    def read_state(self, state: State | None) -> State | None:
        read = super().read_state(state)
        return read and tuple((layer[0], *(tuple(h * 0 for h in parts) for parts in layer[1:])) for layer in read)


@mutant("3.3", "3.4")
class StateOfAGruBeforeTheLastStep(GruLayer):
    """The final state of a GRU is that before the last timestep."""

    def ended(self, layer: Layer, one: Pass, x: Array) -> Pass:
        return replace(one, final=one.h_before[:, -1]) if self.mask is None else one


@mutant("10.5")
class FinalStatesOfGruDirectionsExchanged(GruLayer):
    """The final states of the two directions of a GRU are exchanged."""

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        outputs, final = super().layer(layer, weights, x, start, mask)
        return outputs, final[::-1]


@mutant("3.7")
class StateOfAGruNeverCarried(GruLayer):
    """A stateful GRU starts each call from zeros."""

    def run(self, inputs: Inputs, **given: object) -> Output:
        self.state = None
        return super().run(inputs, **given)  # type: ignore[arg-type]


@mutant("3.8")
class GruNeverReset(GruLayer):
    """Resetting a stateful GRU does nothing."""

    def reset(self) -> None:
        pass


@mutant("3.5")
class StateOfAGruLeaksBetweenCalls(GruLayer):
    """A GRU starts from the final state of the call before, if the batch is as large."""

    before: State | None = None

    def compute(self, inputs: Inputs, start: State | None, mask: Mask | None) -> Output:
        fits = self.before is not None and self.architecture.batched and len(self.before[0][0][0]) == len(inputs)
        output = super().compute(inputs, self.before if start is None and fits else start, mask)
        self.before = output.final_state
        return output


class _Masked(Masked, GruLayer):
    """Under a mask something else becomes of the state of a GRU."""


@mutant("9.1")
class StateOfAGruLostAtGaps(_Masked):
    """At a timestep that is not valid the state of a GRU becomes zero."""

    def passed_over(self, state: tuple[Array, ...], t: int) -> tuple[Array, ...]:
        return (state[0] * 0,)


@mutant("9.1")
class GruGoesOnAtGaps(_Masked):
    """At timesteps that are not valid a GRU goes on by one step without an input."""

    def passed_over(self, state: tuple[Array, ...], t: int) -> tuple[Array, ...]:
        return self.idle(state)


@mutant("10.6")
class BackwardGruBeginsInThePadding(_Masked):
    """A backward GRU begins at the end of the padding."""

    def passed_over(self, state: tuple[Array, ...], t: int) -> tuple[Array, ...]:
        return self.idle(state) if self.backward and t == 0 else state


@mutant("9.2")
class FinalStateOfAGruPastTheEnd(_Masked):
    """The final state of a GRU is that of the last timestep, valid or not."""

    def ends(self, one: Pass, ended: Sequence[Part], x: Array, mask: Mask) -> Sequence[Array]:
        return [part.values[:, -1] for part in ended]


@mutant("9.8")
class EmptySequenceOfAGruEndsInZeros(_Masked):
    """The final state of a GRU is zero for a sequence without a valid timestep, whatever its initial state."""

    def ends(self, one: Pass, ended: Sequence[Part], x: Array, mask: Mask) -> Sequence[Array]:
        return [np.where(mask.any(axis=1, keepdims=True), part.final, part.final.dtype.type(0)) for part in ended]
