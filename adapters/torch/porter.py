"""PyTorch among the frameworks whose own models are read, built and watched."""

from __future__ import annotations

from typing import Any

from rnn_conformance.adapters.canonical import Arguments, Call, Canonical, Survey
from rnn_conformance.adapters.torch import reading, watching
from rnn_conformance.adapters.torch.adapter import adapter
from rnn_conformance.reference.arithmetic.rounding import Precision


class TorchPorter:
    """torch.nn's recurrent layers."""

    name = "torch"

    def owns(self, model: Any) -> bool:
        import torch

        return isinstance(model, torch.nn.Module)

    def survey(self, model: Any, arguments: Arguments | None = None) -> Survey:
        return reading.survey(model)

    def held(self, canonical: Canonical) -> Canonical:
        return reading.held(canonical)

    def build(self, canonical: Canonical) -> Any:
        return reading.build(canonical)

    def load(self, module: Any, canonical: Canonical) -> None:
        reading.load(module, canonical)

    def watch(self, model: Any, survey: Survey, arguments: Arguments) -> tuple[list[Call], Any]:
        return watching.watch(model, survey, arguments)

    def precision(self, dtype: str) -> Precision:
        return adapter.describe().precision[dtype]


porter = TorchPorter()
