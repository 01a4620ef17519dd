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

COMPILED = ("compiled", "unrolled", "cells", "without-cudnn", "implementation-1")
"""The modes and ways that run compiled, where the backend has a compiler."""

GATED = ("without-cudnn", "implementation-1")
"""The ways of which keras.layers.SimpleRNN knows nothing."""

_ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "unrolled": {"unroll": True},
    "without-cudnn": {"use_cudnn": False},
    "implementation-1": {"use_cudnn": False, "implementation": 1},
}


def arguments_of(way: str, is_gated: bool) -> Mapping[str, Any]:
    """What a layer is given in this way to run it."""
    return {} if way in GATED and not is_gated else _ARGUMENTS.get(way, {})
