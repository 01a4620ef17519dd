"""Judging weights that are kept as the lengths and directions of their rows, and so come back rounded."""

from __future__ import annotations

import numpy as np

from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.reference.arithmetic.rounding import gamma, standard_precision
from rnn_conformance.reference.model.weights import Weights


def judge_rounded(loaded: Weights, kept: Weights) -> None:
    """Raise NonConforming unless `kept` is what rounding makes of g v / |v|, where v was loaded, and g is |v|.

    Of n numbers, the sum of squares is within gamma(n) of itself, and its root, which halves that, within gamma(n + 1).
    There are two lengths, which need not be computed alike; then come a quotient and a product: gamma(2 (n + 1) + 2).
    What is no kernel is kept as it is.
    """
    for (name, given), (_, found) in zip(loaded.arrays(), kept.arrays(), strict=True):
        a, b = np.asarray(given, np.float64), np.asarray(found, np.float64)
        roundings = 2 * (a.shape[-1] + 1) + 2 if name[-1] in "WU" else 0
        bound = gamma(roundings, standard_precision(str(given.dtype)).unit_roundoff) * np.abs(a)
        if (wrong := ~(np.abs(b - a) <= bound)).any():
            place = tuple(int(k) for k in np.argwhere(wrong)[0])
            wanted = f"within {bound[place]:.2g} of {a[place]:.9g}"
            raise NonConforming(f"{name}{list(place)} is kept as {b[place]:.9g}, but should be {wanted}")
