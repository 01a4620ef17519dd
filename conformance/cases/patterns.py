"""Which timesteps are valid: the patterns of masks, each of which can show another fault (SPEC.md, chapter 9)."""

from __future__ import annotations

import numpy as np

from rnn_conformance.reference.model.calls import Mask

PATTERNS = ("right", "left", "gaps", "ends", "full")
"""Padding after each sequence, before it, within it, around it, and none at all."""

PATTERNS_OF_LENGTHS = ("right", "full")
"""What lengths can say."""


def draw_mask(rng: np.random.Generator, batch: int, timesteps: int, pattern: str) -> Mask:
    """A mask (batch, timesteps), True where valid, with at least one valid timestep in each sequence.

    Raises ValueError for another pattern.
    """
    mask = np.ones((batch, timesteps), np.bool_)
    if pattern == "full" or timesteps == 1:
        return mask
    step = np.arange(timesteps)
    for row in mask:
        first, last = sorted(rng.choice(timesteps, 2, replace=False))
        if pattern == "right":
            row[:] = step <= first
        elif pattern == "left":
            row[:] = step >= last
        elif pattern == "ends":
            row[:] = (step >= first) & (step < last)
        elif pattern == "gaps":
            # The first and the last valid timestep are drawn with the rest, so that some gaps lead or trail.
            row[:] = rng.random(timesteps) < 0.5
            row[rng.integers(timesteps)] = True
        else:
            raise ValueError(f"there is no pattern {pattern!r}; the patterns are {', '.join(PATTERNS)}")
    if pattern == "right" and batch > 1:
        mask[rng.integers(batch)] = True  # a batch is padded to its longest sequence
    return mask
