"""What both ends of a port are given, and what comes out of them side by side: bodies of scripts (inlining.py)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def lstm_given() -> tuple[Any, Any, Any]:
    """Two sequences, and what both LSTMs start from."""
    # Both get these sequences, (batch, timesteps, features), and start from this h and c, (batch, units).
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 6, 3)).astype("float32")
    h, c = rng.normal(size=(2, 2, 4)).astype("float32")
    return x, h, c


def gru_given() -> tuple[Any, Any]:
    """Two sequences, and what both GRUs start from."""
    # Both get these sequences, (batch, timesteps, features), and start from this h, (batch, units).
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 6, 3)).astype("float32")
    h = rng.normal(size=(2, 4)).astype("float32")
    return x, h


def compared(here: Mapping[str, Any], there: Mapping[str, Any]) -> None:
    """Print how far apart the two are."""
    # Rounding is all that may tell them apart.
    for name in here:
        print(f"{name}: they differ by at most {np.abs(here[name] - there[name]).max():.2g}")
    return
