"""What adapters have in common: the versions of packages, refusing what is unsupported, arrays for PyTorch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Architecture


def versions(*packages: str) -> dict[str, str]:
    """The version of each package that is installed; none of them is imported."""
    found = {}
    for package in packages:
        with suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def refuse_unsupported(description: Description, architecture: Architecture) -> None:
    """Raise Unsupported, with the declared reason, if the architecture needs anything declared unsupported.

    Raises ValueError for a mode that the description does not have.
    """
    if architecture.mode not in description.modes + description.ways:
        raise ValueError(
            f"{description.framework} has no mode {architecture.mode!r}, only {description.modes + description.ways}"
        )
    for need in needs(architecture):
        if reason := description.lacks(need):
            raise Unsupported(reason)
    for layer in architecture.layers:
        if reason := description.lacks_variant(layer.cell):
            raise Unsupported(reason)


def needs(architecture: Architecture) -> Iterator[str]:
    """Each dtype, cell, activation and feature (protocol.FEATURES and EXTRAS) that an architecture needs."""
    yield architecture.dtype
    for layer in architecture.layers:
        yield layer.cell.name
        yield layer.cell.activation
        if not layer.use_bias:
            yield "no bias"
        if layer.direction != "forward":
            yield layer.direction
        if layer.merge != "concat":
            yield "merge modes"
        if layer.dropout:
            yield "dropout"
        if layer.recurrent_dropout:
            yield "recurrent dropout"
        if isinstance(layer.cell, Lstm) and layer.cell.projection:
            yield "projection"
    if not architecture.batched:
        yield "single sequence"
    if architecture.return_state:
        yield "final state"
    if len(architecture.layers) > 1:
        yield "stack"
    if architecture.embedding:
        yield "embedding"
        if architecture.embedding.mask_zero:
            yield "mask_zero"
    if architecture.masking != "none":
        yield architecture.masking
    if architecture.stateful:
        yield "stateful"
    if architecture.weights_dtype:
        yield "mixed precision"


def writeable(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """The array itself, or a copy of one that may only be read: PyTorch warns of making a tensor of that."""
    return array if array.flags.writeable else array.copy()
