"""Mutants whose layers are right and whose model is not: stacks, embeddings, weights, symbolic shapes, counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.mutants.base import Sound, mutant
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import LayerState, State, StateShapes, each_state
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights


class _OtherInputsAbove(Sound):
    """In a stack, each layer but the first reads something else than the outputs of the layer below."""

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        return super().layer(layer, weights, self.changed(x) if self.position else x, start, mask)

    def changed(self, x: Array) -> Array:
        raise NotImplementedError


@mutant("4.1", "4.3")
class UpperLayerReadsTheLastOutput(_OtherInputsAbove):
    """A layer of a stack reads only the last output of the layer below, again and again."""

    def changed(self, x: Array) -> Array:
        return np.broadcast_to(x[:, -1:], x.shape)


@mutant("4.1")
class UpperLayerReadsTheLastOutputIfThatIsReturned(_OtherInputsAbove):
    """Where the model returns its last output, so do all its layers, and those above read it again and again."""

    def changed(self, x: Array) -> Array:
        return x if self.architecture.return_sequences else np.broadcast_to(x[:, -1:], x.shape)


@mutant("4.1")
class UpperLayerOneStepLate(_OtherInputsAbove):
    """A layer of a stack reads at each timestep what the layer below put out one timestep before."""

    def changed(self, x: Array) -> Array:
        return np.concatenate([x[:, :1] * 0, x[:, :-1]], axis=1)


@mutant("4.2", "4.3")
class UpperLayerReadsAsManyAsItHasUnits(_OtherInputsAbove):
    """Where a layer of a stack is narrower than the one below, it reads as many numbers as it has units, and zeros."""

    def changed(self, x: Array) -> Array:
        units = self.architecture.layers[self.position].units
        return np.where(np.arange(x.shape[-1]) < units, x, 0)


@mutant("4.3")
class RecurrentKernelOfTheFirstLayer(Sound):
    """Every layer of a stack has the U of the first, where it fits."""

    def used(self) -> Weights:
        weights = super().used()
        U = weights.layers[0].U
        layers = (layer.with_arrays(U=U) if layer.U.shape == U.shape else layer for layer in weights.layers)
        return replace(weights, layers=tuple(layers))


@mutant("4.1")
class ThirdLayerSkipped(Sound):
    """A stack ends after its second layer, where the third is as wide."""

    def layer(
        self, layer: Layer, weights: LayerWeights, x: Array, start: LayerState | None, mask: Mask | None
    ) -> tuple[Array, LayerState]:
        outputs, final = super().layer(layer, weights, x, start, mask)
        return (x if self.position == 2 and x.shape == outputs.shape else outputs), final


class _OtherEmbedding(Sound):
    """Tokens are replaced by something else than their rows; `changed` gives it for tokens and table."""

    def embedded(self, weights: Weights, inputs: Inputs) -> Array:
        table = weights.embedding
        return super().embedded(weights, inputs) if table is None else self.changed(inputs, table)

    def changed(self, tokens: np.ndarray, table: Array) -> Array:
        raise NotImplementedError


@mutant("5.1")
class NextToken(_OtherEmbedding):
    """Token k is replaced by row k + 1."""

    def changed(self, tokens: np.ndarray, table: Array) -> Array:
        return table[(tokens + 1) % len(table)]


@mutant("5.1")
class TokenZeroIsPadding(_OtherEmbedding):
    """Token 0 is replaced by zeros, as if it were padding."""

    def changed(self, tokens: np.ndarray, table: Array) -> Array:
        return table[tokens] * (tokens != 0)[..., np.newaxis].astype(table.dtype)


@mutant("5.1")
class TableReshaped(_OtherEmbedding):
    """The table is reshaped where it should be transposed."""

    def changed(self, tokens: np.ndarray, table: Array) -> Array:
        return table.T.reshape(table.shape)[tokens]


@mutant("5.1", "5.2")
class RowsScaled(_OtherEmbedding):
    """Rows of the table are multiplied by the square root of their length."""

    def changed(self, tokens: np.ndarray, table: Array) -> Array:
        return table[tokens] * table.dtype.type(table.shape[1] ** 0.5)


@mutant("5.2")
class TokensAreBytes(_OtherEmbedding):
    """Tokens are taken for signed bytes: 128 counts as 128 from the end of the table."""

    def changed(self, tokens: np.ndarray, table: Array) -> Array:
        return table[tokens.astype(np.int8) % len(table)]


@mutant("2.12")
class UnsignedTokensWrap(_OtherEmbedding):
    """Tokens in an unsigned type are read as one less."""

    def changed(self, tokens: np.ndarray, table: Array) -> Array:
        return table[tokens - 1 if tokens.dtype.kind == "u" else tokens]


@mutant("2.12")
class TokensOfOneByteAreFloats(_OtherEmbedding):
    """Tokens in an integer type of one byte give rows with other last bits."""

    def changed(self, tokens: np.ndarray, table: Array) -> Array:
        return table[tokens] * table.dtype.type(1 + 2**-6) if tokens.dtype.itemsize == 1 else table[tokens]


# Weights


@mutant("6.2")
class WeightsStale(Sound):
    """Only the first weights that were loaded are ever used."""

    first: Weights | None = None

    def used(self) -> Weights:
        self.first = self.first or super().used()
        return self.first


@mutant("6.2")
class BiasStale(Sound):
    """Of weights that are loaded later, the biases are not used."""

    first: Weights | None = None

    def used(self) -> Weights:
        used = super().used()
        self.first = self.first or used
        pairs = zip(used.layers, self.first.layers, strict=True)
        return replace(used, layers=tuple(new.with_arrays(b=old.b) for new, old in pairs))


@mutant("6.1")
class WeightsReadBackRounded(Sound):
    """Weights are read back with the last bits lost."""

    def weights(self) -> Weights:
        return super().weights().map(lambda array: array.astype(np.float16).astype(array.dtype))


@mutant("6.1")
class WeightsReadBackTransposed(Sound):
    """U is read back transposed."""

    def weights(self) -> Weights:
        weights = super().weights()
        return replace(weights, layers=tuple(layer.with_arrays(U=layer.U.T.copy()) for layer in weights.layers))


@mutant("6.1")
class WeightsReadBackWithoutBias(Sound):
    """The biases are not read back."""

    def weights(self) -> Weights:
        weights = super().weights()
        return replace(weights, layers=tuple(layer.with_arrays(b=None) for layer in weights.layers))


@mutant("6.3")
class BiasCountedTwice(Sound):
    """A second bias is counted for each layer."""

    def parameter_count(self) -> int:
        return super().parameter_count() + sum(layer.units for layer in self.architecture.layers)


@mutant("6.3")
class OneDirectionCounted(Sound):
    """Of a bidirectional layer only the forward direction is counted."""

    def parameter_count(self) -> int:
        backward = [layer.backward for layer in self.weights().layers if layer.backward is not None]
        return super().parameter_count() - sum(array.size for layer in backward for array in layer.named.values())


@mutant("6.3")
class EmbeddingNotCounted(Sound):
    """The table of an embedding is not counted."""

    def parameter_count(self) -> int:
        table = self.weights().embedding
        return super().parameter_count() - (0 if table is None else table.size)


# Symbolic shapes


@mutant("2.6")
class SymbolicBatchOfOne(Sound):
    """The symbolic output shape has a batch of one."""

    def symbolic_shape(self) -> tuple[int | None, ...]:
        return (1, *super().symbolic_shape()[1:])


@mutant("2.6")
class SymbolicUnitsUnknown(Sound):
    """The symbolic output shape does not know the number of units."""

    def symbolic_shape(self) -> tuple[int | None, ...]:
        return (*super().symbolic_shape()[:-1], None)


@mutant("2.6")
class SymbolicLastOutputWithTime(Sound):
    """The symbolic shape of the last output has a time axis."""

    def symbolic_shape(self) -> tuple[int | None, ...]:
        shape = super().symbolic_shape()
        return shape if self.architecture.return_sequences else (shape[0], None, *shape[1:])


@mutant("2.7")
class SymbolicWidthOfOneDirection(Sound):
    """The symbolic output shape of a bidirectional layer is as wide as one direction."""

    def symbolic_shape(self) -> tuple[int | None, ...]:
        return (*super().symbolic_shape()[:-1], self.architecture.layers[-1].units)


@mutant("2.7")
class SymbolicStatesFlat(Sound):
    """There is a symbolic state shape for the last layer only."""

    def symbolic_state_shapes(self) -> StateShapes:
        return super().symbolic_state_shapes()[-1:]


@mutant("2.7")
class SymbolicStatesWithTime(Sound):
    """The symbolic shapes of states have a time axis."""

    def symbolic_state_shapes(self) -> StateShapes:
        return each_state(lambda shape: (*shape[:-1], None, shape[-1]), super().symbolic_state_shapes())


@mutant("2.14")
class SymbolicTimestepsLost(Sound):
    """The symbolic output shape does not know the number of timesteps, also where that of the inputs is known."""

    def symbolic_shape(self) -> tuple[int | None, ...]:
        shape = super().symbolic_shape()
        return (shape[0], None, *shape[2:]) if self.architecture.return_sequences else shape


@mutant("2.14")
class SymbolicBatchLost(Sound):
    """The symbolic output shape knows a batch only where it knows the number of timesteps, too."""

    def symbolic_shape(self) -> tuple[int | None, ...]:
        shape = super().symbolic_shape()
        return shape if self.architecture.timesteps else (None, *shape[1:])


@mutant("2.14")
class SymbolicStatesWithoutBatch(Sound):
    """The symbolic shapes of states do not know the batch, also where that of the inputs is known."""

    def symbolic_state_shapes(self) -> StateShapes:
        return each_state(lambda shape: (None, *shape[1:]), super().symbolic_state_shapes())


@mutant("2.5", "12.1")
class StateNotReturned(Sound):
    """The final state is not returned where the model returns its last output."""

    def run(self, inputs: Inputs, **given: object) -> Output:
        output = super().run(inputs, **given)  # type: ignore[arg-type]
        return output if self.architecture.return_sequences else replace(output, final_state=None)


@mutant("2.7", "2.5")
class StateOfBothDirectionsJoined(Sound):
    """The final states of a bidirectional layer are joined to one."""

    def returned(self, outputs: Array, final: State) -> Output:
        return super().returned(outputs, tuple(map(self._joined, final)))

    def _joined(self, layer: LayerState) -> LayerState:
        return (tuple(np.concatenate(parts, axis=-1) for parts in zip(*layer, strict=True)),)
