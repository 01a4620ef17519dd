"""Mutants of the LSTM for which a mask, or what is refused, is a matter of h alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import mutant
from rnn_conformance.conformance.mutants.cells import LstmLayer, Masked
from rnn_conformance.reference.layers.gradients import Part, Pass
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import DirectionState, State, state_shapes
from rnn_conformance.reference.model.weights import Array


class _Masked(Masked, LstmLayer):
    """Under a mask something else becomes of c."""

    def ends(self, one: Pass, ended: Sequence[Part], x: Array, mask: Mask) -> Sequence[Array]:
        h, c = ended
        return h.final, self.end_of_c(one, c, x, mask)

    def end_of_c(self, one: Pass, c: Part, x: Array, mask: Mask) -> Array:
        """The final c under a mask."""
        return c.final


@mutant("9.1")
class CarriedStateLostAtGaps(_Masked):
    """At a timestep that is not valid c becomes zero; h does not."""

    def passed_over(self, state: tuple[Array, ...], t: int) -> tuple[Array, ...]:
        return state[0], state[1] * 0


@mutant("9.1")
class OutputOfAnLstmLostAtGaps(_Masked):
    """At a timestep that is not valid h becomes zero; c does not."""

    def passed_over(self, state: tuple[Array, ...], t: int) -> tuple[Array, ...]:
        return state[0] * 0, state[1]


@mutant("9.1")
class CarriedStateGoesOnAtGaps(_Masked):
    """At timesteps that are not valid h stands still, and c goes on by one step without an input."""

    def passed_over(self, state: tuple[Array, ...], t: int) -> tuple[Array, ...]:
        return state[0], self.idle(state)[1]


@mutant("9.1")
class CarriedStateFadesAtGaps(_Masked):
    """At timesteps that are not valid an eighth of c is lost."""

    def passed_over(self, state: tuple[Array, ...], t: int) -> tuple[Array, ...]:
        return state[0], state[1] * state[1].dtype.type(0.875)


@mutant("10.6")
class CarriedStateBeginsInThePadding(_Masked):
    """A backward LSTM begins with c, but not with h, at the end of the padding."""

    def passed_over(self, state: tuple[Array, ...], t: int) -> tuple[Array, ...]:
        return (state[0], self.idle(state)[1]) if self.backward and t == 0 else state


@mutant("9.2")
class CarriedStateGoesOnPastTheEnd(_Masked):
    """The final c is that of the last timestep, valid or not; the final h is that of the last valid one."""

    def end_of_c(self, one: Pass, c: Part, x: Array, mask: Mask) -> Array:
        return c.values[:, -1]


@mutant("9.2")
class CarriedStateOfTheLongestSequence(_Masked):
    """The final c is that at which the longest sequence of the batch ends, for all of them."""

    def end_of_c(self, one: Pass, c: Part, x: Array, mask: Mask) -> Array:
        return c.values[:, mask.sum(axis=1).max() - 1]


@mutant("9.2")
class CarriedStateBeforeTheLastValidStep(_Masked):
    """Under a mask the final c is that before the last valid timestep."""

    def end_of_c(self, one: Pass, c: Part, x: Array, mask: Mask) -> Array:
        return one.course.final(c.before, c.before[:, 0])


@mutant("9.5")
class PaddingReachesTheCarriedState(_Masked):
    """What stands in the padding is multiplied by zero and added to the final c, which NaN survives."""

    def end_of_c(self, one: Pass, c: Part, x: Array, mask: Mask) -> Array:
        padding = np.where(mask[..., np.newaxis], x.dtype.type(0), x).sum(axis=(1, 2))
        return c.final + 0 * padding[:, np.newaxis]


@mutant("9.8")
class CarriedStateOfAnEmptySequenceLost(_Masked):
    """The final c of a sequence without a valid timestep is zero, whatever its initial c."""

    def end_of_c(self, one: Pass, c: Part, x: Array, mask: Mask) -> Array:
        return np.where(mask.any(axis=1, keepdims=True), c.final, c.final.dtype.type(0))


class _OtherGiven(LstmLayer):
    """An initial state that should be refused is changed until it fits."""

    def run(self, inputs: Inputs, *, initial_state: State | None = None, **given: object) -> Output:
        state = initial_state and self.fitted(inputs, initial_state)
        return super().run(inputs, initial_state=state, **given)  # type: ignore[arg-type]

    def fitted(self, inputs: Inputs, state: State) -> State:
        shapes = state_shapes(self.architecture, inputs.shape[: self.architecture.batched])
        if len(state) != len(shapes) or any(len(a) != len(b) for a, b in zip(state, shapes, strict=True)):
            return state
        return tuple(
            tuple(
                self.fit(parts, wanted) if len(wanted) == 2 else parts  # type: ignore[arg-type]
                for parts, wanted in zip(layer, of_layer, strict=True)
            )
            for layer, of_layer in zip(state, shapes, strict=True)
        )

    def fit(self, parts: DirectionState, shapes: tuple[tuple[int, ...], ...]) -> DirectionState:
        """The parts of one direction's state, which should have these shapes."""
        raise NotImplementedError


@mutant("14.2")
class CarriedStateOfAnyShape(_OtherGiven):
    """An initial c of a wrong shape is repeated and cut until it fits; an h of a wrong shape is refused."""

    def fit(self, parts: DirectionState, shapes: tuple[tuple[int, ...], ...]) -> DirectionState:
        return (parts[0], np.resize(parts[1], shapes[1])) if len(parts) == 2 else parts


@mutant("14.2")
class CarriedStateOfOneRowForAll(_OtherGiven):
    """An initial c of one row is used for all sequences of a batch; an h of one row is refused."""

    def fit(self, parts: DirectionState, shapes: tuple[tuple[int, ...], ...]) -> DirectionState:
        if len(parts) != 2 or parts[1].shape != (1, *shapes[1][1:]):
            return parts
        return parts[0], np.broadcast_to(parts[1], shapes[1])


@mutant("14.8")
class MissingCarriedStateIsZero(_OtherGiven):
    """An initial state of an LSTM without c starts from a c of zeros."""

    def fit(self, parts: DirectionState, shapes: tuple[tuple[int, ...], ...]) -> DirectionState:
        return parts if len(parts) == 2 else (parts[0], np.zeros(shapes[1], self.dtype))
