"""Which models a thrifty profile can do without: one structure does for all models of a kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from zlib import crc32

from rnn_conformance.conformance.cases.lattice import Structure

_ALIKE = {"return_state", "mask_zero", "weights_dtype"}
"""What makes no other kind of model."""

_PLAIN = (("return_sequences", True), ("direction", "forward"))


def one_of(structures: Sequence[Structure], how: Mapping[str, Any]) -> Sequence[Structure]:
    """One of them, the same for the same kind of model; none of none."""
    told = sorted(f"{name} {value}" for name, value in telling(how).items())
    return [structures[crc32(str(told).encode()) % len(structures)]] if structures else []


def telling(how: Mapping[str, Any]) -> Mapping[str, Any]:
    """What makes another kind of model than the plain layer."""
    return {name: value for name, value in how.items() if name not in _ALIKE and (name, value) not in _PLAIN}
