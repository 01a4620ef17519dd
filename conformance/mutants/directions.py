"""Mutants that go the wrong way: backward and bidirectional layers, and the layers above them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnn_conformance.conformance.mutants.base import InAnotherOrder, Sound, mutant
from rnn_conformance.reference.layers.gradients import Pass
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import LayerState, State
from rnn_conformance.reference.model.weights import Array, LayerWeights


class _OtherLayer(Sound):
    """A layer is run with other weights or another start, or gives back something else."""

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        return self.changed(
            layer, *super().layer(layer, self.changed_weights(weights), x, self.changed_start(start), mask)
        )

    def changed_weights(self, weights: LayerWeights) -> LayerWeights:
        return weights

    def changed_start(self, start: LayerState | None) -> LayerState | None:
        return start

    def changed(self, layer: Layer, outputs: Array, final: LayerState) -> tuple[Array, LayerState]:
        return outputs, final


@mutant("10.1")
class BackwardReadsForward(Sound):
    """A backward direction reads the sequence from its beginning."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        return super().direction(layer, weights, x, h, mask, False)


@mutant("10.2")
class BackwardOutputsOtherwise(Sound):
    """The outputs of a backward layer are not in the declared order."""

    def __init__(self, architecture: Architecture, choices: Choices) -> None:
        other = "aligned" if choices.backward_outputs == "processing" else "processing"
        super().__init__(architecture, replace(choices, backward_outputs=other))


@mutant("10.3")
class BackwardHalfNotAligned(Sound):
    """A bidirectional layer joins the outputs of its backward half in the order of processing."""

    def join(self, merge: str, forward: Array, backward: Array) -> Array:
        return super().join(merge, forward, backward[:, ::-1])


@mutant("10.3")
class HalvesSwapped(Sound):
    """A bidirectional layer gives the backward direction's units first."""

    def join(self, merge: str, forward: Array, backward: Array) -> Array:
        return super().join(merge, backward, forward)


@mutant("10.3")
class HalvesInterleaved(Sound):
    """The units of the two directions alternate in the outputs."""

    def join(self, merge: str, forward: Array, backward: Array) -> Array:
        if merge != "concat":
            return super().join(merge, forward, backward)
        return np.stack([forward, backward], axis=-1).reshape(*forward.shape[:-1], -1)


@mutant("10.3")
class DirectionsSwapTheirWeights(_OtherLayer):
    """The forward direction has the weights of the backward one, and the other way round."""

    def changed_weights(self, weights: LayerWeights) -> LayerWeights:
        return (
            weights if weights.backward is None else replace(weights.backward, backward=replace(weights, backward=None))
        )


@mutant("10.3")
class OneSetOfWeights(_OtherLayer):
    """Both directions use the weights of the forward one."""

    def changed_weights(self, weights: LayerWeights) -> LayerWeights:
        return weights if weights.backward is None else replace(weights, backward=replace(weights, backward=None))


@mutant("10.4")
class SumIsMean(Sound):
    """Where the outputs of two directions should be added, they are averaged."""

    def join(self, merge: str, forward: Array, backward: Array) -> Array:
        return super().join("ave" if merge == "sum" else merge, forward, backward)


@mutant("10.4")
class ProductIsSum(Sound):
    """Where the outputs of two directions should be multiplied, they are added."""

    def join(self, merge: str, forward: Array, backward: Array) -> Array:
        return super().join("sum" if merge == "mul" else merge, forward, backward)


@mutant("10.4")
class MeanIsSum(Sound):
    """Where the outputs of two directions should be averaged, they are added."""

    def join(self, merge: str, forward: Array, backward: Array) -> Array:
        return super().join("sum" if merge == "ave" else merge, forward, backward)


@mutant("10.5")
class FinalStateOfBackwardAtTheEnd(Sound):
    """The final state of a backward direction is its output at the last timestep of the input."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        one = super().direction(layer, weights, x, h, mask, backward)
        return replace(one, final=one.h[:, 0]) if backward else one


@mutant("10.5")
class LastOutputOfBothAtTheEnd(Sound):
    """The last output of a bidirectional layer is what both directions put out at the last timestep of the input."""

    def last(self, outputs: Array, final: LayerState) -> Array:
        return outputs[:, -1] if len(final) == 2 else super().last(outputs, final)


@mutant("10.5")
class StatesOfDirectionsSwapped(Sound):
    """The final states of a bidirectional layer come with the backward one first."""

    def returned(self, outputs: Array, final: State) -> Output:
        return super().returned(outputs, tuple(layer[::-1] for layer in final))


@mutant("10.3", "10.1")
class InitialStatesOfDirectionsSwapped(_OtherLayer):
    """The backward direction starts from the forward one's initial state, and the other way round."""

    def changed_start(self, start: LayerState | None) -> LayerState | None:
        return start and start[::-1]


@mutant("10.1")
class BackwardInitialStateIgnored(Sound):
    """A backward direction starts from zeros, whatever initial state it is given."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        return super().direction(layer, weights, x, None if backward else h, mask, backward)


@mutant("10.6")
class BackwardReadsThePadding(Sound):
    """Under a mask a backward direction reads every timestep, valid or not."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        return super().direction(layer, weights, x, h, None if backward else mask, backward)


@mutant("10.6")
class MaskNotTurned(Sound):
    """A backward direction reads the inputs from the end, but the mask from the beginning."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        turned = mask[:, ::-1] if mask is not None and backward else mask
        return super().direction(layer, weights, x, h, turned, backward)


@mutant("10.7")
class UpperLayerReadsTheForwardHalf(_OtherLayer):
    """A layer above a bidirectional one reads zeros for the backward half."""

    def changed(self, layer: Layer, outputs: Array, final: LayerState) -> tuple[Array, LayerState]:
        on_top = self.position == len(self.architecture.layers) - 1
        if on_top or not layer.is_bidirectional or layer.merge != "concat":
            return outputs, final
        return np.where(np.arange(layer.width) < layer.units, outputs, 0), final


@mutant("10.7")
class UpperLayerReadsOtherOrder(_OtherLayer):
    """A layer above a backward one reads its outputs in the opposite order."""

    def changed(self, layer: Layer, outputs: Array, final: LayerState) -> tuple[Array, LayerState]:
        on_top = self.position == len(self.architecture.layers) - 1
        return (outputs if on_top or layer.direction != "backward" else outputs[:, ::-1]), final


@mutant("10.2")
class BackwardPathByTheBeginning(InAnotherOrder):
    """Where the first timestep is positive in sum, a backward layer goes another way, whose last bits are others."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        self.other = layer.direction == "backward" and bool(x[:, :1].sum() > 0)
        return super().direction(layer, weights, x, h, mask, backward)


@mutant("10.2")
class LongBackwardOutputsOtherwise(Sound):
    """A backward layer of more than 8 timesteps gives its outputs in the other order."""

    def shown(self, one: Pass) -> Array:
        outputs = super().shown(one)
        turns = self.architecture.layers[self.position].direction == "backward" and outputs.shape[1] > 8
        return outputs[:, ::-1] if turns else outputs
