"""The ways to run layers of Keras beside its modes, and what they make of a layer's arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WAYS: Mapping[str, str] = {
    "predict": "Model.predict, in two batches where it can",
    "unrolled": "layers with unroll=True, and a Model for each number of timesteps",
    "reloaded": "each Model is saved, and what is loaded again is called",
    "layers": "the layers are called one after the other without a Model",
    "cells": "keras.layers.RNN of the layer's cell",
    "without-cudnn": "layers with use_cudnn=False: Keras' own loop in place of the backend's",
    "implementation-1": "the same with implementation=1: a product for each gate",
}

LEGACY = "tf-keras"
"""What stands for a backend where it is Keras 2, which has no other than TensorFlow."""

SELDOM: Mapping[str, str] = {
    "masking-layer": "a keras.layers.Masking in front: it sees in the inputs which timesteps are not valid",
    "time-distributed": "a keras.layers.TimeDistributed behind, which leaves each output as it is",
}
"""More of them, on every backend."""

STACKED = "stacked-cells"
"""The way in which one layer of Keras is all layers of a model."""

_STACKED = {STACKED: "one keras.layers.RNN of a list of cells, those of all layers; they run forward"}

_XLA_WAYS = {
    "xla": "tf.function(jit_compile=True) of a call, and of a tape with the call in it",
    "xla-unrolled": "unrolled layers in tf.function(jit_compile=True), the tape outside",
}

SELDOM_ON: Mapping[str, Mapping[str, str]] = {
    "tensorflow": {**_STACKED, **_XLA_WAYS},
    LEGACY: {**_STACKED, **_XLA_WAYS},
    "torch": _STACKED,
    "numpy": {},
    "openvino": {},
    "jax": {**_STACKED, "closed-over": "jax.jit of a function that closes over the Model, anew for each load"},
}
"""Those of one backend."""

UNROLLED = ("unrolled", "xla-unrolled")
"""The ways that have to know the number of timesteps."""

MASKED_BY = -1024.0
"""What a Masking layer takes for padding, if all features of a timestep have it; every dtype has this number."""

XLA = ("xla", "xla-unrolled")

COMPILED = (
    "compiled",
    "unrolled",
    "cells",
    STACKED,
    "without-cudnn",
    "implementation-1",
    "masking-layer",
    "time-distributed",
    *XLA,
)
"""The modes and ways that run compiled, where the backend has a compiler."""

GATED = ("without-cudnn", "implementation-1")
"""The ways of which keras.layers.SimpleRNN knows nothing."""

_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "unrolled": {"unroll": True},
    "xla-unrolled": {"unroll": True},
    "without-cudnn": {"use_cudnn": False},
    "implementation-1": {"use_cudnn": False, "implementation": 1},
}


def seldom_on(backend: str) -> Mapping[str, str]:
    """The ways that few people take, with what each is."""
    return {**SELDOM, **SELDOM_ON[backend]}


def ways_on(backend: str, knows_cudnn: bool) -> tuple[str, ...]:
    """The names of the ways on a backend, whose layers know `use_cudnn`, as those of Keras 3.2 and newer do, or not."""
    lacking = () if knows_cudnn else ("without-cudnn",) if backend == LEGACY else GATED
    return (*(way for way in WAYS if way not in lacking), *seldom_on(backend))


def arguments_of(way: str, is_gated: bool, is_legacy: bool = False) -> Mapping[str, Any]:
    """What a layer is given in this way to run it."""
    given = {} if way in GATED and not is_gated else _ARGUMENTS.get(way, {})
    return {name: value for name, value in given.items() if not is_legacy or name != "use_cudnn"}
