"""From the biases that one layer has to those of another: bodies of scripts (inlining.py), which make `moved`.

The first line of each docstring is what the atlas says of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def alike(weights: Mapping[str, Any]) -> Mapping[str, Any]:
    """As they are."""
    # Both have the same biases.
    moved = weights
    return moved


def added(weights: Mapping[str, Any]) -> Mapping[str, Any]:
    """Added: the two become one."""
    # The one bias is the sum of the two.
    moved = {"W": weights["W"], "U": weights["U"], "b": weights["b"] + weights["c"]}
    return moved


def with_zeros(weights: Mapping[str, Any]) -> Mapping[str, Any]:
    """The second one is zero."""
    # There is a second bias here, and it is zero.
    moved = {**weights, "c": np.zeros_like(weights["b"])}
    return moved


def candidate_of_all(weights: Mapping[str, Any]) -> Mapping[str, Any]:
    """Those of z and r are added; n, whose second one is multiplied by r, keeps both."""
    # The two biases of z and r are added. Of n the second one is multiplied by r, and so is no part of the first.
    b, c, units = weights["b"], weights["c"], weights["U"].shape[1]
    moved = {**weights, "b": np.concatenate([b[:-units] + c[:-units], b[-units:]]), "c": c[-units:]}
    return moved


def all_of_candidate(weights: Mapping[str, Any]) -> Mapping[str, Any]:
    """The second ones of z and r are zero; that of n is carried as it is."""
    # The second bias is there for each gate: that of z and r is zero.
    units = weights["U"].shape[1]
    moved = {**weights, "c": np.concatenate([np.zeros_like(weights["b"][:-units]), weights["c"]])}
    return moved


def candidate_of_none(weights: Mapping[str, Any]) -> Mapping[str, Any]:
    """The second one of n is zero."""
    # There is a second bias of n here, and it is zero.
    moved = {**weights, "c": np.zeros_like(weights["b"][-weights["U"].shape[1] :])}
    return moved


STEPS = {
    "lstm": {("one", "one"): alike, ("one", "two"): with_zeros, ("two", "one"): added},
    "gru": {
        ("all", "all"): alike,
        ("all", "candidate"): candidate_of_all,
        ("candidate", "all"): all_of_candidate,
        ("none", "all"): with_zeros,
        ("none", "candidate"): candidate_of_none,
    },
}
"""For each cell, from the biases that a layer has to those that another can hold."""
