"""OpenVINO, on its CPU plugin, which makes RNNSequence, LSTMSequence and GRUSequence of the operators."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.onnx.graph import Axes
from rnn_conformance.adapters.onnx.network import FED, RELOADED, Run, Runtime
from rnn_conformance.adapters.onnx.shared import OnnxAdapter, describe
from rnn_conformance.reference.arithmetic.rounding import standard_precision, wider_sums
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.weights import Array

_PRECISION = '{"INFERENCE_PRECISION_HINT": "f32"}'

OPTIONS = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}
"""What a model is compiled with: a lower precision or a pool of threads is nobody's choice here."""


@cache
def _description() -> Description:
    return describe(
        "OpenVINO",
        ("openvino", "onnx"),
        "onnx/openvino_example.py",
        {
            "precision": '`{"INFERENCE_PRECISION_HINT": "f32"}`: by default a lower one where a processor has it',
            RELOADED: "`openvino.save_model` without compression to float16, and `read_model` of that file",
        },
        modes=("compiled",),
        ways=(FED, RELOADED),
        activations=("tanh", "relu", "sigmoid"),
        precision={"float16": wider_sums("float16"), "float32": standard_precision("float32")},
        variants=(
            *(Lstm(recurrent_bias="all"), Lstm("relu", output_activation="relu", recurrent_bias="all")),
            *(Gru(), Gru(reset="before"), Gru("relu")),
        ),
        unsupported={
            "bfloat16": "the operators in bfloat16 are computed as INFERENCE_PRECISION_HINT says, here in float32",
            "float64": "the CPU plugin takes float64, and computes it in float32",
            **dict.fromkeys(("linear", "lstm linear", "gru linear"), "OpenVINO knows no activation Affine"),
            **{
                f"{cell} recurrent activation hard_sigmoid{end}": "OpenVINO does not compile HardSigmoid in an operator"
                for cell in ("lstm", "gru")
                for end in ("", "_fifth")
            },
        },
    )


def start(model: Any, mode: str) -> Run:
    """A model made ready in a mode, to be run."""
    import openvino

    core = openvino.Core()
    network = core.read_model(model.SerializeToString())
    if mode == RELOADED:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.xml")
            openvino.save_model(network, path, compress_to_fp16=False)
            network = core.read_model(path)
    compiled = core.compile_model(network, "CPU", OPTIONS)

    def run(given: Mapping[str, Any]) -> Sequence[Array]:
        results = compiled(dict(given))
        return [results[output] for output in compiled.outputs]

    return run


def _shapes(model: Any) -> Sequence[Axes]:
    """What the model says of its outputs, before it is compiled."""
    import openvino

    network = openvino.Core().read_model(model.SerializeToString())
    shapes = (output.partial_shape for output in network.outputs)
    return [[axis.get_length() if axis.is_static else str(axis) for axis in shape] for shape in shapes]


def _running(architecture: Architecture) -> tuple[Sequence[str], Sequence[str]]:
    lines = ["network = openvino.Core().read_model(model.SerializeToString())"]
    if architecture.mode == RELOADED:
        lines.append('openvino.save_model(network, "model.xml", compress_to_fp16=False)')
        lines.append('network = openvino.Core().read_model("model.xml")')
    lines.append(f'compiled = openvino.compile_model(network, "CPU", {_PRECISION})')
    lines.append("results = compiled(given)")
    return ["import openvino"], [*lines, "[results[output] for output in compiled.outputs]"]


adapter = OnnxAdapter(("onnx", "openvino"), _description, Runtime(start, _shapes), _running)
