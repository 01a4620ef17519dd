"""What an adapter can do with its own description: list versions, and refuse what it declares unsupported."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata

from rnn_conformance.adapters.protocol import Description, Unsupported
from rnn_conformance.reference.architecture import Architecture


def versions(*packages: str) -> dict[str, str]:
    """The installed version of each package; none of them is imported."""
    return {package: metadata.version(package) for package in packages}


def refuse_unsupported(description: Description, architecture: Architecture) -> None:
    """Raise Unsupported, with the declared reason, if the architecture needs anything declared unsupported.

    Raises ValueError for a mode that the description does not have.
    """
    if architecture.mode not in description.modes:
        raise ValueError(f"{description.framework} has no mode {architecture.mode!r}, only {description.modes}")
    for need in _needs(architecture):
        if need in description.unsupported:
            raise Unsupported(description.unsupported[need])
    for layer in architecture.layers:
        if layer.cell != "simple_rnn":
            raise Unsupported(f"the adapter of {description.framework} has no {layer.cell}")


def _needs(architecture: Architecture) -> Iterator[str]:
    """Each dtype, activation and feature (protocol.FEATURES) that an architecture needs."""
    yield architecture.dtype
    for layer in architecture.layers:
        yield layer.activation
        if not layer.use_bias:
            yield "no bias"
    if not architecture.batched:
        yield "single sequence"
    if architecture.return_state:
        yield "final state"
    if len(architecture.layers) > 1:
        yield "stack"
    if architecture.embedding:
        yield "embedding"
