"""PyTorch to ONNX by torch.onnx.export, and on to ONNX Runtime and OpenVINO: the adapters of these exports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from rnn_conformance.adapters.description import EXTRAS, Description
from rnn_conformance.adapters.exports.kept import MANY_SIZES
from rnn_conformance.adapters.exports.torch_network import NO_SYMBOLIC_SHAPES, NOT_COUNTED, TorchExportNetwork
from rnn_conformance.adapters.exports.torch_script import script
from rnn_conformance.adapters.inlining import example, examples
from rnn_conformance.adapters.onnx import openvino as _openvino
from rnn_conformance.adapters.onnx import runtime as _runtime
from rnn_conformance.adapters.onnx.network import Run
from rnn_conformance.adapters.protocol import Network, Unsupported
from rnn_conformance.adapters.support import refuse_unsupported, versions
from rnn_conformance.adapters.torch.adapter import adapter as _torch
from rnn_conformance.reference.arithmetic.rounding import standard_precision, wider_sums
from rnn_conformance.reference.model.architecture import Architecture, Choices

_NO_TRAINING = "an exported model is run, and not trained"
_ONLY_FLOAT32 = "it is exported in float32, the one type that the operators of each runtime compute in"

_UNSUPPORTED = {
    **dict.fromkeys(("gradients", "double backward", "training step", "dropout"), _NO_TRAINING),
    **dict.fromkeys(("float16", "bfloat16", "float64", "mixed precision"), _ONLY_FLOAT32),
    **dict.fromkeys(("symbolic shapes", "symbolic state shapes"), NO_SYMBOLIC_SHAPES),
    "parameter count": NOT_COUNTED,
    "lengths": "torch.export cannot trace torch.nn.utils.rnn.pack_padded_sequence",
    "single sequence": "a model is exported for batches",
    "projection": "LSTM of ONNX has none",
    "any size": MANY_SIZES,
}


@dataclass(frozen=True)
class TorchExportAdapter:
    """An export of PyTorch's and the runtime that it ends in, `start` being what makes a model ready there."""

    framework: str
    runtime: str
    start: Callable[[Any, str], Run]

    @property
    def requires(self) -> tuple[str, ...]:
        # What exports, runs and reads a model stands in one plain module, and that imports ONNX Runtime.
        return tuple(dict.fromkeys(("torch", "onnx", "onnxscript", "onnxruntime", self.runtime)))

    def describe(self) -> Description:
        return _description(self)

    def prepare(self, architecture: Architecture) -> Network:
        import torch

        refuse_unsupported(_description(self), architecture)
        if len({layer.cell.name for layer in architecture.layers}) > 1:
            raise Unsupported("the layers of an exported stack are of one kind")
        torch.set_num_threads(1)  # a thread pool costs small layers a factor of ten
        return TorchExportNetwork(architecture, self.start)

    def script(self, architecture: Architecture, wants: str) -> str:
        """Source of the export and of a call (see script.py)."""
        return script(architecture, wants, self.runtime)


onnxruntime = TorchExportAdapter("PyTorch to ONNX Runtime", "onnxruntime", _runtime.start)
openvino = TorchExportAdapter("PyTorch to OpenVINO by way of ONNX", "openvino", _openvino.start)


@cache
def _description(adapter: TorchExportAdapter) -> Description:
    own = _torch.describe()
    unsupported = {**own.unsupported, **_UNSUPPORTED}
    return Description(
        framework=adapter.framework,
        versions=versions("torch", "onnxscript", "onnx", adapter.runtime),
        modes=("open-batch",),
        ways=("fixed",),
        # float16 is not offered; some of what ONNX Runtime computes in float32 is judged by it (deviations.toml).
        precision={"float32": standard_precision("float32"), "float16": wider_sums("float16")},
        cells=own.cells,
        activations=own.activations,
        variants=own.variants,
        offers=tuple(feature for feature in EXTRAS if feature in own.offers and feature not in unsupported),
        unsupported=unsupported,
        choices=Choices(backward_outputs="aligned"),
        conventions={name: told for name, told in own.conventions.items() if name not in ("load", "read", "padding")}
        | {
            "load": "`rnn.load_state_dict`, before `torch.onnx.export(module, given, dynamo=True, optimize=False)`",
            "read": "`onnx.numpy_helper.to_array(initializer)`, of `model.graph.initializer`, by PyTorch's names",
        },
        notes={
            "open batch": '`dynamic_shapes=({0: batch}, ...)`, with `batch = torch.export.Dim("batch")`; of the number '
            "of timesteps the exporter makes a constant, even where it is told that it is open",
            "fixed": "without `dynamic_shapes`",
            "optimised": "with `optimize=True`, its default, the exporter puts the weights in ONNX's order; without, "
            "nodes of the model do so, and the initializers are PyTorch's parameters",
        },
        example=example("exports/torch_example.py"),
        examples=examples("exports/torch_example.py"),
    )
