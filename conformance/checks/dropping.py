"""What checks of dropout have in common: shares that are no chance."""

from __future__ import annotations

import numpy as np

from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.reference.model.calls import Mask

_FALSE_ALARM = 1e-12


def judge_share(what: str, happened: Mask, probability: float) -> float:
    """The share of what happened; raises NonConforming where it is not that probability.

    By Hoeffding's inequality the share of n independent draws lies further than e from its mean with a probability of
    at most 2 exp(-2 n e^2), here 10^-12.
    """
    share, n = float(happened.mean()), happened.size
    error = float(np.sqrt(np.log(2 / _FALSE_ALARM) / (2 * n)))
    if abs(share - probability) > error:
        raise NonConforming(
            f"a share of {share:.4f} of {n} {what}, but should be within {error:.4f} of {probability:g}"
        )
    return share
