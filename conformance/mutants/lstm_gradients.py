"""Mutants of the LSTM whose outputs are right and whose gradients are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from rnn_conformance.conformance.mutants.base import mutant
from rnn_conformance.conformance.mutants.cells import LstmLayer
from rnn_conformance.reference.arithmetic.taped import Node
from rnn_conformance.reference.arithmetic.words import Arithmetic
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.layers.gradients import Direct, Pass, Returned
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights

N = TypeVar("N")


@mutant("11.1")
class NoGradientThroughC(LstmLayer):
    """No gradient passes from c to c one timestep before."""

    def carry(self, on: Arithmetic[N], i: N, f: N, g: N, c: N) -> N:
        return super().carry(on, i, f, g, self.held(c))


@mutant("11.1")
class NoGradientThroughTheForgetGate(LstmLayer):
    """No gradient passes through the forget gate."""

    def carry(self, on: Arithmetic[N], i: N, f: N, g: N, c: N) -> N:
        return super().carry(on, i, self.held(f), g, c)


@mutant("11.1")
class NoGradientThroughTheInputGate(LstmLayer):
    """No gradient passes through the input gate."""

    def carry(self, on: Arithmetic[N], i: N, f: N, g: N, c: N) -> N:
        return super().carry(on, self.held(i), f, g, c)


@mutant("11.1")
class NoGradientThroughTheCandidate(LstmLayer):
    """No gradient passes through the candidate of an LSTM."""

    def carry(self, on: Arithmetic[N], i: N, f: N, g: N, c: N) -> N:
        return super().carry(on, i, f, self.held(g), c)


@mutant("11.1")
class NoGradientThroughTheOutputGate(LstmLayer):
    """No gradient passes through the output gate."""

    def show(self, on: Arithmetic[N], cell: Lstm, o: N, c: N) -> N:
        return super().show(on, cell, self.held(o), c)


@mutant("11.1")
class NoGradientThroughTheOutput(LstmLayer):
    """No gradient passes from h through the activation of the output to c."""

    def show(self, on: Arithmetic[N], cell: Lstm, o: N, c: N) -> N:
        return super().show(on, cell, o, self.held(c))


@mutant("11.1")
class NoGradientThroughHOfAnLstm(LstmLayer):
    """No gradient passes from the gates of an LSTM to h one timestep before."""

    def pre_activations(self, on: Arithmetic[N], cell: Lstm, x: N, h: N, c: N) -> tuple[N, N, N, N]:
        return super().pre_activations(on, cell, x, self.held(h), c)


@mutant("11.2")
class NoGradientFromGatesToInputs(LstmLayer):
    """Only the candidate of an LSTM passes gradients on to inputs, W and biases; the gates do not."""

    def pre_activations(self, on: Arithmetic[N], cell: Lstm, x: N, h: N, c: N) -> tuple[N, N, N, N]:
        i, f, g, o = super().pre_activations(on, cell, x, h, c)
        return self.held(i), self.held(f), g, self.held(o)


class _OtherSlope(LstmLayer):
    """What gradients are multiplied with in passing through an activation is another."""

    def sloped(self, on: Any, z: N, y: N, slope: Any) -> N:
        """The number y, whose derivative by z is `slope`."""
        if not isinstance(z, Node) or not isinstance(y, Node):
            return y
        passes = on.mul(z, Node(slope(z.value)))
        return on.add(passes, Node(y.value - passes.value))


@mutant("11.1")
class SlopeOfGatesAsOfTanh(_OtherSlope):
    """The slope of a sigmoid gate is taken to be 1 - y^2, as that of tanh is."""

    def gate(self, on: Arithmetic[N], cell: Lstm, z: N) -> N:
        def slope(z: Array) -> Array:
            y: Array = 1 / (1 + np.exp(-z))
            return 1 - y * y

        y = super().gate(on, cell, z)
        return self.sloped(on, z, y, slope) if cell.recurrent_activation == "sigmoid" else y


@mutant("11.1")
class SlopeOfTheOutputLeftOut(_OtherSlope):
    """Gradients pass through the activation of the output as if it were the identity."""

    def show(self, on: Arithmetic[N], cell: Lstm, o: N, c: N) -> N:
        y = on.act(cell.output_activation, c)
        h = on.mul(o, self.sloped(on, c, y, np.ones_like))
        return on.affine([("P", h)]) if cell.projection else h


@mutant("11.1")
class SlopeOfTheCandidateLeftOut(_OtherSlope):
    """Gradients pass through the activation of the candidate as if it were the identity."""

    def new(self, on: Arithmetic[N], cell: Lstm, g: N) -> N:
        return self.sloped(on, g, super().new(on, cell, g), np.ones_like)


@mutant("16.10", "11.1")
class HardGatesPassEverything(_OtherSlope):
    """Gradients pass through a hard sigmoid beyond its corners, too."""

    def gate(self, on: Arithmetic[N], cell: Lstm, z: N) -> N:
        slopes = {"hard_sigmoid": 1 / 6, "hard_sigmoid_fifth": 0.2}
        y, by = super().gate(on, cell, z), slopes.get(cell.recurrent_activation)
        return self.sloped(on, z, y, lambda z: np.full_like(z, by)) if by else y


# What goes in, and what comes out


class _OtherDirect(LstmLayer):
    """What the final c has to say is another."""

    def way_back(self, layer: Layer, one: Pass, direct: Direct) -> Returned:
        return super().way_back(layer, one, self.given(direct) if len(direct) == 2 else direct)

    def given(self, direct: Direct) -> Direct:
        """What L depends on directly, of h and of c."""
        raise NotImplementedError


@mutant("11.1")
class CotangentOfCIgnored(_OtherDirect):
    """The cotangent of the final c is not used."""

    def given(self, direct: Direct) -> Direct:
        of_h, (d, more) = direct
        return of_h, (d * 0, None if more is None else more * 0)


@mutant("11.1")
class CotangentOfCTwice(_OtherDirect):
    """The cotangent of the final c is used twice."""

    def given(self, direct: Direct) -> Direct:
        of_h, (d, more) = direct
        return of_h, (2 * d, None if more is None else 2 * more)


@mutant("11.1")
class CotangentOfCToH(_OtherDirect):
    """The cotangent of the final c is added to that of the final h."""

    def given(self, direct: Direct) -> Direct:
        (d_h, more_h), (d, more) = direct
        return ((d_h + d, more_h), (d * 0, more)) if d.shape == d_h.shape else direct


@mutant("11.8")
class CotangentOfCBackwardLost(LstmLayer):
    """The cotangent of the final c of a direction that goes from the end is not used."""

    def way_back(self, layer: Layer, one: Pass, direct: Direct) -> Returned:
        if one.course.reverses_inputs and len(direct) == 2:
            direct = direct[0], (direct[1][0] * 0, direct[1][1])
        return super().way_back(layer, one, direct)


class _OtherReturned(LstmLayer):
    """What comes back through each direction of an LSTM is changed."""

    def way_back(self, layer: Layer, one: Pass, direct: Direct) -> Returned:
        found = super().way_back(layer, one, direct)
        return self.changed(found) if layer.cell.name == self.of_cell else found

    def changed(self, found: Returned) -> Returned:
        raise NotImplementedError


@mutant("11.3")
class GradientOfTheInitialCZero(_OtherReturned):
    """The gradient of an initial c is zero."""

    def changed(self, found: Returned) -> Returned:
        h, c = found.initial
        return replace(found, initial=(h, c * 0))


@mutant("11.3")
class GradientsOfInitialPartsExchanged(_OtherReturned):
    """The gradient of an initial c is given for h, and that of h for c."""

    def changed(self, found: Returned) -> Returned:
        h, c = found.initial
        return replace(found, initial=(c, h)) if h.shape == c.shape else found


@mutant("11.3")
class GradientOfTheInitialCNegated(_OtherReturned):
    """The gradient of an initial c has the wrong sign."""

    def changed(self, found: Returned) -> Returned:
        h, c = found.initial
        return replace(found, initial=(h, -c))


class _OtherRowsOfGradients(_OtherReturned):
    """The rows of some gates are others in the gradients of some arrays."""

    arrays = "WUbc"

    def changed(self, found: Returned) -> Returned:
        named = {
            name: np.concatenate(self.rows(np.split(d, 4))) if name in self.arrays else d
            for name, d in found.weights.named.items()
        }
        return replace(found, weights=LayerWeights(named))

    def rows(self, gates: Sequence[Array]) -> Sequence[Array]:
        """What stands for the gradients of i, f, g and o."""
        raise NotImplementedError


@mutant("11.1")
class GradientsOfGatesExchanged(_OtherRowsOfGradients):
    """In the gradients of an LSTM's weights the candidate and the output gate are exchanged."""

    def rows(self, gates: Sequence[Array]) -> Sequence[Array]:
        i, f, g, o = gates
        return i, f, o, g


