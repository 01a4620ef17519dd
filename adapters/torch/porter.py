"""PyTorch among the frameworks whose own models are read, built and watched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Arguments, Call, Canonical, Survey
from rnn_conformance.adapters.graph import Graph
from rnn_conformance.adapters.torch import reading, watching
from rnn_conformance.adapters.torch.adapter import adapter
from rnn_conformance.adapters.torch.arrays import tensor
from rnn_conformance.adapters.torch.graph import graph_of
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

    def put(self, layer: Any, arrays: Mapping[str, Any]) -> None:
        """The table of an Embedding, or the kernel and the bias of a Linear."""
        import torch

        named = {"table": "weight", "kernel": "weight", "bias": "bias"}
        with torch.no_grad():
            for name, array in arrays.items():
                getattr(layer, named[name]).copy_(tensor(np.ascontiguousarray(array.T if name == "kernel" else array)))

    def save(self, model: Any, names: Sequence[str], path: Path) -> None:
        """The state dict, as safetensors."""
        from safetensors.torch import save_file

        save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)

    def graph(self, model: Any) -> Graph:
        return graph_of(model)

    def precision(self, dtype: str) -> Precision:
        return adapter.describe().precision[dtype]


porter = TorchPorter()
