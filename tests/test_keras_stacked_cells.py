"""The way of Keras in which one layer is all layers of a model: what is right there, what drops, what is refused."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from adapting import BACKEND, BACKENDS, assert_exact, expected_gradients, prepared, run_script

from rnn_conformance.adapters.keras import adapter as keras_adapters
from rnn_conformance.adapters.keras.ways import STACKED
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.judging.outputs import judge
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.weights import LayerWeights, Weights

if not importlib.util.find_spec("keras") or BACKEND not in BACKENDS:  # to import Keras would choose its backend
    pytest.skip("Keras is not installed, or has no backend here", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of among themselves is no error of ours

ADAPTER: keras_adapters.KerasAdapter = getattr(keras_adapters, BACKEND)
CELLS = {
    "simple_rnn": (SimpleRnn(), SimpleRnn()),
    "lstm": (Lstm(), Lstm()),
    "gru": (Gru(), Gru(reset="before", recurrent_bias="none")),
    "of several": (Lstm(), Gru(), SimpleRnn()),
}


def case_of(cells: tuple[Cell, ...], regime: str = "unit", **changes: Any) -> Case:
    """A stack of these cells, of other widths each, and two sequences of four timesteps, with gaps under a mask."""
    widths = (2, 3, 4, 3)
    layers = tuple(Layer(widths[k], widths[k + 1], cell) for k, cell in enumerate(cells))
    architecture = replace(Architecture(layers, return_state=True, mode=STACKED), **changes)
    return Case(architecture, 2, 4, regime, 1, "gaps" if architecture.is_masked else "")


@pytest.mark.parametrize("cells", CELLS.values(), ids=CELLS)
@pytest.mark.parametrize("sequences", [True, False], ids=["all outputs", "last output"])
def test_outputs_and_states(cells: tuple[Cell, ...], sequences: bool) -> None:
    """The outputs of the last cell and the states of all of them, which begin in the states that each was given."""
    case = case_of(cells, return_sequences=sequences)
    network, description = prepared(ADAPTER, case), ADAPTER.describe()
    output = network.run(case.inputs, initial_state=case.initial_state)
    assert judge(case, output, description.precision["float32"], description.choices, from_given_state=True)
    again = network.run(case.inputs)
    assert judge(case, again, description.precision["float32"], description.choices)
    assert (again.outputs != output.outputs).any()


@pytest.mark.parametrize("cells", CELLS.values(), ids=CELLS)
def test_masks(cells: tuple[Cell, ...]) -> None:
    """Where a timestep is masked, the states of all cells stand still."""
    case = case_of(cells, masking="mask")
    output = prepared(ADAPTER, case).run(case.inputs, **case.given)
    description = ADAPTER.describe()
    assert judge(case, output, description.precision["float32"], description.choices)


@pytest.mark.parametrize("masking", ["none", "mask"])
def test_gradients(masking: str) -> None:
    """Those of each cell's weights and initial state, and the script finds the same."""
    case = case_of((SimpleRnn("relu"), SimpleRnn("linear")), "integers", masking=masking)
    start = None if masking == "mask" else case.initial_state
    wanted = dict(expected_gradients(ADAPTER, case, start).arrays())
    found = prepared(ADAPTER, case).gradients(case.inputs, case.cotangent, initial_state=start, **case.given)
    assert_exact(dict(found.arrays()), wanted)
    assert_exact(run_script(ADAPTER, case, "gradients", start)["gradients"], wanted)


def test_it_is_one_layer() -> None:
    """Keras has one layer with two cells, and its script says so."""
    case = case_of(CELLS["lstm"])
    (layer,) = prepared(ADAPTER, case)._layers
    assert [cell.units for cell in layer.cell.cells] == [3, 4]
    script = ADAPTER.script(case.architecture, "outputs")
    assert 'keras.layers.RNN([keras.layers.LSTMCell(3, "tanh"), keras.layers.LSTMCell(4, "tanh")], ' in script
    assert "rnn1" not in script


@pytest.mark.parametrize("cells", [(True, False), (False, True), (True, True)], ids=["first", "second", "both"])
def test_dropout(cells: tuple[bool, ...]) -> None:
    """Each cell drops of its own inputs, the same at all timesteps of a call, and what a seed says."""
    linear, units = SimpleRnn("linear"), 16
    layers = tuple(Layer(units, units, linear, dropout=0.5 * drops) for drops in cells)
    case = Case(Architecture(layers, mode=STACKED), 3, 4, "unit", 1)
    network, one, none = prepared(ADAPTER, case), np.eye(units, dtype="float32"), np.zeros((units, units), "float32")
    handing_on = LayerWeights({"W": one, "U": none, "b": none[0]})
    network.load(Weights((handing_on, handing_on)))
    x = np.abs(case.inputs) + 1
    np.testing.assert_array_equal(network.run(x).outputs, x)
    once, again, other = (network.run_training(x, seed).outputs for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()
    kept = once != 0
    np.testing.assert_array_equal(once, np.where(kept, x * 2 ** sum(cells), 0))
    np.testing.assert_array_equal(kept, np.repeat(kept[:, :1], 4, axis=1))
    share = 0.5 ** sum(cells)
    assert abs(kept[:, 0].mean() - share) < 4 * np.sqrt(share * (1 - share) / kept[:, 0].size)


@pytest.mark.parametrize("cell", [SimpleRnn(), Lstm(), Gru()], ids=["simple_rnn", "lstm", "gru"])
def test_recurrent_dropout(cell: Cell) -> None:
    """It follows its seed in training, and changes nothing outside it."""
    layers = (Layer(2, 3, cell, recurrent_dropout=0.5), Layer(3, 4, cell, dropout=0.5, recurrent_dropout=0.5))
    case = Case(Architecture(layers, mode=STACKED), 8, 4, "unit", 1)
    network, description = prepared(ADAPTER, case), ADAPTER.describe()

    def assert_right(output: Output) -> None:
        assert judge(case, output, description.precision["float32"], description.choices)

    assert_right(network.run(case.inputs))
    once, again, other = (network.run_training(case.inputs, seed).outputs for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()
    assert_right(network.run(case.inputs))


@pytest.mark.parametrize("direction", ["backward", "bidirectional"])
def test_other_directions_are_refused(direction: str) -> None:
    """With the reason: Keras turns the inputs of the first cell, and not of each."""
    layers = (Layer(2, 3), Layer(3, 4, direction=direction))
    with pytest.raises(Unsupported, match="runs forward: go_backwards turns the inputs of the first"):
        ADAPTER.prepare(Architecture(layers, mode=STACKED))
