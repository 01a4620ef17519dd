"""More faults that the catalogue does not know (unseen_faults.py): of states, masks, directions, tokens and dropout."""

from __future__ import annotations

import numpy as np
from unseen_faults import fault

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import Sound
from rnn_conformance.reference.layers.gradients import Pass
from rnn_conformance.reference.layers.layer import join
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import LayerState, State
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights

# States


@fault("3.2")
class FirstRowStartsAlone(Sound):
    """The initial state is given to the first sequence, and to the others zeros."""

    def direction(
        self, layer: Layer, weights: LayerWeights, x: Array, h: Array | None, mask: Mask | None, backward: bool
    ) -> Pass:
        if h is not None:
            h = np.where(np.arange(len(h))[:, np.newaxis] == 0, h, 0).astype(h.dtype)
        return super().direction(layer, weights, x, h, mask, backward)


@fault("3.2")
class InitialStateThroughTanh(Sound):
    """The initial state goes through tanh before it is used."""

    def read_state(self, state: State | None) -> State | None:
        read = super().read_state(state)
        return None if read is None else tuple(tuple(tuple(np.tanh(h) for h in d) for d in layer) for layer in read)


@fault("3.1")
class StartsFromAHundredth(Sound):
    """Where no initial state is given, it is 0.01."""

    def start(self, layer: Layer, x: Array) -> Array:
        return super().start(layer, x) + x.dtype.type(0.01)


@fault("3.3")
class FinalStateIsTheMean(Sound):
    """The final state is the mean of all states."""

    def returned(self, outputs: Array, final: State) -> Output:
        means = tuple(tuple((one.h.mean(axis=1),) for one in layer) for layer in self.passes)
        if not self.architecture.batched:
            means = tuple(tuple((h[0],) for (h,) in layer) for layer in means)
        return super().returned(outputs, means)


@fault("3.3", "2.5")
class FinalStateOfTheFirstLayer(Sound):
    """The final state of the first layer is given for each layer that is as wide."""

    def returned(self, outputs: Array, final: State) -> Output:
        wide = [layer.units for layer in self.architecture.layers]
        kept = [
            final[0] if units == wide[0] and len(one) == len(final[0]) else one
            for units, one in zip(wide, final, strict=True)
        ]
        return super().returned(outputs, tuple(kept))


@fault("4.1", "4.3")
class StateRunsUpTheStack(Sound):
    """A layer starts from the final state of the layer below, where that is as wide and no state is given."""

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        if start is None and self.position and self.passes[-1][0].final.shape[-1] == layer.units:
            start = tuple((self.passes[-1][0].final,) for _ in weights.directions)
        return super().layer(layer, weights, x, start, mask)


@fault("4.1")
class SecondLayerReadsTheInputs(Sound):
    """A layer above the second reads the outputs of the first one, where these are as wide."""

    first: Array

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        if self.position == 1:
            self.first = x
        elif self.position > 1 and self.first.shape == x.shape:
            x = self.first
        return super().layer(layer, weights, x, start, mask)


@fault("3.7")
class StatefulKeepsTheFirstState(Sound):
    """A stateful model starts each call from the final state of the first call."""

    def run(self, *args: object, **kwargs: object) -> Output:
        before = self.state
        output = super().run(*args, **kwargs)  # type: ignore[arg-type]
        if before is not None:
            self.state = before
        return output


# Masks


@fault("9.1", "9.4")
class MaskInverted(Sound):
    """Valid are the timesteps that the mask says are not."""

    def valid(self, inputs: Inputs, mask: Mask | None) -> Mask | None:
        seen = super().valid(inputs, mask)
        return None if seen is None else ~seen


@fault("9.1", "9.2")
class OneTimestepTooMany(Sound):
    """The first timestep that is not valid counts as valid."""

    def valid(self, inputs: Inputs, mask: Mask | None) -> Mask | None:
        seen = super().valid(inputs, mask)
        if seen is None:
            return None
        first = (~seen).cumsum(axis=-1) == 1
        return seen | (first & ~seen)


@fault("9.1", "4.3")
class MaskOfTheFirstLayer(Sound):
    """The mask reaches the first layer only."""

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        return super().layer(layer, weights, x, start, None if self.position else mask)


