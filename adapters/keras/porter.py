"""Keras, on whichever backend it is in this process, among the frameworks whose own models are read and built."""

from __future__ import annotations

from typing import Any

from rnn_conformance.adapters.canonical import Arguments, Call, Canonical, Survey
from rnn_conformance.adapters.keras import adapter, reading, watching
from rnn_conformance.reference.arithmetic.rounding import Precision


class KerasPorter:
    """Keras' recurrent layers."""

    name = "keras"

    def owns(self, model: Any) -> bool:
        import keras

        return isinstance(model, keras.Layer)

    def survey(self, model: Any, arguments: Arguments | None = None) -> Survey:
        return reading.survey(model)

    def held(self, canonical: Canonical) -> Canonical:
        return reading.held(canonical)

    def build(self, canonical: Canonical) -> Any:
        return reading.build(canonical)

    def load(self, module: Any, canonical: Canonical) -> None:
        reading.load(module, canonical)

    def watch(self, model: Any, survey: Survey, arguments: Arguments) -> tuple[list[Call], Any]:
        return watching.watch(model, survey, arguments)

    def precision(self, dtype: str) -> Precision:
        import keras

        on_this_backend: adapter.KerasAdapter = getattr(adapter, keras.config.backend())
        return on_this_backend.describe().precision[dtype]


porter = KerasPorter()
