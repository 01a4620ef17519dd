"""Mutants that are wrong in the order of time, in some rows of a batch, or at some sizes only."""

from __future__ import annotations

import numpy as np

from rnn_conformance.conformance.mutants.base import Sound, mutant
from rnn_conformance.reference.layers.gradients import Pass
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import LayerState, State
from rnn_conformance.reference.model.weights import Array, LayerWeights


class _OtherOutputs(Sound):
    """All outputs of the model are there, but are returned as `changed` makes them."""

    def returned(self, outputs: Array, final: State) -> Output:
        return super().returned(self.changed(outputs) if self.architecture.return_sequences else outputs, final)

    def changed(self, outputs: Array) -> Array:
        raise NotImplementedError


@mutant("1.3")
class OutputsReversed(_OtherOutputs):
    """The last output comes first."""

    def changed(self, outputs: Array) -> Array:
        return outputs[..., ::-1, :]


@mutant("1.3")
class OutputsOneStepEarly(_OtherOutputs):
    """Entry t of the outputs is that of timestep t + 1, and the last one the first."""

    def changed(self, outputs: Array) -> Array:
        return np.roll(outputs, -1, axis=-2)


@mutant("1.3")
class LastStepRepeated(_OtherOutputs):
    """The last entry of the outputs repeats the one before."""

    def changed(self, outputs: Array) -> Array:
        return np.concatenate([outputs[..., :-1, :], outputs[..., -2:, :][..., :1, :]], axis=-2)


@mutant("2.1")
class TimeFirst(_OtherOutputs):
    """The outputs of a batch are (timesteps, batch, units)."""

    def changed(self, outputs: Array) -> Array:
        return outputs.swapaxes(0, 1) if self.architecture.batched else outputs


@mutant("2.1")
class OutputsEndToEnd(_OtherOutputs):
    """The outputs of a sequence are joined end to end, (batch, timesteps * units)."""

    def changed(self, outputs: Array) -> Array:
        return outputs.reshape(*outputs.shape[:-2], -1)


@mutant("2.1")
class BatchOfOneSqueezed(_OtherOutputs):
    """The outputs of a batch of one have no batch axis."""

    def changed(self, outputs: Array) -> Array:
        return outputs[0] if self.architecture.batched and len(outputs) == 1 else outputs


@mutant("2.2")
class LastOutputWithATimeAxis(Sound):
    """The last output is (batch, 1, units)."""

    def returned(self, outputs: Array, final: State) -> Output:
        returned = outputs if self.architecture.return_sequences else outputs[..., np.newaxis, :]
        return super().returned(returned, final)


@mutant("2.3")
class BatchAxisKept(Sound):
    """A single sequence comes back as a batch of one."""

    def returned(self, outputs: Array, final: State) -> Output:
        return super().returned(outputs if self.architecture.batched else outputs[np.newaxis], final)


@mutant("1.10")
class SingleSequenceReversed(Sound):
    """A single sequence is read from its end."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        return super().direction(layer, weights, x if self.architecture.batched else x[:, ::-1], h, mask, backward)


@mutant("1.4")
class FirstOutputForLast(Sound):
    """The last output is h_1."""

    def last(self, outputs: Array, final: LayerState) -> Array:
        return outputs[:, 0]


@mutant("1.4")
class MeanForLast(Sound):
    """The last output is the mean of all outputs."""

    def last(self, outputs: Array, final: LayerState) -> Array:
        return outputs.mean(axis=1, dtype=outputs.dtype)


class _OtherInputs(Sound):
    """Every layer reads other inputs than it is given."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        return super().direction(layer, weights, self.changed(x), h, mask, backward)

    def changed(self, x: Array) -> Array:
        raise NotImplementedError


@mutant("1.6")
class InputsOneStepEarly(_OtherInputs):
    """Timestep t reads the input of timestep t + 1, and the last one the first."""

    def changed(self, x: Array) -> Array:
        return np.roll(x, -1, axis=1)


@mutant("1.6")
class SequenceCentred(_OtherInputs):
    """The mean over time of an input is taken away from it."""

    def changed(self, x: Array) -> Array:
        return x - x.mean(axis=1, keepdims=True, dtype=x.dtype)


@mutant("1.5")
class RowsLeak(_OtherInputs):
    """Each sequence sees a millionth of the one above it."""

    def changed(self, x: Array) -> Array:
        return x + np.roll(x, 1, axis=0) * x.dtype.type(2**-20) if len(x) > 1 else x


@mutant("1.5")
class BatchNormalised(_OtherInputs):
    """The mean over the batch is taken away from the inputs, if there is more than one sequence."""

    def changed(self, x: Array) -> Array:
        return x - x.mean(axis=0, keepdims=True, dtype=x.dtype) if len(x) > 1 else x


