"""One step of training of gated cells: what is exact of it, and that every gate is trained."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rnn_conformance.adapters.numpy.adapter import NumpyAdapter
from rnn_conformance.adapters.numpy.network import NumpyNetwork
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks.test_training import test_every_gate_is_trained as every_gate
from rnn_conformance.conformance.checks.test_training import test_training_step as exact_step
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reference.model.architecture import Architecture

LITTLE = replace(PROFILES["smoke"], examples=2, draws=1)

for each in (every_gate, exact_step):
    each.__test__ = False  # type: ignore[attr-defined]  # they are checks, and no tests of the suite


class OneGateIsFrozen(NumpyNetwork):
    """A step leaves the first gate as it is."""

    def train(self, inputs: Any, targets: Any, rate: float) -> None:
        before = self.weights()
        super().train(inputs, targets, rate)
        units = self.architecture.layers[0].units
        frozen = self.weights().map(np.copy)
        for (_, array), (_, old) in zip(frozen.arrays(), before.arrays(), strict=True):
            array[:units] = old[:units]
        self._weights = frozen


class HalfAStep(NumpyNetwork):
    """A step is half as long as was asked for."""

    def train(self, inputs: Any, targets: Any, rate: float) -> None:
        super().train(inputs, targets, rate / 2)


class Of(NumpyAdapter):
    """The reference, but for its networks."""

    network: type[NumpyNetwork] = NumpyNetwork

    def prepare(self, architecture: Architecture) -> NumpyNetwork:
        return type(self).network(architecture, self.choices)


def checked(network: type[NumpyNetwork], function: Callable[[Check], None], cell: str) -> Check:
    adapter = type("Of", (Of,), {"network": network})()
    check = Check("check", Subject(adapter), "float32", "eager", LITTLE, 0, 1, Journal(None), cell=cell)
    function(check)
    return check


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_step_of_gated_cells(cell: str) -> None:
    """What conforms does so, and could have failed; a step that is too short, and a gate left alone, are noticed."""
    for function in (exact_step, every_gate):
        assert checked(NumpyNetwork, function, cell).evidence.discriminating
    with pytest.raises(NonConforming, match="after a step"):
        checked(HalfAStep, exact_step, cell)
    with pytest.raises(NonConforming, match=r"no weight of gate [iz] has changed"):
        checked(OneGateIsFrozen, every_gate, cell)
