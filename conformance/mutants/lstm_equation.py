"""Mutants of the LSTM whose equation is another: in its gates, its candidate, or on the way from c to h."""

from __future__ import annotations

from typing import TypeVar

from rnn_conformance.conformance.mutants.base import mutant
from rnn_conformance.conformance.mutants.cells import LstmLayer
from rnn_conformance.reference.arithmetic.words import Arithmetic
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Layer

N = TypeVar("N")


class _OtherPreActivations(LstmLayer):
    """What the gates are the activations of is changed."""

    def pre_activations(self, on: Arithmetic[N], cell: Lstm, x: N, h: N, c: N) -> tuple[N, N, N, N]:
        return self.changed(on, cell, super().pre_activations(on, cell, x, h, c), c)

    def changed(self, on: Arithmetic[N], cell: Lstm, z: tuple[N, N, N, N], c: N) -> tuple[N, N, N, N]:
        raise NotImplementedError


@mutant("16.5")
class ForgetBiasOfOne(_OtherPreActivations):
    """The forget gate has one added to its bias."""

    def changed(self, on: Arithmetic[N], cell: Lstm, z: tuple[N, N, N, N], c: N) -> tuple[N, N, N, N]:
        i, f, g, o = z
        return i, on.shift(f, (1.0,)), g, o


@mutant("16.5")
class ForgetBiasNotAdded(_OtherPreActivations):
    """The number that a cell adds to its forget gate is not added."""

    def changed(self, on: Arithmetic[N], cell: Lstm, z: tuple[N, N, N, N], c: N) -> tuple[N, N, N, N]:
        i, f, g, o = z
        return i, on.shift(f, (-cell.forget_bias,)), g, o


@mutant("16.5")
class ForgetBiasTwice(_OtherPreActivations):
    """The number that a cell adds to its forget gate is added twice."""

    def changed(self, on: Arithmetic[N], cell: Lstm, z: tuple[N, N, N, N], c: N) -> tuple[N, N, N, N]:
        i, f, g, o = z
        return i, on.shift(f, (cell.forget_bias,)), g, o


@mutant("16.5")
class ForgetBiasToTheInputGate(_OtherPreActivations):
    """The number that a cell adds to its forget gate is added to the input gate."""

    def changed(self, on: Arithmetic[N], cell: Lstm, z: tuple[N, N, N, N], c: N) -> tuple[N, N, N, N]:
        i, f, g, o = z
        return on.shift(i, (cell.forget_bias,)), on.shift(f, (-cell.forget_bias,)), g, o


@mutant("16.1", "1.1")
class PeepholesOfInputAndForgetGate(_OtherPreActivations):
    """The input gate and the forget gate see c, through peepholes of one."""

    def changed(self, on: Arithmetic[N], cell: Lstm, z: tuple[N, N, N, N], c: N) -> tuple[N, N, N, N]:
        i, f, g, o = z
        return on.add(i, c), on.add(f, c), g, o


@mutant("16.1", "1.1")
class PeepholeOfTheOutputGate(_OtherPreActivations):
    """The output gate sees c, through a peephole of one."""

    def changed(self, on: Arithmetic[N], cell: Lstm, z: tuple[N, N, N, N], c: N) -> tuple[N, N, N, N]:
        i, f, g, o = z
        return i, f, g, on.add(o, c)


@mutant("16.1", "1.1")
class CandidateSeesTheCarriedState(_OtherPreActivations):
    """The state c is added to what the candidate is the activation of."""

    def changed(self, on: Arithmetic[N], cell: Lstm, z: tuple[N, N, N, N], c: N) -> tuple[N, N, N, N]:
        i, f, g, o = z
        return i, f, on.add(g, c), o


@mutant("16.2", "1.1")
class OutputGateIsTheInputGate(_OtherPreActivations):
    """The input gate serves as output gate, too."""

    def changed(self, on: Arithmetic[N], cell: Lstm, z: tuple[N, N, N, N], c: N) -> tuple[N, N, N, N]:
        i, f, g, _ = z
        return i, f, g, i


