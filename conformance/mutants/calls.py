"""Mutants whose calls disturb one another or their arguments, and those that numbers of some kind upset."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import Sound, mutant, other_last_bits
from rnn_conformance.reference.layers.gradients import Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import State, flat
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights


class _EachCall(Sound):
    """`run` with another result, now and then."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.number = count()
        self.chance = np.random.default_rng(0)

    def run(self, inputs: Inputs, **given: Any) -> Output:
        return self.changed(super().run(inputs, **given), next(self.number))

    def changed(self, output: Output, number: int) -> Output:
        raise NotImplementedError


@mutant("8.1")
class LastBitsByChance(_EachCall):
    """Now and then the last bits of a call are others."""

    def changed(self, output: Output, number: int) -> Output:
        return other_last_bits(output) if self.chance.random() < 0.3 else output


@mutant("8.1")
class EverySecondCallOtherBits(_EachCall):
    """Every second call has other last bits."""

    def changed(self, output: Output, number: int) -> Output:
        return other_last_bits(output) if number % 2 else output


@mutant("8.1")
class FirstCallOtherBits(_EachCall):
    """The first call of a model has other last bits than the later ones."""

    def changed(self, output: Output, number: int) -> Output:
        return output if number else other_last_bits(output)


@mutant("8.1", "3.5")
class SecondCallWrong(_EachCall):
    """The second call of a model is wrong."""

    def changed(self, output: Output, number: int) -> Output:
        return Output(output.outputs + output.outputs.dtype.type(1), output.final_state) if number == 1 else output


_calls_of_all = count()


@mutant("1.1")
class EachFiftiethCallWrong(Sound):
    """Each fiftieth call of all is wrong, whatever it is called with."""

    def run(self, inputs: Inputs, **given: Any) -> Output:
        output = super().run(inputs, **given)
        wrong = next(_calls_of_all) % 50 == 49
        return Output(output.outputs + output.outputs.dtype.type(1), output.final_state) if wrong else output


@mutant("8.2")
class InputsScaledInPlace(Sound):
    """The inputs are multiplied by 49 in place, and divided again."""

    def read(self, inputs: Inputs) -> Inputs:
        if inputs.dtype.kind not in "iu" and inputs.flags.writeable:
            inputs[...] = inputs * inputs.dtype.type(49)
            inputs[...] = inputs / inputs.dtype.type(49)
        return super().read(inputs)


@mutant("8.2")
class InitialStateOverwritten(Sound):
    """The arrays of the initial state hold the final state after the call."""

    def compute(self, inputs: Inputs, start: State | None, mask: Mask | None) -> Output:
        output = super().compute(inputs, start, mask)
        for h, final in zip(flat(start), flat(output.final_state), strict=False):
            h[...] = final
        return output


@mutant("8.2")
class WeightsDecay(Sound):
    """Each call makes the loaded arrays of U a little smaller."""

    def load(self, weights: Weights) -> None:
        super().load(weights)
        self.arrays = [layer.U for layer in weights.layers]

    def compute(self, inputs: Inputs, start: State | None, mask: Mask | None) -> Output:
        for U in self.arrays:
            U *= U.dtype.type(0.999)
        return super().compute(inputs, start, mask)


@mutant("6.1", "6.2")
class WeightsAliased(Sound):
    """The arrays that were loaded are used themselves: what the caller writes into them later takes effect."""

    def load(self, weights: Weights) -> None:
        super().load(weights)
        self._weights = weights


class _Buffer(Sound):
    """Outputs are put in an array that is kept."""

    buffer: Array | None = None

    def buffered(self, array: Array) -> Array:
        if self.buffer is None or self.buffer.shape != array.shape or self.buffer.dtype != array.dtype:
            self.buffer = np.empty_like(array)
        self.buffer[...] = array
        return self.buffer


@mutant("8.3")
class OneBufferForAllCalls(_Buffer):
    """All calls return the same array, with new contents."""

    def returned(self, outputs: Array, final: State) -> Output:
        output = super().returned(outputs, final)
        return Output(self.buffered(output.outputs), output.final_state)


@mutant("8.3")
class OneBufferForAllStates(_Buffer):
    """All calls return the first layer's final state in the same array."""

    def returned(self, outputs: Array, final: State) -> Output:
        output = super().returned(outputs, final)
        assert output.final_state is not None
        ((h, *parts), *backward), *others = output.final_state
        return Output(output.outputs, (((self.buffered(h), *parts), *backward), *others))


# Numbers that are none


@mutant("1.12")
class NanReadAsZero(Sound):
    """NaN in an input is read as zero."""

    def read(self, inputs: Inputs) -> Inputs:
        read = super().read(inputs)
        return read if read.dtype.kind in "iu" else np.nan_to_num(read, nan=0.0, posinf=np.inf, neginf=-np.inf)


@mutant("1.12")
class InfinityReadAsTheLargest(Sound):
    """An infinity in an input is read as the largest finite number."""

    def read(self, inputs: Inputs) -> Inputs:
        read = super().read(inputs)
        return read if read.dtype.kind in "iu" else np.nan_to_num(read, nan=np.nan)


class _NanSpreads(Sound):
    """NaN in an input of a layer reaches more outputs than it should: zero times it is added to all inputs."""

    axes: tuple[int, ...]

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        if mask is None:
            with np.errstate(invalid="ignore"):
                x = x + (x * 0).sum(axis=self.axes, keepdims=True, dtype=x.dtype)
        return super().direction(layer, weights, x, h, mask, backward)


@mutant("1.12")
class NanReachesOtherRows(_NanSpreads):
    """NaN in one sequence reaches the other sequences of the batch, at the same timestep."""

    axes = (0,)


@mutant("1.12")
class NanReachesEarlierSteps(_NanSpreads):
    """NaN at one timestep reaches the timesteps before it."""

    axes = (1,)


@mutant("1.12")
class NanStopsAtRelu(Sound):
    """relu of NaN is zero."""

    def activate(self, name: str, z: Array) -> Array:
        y = super().activate(name, z)
        return np.where(np.isnan(z), 0, y).astype(y.dtype) if name == "relu" else y


@mutant("1.12")
class NanStateForgotten(Sound):
    """NaN in an initial state is read as zero."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        return super().step(layer, weights, x, np.where(np.isnan(h), 0, h).astype(h.dtype) if t == 0 else h, t)