@fault("9.1", "9.7")
class PaddingAsZeros(Sound):
    """The inputs of timesteps that are not valid are replaced by zeros, and all timesteps run."""

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        if mask is not None:
            x = np.where(mask[..., np.newaxis], x, x.dtype.type(0))
        return super().layer(layer, weights, x, start, None)


@fault("9.7", "9.2")
class MaskOfTheFirstRow(Sound):
    """The mask of the first sequence is used for all of them."""

    def valid(self, inputs: Inputs, mask: Mask | None) -> Mask | None:
        seen = super().valid(inputs, mask)
        return None if seen is None or seen.ndim == 1 else np.broadcast_to(seen[:1], seen.shape).copy()


@fault("9.4")
class PaddingIsOnes(Sound):
    """Outputs at timesteps that are not valid are one."""

    def returned(self, outputs: Array, final: State) -> Output:
        given = super().returned(outputs, final)
        filled = None if self.passes[-1][0].course.sorted is None else self.passes[-1][0].course.sorted.filled
        if filled is None or not self.architecture.return_sequences or not self.architecture.batched:
            return given
        return Output(np.where(filled[..., np.newaxis], given.outputs.dtype.type(1), given.outputs), given.final_state)


# Directions


@fault("10.1", "10.3", "3.2")
class BothStartAlike(Sound):
    """The backward direction starts from the initial state of the forward one."""

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        if start is not None and len(start) == 2:
            start = (start[0], start[0])
        return super().layer(layer, weights, x, start, mask)


@fault("10.3", "10.4")
class UnitsInterleaved(Sound):
    """Joined by concat, the units of the two directions alternate."""

    def join(self, merge: str, forward: Array, backward: Array) -> Array:
        if merge != "concat":
            return join(merge, forward, backward)
        return np.stack([forward, backward], axis=-1).reshape(*forward.shape[:-1], -1)


@fault("10.2", "10.3")
class BackwardOneLate(Sound):
    """The outputs of the backward direction stand one timestep too late."""

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        outputs, final = super().layer(layer, weights, x, start, mask)
        if layer.is_bidirectional and layer.merge == "concat":
            outputs = outputs.copy()
            outputs[..., layer.units :] = np.roll(outputs[..., layer.units :], 1, axis=1)
        return outputs, final


@fault("10.2", "10.3")
class BiasOfTheOtherDirection(Sound):
    """Both directions use the bias of the forward one."""

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        if layer.is_bidirectional and layer.use_bias:
            forward, backward = weights.directions
            weights = LayerWeights.of([forward, LayerWeights({**backward.named, "b": forward.named["b"]})])
        return super().layer(layer, weights, x, start, mask)


# Tokens, and dropout


@fault("5.1", "5.2")
class TokenZeroIsNothing(Sound):
    """Token 0 is embedded as zeros."""

    def embedded(self, weights: Weights, inputs: Inputs) -> Array:
        rows = super().embedded(weights, inputs)
        if weights.embedding is not None:
            rows = np.where((np.asarray(inputs) == 0)[..., np.newaxis], rows.dtype.type(0), rows)
        return rows


@fault("5.1", "5.2")
class TableScaled(Sound):
    """Embedded tokens are multiplied by the square root of the number of features."""

    def embedded(self, weights: Weights, inputs: Inputs) -> Array:
        rows = super().embedded(weights, inputs)
        return rows if weights.embedding is None else rows * rows.dtype.type(np.sqrt(rows.shape[-1]))


@fault("13.1", "13.2", "13.3", "13.4", "13.5")
class RowsDropAlike(Sound):
    """The same features are dropped in all sequences of a batch."""

    def scales(self, shape: tuple[int, ...], rate: float) -> Array:
        return np.broadcast_to(super().scales((1, *shape[1:]), rate), shape)


@fault("13.1", "13.2", "13.3", "13.4", "13.5")
class NeverFewerThanOne(Sound):
    """Dropout drops with the rate that is to keep, and scales accordingly."""

    def scales(self, shape: tuple[int, ...], rate: float) -> Array:
        return super().scales(shape, 1 - rate if rate else 0.0)


@fault("13.1", "13.2", "13.3", "13.4", "13.5", "13.6")
class SeedForgotten(Sound):
    """The seed of a call in training is taken as 0."""

    def run_training(self, inputs: Inputs, seed: int) -> Output:
        return super().run_training(inputs, 0)
