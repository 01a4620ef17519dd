"""What is special to LSTM and GRU in Keras: which code runs, masks, states that are kept, dropout, what scripts say."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from adapting import BACKEND, BACKENDS, prepared

from rnn_conformance.adapters.keras import adapter as keras_adapters
from rnn_conformance.adapters.keras.cells import variants
from rnn_conformance.adapters.keras.ways import GATED, WAYS
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.adapters.support import refuse_unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.judging.outputs import judge
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output

if not importlib.util.find_spec("keras") or BACKEND not in BACKENDS:  # to import Keras would choose its backend
    pytest.skip("Keras is not installed, or has no backend here", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of among themselves is no error of ours

ADAPTER: keras_adapters.KerasAdapter = getattr(keras_adapters, BACKEND)
MAIN = ADAPTER.modes[0]
BEFORE = Gru(reset="before", recurrent_bias="none")
CELL = pytest.mark.parametrize("cell", [Lstm(), Gru(), BEFORE], ids=["lstm", "gru", "reset before"])


def case_of(cell: Cell, **changes: Any) -> Case:
    """Two layers of the cell, and two sequences of four timesteps, with gaps where the model takes a mask."""
    made = Architecture((Layer(2, 3, cell), Layer(3, 2, cell)), return_state=True)
    architecture = replace(made, **{"mode": MAIN, **changes})
    return Case(architecture, 2, 4, "unit", 1, "gaps" if architecture.is_masked else "")


def assert_right(case: Case, output: Output, *, started: bool = False) -> None:
    """Outputs and final states are within their bounds."""
    description = ADAPTER.describe()
    assert judge(case, output, description.precision["float32"], description.choices, from_given_state=started)


@CELL
@pytest.mark.parametrize("way", WAYS)
def test_masks_in_every_way(way: str, cell: Cell) -> None:
    """Masked models have to be right in each way by itself: Keras runs other code for them. h and c stand still."""
    case = case_of(cell, mode=way, masking="mask")
    assert_right(case, prepared(ADAPTER, case).run(case.inputs, **case.given))


@CELL
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_stateful(cell: Cell, direction: str) -> None:
    """A stateful model keeps h and c from one call to the next, until it is reset."""
    case = case_of(cell, mode="eager", stateful=True, batch=2)
    layers = tuple(replace(layer, direction=direction) for layer in case.architecture.layers)
    case = replace(case, architecture=replace(case.architecture, layers=layers))
    network = prepared(ADAPTER, case)
    network.reset()
    first = network.run(case.inputs)
    assert_right(case, first)
    second = case.with_arrays(replace(case.arrays, initial_state=first.final_state))
    assert_right(second, network.run(case.inputs), started=True)
    network.reset()
    np.testing.assert_array_equal(network.run(case.inputs).outputs, first.outputs)


@CELL
def test_dropout(cell: Cell) -> None:
    """Dropout follows its seed in training, and changes nothing outside it."""
    layer = Layer(2, 3, cell, dropout=0.5, recurrent_dropout=0.5)
    case = Case(Architecture((layer,), mode=MAIN), 8, 4, "unit", 1)
    network = prepared(ADAPTER, case)
    assert_right(case, network.run(case.inputs))
    once, again, other = (network.run_training(case.inputs, seed).outputs for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()
    assert_right(case, network.run(case.inputs))


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (Lstm(forget_bias=1.0), "unit_forget_bias .* is how its bias starts"),
        (Lstm(recurrent_bias="all"), "has one bias"),
        (Lstm(output_activation="relu"), "offers tanh or"),
        (Gru(recurrent_bias="none"), "with reset_after has a recurrent bias"),
        (Gru(reset="before"), "a recurrent bias with reset_after alone"),
        (Gru(keep="1-z"), "it is z that keeps the state"),
        (Gru(recurrent_activation="hard_sigmoid_fifth"), r"x / 6 \+ 1/2"),
    ],
)
def test_variants_that_there_are_not(cell: Cell, reason: str) -> None:
    """Each is refused for what Keras says of it; those that there are, are all different."""
    description = ADAPTER.describe()
    with pytest.raises(Unsupported, match=reason):
        refuse_unsupported(description, case_of(cell).architecture)
    assert len(set(variants())) == len(list(variants())) == 24


@pytest.mark.parametrize("way", GATED)
def test_ways_of_gated_cells_alone(way: str) -> None:
    """A simple RNN knows neither of the two, but may stand in one model with a cell that does."""
    simple = Architecture((Layer(2, 3),), mode=way)
    with pytest.raises(Unsupported, match="neither use_cudnn nor implementation"):
        ADAPTER.prepare(simple)
    ADAPTER.prepare(replace(simple, layers=(*simple.layers, Layer(3, 2, Gru()))))


def test_scripts_say_what_is_not_usual() -> None:
    """The script of a model names the cell's choices, and no others."""
    cell = Gru("relu", "hard_sigmoid", reset="before", recurrent_bias="none")
    script = ADAPTER.script(case_of(cell, mode="implementation-1").architecture, "outputs")
    assert 'keras.layers.GRU(2, "relu", recurrent_activation="hard_sigmoid", reset_after=False, ' in script
    assert "use_cudnn=False, implementation=1)" in script
    plain = ADAPTER.script(Architecture((Layer(2, 3, Lstm()),), mode=MAIN), "outputs")
    assert 'keras.layers.LSTM(3, "tanh", return_sequences=True)' in plain
    assert "flat" not in ADAPTER.script(case_of(cell).architecture, "outputs")


@pytest.mark.parametrize("cell", [Lstm(), Gru()], ids=["lstm", "gru"])
def test_examples_of_the_atlas(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script of the atlas loads, runs and reads the usual layer, and needs no more than the framework."""
    monkeypatch.setenv("KERAS_BACKEND", BACKEND)
    case = Case(Architecture((Layer(2, 3, cell),), mode=MAIN), 2, 4, "unit", 1)
    (weights,) = case.weights.layers
    script, left = ADAPTER.describe().examples[cell.name], {**weights.named, "x": case.inputs}
    assert "rnn_conformance" not in script
    exec(compile(script, "example.py", "exec"), left)
    assert_right(case, Output(left["outputs"]))
    for name, array in weights.named.items():
        np.testing.assert_array_equal(left[f"{name}_read"], array)
