"""Canonical layers, drawn: what the tests of reading, building and judging users' own layers share."""

from __future__ import annotations

import os
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from adapting import BACKEND, BACKENDS
from hypothesis import strategies as st

from rnn_conformance.adapters.canonical import Canonical
from rnn_conformance.adapters.two_biases import TwoBiasedRnn
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.weights import Weights, weight_shapes

if BACKEND in BACKENDS:
    os.environ.setdefault("KERAS_BACKEND", BACKEND)  # so that it is the one whoever imports Keras first

TARGETS = [
    name
    for name, package in {"torch": "torch", "keras": "keras", "flax-nnx": "flax", "flax-linen": "flax"}.items()
    if find_spec(package) and (name != "keras" or BACKEND in BACKENDS)
]
"""The frameworks that are installed."""

CELLS: tuple[Cell, ...] = (
    SimpleRnn(),
    SimpleRnn("relu"),
    TwoBiasedRnn(),
    Lstm(),
    Lstm(recurrent_bias="all"),
    Lstm("relu", "hard_sigmoid", "relu"),
    Lstm(forget_bias=1.0),
    Lstm(recurrent_bias="all", projection=2),
    Gru(),
    Gru(recurrent_bias="candidate"),
    Gru(recurrent_bias="none"),
    Gru(reset="before", recurrent_bias="none"),
    Gru(keep="1-z"),
)


def canonical_of(*layers: Layer, seed: int = 0, path: str = "", scale: float = 0.7, **options: Any) -> Canonical:
    """Layers with normal weights from this seed, in the dtype that the options say."""
    architecture = replace(Architecture(layers, return_state=True), **options)
    rng, dtype = np.random.default_rng(seed), dtype_of(architecture.weights_dtype or architecture.dtype)
    arrays = {name: (scale * rng.normal(size=s)).astype(dtype) for name, s in weight_shapes(architecture).items()}
    return Canonical(architecture, Weights.of(arrays), path=path)


@st.composite
def canonicals(draw: st.DrawFn) -> Canonical:
    """One layer of any cell, size, direction and dtype."""
    layer = Layer(
        draw(st.sampled_from((1, 3))),
        draw(st.sampled_from((2, 5))),
        draw(st.sampled_from(CELLS)),
        draw(st.sampled_from((True, True, False))),
        draw(st.sampled_from(("forward", "backward", "bidirectional"))),
        draw(st.sampled_from(("concat", "concat", "sum", "mul", "ave"))),
    )
    if not layer.is_bidirectional:
        layer = replace(layer, merge="concat")
    dtype = draw(st.sampled_from(("float32", "float32", "float64", "bfloat16")))
    return canonical_of(layer, seed=draw(st.integers(0, 99)), dtype=dtype)
