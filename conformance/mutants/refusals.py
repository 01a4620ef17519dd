"""Mutants that make what does not fit fit, where it should be refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.protocol import Inputs, Lengths, Unsupported
from rnn_conformance.conformance.mutants.base import Sound, mutant
from rnn_conformance.reference.model.architecture import Architecture, Choices
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import State, state_arrays, state_of, state_shapes
from rnn_conformance.reference.model.weights import Array, Weights, weight_shapes


@mutant("14.1")
class ExtraFeaturesCutOff(Sound):
    """Features beyond those that W has are cut off."""

    def mask_of_call(
        self, inputs: Inputs, initial_state: State | None, lengths: Lengths | None, mask: Mask | None
    ) -> Mask | None:
        return super().mask_of_call(self._cut(inputs), initial_state, lengths, mask)

    def read(self, inputs: Inputs) -> Inputs:
        return super().read(self._cut(inputs))

    def _cut(self, inputs: Inputs) -> Inputs:
        return inputs if self.architecture.embedding else inputs[..., : self.architecture.layers[0].features]


@mutant("14.1")
class MissingFeaturesAreZero(Sound):
    """Where there are fewer features than W has columns, zeros are read for the others."""

    def mask_of_call(
        self, inputs: Inputs, initial_state: State | None, lengths: Lengths | None, mask: Mask | None
    ) -> Mask | None:
        return super().mask_of_call(self._filled(inputs), initial_state, lengths, mask)

    def read(self, inputs: Inputs) -> Inputs:
        return super().read(self._filled(inputs))

    def _filled(self, inputs: Inputs) -> Inputs:
        missing = 0 if self.architecture.embedding else self.architecture.layers[0].features - inputs.shape[-1]
        return np.pad(inputs, [(0, 0)] * (inputs.ndim - 1) + [(0, max(missing, 0))]) if missing > 0 else inputs


@mutant("14.2")
class InitialStateBroadcast(Sound):
    """An initial state of one row, or of one unit, is used for all of them."""

    def run(self, inputs: Inputs, *, initial_state: State | None = None, **given: Any) -> Output:
        if initial_state is not None and self.architecture.batched:
            initial_state = self._fitted(initial_state, len(inputs))
        return super().run(inputs, initial_state=initial_state, **given)

    def _fitted(self, state: State, batch: int) -> State:
        """The state whose every array has the shape that it should have."""
        shapes = dict(state_arrays("initial_state", state_shapes(self.architecture, (batch,))))
        return state_of(
            "initial_state", {name: self.fitted(h, shapes[name]) for name, h in state_arrays("initial_state", state)}
        )

    def fitted(self, h: Array, shape: tuple[int | None, ...]) -> Array:
        return np.broadcast_to(h, shape)  # type: ignore[arg-type]  # each axis is known


@mutant("14.2")
class InitialStateCutOff(InitialStateBroadcast):
    """Rows and units of an initial state that are too many are cut off."""

    def fitted(self, h: Array, shape: tuple[int | None, ...]) -> Array:
        return h[tuple(slice(size) for size in shape)]


@mutant("14.3")
class WeightsReshaped(Sound):
    """Weights of a wrong shape are reshaped, broadcast or cut until they fit."""

    def load(self, weights: Weights) -> None:
        wanted = weight_shapes(self.architecture)
        super().load(Weights.of({name: np.resize(array, wanted[name]) for name, array in weights.arrays()}))


@mutant("14.3")
class BiasBroadcast(Sound):
    """A bias of one number is used for all units."""

    def load(self, weights: Weights) -> None:
        pairs = zip(weights.layers, self.architecture.layers, strict=True)
        fit = (
            kept.with_arrays(b=np.repeat(kept.b, layer.units)) if kept.b is not None and kept.b.size == 1 else kept
            for kept, layer in pairs
        )
        super().load(replace(weights, layers=tuple(fit)))


class _OtherLengths(Sound):
    """Lengths that should be refused are made to fit."""

    def mask_of_call(
        self, inputs: Inputs, initial_state: State | None, lengths: Lengths | None, mask: Mask | None
    ) -> Mask | None:
        timesteps = inputs.shape[1] if self.architecture.batched else inputs.shape[0]
        fit = None if lengths is None else self.changed(np.asarray(lengths), timesteps)
        return super().mask_of_call(inputs, initial_state, fit, mask)

    def changed(self, lengths: Lengths, timesteps: int) -> Lengths:
        raise NotImplementedError


@mutant("14.4")
class LongLengthsCut(_OtherLengths):
    """Lengths greater than the number of timesteps are taken for it."""

    def changed(self, lengths: Lengths, timesteps: int) -> Lengths:
        return np.minimum(lengths, timesteps)


@mutant("14.4")
class NegativeLengthsCountFromTheEnd(_OtherLengths):
    """Negative lengths count from the end."""

    def changed(self, lengths: Lengths, timesteps: int) -> Lengths:
        return np.where(lengths < 0, lengths % timesteps, lengths).astype(lengths.dtype)


@mutant("14.5")
class OddUnitsRefused(Sound):
    """Half of all models are refused without a word beforehand: those whose first layer has an odd number of units."""

    def __init__(self, architecture: Architecture, choices: Choices) -> None:
        if architecture.layers[0].units % 2:
            raise Unsupported("only even numbers of units are implemented")
        super().__init__(architecture, choices)
