"""Flax NNX and Flax Linen among the frameworks whose own models are read, built and watched."""

from __future__ import annotations

from typing import Any

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
