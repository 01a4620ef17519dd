"""Mutants that start from the wrong state, end in the wrong state, or carry one along where they should not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import InAnotherOrder, Sound, mutant
from rnn_conformance.reference.layers.gradients import Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import LayerState, State, each_state
from rnn_conformance.reference.model.weights import Array, LayerWeights


class _OtherStart(Sound):
    """An initial state that was given is used as another."""

    def read_state(self, state: State | None) -> State | None:
        read = super().read_state(state)
        return None if read is None else self.changed(read)

    def changed(self, state: State) -> State | None:
        raise NotImplementedError


@mutant("3.2")
class InitialStateIgnored(_OtherStart):
    """A given initial state is not used."""

    def changed(self, state: State) -> State | None:
        return None


@mutant("3.2")
class InitialStateOfOneRow(_OtherStart):
    """Every sequence starts from the initial state of the first."""

    def changed(self, state: State) -> State | None:
        batched = self.architecture.batched
        return each_state(lambda h: np.broadcast_to(h[:1], h.shape) if batched else h, state)


@mutant("3.2")
class InitialStateOfTheFirstLayerOnly(_OtherStart):
    """In a stack only the first layer starts from its initial state; the others start from zeros."""

    def changed(self, state: State) -> State | None:
        return (state[0], *each_state(lambda h: h * 0, state[1:]))


@mutant("3.2")
class InitialStateActivated(_OtherStart):
    """tanh is applied to a given initial state."""

    def changed(self, state: State) -> State | None:
        return each_state(np.tanh, state)


@mutant("3.2", "3.4")
class InitialStateRounded(_OtherStart):
    """A given initial state is rounded to float16."""

    def changed(self, state: State) -> State | None:
        return each_state(lambda h: h.astype(np.float16).astype(h.dtype), state)


@mutant("3.6")
class SumInAnotherOrder(InAnotherOrder):
    """With a given initial state the sum is taken in another order, which shows in the last bits."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        self.other = h is not None
        return super().direction(layer, weights, x, h, mask, backward)


@mutant("3.1")
class StartsFromOnes(Sound):
    """Where no initial state is given, it is one."""

    def start(self, layer: Layer, x: Array) -> Array:
        return super().start(layer, x) + x.dtype.type(1)


@mutant("3.1")
class StartsFromTheBias(Sound):
    """Where no initial state is given, a layer starts from one step with the input zero."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        if h is None:
            h = self.step(layer, weights, np.zeros_like(x[:, 0]), self.start(layer, x), 0)
        return super().direction(layer, weights, x, h, mask, backward)


class _OtherEnd(Sound):
    """The final states that are returned are others."""

    def returned(self, outputs: Array, final: State) -> Output:
        return super().returned(outputs, self.changed(final))

    def changed(self, final: State) -> State:
        raise NotImplementedError


def _shapes(layer: LayerState) -> list[tuple[int, ...]]:
    """The shapes of the first direction's state."""
    return [h.shape for h in layer[0]]


@mutant("2.5")
class StateOfTheLastLayerOnly(_OtherEnd):
    """Of a stack, only the last layer's final state is returned."""

    def changed(self, final: State) -> State:
        return final[-1:]


@mutant("3.3")
class StateOfTheFirstLayer(_OtherEnd):
    """Every layer of a stack gives the final state of the first, where it fits."""

    def changed(self, final: State) -> State:
        return tuple(final[0] if _shapes(layer) == _shapes(final[0]) else layer for layer in final)


@mutant("3.3")
class StatesFromTheTop(_OtherEnd):
    """The final states are given from the last layer to the first, where they fit."""

    def changed(self, final: State) -> State:
        turned = final[::-1]
        return turned if list(map(_shapes, turned)) == list(map(_shapes, final)) else final


@mutant("3.3")
class RowsOfStateRotated(_OtherEnd):
    """The rows of the final state are moved on by one."""

    def changed(self, final: State) -> State:
        return each_state(lambda h: np.roll(h, 1, axis=0), final)


@mutant("2.5")
class StateWithATimeAxis(_OtherEnd):
    """The final state is (batch, 1, units)."""

    def changed(self, final: State) -> State:
        return each_state(lambda h: h[..., np.newaxis, :], final)


@mutant("3.3", "3.4")
class StateBeforeTheLastStep(Sound):
    """The final state is that before the last timestep."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        one = super().direction(layer, weights, x, h, mask, backward)
        return replace(one, final=one.h_before[:, -1]) if mask is None else one


@mutant("3.5")
class StateLeaksBetweenCalls(Sound):
    """A call starts from the final state of the call before, if the batch is as large."""

    before: State | None = None

    def compute(self, inputs: Inputs, start: State | None, mask: Mask | None) -> Output:
        fits = self.before is not None and self.architecture.batched and len(self.before[0][0][0]) == len(inputs)
        output = super().compute(inputs, self.before if start is None and fits else start, mask)
        self.before = output.final_state
        return output


@mutant("3.4")
class FirstStepForgetsItsState(Sound):
    """The first timestep uses only half of the initial state, as if it decayed between calls."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        return super().step(layer, weights, x, h / 2 if t == 0 else h, t)


@mutant("3.7")
class StateNeverCarried(Sound):
    """A stateful model starts each call from zeros."""

    def run(self, inputs: Inputs, **given: object) -> Output:
        self.state = None
        return super().run(inputs, **given)  # type: ignore[arg-type]


@mutant("3.7")
class RowsCarriedInReverse(Sound):
    """A stateful model hands the state of the last row to the first row of the next call."""

    def run(self, inputs: Inputs, **given: object) -> Output:
        self.state = each_state(lambda h: h[::-1], self.state)
        return super().run(inputs, **given)  # type: ignore[arg-type]


@mutant("3.7")
class StateOfTheFirstCallCarried(Sound):
    """A stateful model starts each call from the final state of the first call after a reset."""

    def run(self, inputs: Inputs, **given: object) -> Output:
        first = self.state
        output = super().run(inputs, **given)  # type: ignore[arg-type]
        self.state = self.state if first is None else first
        return output


@mutant("3.8")
class NeverReset(Sound):
    """Resetting a stateful model does nothing."""

    def reset(self) -> None:
        pass


@mutant("3.8")
class ResetOfTheFirstLayerOnly(Sound):
    """Resetting a stateful stack resets its first layer only."""

    def reset(self) -> None:
        if self.state is not None:
            self.state = (*each_state(lambda h: h * 0, self.state[:1]), *self.state[1:])
