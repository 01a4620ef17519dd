"""An export of Keras' and a call of what it gives, as a script such as one pastes into a bug report.

A script reads and sets what `Adapter` in protocol.py says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rnn_conformance.adapters.exports.keras_formats import Format
from rnn_conformance.adapters.inlining import functions
from rnn_conformance.adapters.keras.script import script as script_of_keras
from rnn_conformance.adapters.keras.ways import UNROLLED
from rnn_conformance.reference.model.architecture import Architecture

_IMPORTS = {
    "tf_saved_model": "import tensorflow as tf",
    "onnx": "import onnxruntime",
    "litert": "from ai_edge_litert.interpreter import Interpreter",
    "openvino": "import openvino",
}


def script(backend: str, format: Format, architecture: Architecture, wants: str) -> str:
    """Python source. Raises ValueError where `wants` is not "outputs": what is exported has no gradients."""
    if wants != "outputs":
        raise ValueError(f"a script gives outputs or gradients, of which an export has none, and not {wants!r}")
    # Only unrolled layers are others than those of a Model that is called as it is.
    mode = architecture.mode if architecture.mode in UNROLLED else "eager"
    lines = script_of_keras(backend, replace(architecture, mode=mode), wants).splitlines()
    first = lines.index("import numpy as np")
    call = next(k for k, line in enumerate(lines) if line.startswith(("call = ", "results = ")))
    result = next(k for k, line in enumerate(lines) if line.startswith("results = "))
    ours = list(_lines(format, architecture))
    plain = functions(format.plain, "\n".join(ours))
    imports = [_IMPORTS[format.name], lines[first], "", "", plain]
    before, after = [line for line in lines[:first] if line not in imports], lines[result + 1 :]
    return "\n".join([*before, *imports, *lines[first + 1 : call], *ours, *after]) + "\n"


def _lines(format: Format, architecture: Architecture) -> Iterator[str]:
    """The lines that make `results` of `model` and `given`."""
    sizes = ", *inputs.shape[:2]" if architecture.mode == "fixed" else ""
    yield f'path = exported(model, "{format.file}", "{format.name}"{sizes})'
    yield f"results = served(path, given){'' if architecture.return_state else '[0]'}"
