"""Keras by Model.export to SavedModel, LiteRT, ONNX and OpenVINO: the adapters of these exports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from rnn_conformance.adapters.description import EXTRAS, Description
from rnn_conformance.adapters.exports import keras_formats
from rnn_conformance.adapters.exports.kept import MANY_SIZES
from rnn_conformance.adapters.exports.keras_formats import Format
from rnn_conformance.adapters.exports.keras_network import (
    NO_SYMBOLIC_SHAPES,
    NOT_COUNTED,
    KerasExportNetwork,
    OnTensorFlow,
)
from rnn_conformance.adapters.exports.keras_script import script
from rnn_conformance.adapters.inlining import example
from rnn_conformance.adapters.keras.adapter import KerasAdapter
from rnn_conformance.adapters.keras.adapter import tensorflow as _tensorflow
from rnn_conformance.adapters.support import refuse_unsupported, versions
from rnn_conformance.reference.model.architecture import Architecture

_NO_TRAINING = "an exported model is run, and not trained"
_ONLY_FLOAT32 = "its weights are found in what is exported as numbers of float32, the one type that is exported here"

_UNSUPPORTED = {
    **dict.fromkeys(("gradients", "double backward", "training step", "dropout", "recurrent dropout"), _NO_TRAINING),
    **dict.fromkeys(("symbolic shapes", "symbolic state shapes"), NO_SYMBOLIC_SHAPES),
    "parameter count": NOT_COUNTED,
    "any size": MANY_SIZES,
}

_NOTES: Mapping[str, str] = {
    "open": "`model.export(path, format=...)`: batch and timesteps as open as those of `keras.Input`",
    "fixed": "with an `input_signature` of `keras.InputSpec`s, an export for each shape",
    "unrolled": "layers with `unroll=True`, and an export for each number of timesteps; the batch is open",
}


@dataclass(frozen=True)
class KerasExportAdapter:
    """An export of Keras', the runtime that it ends in, and which of the modes are its main one and its ways."""

    own: KerasAdapter
    framework: str
    format: Format
    packages_told: tuple[str, ...]
    modules: tuple[str, ...]
    modes: tuple[str, ...]
    ways: tuple[str, ...]
    unsupported: Mapping[str, str] = field(default_factory=dict, hash=False)
    notes: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def requires(self) -> tuple[str, ...]:
        return (*self.own.requires, *self.modules)

    def describe(self) -> Description:
        return _description(self)

    def prepare(self, architecture: Architecture) -> KerasExportNetwork:
        refuse_unsupported(_description(self), architecture)
        return OnTensorFlow(architecture, self.format)

    def script(self, architecture: Architecture, wants: str) -> str:
        """Source of the export and of a call (see keras_script.py)."""
        return script(self.own.backend, self.format, architecture, wants)


_CONSTANTS = dict.fromkeys(("float16", "bfloat16", "float64", "mixed precision"), _ONLY_FLOAT32)

savedmodel = KerasExportAdapter(
    _tensorflow,
    "Keras to SavedModel",
    keras_formats.SAVED_MODEL,
    (),
    (),
    ("open",),
    ("fixed", "unrolled"),
)
onnxruntime = KerasExportAdapter(
    _tensorflow,
    "Keras to ONNX Runtime",
    keras_formats.ONNX,
    ("tf2onnx", "onnx", "onnxruntime"),
    ("tf2onnx", "onnx", "onnxruntime"),
    ("open",),
    ("fixed", "unrolled"),
    _CONSTANTS,
    {
        "operators": "of an `LSTM` without a mask tf2onnx makes the operator LSTM; a `GRU`, a `SimpleRNN`, and "
        "whatever has a mask become a Loop",
        "stateful": "the state of a stateful layer becomes a constant, without a word",
        "called before": "without an `input_signature`, a model is refused that was never called",
    },
)
litert = KerasExportAdapter(
    _tensorflow,
    "Keras to LiteRT",
    keras_formats.LITERT,
    ("ai-edge-litert",),
    ("ai_edge_litert",),
    ("fixed",),
    ("open", "unrolled"),
    _CONSTANTS,
    {
        "open batch": "a loop over a batch of any size needs operations of TensorFlow (FlexTensorListReserve), which "
        "the interpreters of ai-edge-litert and of TensorFlow lack: so the batch is fixed, or the layers are unrolled",
        "other sizes": "an interpreter resizes its inputs to what it is given: of other sizes than those of the "
        "export, some are refused, some are not",
    },
)
openvino = KerasExportAdapter(
    _tensorflow,
    "Keras to OpenVINO",
    keras_formats.OPENVINO,
    ("openvino",),
    ("openvino",),
    ("unrolled",),
    ("open", "fixed"),
    _CONSTANTS,
    {
        "loops": "OpenVINO's frontend for TensorFlow converts no TensorList, of which every loop of Keras is made: so "
        "the layers are unrolled",
        "one output more": "behind the outputs of the model comes one that it does not have, `(batch, features)`",
    },
)


@cache
def _description(adapter: KerasExportAdapter) -> Description:
    own = adapter.own.describe()
    unsupported = {**own.unsupported, **_UNSUPPORTED, **adapter.unsupported}
    file = adapter.format.plain
    chosen = f'import os\n\nos.environ["KERAS_BACKEND"] = "{adapter.own.backend}"  # before Keras is imported\n'
    # The first dtype is that of the first model that is made.
    dtypes = sorted(own.precision, key=lambda dtype: dtype != "float32")
    return replace(
        own,
        framework=adapter.framework,
        precision={dtype: own.precision[dtype] for dtype in dtypes},
        versions={**own.versions, **versions(*adapter.packages_told)},
        modes=adapter.modes,
        ways=adapter.ways,
        device="cpu",
        offers=tuple(feature for feature in EXTRAS if feature in own.offers and feature not in unsupported),
        unsupported=unsupported,
        notes={name: told for name, told in own.notes.items() if name != "implementation"}
        | {name: _NOTES[name] for name in (*adapter.modes, *adapter.ways)}
        | dict(adapter.notes),
        example=chosen + example(file),
        examples={cell: chosen + example(file, f"{cell}_example") for cell in ("lstm", "gru")},
    )
