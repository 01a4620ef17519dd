"""Flax NNX and Flax Linen among the frameworks whose own models are read, built and watched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Canonical, Part, Target, filled
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


_NAMES = {"table": "embedding", "kernel": "kernel", "bias": "bias"}
"""What the arrays of an Embed, a Linear and a Dense are called."""


def _put(layer: Any, arrays: Mapping[str, Any]) -> None:
    """The table of an Embed, or the kernel and the bias of a Linear."""
    from jax import numpy as jnp

    for name, array in arrays.items():
        getattr(layer, _NAMES[name])[...] = jnp.array(array)


def _save(model: Any, names: Sequence[str], path: Path) -> None:
    """All parameters by the names on the way to them, which begin with those."""
    from flax import nnx
    from safetensors.numpy import save_file

    flat = nnx.to_flat_state(nnx.state(model, nnx.Param))
    save_file({"/".join(map(str, where)): np.array(param[...], order="C") for where, param in flat}, path)


def _fill_linen(model: Any, parts: Mapping[str, Part]) -> Any:
    """``(module, variables)``, for a module keeps none."""
    from jax import numpy as jnp

    params = {}
    for name, part in parts.items():
        if isinstance(part, Canonical):
            params[name] = linen_reading.build(part)[1]["params"]
        else:
            params[name] = {_NAMES[key]: jnp.array(array) for key, array in part.items()}
    return model, {"params": params}


def _part_of_linen(model: Any, name: str) -> Any:
    module, variables = model
    return getattr(module.bind(variables), name).unbind()


def _save_linen(model: Any, names: Sequence[str], path: Path) -> None:
    """All parameters by the names on the way to them."""
    from flax import traverse_util
    from safetensors.numpy import save_file

    flatten: Any = traverse_util.flatten_dict  # which has no types
    flat = flatten(model[1]["params"], sep="/")
    save_file({name: np.array(array, order="C") for name, array in flat.items()}, path)


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
    fill=lambda model, parts: filled(model, parts, nnx_reading.load, _put),
    part=getattr,
    save=_save,
)

linen = Target(
    "flax-linen",
    owns=_is_linen,
    survey=linen_reading.survey,
    held=linen_reading.held,
    build=linen_reading.build,
    load=linen_reading.load,
    watch=watching.watch_linen,
    differentiate=differentiating.differentiate_linen,
    describe=linen_adapter.describe,
    fill=_fill_linen,
    part=_part_of_linen,
    save=_save_linen,
)
