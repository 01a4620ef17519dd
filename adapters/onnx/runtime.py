"""ONNX Runtime, on its CPU provider."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
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

BOUND, UNOPTIMISED = "io-binding", "unoptimised"
"""Ways to run a session, and to make it."""

_PROVIDERS = ["CPUExecutionProvider"]


@cache
def _description() -> Description:
    return describe(
        "ONNX Runtime",
        ("onnxruntime", "onnx"),
        "onnx/runtime_example.py",
        {
            UNOPTIMISED: "`SessionOptions.graph_optimization_level = GraphOptimizationLevel.ORT_DISABLE_ALL`",
            RELOADED: "`onnx.save` to a file, and a session of that file",
            BOUND: "`session.run_with_iobinding`",
            "float16": "computed in float32, between Cast nodes that the session adds",
            "layout": "`layout=1` is refused when a session is made",
            "crashes": "no sequences end the process (SIGABRT) in an LSTM and a GRU, no timesteps in a GRU",
        },
        modes=("session",),
        ways=(FED, UNOPTIMISED, RELOADED, BOUND),
        precision={"float16": wider_sums("float16"), "float32": standard_precision("float32")},
        variants=(
            *(Lstm(recurrent_bias="all"), Lstm("relu", output_activation="relu", recurrent_bias="all")),
            *(Lstm(recurrent_bias="all", recurrent_activation=f"hard_sigmoid{end}") for end in ("", "_fifth")),
            *(Gru(), Gru(reset="before"), Gru("relu"), Gru(recurrent_activation="hard_sigmoid")),
        ),
        unsupported={
            "bfloat16": "ONNX Runtime has no kernels of the operators in bfloat16 on a CPU",
            "float64": "ONNX Runtime has no kernel of RNN in float64, and those of LSTM and GRU raise an error",
        },
    )


def start(model: Any, mode: str) -> Run:
    """A model made ready in a mode, to be run."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # a thread pool costs small layers dearly
    options.log_severity_level = 4  # what is wrong is raised, too
    if mode == UNOPTIMISED:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if mode == RELOADED:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.onnx")
            onnx.save(model, path)
            session = onnxruntime.InferenceSession(path, options, providers=_PROVIDERS)
    else:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=_PROVIDERS)

    def run(given: Mapping[str, Any]) -> Sequence[Array]:
        results: Sequence[Array] = session.run(None, given)
        return results

    def run_bound(given: Mapping[str, Any]) -> Sequence[Array]:
        binding = session.io_binding()
        for name, array in given.items():
            binding.bind_cpu_input(name, array)
        for output in session.get_outputs():
            binding.bind_output(output.name)
        session.run_with_iobinding(binding)
        results: Sequence[Array] = binding.copy_outputs_to_cpu()
        return results

    return run_bound if mode == BOUND else run


def _shapes(model: Any) -> Sequence[Axes]:
    """What a session says of its outputs."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=_PROVIDERS)
    return [output.shape for output in session.get_outputs()]


def _running(architecture: Architecture) -> tuple[Sequence[str], Sequence[str]]:
    imports = ["import onnxruntime"]
    if architecture.mode == RELOADED:
        imports.append("import onnx")
    return imports, list(_lines(architecture))


def _lines(architecture: Architecture) -> Iterator[str]:
    model, options = "model.SerializeToString()", ""
    if architecture.mode == RELOADED:
        yield 'onnx.save(model, "model.onnx")'
        model = '"model.onnx"'
    if architecture.mode == UNOPTIMISED:
        yield "options = onnxruntime.SessionOptions()"
        yield "options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL"
        options = ", options"
    session = f'onnxruntime.InferenceSession({model}{options}, providers=["CPUExecutionProvider"])'
    if architecture.mode != BOUND:
        yield f"{session}.run(None, given)"
        return
    yield f"session = {session}"
    yield "binding = session.io_binding()"
    yield "for name, array in given.items():"
    yield "    binding.bind_cpu_input(name, array)"
    yield "for output in session.get_outputs():"
    yield "    binding.bind_output(output.name)"
    yield "session.run_with_iobinding(binding)"
    yield "binding.copy_outputs_to_cpu()"


adapter = OnnxAdapter(("onnx", "onnxruntime"), _description, Runtime(start, _shapes), _running)
