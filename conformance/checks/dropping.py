"""What checks of dropout have in common: layers that drop, and shares that are no chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.calls import Mask

FEATURES = ("dropout", "recurrent dropout")
"""The kinds of dropout."""

_FALSE_ALARM = 1e-12


def kinds_of_dropout(check: Check) -> list[str]:
    """Those that the subject has. Raises Unsupported, with the declared reason, where it has none."""
    offered = [feature for feature in FEATURES if check.offers(feature)]
    if not offered:
        check.requires(FEATURES[0])
    return offered


def dropping(layer: Layer, feature: str, rate: float) -> Layer:
    """The same layer with dropout of this kind at this rate."""
    return replace(layer, dropout=rate) if feature == "dropout" else replace(layer, recurrent_dropout=rate)


def is_fixed(check: Check) -> bool:
    """Whether the subject declares one mask for all timesteps of a call."""
    return check.subject.description.choices.dropout_mask == "fixed"


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
