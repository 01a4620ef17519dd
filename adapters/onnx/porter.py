"""ONNX among the formats whose models are read and built; ONNX Runtime runs them."""

from __future__ import annotations

from rnn_conformance.adapters.canonical import Porter
from rnn_conformance.adapters.onnx import opening, reading, watching
from rnn_conformance.adapters.onnx.runtime import adapter

porter = Porter(
    "onnx",
    owns=opening.owns,
    survey=lambda model, arguments: reading.survey(model),
    held=reading.held,
    build=reading.build,
    load=reading.load,
    watch=watching.watch,
    differentiate=watching.differentiate,
    describe=adapter.describe,
)
