"""Mutants of the GRU whose equation is another: in its gates, its reset, its biases, or what it keeps."""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from rnn_conformance.conformance.mutants.base import mutant
from rnn_conformance.conformance.mutants.cells import GruLayer
from rnn_conformance.reference.arithmetic.words import Arithmetic
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import Array

N = TypeVar("N")


# What is kept


class _OtherShow(GruLayer):
    """What becomes of h is another."""


@mutant("17.2", "1.1")
class UpdateGateTheOtherWayRound(_OtherShow):
    """What z should be multiplied with is multiplied with 1 - z, and the other way round."""

    def show(self, on: Arithmetic[N], cell: Gru, z: N, n: N, h: N) -> N:
        return super().show(on, cell, z, h, n)


@mutant("17.2", "1.1")
class UpdateGateAlwaysKeepsByZ(_OtherShow):
    """The update gate z always keeps the old state, in cells that keep it by 1 - z, too."""

    def show(self, on: Arithmetic[N], cell: Gru, z: N, n: N, h: N) -> N:
        return on.lerp(z, h, n)


@mutant("17.2", "1.1")
class CandidateAddedInFull(_OtherShow):
    """The candidate of a GRU is added to what is kept without being multiplied with 1 - z."""

    def show(self, on: Arithmetic[N], cell: Gru, z: N, n: N, h: N) -> N:
        return on.add(on.mul(z, h), n)


@mutant("17.2", "1.1")
class OldStateKeptInFull(_OtherShow):
    """The state of a GRU is kept in full, and z times the candidate is added."""

    def show(self, on: Arithmetic[N], cell: Gru, z: N, n: N, h: N) -> N:
        return on.add(h, on.mul(z, n))


@mutant("17.2", "1.1")
class OldStateNotKept(_OtherShow):
    """Nothing of the state before is kept in a GRU, whose output is z times its candidate."""

    def show(self, on: Arithmetic[N], cell: Gru, z: N, n: N, h: N) -> N:
        return on.mul(z, n)


@mutant("17.2", "1.1")
class OutputOfAGruSquashed(_OtherShow):
    """The activation of the candidate is applied to the output of a GRU, too."""

    def show(self, on: Arithmetic[N], cell: Gru, z: N, n: N, h: N) -> N:
        return on.act(cell.activation, super().show(on, cell, z, n, h))


@mutant("17.2", "1.1")
class UpdateGateSquared(_OtherShow):
    """The update gate is used as its square."""

    def show(self, on: Arithmetic[N], cell: Gru, z: N, n: N, h: N) -> N:
        return super().show(on, cell, on.mul(z, z), n, h)


# The gates


class _OtherGate(GruLayer):
    """The activation of the gates is another, where they have one of these."""

    instead: tuple[tuple[str, str], ...] = ()

    def gate(self, on: Arithmetic[N], cell: Gru, z: N) -> N:
        return on.act(dict(self.instead).get(cell.recurrent_activation, cell.recurrent_activation), z)


@mutant("17.5", "1.1")
class GruGatesAreHard(_OtherGate):
    """The gates of a GRU have the hard sigmoid z / 6 + 1/2 for the sigmoid."""

    instead = (("sigmoid", "hard_sigmoid"),)


@mutant("17.5", "1.1")
class GruGatesAreHardByAFifth(_OtherGate):
    """The gates of a GRU have the hard sigmoid z / 5 + 1/2 for the sigmoid."""

    instead = (("sigmoid", "hard_sigmoid_fifth"),)


@mutant("17.7")
class HardGruGatesAreSmooth(_OtherGate):
    """The gates of a GRU have the sigmoid for a hard sigmoid."""

    instead = (("hard_sigmoid", "sigmoid"), ("hard_sigmoid_fifth", "sigmoid"))


@mutant("17.7")
class HardGruGatesOfTheOtherSlope(_OtherGate):
    """The gates of a GRU have the hard sigmoid z / 5 + 1/2 where it should be z / 6 + 1/2."""

    instead = (("hard_sigmoid", "hard_sigmoid_fifth"),)


@mutant("17.5", "1.1")
class GruGatesAreTanh(_OtherGate):
    """The gates of a GRU have tanh for the sigmoid."""

    instead = (("sigmoid", "tanh"),)


