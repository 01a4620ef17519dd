"""Mutants that make what does not fit fit, where it should be refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.protocol import Inputs, Lengths, Unsupported
from rnn_conformance.conformance.mutants.base import Sound, mutant
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import State, each_state, state_arrays, state_of, state_shapes
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


@mutant("14.2")
class BatchOfOneForASingleSequence(Sound):
    """For a single sequence, a batch of initial states is accepted, of which the first is used."""

    def run(self, inputs: Inputs, *, initial_state: State | None = None, **given: Any) -> Output:
        if not self.architecture.batched:
            initial_state = each_state(lambda h: h[0] if h.ndim == 2 else h, initial_state)
        return super().run(inputs, initial_state=initial_state, **given)


@mutant("14.2")
class StateFlattened(Sound):
    """An initial state of another rank is reshaped, if it has as many numbers."""

    def run(self, inputs: Inputs, *, initial_state: State | None = None, **given: Any) -> Output:
        rank = 1 + self.architecture.batched
        flat = each_state(lambda h: h.reshape(h.shape[:rank]) if _is_padded(h, rank) else h, initial_state)
        return super().run(inputs, initial_state=flat, **given)


def _is_padded(array: Array, rank: int) -> bool:
    """Whether there are more axes than there should be, of length one, at the end."""
    return array.ndim > rank and array.shape[rank:] == (1,) * (array.ndim - rank)


@mutant("14.8")
class ExtraStatesIgnored(Sound):
    """Initial states for more layers or directions than there are go unread."""

    def run(self, inputs: Inputs, *, initial_state: State | None = None, **given: Any) -> Output:
        if initial_state is not None:
            layers = self.architecture.layers
            pairs = zip(initial_state, layers, strict=False)
            initial_state = tuple(state[: 1 + layer.is_bidirectional] for state, layer in pairs)
        return super().run(inputs, initial_state=initial_state, **given)


@mutant("14.8")
class MissingStatesAreZero(Sound):
    """Layers and directions for which no initial state is given start from zeros."""

    def run(self, inputs: Inputs, *, initial_state: State | None = None, **given: Any) -> Output:
        if initial_state is not None:
            batch = inputs.shape[:1] if self.architecture.batched else ()
            wanted = dict(state_arrays("initial_state", state_shapes(self.architecture, batch)))
            zeros = {name: np.zeros(shape, self.dtype) for name, shape in wanted.items()}  # type: ignore[type-var]
            initial_state = state_of("initial_state", zeros | dict(state_arrays("initial_state", initial_state)))
        return super().run(inputs, initial_state=initial_state, **given)


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
        batch = len(inputs) if self.architecture.batched else 1
        fit = None if lengths is None else self.changed(np.asarray(lengths), timesteps, batch)
        return super().mask_of_call(inputs, initial_state, fit, mask)

    def changed(self, lengths: Lengths, timesteps: int, batch: int) -> Lengths:
        raise NotImplementedError


@mutant("14.4")
class LongLengthsCut(_OtherLengths):
    """Lengths greater than the number of timesteps are taken for it."""

    def changed(self, lengths: Lengths, timesteps: int, batch: int) -> Lengths:
        return np.minimum(lengths, timesteps)


@mutant("14.4")
class NegativeLengthsCountFromTheEnd(_OtherLengths):
    """Negative lengths count from the end."""

    def changed(self, lengths: Lengths, timesteps: int, batch: int) -> Lengths:
        return np.where(lengths < 0, lengths % timesteps, lengths).astype(lengths.dtype)


@mutant("14.6")
class LengthsBroadcast(_OtherLengths):
    """One length is used for all sequences, and an axis too many is dropped."""

    def changed(self, lengths: Lengths, timesteps: int, batch: int) -> Lengths:
        flat = lengths.reshape(-1)
        if not self.architecture.batched:
            return flat.max()
        return np.repeat(flat, batch) if flat.size == 1 else flat


@mutant("14.6")
class MaskBroadcast(Sound):
    """A mask of one sequence, or of one timestep, is used for all of them."""

    def mask_of_call(
        self, inputs: Inputs, initial_state: State | None, lengths: Lengths | None, mask: Mask | None
    ) -> Mask | None:
        if mask is not None and mask.ndim <= 1 + self.architecture.batched:
            mask = np.broadcast_to(mask, inputs.shape[: 1 + self.architecture.batched])
        return super().mask_of_call(inputs, initial_state, lengths, mask)


@mutant("14.6")
class LongMaskCut(Sound):
    """What a mask has more than the inputs have sequences and timesteps is cut off."""

    def mask_of_call(
        self, inputs: Inputs, initial_state: State | None, lengths: Lengths | None, mask: Mask | None
    ) -> Mask | None:
        if mask is not None and self.architecture.batched:
            mask = mask[: inputs.shape[0], : inputs.shape[1]]
        return super().mask_of_call(inputs, initial_state, lengths, mask)


class _OtherTokens(Sound):
    """Tokens that should be refused are made to fit."""

    def mask_of_call(
        self, inputs: Inputs, initial_state: State | None, lengths: Lengths | None, mask: Mask | None
    ) -> Mask | None:
        return super().mask_of_call(self._fit(inputs), initial_state, lengths, mask)

    def read(self, inputs: Inputs) -> Inputs:
        return super().read(self._fit(inputs))

    def _fit(self, inputs: Inputs) -> Inputs:
        table = self.architecture.embedding
        return inputs if table is None else self.changed(inputs, table.tokens)

    def changed(self, inputs: Inputs, tokens: int) -> Inputs:
        raise NotImplementedError


@mutant("14.7")
class NegativeTokensCountFromTheEnd(_OtherTokens):
    """Negative tokens count from the end of the table, as Python's indices do."""

    def changed(self, inputs: Inputs, tokens: int) -> Inputs:
        return np.where(np.less(inputs, 0), inputs % tokens, inputs)


