"""What Keras exports a model to, and how that is served: SavedModel, LiteRT, ONNX and OpenVINO."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Protocol

import numpy as np

from rnn_conformance.adapters.exports import layouts
from rnn_conformance.adapters.exports.marks import Layout, Marked
from rnn_conformance.adapters.onnx import openvino, runtime
from rnn_conformance.reference.model.weights import Array

Function = Callable[[Sequence[Any]], Sequence[Array]]
"""From what a model is given, in its order, to all that it gives."""


class Served(Protocol):
    """A model in its runtime. The weights are those of Keras' trainable variables, in their order."""

    def load(self, weights: Sequence[Array]) -> None: ...

    def weights(self) -> Sequence[Array]: ...

    def run(self, given: Sequence[Any]) -> Sequence[Array]: ...


class Folder:
    """A folder of its own, which is there for as long as somebody has this."""

    def __init__(self) -> None:
        self.path = Path(mkdtemp(prefix="rnn-conformance-"))
        weakref.finalize(self, shutil.rmtree, self.path)


class _SavedModel:
    """What tf.saved_model.load gives: its variables are variables."""

    def __init__(self, folder: Folder) -> None:
        import tensorflow as tf

        self._loaded = tf.saved_model.load(folder.path / SAVED_MODEL.file)

    def load(self, weights: Sequence[Array]) -> None:
        for variable, array in zip(self._loaded.trainable_variables, weights, strict=True):
            variable.assign(array)

    def weights(self) -> Sequence[Array]:
        return [variable.numpy() for variable in self._loaded.trainable_variables]

    def run(self, given: Sequence[Any]) -> Sequence[Array]:
        results = self._loaded.serve(given[0] if len(given) == 1 else list(given))
        return [result.numpy() for result in (results if isinstance(results, list | tuple) else [results])]


class _Constant:
    """A model with its weights as constants, which is made ready again when it is first called after a load."""

    def __init__(self, marked: Marked, start: Callable[[Any], Function]) -> None:
        self._marked, self._start = marked, start
        self._content: Any = marked.content
        self._ready: Function | None = None

    def load(self, weights: Sequence[Array]) -> None:
        self._content, self._ready = self._marked.filled(weights), None

    def weights(self) -> Sequence[Array]:
        return self._marked.weights_in(self._content)

    def run(self, given: Sequence[Any]) -> Sequence[Array]:
        self._ready = self._ready or self._start(self._content)
        return self._ready(given)


def _named(given: Sequence[Any]) -> dict[str, Any]:
    """The inputs by the names that they are exported with (keras_plain.py)."""
    return {f"given_{k}": array for k, array in enumerate(given)}


def _start_onnx(content: bytes) -> Function:
    import onnx

    run = runtime.start(onnx.load_from_string(content), "")
    return lambda given: run(_named(given))


def _start_openvino(content: layouts.Pair) -> Function:
    import openvino as ov

    compiled = ov.Core().compile_model(ov.Core().read_model(*content), "CPU", openvino.OPTIONS)

    def run(given: Sequence[Any]) -> Sequence[Array]:
        results = compiled(_named(given))
        return [results[output] for output in compiled.outputs]

    return run


def _start_litert(content: bytes) -> Function:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    for each in interpreter.get_input_details():
        interpreter.set_tensor(each["index"], np.zeros(each["shape"], each["dtype"]))
    interpreter.invoke()  # which operations it lacks, it may say no earlier
    run = interpreter.get_signature_runner("serving_default")

    def call(given: Sequence[Any]) -> Sequence[Array]:
        results = run(**_named(given))
        return [results[f"output_{k}"] for k in range(len(results))]

    return call


@dataclass(frozen=True)
class Format:
    """A format of `Model.export`: its name, its file, a plain module of its use, and how it is served.

    Where it has a layout, the weights are constants there, and `start` makes such a model ready.
    """

    name: str
    file: str
    plain: str
    layout: Layout | None = None
    start: Callable[[Any], Function] | None = None
    parts: Callable[[Path], Any] = Path.read_bytes

    def kept(self, folder: Folder, shapes: Sequence[tuple[int, ...]]) -> Any:
        """What has to be kept of a folder with a model in it that has weights of these shapes."""
        return Marked(self.parts(folder.path / self.file), shapes, self.layout) if self.layout else folder

    def check(self, kept: Any) -> None:
        """Make it ready for once. Raises RuntimeError where the runtime refuses it."""
        if self.start:
            self.start(kept.content)

    def served(self, kept: Any) -> Served:
        """What was kept, in its runtime."""
        return _Constant(kept, self.start) if self.start else _SavedModel(kept)


def _both(path: Path) -> layouts.Pair:
    return path.read_bytes(), path.with_suffix(".bin").read_bytes()


SAVED_MODEL = Format("tf_saved_model", "model", "exports/savedmodel_example.py")
ONNX = Format("onnx", "model.onnx", "exports/keras_onnx_example.py", layouts.ONNX, _start_onnx)
LITERT = Format("litert", "model.tflite", "exports/litert_example.py", layouts.LITERT, _start_litert)
OPENVINO = Format(
    "openvino", "model.xml", "exports/keras_openvino_example.py", layouts.OPENVINO, _start_openvino, _both
)