class _OtherGates(GruLayer):
    """The gates are others."""

    def gates(self, on: Arithmetic[N], cell: Gru, x: N, h: N) -> tuple[N, N]:
        return self.changed(on, *super().gates(on, cell, x, h))

    def changed(self, on: Arithmetic[N], z: N, r: N) -> tuple[N, N]:
        raise NotImplementedError


@mutant("17.1", "1.1")
class ResetGateIsTheUpdateGate(_OtherGates):
    """The update gate serves as reset gate, too, as in a minimal gated unit."""

    def changed(self, on: Arithmetic[N], z: N, r: N) -> tuple[N, N]:
        return z, z


@mutant("17.1", "1.1")
class UpdateGateIsTheResetGate(_OtherGates):
    """The reset gate serves as update gate, too."""

    def changed(self, on: Arithmetic[N], z: N, r: N) -> tuple[N, N]:
        return r, r


@mutant("17.1", "1.1")
class ResetGateTwice(_OtherGates):
    """The reset gate is applied twice."""

    def changed(self, on: Arithmetic[N], z: N, r: N) -> tuple[N, N]:
        return z, on.mul(r, r)


# The reset


@mutant("17.1", "1.1")
class ResetBeforeForAfter(GruLayer):
    """The reset gate is multiplied with h before the product with U where it should be after it."""

    def reset_after(self, on: Arithmetic[N], r: N, h: N) -> N:
        return self.reset_before(on, r, h)


@mutant("17.1", "1.1")
class ResetAfterForBefore(GruLayer):
    """The reset gate is multiplied with U h where it should be multiplied with h before the product."""

    def reset_before(self, on: Arithmetic[N], r: N, h: N) -> N:
        return self.reset_after(on, r, h)


@mutant("17.3")
class RecurrentBiasOutsideTheReset(GruLayer):
    """The recurrent bias of the candidate is added outside of the reset, where the reset is after the product."""

    def reset_after(self, on: Arithmetic[N], r: N, h: N) -> N:
        of_h = on.affine([("U", h)], (), ("n",))
        return on.add(on.mul(r, of_h), on.affine([("U", self.nothing(h))], ["c"], ("n",)))


@mutant("17.3")
class RecurrentBiasInsideTheReset(GruLayer):
    """The recurrent bias of the candidate is multiplied with the reset gate, where the reset is before the product."""

    def reset_before(self, on: Arithmetic[N], r: N, h: N) -> N:
        bias = on.affine([("U", self.nothing(h))], ["c"], ("n",))
        return on.add(on.affine([("U", on.mul(r, h))], (), ("n",)), on.mul(r, bias))


@mutant("17.3")
class RecurrentBiasOfTheCandidateLost(GruLayer):
    """The recurrent bias of the candidate is not added."""

    def reset_after(self, on: Arithmetic[N], r: N, h: N) -> N:
        return on.mul(r, on.affine([("U", h)], (), ("n",)))

    def reset_before(self, on: Arithmetic[N], r: N, h: N) -> N:
        return on.affine([("U", on.mul(r, h))], (), ("n",))


@mutant("17.3")
class RecurrentBiasOfTheCandidateTwice(GruLayer):
    """The recurrent bias of the candidate is added twice."""

    def reset_after(self, on: Arithmetic[N], r: N, h: N) -> N:
        return on.mul(r, on.affine([("U", h)], ["c", "c"], ("n",)))

    def reset_before(self, on: Arithmetic[N], r: N, h: N) -> N:
        return on.affine([("U", on.mul(r, h))], ["c", "c"], ("n",))


@mutant("17.3")
class RecurrentBiasOfTheGatesTwice(GruLayer):
    """The recurrent bias of the gates z and r is added twice, where they have one."""

    def gates(self, on: Arithmetic[N], cell: Gru, x: N, h: N) -> tuple[N, N]:
        if cell.recurrent_bias == "all":
            x = on.add(x, on.affine([("U", self.nothing(h))], ["c"], ("z", "r")))
        return super().gates(on, cell, x, h)


class _OtherCandidate(GruLayer):
    """The candidate is another."""

    def candidate(self, on: Arithmetic[N], cell: Gru, x: N, r: N, h: N) -> N:
        return self.new(on, cell, self.changed(on, x, r, h))

    def changed(self, on: Arithmetic[N], x: N, r: N, h: N) -> N:
        """What it is the activation of."""
        raise NotImplementedError


