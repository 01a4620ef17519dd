"""Keras, on whichever backend it is in this process, among the frameworks whose own models are read and built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Target, filled
from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.keras import adapter, reading, watching
from rnn_conformance.adapters.keras.differentiating import differentiate


def _owns(model: Any) -> bool:
    import keras

    return isinstance(model, keras.Layer)


def _put(layer: Any, arrays: Mapping[str, Any]) -> None:
    """The table of an Embedding, or the kernel and the bias of a Dense."""
    layer.set_weights([arrays[name] for name in ("table", "kernel", "bias") if name in arrays])


def _save(model: Any, names: Sequence[str], path: Path) -> None:
    """The weights of each layer, in Keras' order."""
    from safetensors.numpy import save_file

    each = {f"{name}.{k}": a for name in names for k, a in enumerate(getattr(model, name).get_weights())}
    save_file({name: np.ascontiguousarray(array) for name, array in each.items()}, path)


def _describe() -> Description:
    import keras

    on_this_backend: adapter.KerasAdapter = getattr(adapter, keras.config.backend())
    return on_this_backend.describe()


porter = Target(
    "keras",
    owns=_owns,
    survey=lambda model, arguments: reading.survey(model),
    held=reading.held,
    build=reading.build,
    load=reading.load,
    watch=watching.watch,
    differentiate=differentiate,
    describe=_describe,
    fill=lambda model, parts: filled(model, parts, reading.load, _put),
    part=getattr,
    save=_save,
)
