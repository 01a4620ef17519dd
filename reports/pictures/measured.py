"""Figures from a results file, read with care: whoever wrote it may have meant anything by them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from rnn_conformance.reports.overview.summary import Backend
from rnn_conformance.reports.records.records import CheckRecord

DTYPES = ("float16", "bfloat16", "float32", "float64")
"""The dtypes that a picture may be of, in its order."""

_LONGEST = 2000  # numbers in a line of a picture: more could not be told apart, and would make the page heavy
_LARGEST = 1e100  # beyond this, and below one by it, an axis has no room left for anything else


def number(value: Any) -> float | None:
    """A number, NaN where it is not finite or absurdly large or small; None of anything else."""
    if isinstance(value, str) and value in ("inf", "-inf", "nan"):
        return math.nan
    if type(value) not in (int, float):
        return None
    if value == 0:
        return 0.0
    return float(value) if 1 / _LARGEST < abs(value) < _LARGEST else math.nan


def numbers(value: Any, length: int | None = None) -> list[float] | None:
    """A list of numbers, of this length if one is given; None of anything else."""
    if not isinstance(value, list) or not 0 < len(value) <= _LONGEST or length not in (None, len(value)):
        return None
    found = [number(item) for item in value]
    return None if None in found else [item for item in found if item is not None]


def increasing(value: Any) -> list[float] | None:
    """Finite numbers that grow, as the positions along an axis do; None of anything else."""
    found = numbers(value)
    if found is None or not all(map(math.isfinite, found)):
        return None
    return found if all(a < b for a, b in pairwise(found)) else None


def of_function(backend: Backend, function: str, dtype: str) -> Sequence[CheckRecord]:
    """The backend's records of a check function in a dtype, in every mode."""
    return [
        record
        for record in backend.results.checks
        if record.dtype == dtype and record.check.partition("[")[0].rpartition("::")[2] == function
    ]
