"""ONNX's own reference evaluator, which runs a model in NumPy."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.onnx.graph import BATCH_FIRST, Axes
from rnn_conformance.adapters.onnx.network import FED, RELOADED, Run, Runtime
from rnn_conformance.adapters.onnx.shared import OnnxAdapter, describe
from rnn_conformance.reference.arithmetic.rounding import standard_precision, wider_sums
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.weights import Array

_ONLY_SIGMOID_AND_TANH = "the reference evaluator takes activations of LSTM and GRU, and computes sigmoid and tanh"
_ONLY_TANH_AND_AFFINE = "the reference evaluator has Tanh and Affine for RNN"


@cache
def _description() -> Description:
    choices = ("relu", "linear", "recurrent activation hard_sigmoid", "recurrent activation hard_sigmoid_fifth")
    return describe(
        "ONNX (reference evaluator)",
        ("onnx", "numpy"),
        "onnx/reference_example.py",
        {
            BATCH_FIRST: "`layout=1`",
            RELOADED: "`onnx.save` to a file, and an evaluator of that file",
            "ignored": "`clip` and `input_forget` are taken, and have no effect",
        },
        modes=("evaluator",),
        ways=(FED, BATCH_FIRST, RELOADED),
        activations=("tanh", "linear"),
        precision={
            "float16": wider_sums("float16"),
            "bfloat16": wider_sums("bfloat16"),
            "float32": standard_precision("float32"),
            "float64": standard_precision("float64"),
        },
        variants=(Lstm(recurrent_bias="all"), Gru(), Gru(reset="before")),
        unsupported={
            "relu": _ONLY_TANH_AND_AFFINE,
            "sigmoid": _ONLY_TANH_AND_AFFINE,
            **{f"{cell} {choice}": _ONLY_SIGMOID_AND_TANH for cell in ("lstm", "gru") for choice in choices},
        },
    )


def _start(model: Any, mode: str) -> Run:
    import onnx
    from onnx.reference import ReferenceEvaluator

    evaluator: Any
    if mode == RELOADED:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.onnx")
            onnx.save(model, path)
            evaluator = ReferenceEvaluator(str(path))
    else:
        evaluator = ReferenceEvaluator(model)

    def run(given: Mapping[str, Any]) -> Sequence[Array]:
        results: Sequence[Array] = evaluator.run(None, given)
        return results

    return run


def _shapes(model: Any) -> Sequence[Axes]:
    """What onnx.shape_inference finds."""
    from onnx import shape_inference

    outputs = shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph.output
    return [[axis.dim_param or axis.dim_value for axis in each.type.tensor_type.shape.dim] for each in outputs]


def _running(architecture: Architecture) -> tuple[Sequence[str], Sequence[str]]:
    imports, model, lines = ["from onnx.reference import ReferenceEvaluator"], "model", []
    if architecture.mode == RELOADED:
        imports.append("import onnx")
        lines.append('onnx.save(model, "model.onnx")')
        model = '"model.onnx"'
    return imports, [*lines, f"ReferenceEvaluator({model}).run(None, given)"]


adapter = OnnxAdapter(("onnx",), _description, Runtime(_start, _shapes), _running)
