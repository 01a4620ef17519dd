"""PyTorch among the frameworks whose own models are read, built and watched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Part, Target, filled
from rnn_conformance.adapters.torch import reading, watching
from rnn_conformance.adapters.torch.adapter import adapter
from rnn_conformance.adapters.torch.arrays import tensor
from rnn_conformance.adapters.torch.differentiating import differentiate


def _owns(model: Any) -> bool:
    import torch

    return isinstance(model, torch.nn.Module)


def _put(layer: Any, arrays: Mapping[str, Any]) -> None:
    """The table of an Embedding, or the kernel and the bias of a Linear."""
    import torch

    named = {"table": "weight", "kernel": "weight", "bias": "bias"}
    with torch.no_grad():
        for name, array in arrays.items():
            getattr(layer, named[name]).copy_(tensor(np.ascontiguousarray(array.T if name == "kernel" else array)))


def _fill(model: Any, parts: Mapping[str, Part]) -> Any:
    return filled(model, parts, reading.load, _put).eval()


def _save(model: Any, names: Sequence[str], path: Path) -> None:
    """The whole state dict, whose names begin with those."""
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, path)


porter = Target(
    "torch",
    owns=_owns,
    survey=lambda model, arguments: reading.survey(model),
    held=reading.held,
    build=reading.build,
    load=reading.load,
    watch=watching.watch,
    differentiate=differentiate,
    describe=adapter.describe,
    fill=_fill,
    part=getattr,
    save=_save,
)
