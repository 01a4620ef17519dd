"""One step of training of gated cells: what is exact of it, and how far each gate's weights move, with its bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rnn_conformance.adapters.numpy.adapter import NumpyAdapter
from rnn_conformance.adapters.numpy.network import NumpyNetwork
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import in_direction
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks.test_training import test_every_gate_is_trained as every_gate
from rnn_conformance.conformance.checks.test_training import test_training_step as exact_step
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reference.arithmetic.rounding import standard_precision
from rnn_conformance.reference.bounds.training import expected_step
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.layers.gradients import gradients
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.weights import in_float64

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
    for wrong in (HalfAStep, OneGateIsFrozen):
        with pytest.raises(NonConforming, match=r"after a step.* should be within"):
            checked(wrong, every_gate, cell)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cell", [Lstm(recurrent_bias="all"), Gru(), SimpleRnn()], ids=str)
def test_bound_of_a_step(cell: Cell, dtype: str) -> None:
    """A step in the dtype stays within it, however the mean is written; one that is a little off does not."""
    layers = in_direction([Layer(3, 4, cell), Layer(4, 4, cell)], "bidirectional")
    architecture = Architecture(layers, dtype=dtype)
    case = Case(architecture, 4, 6, "unit", 0)
    targets, rate = case.cotangent.outputs, 0.25
    wide, precision = in_float64(case.weights), standard_precision(dtype)
    expected = expected_step(architecture, wide, case.inputs, targets, rate, precision)
    y = network.run(architecture, case.weights, case.inputs).outputs
    n = y.dtype.type(y.size)
    for d in (2 * (y - targets) / n, (y - targets) * (2 / n), (1 / n) * (y - targets) + (1 / n) * (y - targets)):
        slope = gradients(architecture, case.weights, case.inputs, Output(d)).weights
        for (name, before), (_, g) in zip(case.weights.arrays(), slope.arrays(), strict=True):
            wanted = expected[name]
            assert (np.abs(before - before.dtype.type(rate) * g - wanted.value) <= wanted.bound).all()
            moved = np.abs(wanted.value - before)
            assert (moved > 16 * wanted.bound).any()
            assert (wanted.without_recurrence == before).all()
