"""Keras, on whichever backend it is in this process, among the frameworks whose own models are read and built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Arguments, Call, Canonical, Survey
from rnn_conformance.adapters.graph import Graph
from rnn_conformance.adapters.keras import adapter, reading, watching
from rnn_conformance.adapters.keras.graph import graph_of
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

    def put(self, layer: Any, arrays: Mapping[str, Any]) -> None:
        """The table of an Embedding, or the kernel and the bias of a Dense."""
        layer.set_weights([arrays[name] for name in ("table", "kernel", "bias") if name in arrays])

    def save(self, model: Any, names: Sequence[str], path: Path) -> None:
        """The weights of each layer, in Keras' order, as safetensors."""
        from safetensors.numpy import save_file

        each = {f"{name}.{k}": a for name in names for k, a in enumerate(getattr(model, name).get_weights())}
        save_file({name: np.ascontiguousarray(array) for name, array in each.items()}, path)

    def graph(self, model: Any) -> Graph:
        return graph_of(model)

    def precision(self, dtype: str) -> Precision:
        import keras

        on_this_backend: adapter.KerasAdapter = getattr(adapter, keras.config.backend())
        return on_this_backend.describe().precision[dtype]


porter = KerasPorter()