@mutant("1.1")
class FirstRowForAll(_OtherInputs):
    """Every sequence of a batch is taken to be the first."""

    def changed(self, x: Array) -> Array:
        return np.broadcast_to(x[:1], x.shape)


@mutant("1.1")
class RowsReversed(_OtherInputs):
    """The first layer reads the sequences of a batch in the opposite order."""

    def changed(self, x: Array) -> Array:
        return x[::-1] if self.position == 0 else x


class _WrongSometimes(Sound):
    """Each state is a hundredth too large under some condition; `where` says in which rows of (batch, units)."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        y = super().step(layer, weights, x, h, t)
        return self.kept(np.where(self.where(layer, y, t), y * y.dtype.type(1.01), y))

    def where(self, layer: Layer, y: Array, t: int) -> bool | np.ndarray:
        raise NotImplementedError


@mutant("1.1")
class WrongAtTheFirstStep(_WrongSometimes):
    """The first timestep is wrong."""

    def where(self, layer: Layer, y: Array, t: int) -> bool | np.ndarray:
        return t == 0


@mutant("1.1")
class WrongPastStep8(_WrongSometimes):
    """Timesteps from the ninth on are wrong."""

    def where(self, layer: Layer, y: Array, t: int) -> bool | np.ndarray:
        return t >= 8


@mutant("1.1")
class WrongPastStep32(_WrongSometimes):
    """Timesteps from the 33rd on are wrong."""

    def where(self, layer: Layer, y: Array, t: int) -> bool | np.ndarray:
        return t >= 32


@mutant("2.10")
class WrongPastStep1000(_WrongSometimes):
    """Timesteps from the 1001st on are wrong."""

    def where(self, layer: Layer, y: Array, t: int) -> bool | np.ndarray:
        return t >= 1000


@mutant("1.1")
class WrongInBatchOfOne(_WrongSometimes):
    """A batch of one is wrong."""

    def where(self, layer: Layer, y: Array, t: int) -> bool | np.ndarray:
        return len(y) == 1


@mutant("1.1")
class WrongInTheLastRow(_WrongSometimes):
    """The last sequence of a batch is wrong, if it is not the only one."""

    def where(self, layer: Layer, y: Array, t: int) -> bool | np.ndarray:
        return len(y) > 1 and (np.arange(len(y)) == len(y) - 1)[:, np.newaxis]


@mutant("2.10")
class WrongForOneUnit(_WrongSometimes):
    """A layer of one unit is wrong."""

    def where(self, layer: Layer, y: Array, t: int) -> bool | np.ndarray:
        return layer.units == 1


@mutant("2.10")
class WrongForOneFeature(_WrongSometimes):
    """A layer that reads one feature is wrong."""

    def where(self, layer: Layer, y: Array, t: int) -> bool | np.ndarray:
        return layer.features == 1


@mutant("1.1")
class WrongAround8Units(_WrongSometimes):
    """A layer of seven to nine units is wrong."""

    def where(self, layer: Layer, y: Array, t: int) -> bool | np.ndarray:
        return 7 <= layer.units <= 9


@mutant("1.1")
class WrongFrom31Units(_WrongSometimes):
    """Units from the 31st on are wrong."""

    def where(self, layer: Layer, y: Array, t: int) -> bool | np.ndarray:
        return np.arange(layer.units) >= 30


@mutant("2.10")
class WrongFrom200Units(_WrongSometimes):
    """A layer of 200 units or more is wrong."""

    def where(self, layer: Layer, y: Array, t: int) -> bool | np.ndarray:
        return layer.units >= 200


@mutant("2.10")
class WrongForOneTimestep(Sound):
    """A sequence of one timestep gives its pre-activation."""

    def over_time(self, layer: Layer, weights: LayerWeights, x: Array, h: Array) -> Array:
        self.single_step = x.shape[1] == 1
        return super().over_time(layer, weights, x, h)

    def activate(self, name: str, z: Array) -> Array:
        return super().activate("linear" if self.single_step else name, z)


@mutant("1.11")
class LastBitPastStep250(Sound):
    """From the 251st timestep on, each state is one ULP nearer to zero."""

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        y = super().step(layer, weights, x, h, t)
        return np.nextafter(y, y * 0) if t >= 250 else y


@mutant("1.11")
class LatchesForget(Sound):
    """A unit that has been exactly 1 or -1 for a hundred timesteps is taken for dead, and starts again from 0."""

    held: Array

    def step(self, layer: Layer, weights: LayerWeights, x: Array, h: Array, t: int) -> Array:
        new = super().step(layer, weights, x, h, t)
        held = (np.abs(new) == 1) & (new == h)
        self.held = np.where(held, self.held + 1, 0) if t else np.zeros(new.shape, int)
        return np.where(self.held < 100, new, 0).astype(new.dtype)