@mutant("14.7")
class LargeTokensClamped(_OtherTokens):
    """Tokens beyond the table are taken for its last one."""

    def changed(self, inputs: Inputs, tokens: int) -> Inputs:
        return np.minimum(inputs, tokens - 1)


@mutant("14.9")
class RatesClipped(Sound):
    """Rates of dropout below zero are taken for zero, and those that are too high for the highest there is."""

    def refuse_rates(self, architecture: Architecture) -> None:
        """Nothing is refused."""

    def scales(self, shape: tuple[int, ...], rate: float) -> Array:
        return super().scales(shape, min(max(rate, 0.0), 0.99))


@mutant("14.9")
class RecurrentRateOfOneAccepted(Sound):
    """Recurrent dropout at rate one is accepted, and makes NaN of every state."""

    def refuse_rates(self, architecture: Architecture) -> None:
        def halved(layer: Layer) -> Layer:
            return replace(layer, recurrent_dropout=0.5) if layer.recurrent_dropout == 1 else layer

        super().refuse_rates(replace(architecture, layers=tuple(map(halved, architecture.layers))))


@mutant("14.5")
class OddUnitsRefused(Sound):
    """Half of all models are refused without a word beforehand: those whose first layer has an odd number of units."""

    def __init__(self, architecture: Architecture, choices: Choices) -> None:
        if architecture.layers[0].units % 2:
            raise Unsupported("only even numbers of units are implemented")
        super().__init__(architecture, choices)


@mutant("14.10")
class RateOfTrainingFixed(Sound):
    """Every step of training is taken at the rate 1/4, whatever is asked."""

    def train(self, inputs: Inputs, targets: Array, rate: float) -> None:
        super().train(inputs, targets, 0.25)


@mutant("14.10", "10.4")
class MergeModeIgnored(Sound):
    """Two directions are concatenated or else added, whatever other mode is asked."""

    def join(self, merge: str, forward: Array, backward: Array) -> Array:
        return super().join(merge if merge == "concat" else "sum", forward, backward)
