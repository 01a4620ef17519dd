"""What the checks of a backend take, so that the slowest is started first and not left to run alone at the end."""

from __future__ import annotations

from collections.abc import Mapping

SECONDS: Mapping[str, float] = {
    "numpy": 20,
    "torch": 42,
    "keras-torch": 65,
    "jax-scan": 107,
    "keras-tensorflow": 112,
    "flax-nnx": 124,
    "flax-linen": 140,
    "keras-jax": 150,
}
"""What the checks of a backend take on an LSTM in smoke: medians of runs on two busy cores. Only their order
counts."""


def seconds_of(adapter: str) -> float:
    """What the checks of a backend take. One that nothing is known of is taken for the slowest."""
    return SECONDS.get(adapter, max(SECONDS.values()))
