"""What checks of dropout have in common: cells through which it can be seen, and shares that are no chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.model.calls import Mask

_FALSE_ALARM = 1e-12


def cell_that_shows(check: Check, offered: Sequence[str]) -> Cell:
    """The first that has only such activations, but for its gates. Raises Unsupported where there is none."""
    for name in offered:
        for cell in check.cells:
            if {cell.activation, cell.activations.get("output", name)} == {name}:
                return cell
    raise Unsupported(f"dropout cannot be seen without {' or '.join(offered)}")


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