@mutant("17.1", "1.1")
class ResetGateMissing(_OtherCandidate):
    """The reset gate is not used."""

    def changed(self, on: Arithmetic[N], x: N, r: N, h: N) -> N:
        return on.add(x, on.affine([("U", h)], ["c"], ("n",)))


@mutant("17.1", "1.1")
class ResetGateOfTheSum(_OtherCandidate):
    """The reset gate is multiplied with the whole sum whose activation the candidate is."""

    def changed(self, on: Arithmetic[N], x: N, r: N, h: N) -> N:
        return on.mul(r, on.add(x, on.affine([("U", h)], ["c"], ("n",))))


@mutant("17.1", "1.1")
class ResetGateOfTheInput(_OtherCandidate):
    """The reset gate is multiplied with what the inputs say, and not with what the state says."""

    def changed(self, on: Arithmetic[N], x: N, r: N, h: N) -> N:
        return on.add(on.mul(r, x), on.affine([("U", h)], ["c"], ("n",)))


@mutant("17.1", "1.1")
class ResetGateTheOtherWayRound(_OtherCandidate):
    """The reset gate is used as 1 - r."""

    def changed(self, on: Arithmetic[N], x: N, r: N, h: N) -> N:
        of_h = on.affine([("U", h)], ["c"], ("n",))
        return on.add(x, on.lerp(r, self.nothing(of_h), of_h))


class _OtherNew(GruLayer):
    """The activation of the candidate is another, where it is tanh."""

    instead = ""

    def new(self, on: Arithmetic[N], cell: Gru, n: N) -> N:
        return on.act(self.instead if cell.activation == "tanh" else cell.activation, n)


@mutant("17.5", "1.1")
class CandidateOfAGruIsSigmoid(_OtherNew):
    """The candidate of a GRU has the sigmoid for tanh."""

    instead = "sigmoid"


@mutant("17.5", "1.1")
class CandidateOfAGruIsRelu(_OtherNew):
    """The candidate of a GRU has relu for tanh."""

    instead = "relu"


@mutant("17.5", "1.1")
class CandidateOfAGruIsLinear(_OtherNew):
    """The candidate of a GRU has no activation where it should have tanh."""

    instead = "linear"


@mutant("17.5", "1.1")
class CandidateOfAGruIsAlwaysTanh(GruLayer):
    """The candidate of a GRU has tanh, whatever it should have."""

    def new(self, on: Arithmetic[N], cell: Gru, n: N) -> N:
        return on.act("tanh", n)


class _OtherKept(GruLayer):
    """What is kept of h from one timestep to the next is another."""

    def handed_on(self, layer: Layer, state: tuple[Array, ...], t: int) -> tuple[Array, ...]:
        (h, *hidden) = super().handed_on(layer, state, t)
        return (self.other(h, t), *hidden) if layer.cell.name == self.of_cell else state

    def other(self, h: Array, t: int) -> Array:
        raise NotImplementedError


@mutant("17.2", "1.1")
class StateOfAGruInHalfPrecision(_OtherKept):
    """The state of a GRU is kept in float16 from one timestep to the next, whatever the dtype of the layer."""

    def other(self, h: Array, t: int) -> Array:
        return h.astype(np.float16).astype(h.dtype)


@mutant("1.1", "2.10")
class StateOfAGruLostAfterEightSteps(_OtherKept):
    """After every eight timesteps a GRU begins from zero."""

    def other(self, h: Array, t: int) -> Array:
        return h * 0 if t and t % 8 == 0 else h


@mutant("4.1")
class StateLostInTheSecondGru(_OtherKept):
    """In every layer but the first a GRU begins from zero at each timestep after the first."""

    def other(self, h: Array, t: int) -> Array:
        return h * 0 if self.position and t else h


@mutant("1.5", "1.1")
class StateOfTheFirstRowInAGru(_OtherKept):
    """From the second timestep on every sequence of a batch goes on from the state of the first, in a GRU."""

    def other(self, h: Array, t: int) -> Array:
        return np.broadcast_to(h[:, :1], h.shape) if t else h
