"""The rows of gates, in plain code that scripts inline (inlining.py)."""

from __future__ import annotations

from typing import Any

import numpy as np


def z_and_r_swapped(array: Any) -> Any:
    """The rows of a GRU's gates z, r, n in the order r, z, n; or the other way round."""
    units = len(array) // 3
    return np.concatenate([array[units : 2 * units], array[:units], array[2 * units :]])
