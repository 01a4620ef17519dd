"""Flax NNX and Flax Linen among the frameworks whose own models are read, built and watched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Arguments, Call, Canonical, Survey
from rnn_conformance.adapters.flax import linen_reading, nnx_reading, watching
from rnn_conformance.adapters.jax.shared import PRECISION
from rnn_conformance.reference.arithmetic.rounding import Precision


class NnxPorter:
    """The recurrent layers of flax.nnx."""

    name = "flax-nnx"

    def owns(self, model: Any) -> bool:
        from flax import nnx

        return isinstance(model, nnx.Module)

    def survey(self, model: Any, arguments: Arguments | None = None) -> Survey:
        return nnx_reading.survey(model)

    def held(self, canonical: Canonical) -> Canonical:
        return nnx_reading.held(canonical)

    def build(self, canonical: Canonical) -> Any:
        return nnx_reading.build(canonical)

    def load(self, module: Any, canonical: Canonical) -> None:
        nnx_reading.load(module, canonical)

    def watch(self, model: Any, survey: Survey, arguments: Arguments) -> tuple[list[Call], Any]:
        return watching.watch_nnx(model, survey, arguments)

    def put(self, layer: Any, arrays: Mapping[str, Any]) -> None:
        """The table of an Embed, or the kernel and the bias of a Linear."""
        from jax import numpy as jnp

        named = {"table": "embedding", "kernel": "kernel", "bias": "bias"}
        for name, array in arrays.items():
            getattr(layer, named[name])[...] = jnp.array(array)

    def save(self, model: Any, names: Sequence[str], path: Path) -> None:
        """The parameters by the names on the way to them, as safetensors."""
        from flax import nnx
        from safetensors.numpy import save_file

        flat = nnx.to_flat_state(nnx.state(model, nnx.Param))
        save_file({"/".join(map(str, where)): np.array(param[...], order="C") for where, param in flat}, path)

    def precision(self, dtype: str) -> Precision:
        return PRECISION[dtype]


class LinenPorter:
    """The recurrent layers of flax.linen: a model is ``(module, variables)``."""

    name = "flax-linen"

    def owns(self, model: Any) -> bool:
        from flax import linen

        return isinstance(model, tuple) and len(model) == 2 and isinstance(model[0], linen.Module)

    def survey(self, model: Any, arguments: Arguments | None = None) -> Survey:
        return linen_reading.survey(model, arguments)

    def held(self, canonical: Canonical) -> Canonical:
        return linen_reading.held(canonical)

    def build(self, canonical: Canonical) -> Any:
        return linen_reading.build(canonical)

    def load(self, module: Any, canonical: Canonical) -> None:
        linen_reading.load(module, canonical)

    def watch(self, model: Any, survey: Survey, arguments: Arguments) -> tuple[list[Call], Any]:
        return watching.watch_linen(model, survey, arguments)

    def precision(self, dtype: str) -> Precision:
        return PRECISION[dtype]


nnx = NnxPorter()
linen = LinenPorter()
