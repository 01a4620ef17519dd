"""The open axes of what a model in JAX is exported with: names for the batch and the timesteps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.states import each_state


def open_shapes(
    architecture: Architecture, given: Mapping[str, Any], batch: str = "batch", timesteps: str = "timesteps"
) -> tuple[Any, ...]:
    """Names (or sizes) for the axes of the inputs and of each of what else is given, if it is."""
    before = f"{batch}, " if architecture.batched else ""
    state = None if given["initial_state"] is None else each_state(lambda _: f"{before}...", given["initial_state"])
    lengths = None if given["lengths"] is None else (before.rstrip(", ") or "...")
    mask = None if given["mask"] is None else f"{before}{timesteps}"
    return f"{before}{timesteps}, ...", state, lengths, mask


def names_of_shapes(architecture: Architecture, names: str) -> str:
    """The source of `open_shapes`, for arguments of these names; None for those that have no open axis."""
    batch = "batch, " if architecture.batched else ""
    of = {
        "inputs": f'"{batch}timesteps, ..."',
        "initial_state": f'jax.tree.map(lambda _: "{batch}...", initial_state)',
        "lengths": f'"{batch.rstrip(", ") or "..."}"',
        "mask": f'"{batch}timesteps"',
    }
    return ", ".join(of.get(name, "None") for name in names.split(", "))