class _OtherGate(LstmLayer):
    """The activation of the gates is another, where they have one of these."""

    instead: tuple[tuple[str, str], ...] = ()

    def gate(self, on: Arithmetic[N], cell: Lstm, z: N) -> N:
        return on.act(dict(self.instead).get(cell.recurrent_activation, cell.recurrent_activation), z)


@mutant("16.8", "1.1")
class GatesAreHard(_OtherGate):
    """The gates of an LSTM have the hard sigmoid z / 6 + 1/2 for the sigmoid."""

    instead = (("sigmoid", "hard_sigmoid"),)


@mutant("16.8", "1.1")
class GatesAreHardByAFifth(_OtherGate):
    """The gates of an LSTM have the hard sigmoid z / 5 + 1/2 for the sigmoid."""

    instead = (("sigmoid", "hard_sigmoid_fifth"),)


@mutant("16.10")
class HardGatesAreSmooth(_OtherGate):
    """The gates of an LSTM have the sigmoid for a hard sigmoid."""

    instead = (("hard_sigmoid", "sigmoid"), ("hard_sigmoid_fifth", "sigmoid"))


@mutant("16.10")
class HardGatesOfTheOtherSlope(_OtherGate):
    """The gates of an LSTM have one hard sigmoid for the other."""

    instead = (("hard_sigmoid", "hard_sigmoid_fifth"), ("hard_sigmoid_fifth", "hard_sigmoid"))


@mutant("16.8", "1.1")
class GatesAreTanh(_OtherGate):
    """The gates of an LSTM have tanh for the sigmoid."""

    instead = (("sigmoid", "tanh"),)


class _OtherCandidate(LstmLayer):
    """The activation of the candidate is another, where it is tanh."""

    instead = ""

    def new(self, on: Arithmetic[N], cell: Lstm, g: N) -> N:
        return on.act(self.instead if cell.activation == "tanh" else cell.activation, g)


@mutant("16.8", "1.1")
class CandidateOfAnLstmIsSigmoid(_OtherCandidate):
    """The candidate of an LSTM has the sigmoid for tanh."""

    instead = "sigmoid"


@mutant("16.8", "1.1")
class CandidateOfAnLstmIsRelu(_OtherCandidate):
    """The candidate of an LSTM has relu for tanh."""

    instead = "relu"


@mutant("16.8", "1.1")
class CandidateOfAnLstmIsLinear(_OtherCandidate):
    """The candidate of an LSTM has no activation where it should have tanh."""

    instead = "linear"


@mutant("16.8", "1.1")
class CandidateOfAnLstmIsAlwaysTanh(LstmLayer):
    """The candidate of an LSTM has tanh, whatever it should have."""

    def new(self, on: Arithmetic[N], cell: Lstm, g: N) -> N:
        return on.act("tanh", g)


class _OtherCarry(LstmLayer):
    """What becomes of c is another."""


@mutant("16.1", "1.1")
class ForgetGateMissing(_OtherCarry):
    """The state c is not multiplied with the forget gate."""

    def carry(self, on: Arithmetic[N], i: N, f: N, g: N, c: N) -> N:
        return on.add(c, on.mul(i, g))


@mutant("16.1", "1.1")
class InputGateMissing(_OtherCarry):
    """The candidate is not multiplied with the input gate."""

    def carry(self, on: Arithmetic[N], i: N, f: N, g: N, c: N) -> N:
        return on.add(on.mul(f, c), g)


@mutant("16.1", "1.1")
class InputGateTiedToTheForgetGate(_OtherCarry):
    """The input gate is one minus the forget gate."""

    def carry(self, on: Arithmetic[N], i: N, f: N, g: N, c: N) -> N:
        return on.lerp(f, c, g)


@mutant("16.1", "1.1")
class ForgetGateTiedToTheInputGate(_OtherCarry):
    """The forget gate is one minus the input gate."""

    def carry(self, on: Arithmetic[N], i: N, f: N, g: N, c: N) -> N:
        return on.lerp(i, g, c)