@mutant("11.1")
class KernelGradientOfTheForgetGateZero(_OtherRowsOfGradients):
    """The gradient of W is zero in the rows of the forget gate."""

    arrays = "W"

    def rows(self, gates: Sequence[Array]) -> Sequence[Array]:
        i, f, g, o = gates
        return i, f * 0, g, o


@mutant("11.1")
class RecurrentGradientOfTheInputGateZero(_OtherRowsOfGradients):
    """The gradient of U is zero in the rows of the input gate."""

    arrays = "U"

    def rows(self, gates: Sequence[Array]) -> Sequence[Array]:
        i, f, g, o = gates
        return i * 0, f, g, o


@mutant("11.1")
class RecurrentGradientOfTheCandidateTransposed(_OtherRowsOfGradients):
    """The gradient of U is transposed in the rows of the candidate of an LSTM."""

    arrays = "U"

    def rows(self, gates: Sequence[Array]) -> Sequence[Array]:
        i, f, g, o = gates
        return i, f, g.T if g.shape == g.T.shape else g, o


@mutant("11.1")
class BiasGradientOfTheOutputGateNegated(_OtherRowsOfGradients):
    """The gradient of the bias has the wrong sign in the rows of the output gate."""

    arrays = "b"

    def rows(self, gates: Sequence[Array]) -> Sequence[Array]:
        i, f, g, o = gates
        return i, f, g, -o


@mutant("11.1")
class RecurrentBiasGradientOfAnLstmZero(_OtherRowsOfGradients):
    """The gradient of the recurrent bias of an LSTM is zero, where there is one."""

    arrays = "c"

    def rows(self, gates: Sequence[Array]) -> Sequence[Array]:
        return [gate * 0 for gate in gates]


@mutant("11.6")
class NoGradientThroughCAbove(LstmLayer):
    """In every layer but the first no gradient passes from c to c one timestep before."""

    def carry(self, on: Arithmetic[N], i: N, f: N, g: N, c: N) -> N:
        return super().carry(on, i, f, g, self.held(c) if self.position else c)


@mutant("11.7")
class CotangentOfCUnderAMaskLost(LstmLayer):
    """Under a mask the cotangent of the final c is not used."""

    def way_back(self, layer: Layer, one: Pass, direct: Direct) -> Returned:
        if one.course.sorted is not None and len(direct) == 2:
            direct = direct[0], (direct[1][0] * 0, direct[1][1])
        return super().way_back(layer, one, direct)
