"""The network of an export of Keras': the Models that it makes, each exported, and what came out of that served."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

from rnn_conformance.adapters.exports.kept import Exports
from rnn_conformance.adapters.exports.keras_formats import Folder, Format, Served
from rnn_conformance.adapters.exports.marks import marks
from rnn_conformance.adapters.keras.backends import TensorFlowNetwork
from rnn_conformance.adapters.keras.layers import arrays_of, states_of, weights_of
from rnn_conformance.adapters.keras.models import Given
from rnn_conformance.adapters.keras.network import KerasNetwork
from rnn_conformance.adapters.keras.ways import UNROLLED
from rnn_conformance.adapters.protocol import Inputs, Unsupported
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Mask, Output
from rnn_conformance.reference.model.states import State, StateShapes
from rnn_conformance.reference.model.weights import Array, Weights

LONGEST_UNROLLED = 32
"""The most timesteps of layers that write every step by itself."""

_TOO_LONG = f"unrolled layers: more than {LONGEST_UNROLLED} timesteps are not tried"

TOKENS = ("int32", "int64")
"""The types of tokens that models are exported for; one that is made for the first is given any others, too."""

NO_SYMBOLIC_SHAPES = "a runtime is asked for outputs, and infers no shapes before there are any"
NOT_COUNTED = "what is exported keeps arrays, and counts no parameters"

_EXPORTS = Exports()

_LONGEST_MESSAGE = 500


class KerasExportNetwork(KerasNetwork):
    """Each kind of call is that of a Model, which is exported once and served for as many weights as there are.

    Every model but a stateful one gives its final state, which is cut off where it is not asked for. A subclass says on
    which backend Keras is.
    """

    def __init__(self, architecture: Architecture, format: Format) -> None:
        super().__init__(architecture if architecture.stateful else replace(architecture, return_state=True))
        self._format, self._returns_state = format, architecture.return_state
        self._weights: Sequence[Array] = ()
        self._made: dict[Hashable, Served] = {}
        if self._mode == "open":  # so that what is refused is refused now
            self._usual()

    def load(self, weights: Weights) -> None:
        super().load(weights)  # a Model's own variables refuse what does not fit
        self._weights = list(arrays_of(weights))
        for served in self._made.values():
            served.load(self._weights)

    def weights(self) -> Weights:
        """Those that an exported model keeps."""
        served = next(iter(self._made.values()), None) or self._usual()
        return weights_of(self._architecture, iter(served.weights()))

    def run(self, inputs: Inputs, *, initial_state: State | None = None, mask: Mask | None = None) -> Output:
        given, arrays = self._arguments(inputs, initial_state, mask)
        outputs, *final = self._called_as(given, inputs.shape[:2], str(inputs.dtype)).run(arrays)
        return Output(outputs, states_of(self._architecture, iter(final)) if self._returns_state else None)

    def reset(self) -> None:
        """What was exported is served anew."""
        self._made.clear()

    def parameter_count(self) -> int:
        raise NotImplementedError(NOT_COUNTED)

    def symbolic_shape(self) -> tuple[int | None, ...]:
        raise NotImplementedError(NO_SYMBOLIC_SHAPES)

    def symbolic_state_shapes(self) -> StateShapes:
        raise NotImplementedError(NO_SYMBOLIC_SHAPES)

    def _usual(self) -> Served:
        """What serves a call with no more than it must be given."""
        timesteps = self._architecture.timesteps or 4
        given = Given(timesteps if self._mode in UNROLLED else None, False, self._architecture.masking == "mask")
        return self._called_as(given, (self._architecture.batch or 2, timesteps))

    def _called_as(self, given: Given, sizes: Sequence[int], dtype: str = TOKENS[0]) -> Served:
        """What serves calls of this kind, with the weights that are loaded. Raises Unsupported for what is refused."""
        tokens = dtype if self._architecture.embedding and dtype in TOKENS else TOKENS[0]
        key = (given, tuple(sizes) if self._mode == "fixed" else None, tokens)
        if key not in self._made:
            batch, timesteps = sizes if self._mode == "fixed" else (self._architecture.batch, given.timesteps)
            name = (self.backend, self._format.name, self._architecture, key)
            kept = _EXPORTS.get(name, lambda: self._exported(given, batch, timesteps, tokens))
            served = self._format.served(kept)
            if self._weights:
                served.load(self._weights)
            self._made[key] = served
        return self._made[key]

    def _exported(self, given: Given, batch: int | None, timesteps: int | None, tokens: str) -> Any:
        """What is kept of the export of such a Model, for these sizes or, where they are None, for any."""
        from rnn_conformance.adapters.exports.keras_plain import exported

        if self._mode in UNROLLED and (timesteps or 0) > LONGEST_UNROLLED:
            raise Unsupported(_TOO_LONG)
        model = self._model(given)
        shapes = [tuple(variable.value.shape) for variable in model.trainable_variables]
        if self._format.layout:
            for variable, array in zip(model.trainable_variables, marks(shapes), strict=True):
                variable.assign(array)
        folder = Folder()
        try:
            exported(model, str(folder.path / self._format.file), self._format.name, batch, timesteps, tokens)
        except Exception as error:  # of whatever kind an exporter raises
            raise Unsupported(f"Model.export refuses it: {_shortened(error)}") from error
        kept = self._format.kept(folder, shapes)
        try:
            self._format.check(kept)
        except RuntimeError as error:
            raise Unsupported(f"the runtime refuses it: {_shortened(error)}") from error
        return kept


class OnTensorFlow(KerasExportNetwork, TensorFlowNetwork):
    """Of Keras on TensorFlow."""


def _shortened(error: Exception) -> str:
    """What an exporter or a runtime says, in a line."""
    told, most = " ".join(str(error).split()), _LONGEST_MESSAGE
    return told if len(told) <= most else f"{told[: most // 2]} ... {told[-most // 2 :]}"