@mutant("16.1", "1.1")
class ForgetGateOfTheSum(_OtherCarry):
    """The forget gate is applied to the sum of c and of what is new."""

    def carry(self, on: Arithmetic[N], i: N, f: N, g: N, c: N) -> N:
        return on.mul(f, on.add(c, on.mul(i, g)))


@mutant("16.1", "1.1")
class InputGateTwice(_OtherCarry):
    """The candidate is multiplied with the input gate twice."""

    def carry(self, on: Arithmetic[N], i: N, f: N, g: N, c: N) -> N:
        return on.add(on.mul(f, c), on.mul(i, on.mul(i, g)))


@mutant("16.1", "1.1")
class CarriedStateSquashed(_OtherCarry):
    """The state c is carried on as its tanh."""

    def carry(self, on: Arithmetic[N], i: N, f: N, g: N, c: N) -> N:
        return on.act("tanh", super().carry(on, i, f, g, c))


@mutant("16.1", "1.1")
class CarriedStateWithoutNegatives(_OtherCarry):
    """Negative numbers of c are carried on as zero."""

    def carry(self, on: Arithmetic[N], i: N, f: N, g: N, c: N) -> N:
        return on.act("relu", super().carry(on, i, f, g, c))


class _OtherShow(LstmLayer):
    """What is shown of c is another; without the projection where nothing is said of it."""


@mutant("16.2", "1.1")
class OutputOfAnLstmNotSquashed(_OtherShow):
    """The output is the output gate times c, without an activation."""

    def show(self, on: Arithmetic[N], cell: Lstm, o: N, c: N) -> N:
        return on.mul(o, c)


@mutant("16.2", "1.1")
class OutputOfAnLstmSquashedTwice(_OtherShow):
    """The activation of the output is applied to c twice."""

    def show(self, on: Arithmetic[N], cell: Lstm, o: N, c: N) -> N:
        return super().show(on, cell, o, on.act(cell.output_activation, c))


@mutant("16.2", "1.1")
class OutputGateBeforeTheActivation(_OtherShow):
    """The output is the activation of the output gate times c."""

    def show(self, on: Arithmetic[N], cell: Lstm, o: N, c: N) -> N:
        return on.act(cell.output_activation, on.mul(o, c))


@mutant("16.2", "1.1")
class OutputGateMissing(_OtherShow):
    """The output is not multiplied with the output gate."""

    def show(self, on: Arithmetic[N], cell: Lstm, o: N, c: N) -> N:
        return on.act(cell.output_activation, c)


@mutant("16.2", "1.1")
class OutputGateTwice(_OtherShow):
    """The output is multiplied with the output gate twice."""

    def show(self, on: Arithmetic[N], cell: Lstm, o: N, c: N) -> N:
        return on.mul(o, super().show(on, cell, o, c))


@mutant("16.2", "1.1")
class OutputOfAnLstmIsAlwaysTanh(_OtherShow):
    """The activation of the output is tanh, whatever it should be."""

    def show(self, on: Arithmetic[N], cell: Lstm, o: N, c: N) -> N:
        return on.mul(o, on.act("tanh", c))


@mutant("16.2", "1.1")
class OutputOfAnLstmIsSigmoid(_OtherShow):
    """The activation of the output is the sigmoid where it should be tanh."""

    def show(self, on: Arithmetic[N], cell: Lstm, o: N, c: N) -> N:
        return on.mul(o, on.act("sigmoid" if cell.output_activation == "tanh" else cell.output_activation, c))


@mutant("16.2", "1.1")
class OutputOfTheOldState(_OtherShow):
    """The output is shown of c as it was one timestep before."""

    def equation(self, on: Arithmetic[N], layer: Layer, x: N, state: tuple[N, ...]) -> tuple[N, ...]:  # type: ignore[override]
        if not isinstance(layer.cell, Lstm):
            return super().equation(on, layer, x, state)
        h, c = state
        i, f, g, o = self.gates(on, layer.cell, x, h, c)
        return self.show(on, layer.cell, o, c), self.carry(on, i, f, g, c)
