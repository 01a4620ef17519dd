"""Which timesteps are valid: the patterns of masks, each of which can show another fault (SPEC.md, chapter 9)."""

from __future__ import annotations

import numpy as np

from rnn_conformance.reference.model.calls import Mask

PATTERNS = ("right", "left", "gaps", "ends", "full")
"""Padding after each sequence, before it, within it, around it, and none at all."""

SELDOM = ("alike", "single", "empty", "nothing")
"""As many timesteps of each sequence though not all, one of each, none of one beside others that have some, none."""

PATTERNS_OF_LENGTHS = ("right", "full", *SELDOM)
"""What lengths can say."""


def draw_mask(rng: np.random.Generator, batch: int, timesteps: int, pattern: str) -> Mask:
    """A mask (batch, timesteps), True where valid.

    In each sequence a timestep is valid, but for one of ``empty`` and all of ``nothing``. Raises ValueError for another
    pattern.
    """
    mask = np.ones((batch, timesteps), np.bool_)
    if pattern == "full" or timesteps == 1:
        return mask
    step = np.arange(timesteps)
    if pattern in SELDOM:
        lengths = np.full(batch, 1 if pattern == "single" else rng.integers(1, timesteps))
        if pattern == "empty":
            lengths = rng.integers(1, timesteps + 1, batch)
            lengths[rng.integers(batch)] = 0
        elif pattern == "nothing":
            lengths[:] = 0
        mask[:] = step < lengths[:, np.newaxis]
        return mask
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
            raise ValueError(f"there is no pattern {pattern!r}; the patterns are {', '.join((*PATTERNS, *SELDOM))}")
    if pattern == "right" and batch > 1:
        mask[rng.integers(batch)] = True  # a batch is padded to its longest sequence
    return mask
