"""Clause 16.11 of SPEC.md: an LSTM whose output is projected to another number of units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.profiles import DTYPES, LSTM
from rnn_conformance.conformance.checks import laws
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.searching import Model
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.weights import LayerWeights, Weights

_FEATURES, _UNITS, _PROJECTION = 3, 5, 2
_BATCH, _TIMESTEPS = 3, 5


@pytest.mark.clause("16.11", thrifty=DTYPES, cells=LSTM)
def test_projection(check: Check) -> None:
    """Outputs, and the h that is handed on in time, upwards and to the next call, are P times what would be put out."""
    check.requires("initial state")
    check.requires("final state")

    def examine(case: Case) -> bool:
        state = case.initial_state
        check.judge(case, check.run(case, initial_state=state), from_given_state=True)
        other = network.run(case.architecture, _turned(case.weights), case.inputs, state)
        return laws.tells(check, case, other, "valid outputs", "states", from_given_state=True)

    check.search(_models(check, return_state=True), examine)


@pytest.mark.clause("16.11", cells=LSTM)
def test_gradients_of_projection(check: Check) -> None:
    """The gradients of P, and of all that lies behind it, are those of backpropagation through the projection."""
    check.requires("gradients")
    check.search(_models(check), lambda case: check.judge_gradients(case, check.gradients(case)))


def _models(check: Check, **how: bool) -> Sequence[Model]:
    """A layer, a stack and, where there are directions, one of two: whatever reads outputs reads projected ones."""
    check.requires("projection")
    usual = next(cell for cell in check.cells if isinstance(cell, Lstm))
    layer = Layer(_FEATURES, _UNITS, replace(usual, projection=_PROJECTION))
    stacks = [(layer,), (layer, replace(layer, features=layer.width))]
    if check.offers("bidirectional"):
        both = replace(layer, direction="bidirectional")
        stacks.append((both, replace(both, features=both.width)))
    if check.profile.thrifty or not check.in_main_mode:
        stacks = stacks[1:2]
    how = {"dtype": check.dtype, "mode": check.mode, **how}  # type: ignore[dict-item]
    return [(Architecture(layers, **how), _BATCH, _TIMESTEPS) for layers in stacks]  # type: ignore[arg-type]


def _turned(weights: Weights) -> Weights:
    """The same weights with the rows of each P in the opposite order."""
    layers = (
        LayerWeights.of([each.with_arrays(P=np.flipud(each.named["P"])) for each in layer.directions])
        for layer in weights.layers
    )
    return replace(weights, layers=tuple(layers))
