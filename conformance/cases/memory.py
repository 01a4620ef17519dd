"""Where arrays lie in memory: all that a subject is given lies alike, since that may decide the last bits of a sum."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.weights import Weights

ALIGNMENT = 64
"""Bytes: the widest vectors that processors read, and one line of their caches."""


def laid_out(given: Any) -> Any:
    """The same arrays, each contiguous, writeable and beginning at a multiple of ALIGNMENT bytes.

    `given` is an array, weights, a state, an output, or anything else, which is returned as it is. An array that lies
    so already is returned itself and not as a copy, so that what becomes of it can be seen.
    """
    if isinstance(given, np.ndarray):
        return given if lies_well(given) else at_offset(given, 0)
    if isinstance(given, Weights):
        return given.map(laid_out)
    if isinstance(given, Output):
        return replace(given, outputs=laid_out(given.outputs), final_state=laid_out(given.final_state))
    if isinstance(given, tuple):
        return tuple(map(laid_out, given))
    return given


def lies_well(array: np.ndarray) -> bool:
    """Whether an array lies as `laid_out` says; an empty one lies nowhere."""
    flags = array.flags
    return array.size == 0 or (flags.c_contiguous and flags.writeable and array.ctypes.data % ALIGNMENT == 0)


def at_offset(array: np.ndarray, offset: int) -> np.ndarray:
    """A contiguous copy that begins so many bytes after a multiple of ALIGNMENT."""
    memory = np.empty(array.nbytes + 2 * ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % ALIGNMENT + offset
    copy = memory[first : first + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy
