"""Flax NNX and Flax Linen among the frameworks whose own models are read, built and watched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Porter, Target
from rnn_conformance.adapters.flax import differentiating, linen_reading, nnx_reading, watching
from rnn_conformance.adapters.flax.linen import adapter as linen_adapter
from rnn_conformance.adapters.flax.nnx import adapter as nnx_adapter


def _is_nnx(model: Any) -> bool:
    from flax import nnx

    return isinstance(model, nnx.Module)


def _is_linen(model: Any) -> bool:
    """Whether it is ``(module, variables)``."""
    from flax import linen

    return isinstance(model, tuple) and len(model) == 2 and isinstance(model[0], linen.Module)


def _put(layer: Any, arrays: Mapping[str, Any]) -> None:
    """The table of an Embed, or the kernel and the bias of a Linear."""
    from jax import numpy as jnp

    named = {"table": "embedding", "kernel": "kernel", "bias": "bias"}
    for name, array in arrays.items():
        getattr(layer, named[name])[...] = jnp.array(array)


def _save(model: Any, names: Sequence[str], path: Path) -> None:
    """All parameters by the names on the way to them, which begin with those."""
    from flax import nnx
    from safetensors.numpy import save_file

    flat = nnx.to_flat_state(nnx.state(model, nnx.Param))
    save_file({"/".join(map(str, where)): np.array(param[...], order="C") for where, param in flat}, path)


nnx = Target(
    "flax-nnx",
    owns=_is_nnx,
    survey=lambda model, arguments: nnx_reading.survey(model),
    held=nnx_reading.held,
    build=nnx_reading.build,
    load=nnx_reading.load,
    watch=watching.watch_nnx,
    differentiate=differentiating.differentiate_nnx,
    describe=nnx_adapter.describe,
    put=_put,
    save=_save,
)

linen = Porter(
    "flax-linen",
    owns=_is_linen,
    survey=linen_reading.survey,
    held=linen_reading.held,
    build=linen_reading.build,
    load=linen_reading.load,
    watch=watching.watch_linen,
    differentiate=differentiating.differentiate_linen,
    describe=linen_adapter.describe,
)
