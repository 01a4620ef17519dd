"""What every registered adapter has to do with LSTM and GRU, on its real framework: it is held to the proven bounds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adapting import nested, prepared, run_script, skip_without, start_of

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.judging.gradients import judge_gradients
from rnn_conformance.conformance.judging.outputs import judge
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.states import flat, state_of, state_shapes
from rnn_conformance.reference.model.weights import Weights, parameter_count

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of among themselves is no error of ours

KIND = pytest.mark.parametrize("kind", ["lstm", "gru"])
BOTH: dict[str, Any] = {"direction": "bidirectional"}


def stack(cell: Cell, use_bias: bool = False, between: Cell = SimpleRnn()) -> Architecture:
    """Two layers of the cell, the second without a bias, and between them a simple RNN."""
    layers = (Layer(2, 3, cell), Layer(3, 4, between), Layer(4, 2, cell, use_bias))
    return Architecture(layers, return_state=True)


def stack_for(adapter: Any, cell: Cell) -> Architecture:
    """The same with a bias where there has to be one, and of one cell alone where others are lacking or refused."""
    use_bias = bool(adapter.describe().lacks("no bias"))
    mixed = stack(cell, use_bias, next(iter(adapter.describe().variants_of("simple_rnn")), cell))
    try:
        adapter.prepare(case_of(adapter, mixed).architecture)
    except Unsupported:
        return stack(cell, use_bias, cell)
    return mixed


def projected(cell: Cell) -> Architecture:
    """Two layers both ways, whose outputs are projected; no other cell than an LSTM has that."""
    if not isinstance(cell, Lstm):
        pytest.skip(f"a {cell.name} has no projection")
    cell = replace(cell, projection=3)
    return Architecture((Layer(2, 4, cell, **BOTH), Layer(6, 4, cell, **BOTH)), return_state=True)


MODELS = {
    "stack": stack,
    "projection": projected,
    "two ways": lambda cell: Architecture((Layer(2, 3, cell, **BOTH), Layer(6, 2, cell, **BOTH)), return_state=True),
    "backward, last output": lambda cell: Architecture(
        (Layer(2, 3, cell, direction="backward"),), return_sequences=False, return_state=True
    ),
    "embedding": lambda cell: Architecture((Layer(2, 3, cell),), Embedding(5, 2), return_sequences=False),
    "lengths": lambda cell: Architecture((Layer(2, 3, cell, **BOTH),), masking="lengths", return_state=True),
    "mask": lambda cell: Architecture((Layer(2, 3, cell), Layer(3, 3, cell)), masking="mask", return_state=True),
    "float16": lambda cell: Architecture((Layer(2, 3, cell),), dtype="float16", return_state=True),
}
MODEL = pytest.mark.parametrize("model", MODELS)


def usual(adapter: Any, kind: str) -> Cell:
    """The cell of that kind which comes first; the test ends here if there is none."""
    found = adapter.describe().variants_of(kind)
    if not found:
        pytest.skip(f"no {kind}: {adapter.describe().lacks(kind)}")
    return found[0]


def case_of(adapter: Any, architecture: Architecture, mode: str = "") -> Case:
    """Two sequences of five timesteps."""
    architecture = replace(architecture, mode=mode or adapter.describe().modes[0])
    pattern = {"none": "", "lengths": "right", "mask": "gaps"}[architecture.masking]
    return Case(architecture, 2, 5, "unit", 1, pattern)


def assert_right(adapter: Any, case: Case, output: Output, *, started: bool) -> None:
    """Outputs and final states are within their bounds, and a layer without recurrence would not be."""
    description = adapter.describe()
    precision = description.precision[case.architecture.dtype]
    assert judge(case, output, precision, description.choices, from_given_state=started).discriminates


def assert_gradients(adapter: Any, case: Case, gradients: Gradients, *, started: bool) -> None:
    """All gradients are there, and within their bounds."""
    description = adapter.describe()
    precision = description.precision[case.architecture.dtype]
    assert judge_gradients(case, gradients, precision, description.choices, from_given_state=started).discriminates


@KIND
@MODEL
def test_outputs_states_and_gradients(adapter: Any, kind: str, model: str) -> None:
    """Weights are read back bit for bit, h and c come out right, and so do the gradients of each array."""
    cell = usual(adapter, kind)
    case = case_of(adapter, stack_for(adapter, cell) if model == "stack" else MODELS[model](cell))
    subject, start = prepared(adapter, case), start_of(case)
    found, loaded = dict(subject.weights().arrays()), dict(case.weights.arrays())
    assert found.keys() == loaded.keys()
    for name, array in loaded.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name, strict=True)
    given = {"initial_state": start, **case.given}
    assert_right(adapter, case, subject.run(case.inputs, **given), started=start is not None)
    if not adapter.describe().lacks("gradients"):
        gradients = subject.gradients(case.inputs, case.cotangent, **given)
        assert_gradients(adapter, case, gradients, started=start is not None)


@KIND
def test_every_variant(adapter: Any, kind: str) -> None:
    """What is declared can be built, and computes what its choices say."""
    usual(adapter, kind)
    for cell in adapter.describe().variants_of(kind):
        case = case_of(adapter, Architecture((Layer(2, 3, cell),), return_state=True))
        subject = prepared(adapter, case)
        assert_right(adapter, case, subject.run(case.inputs, initial_state=case.initial_state), started=True)


@KIND
def test_ways_to_run(adapter: Any, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mode and way gives h and c within their bounds, and so does the script that uses the framework alone."""
    monkeypatch.chdir(tmp_path)  # a script may save a model
    description = adapter.describe()
    architecture = stack_for(adapter, usual(adapter, kind))
    ran = 0
    for way in (way for way in description.modes + description.ways if way not in description.rounding):
        case = case_of(adapter, architecture, way)
        try:
            subject = adapter.prepare(case.architecture)
            subject.load(case.weights)
            actual = subject.run(case.inputs, initial_state=case.initial_state)
        except Unsupported:  # of a combination, which no feature declares; clause 12.1 records it, too
            continue
        ran += 1
        assert_right(adapter, case, actual, started=True)
        if hasattr(adapter, "script"):
            left = run_script(adapter, case, "outputs", case.initial_state)
            assert_right(adapter, case, Output(left["outputs"], nested(left["final_state"])), started=True)
    assert ran


@KIND
@pytest.mark.parametrize("model", ["stack", "embedding", "two ways"])
def test_scripts_of_gradients(
    adapter: Any, kind: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script for gradients gives those of each gate, and of both parts of the state."""
    skip_without(adapter, "gradients")
    monkeypatch.chdir(tmp_path)  # a script may save a model
    case = case_of(adapter, MODELS[model](usual(adapter, kind)))
    prepared(adapter, case)
    found = run_script(adapter, case, "gradients", case.initial_state)["gradients"]
    gradients = Gradients(Weights.of(found), found.get("inputs"), state_of("initial_state", found))
    assert_gradients(adapter, case, gradients, started=True)


@KIND
def test_shapes_and_parameters(adapter: Any, kind: str) -> None:
    """A bidirectional LSTM has four states, and every number of the weights is counted once."""
    case = case_of(adapter, MODELS["two ways"](usual(adapter, kind)))
    subject = prepared(adapter, case)
    if not adapter.describe().lacks("parameter count"):
        assert subject.parameter_count() == parameter_count(case.architecture)
    if not adapter.describe().lacks("symbolic state shapes"):
        assert subject.symbolic_shape() == (None, None, 4)
        assert subject.symbolic_state_shapes() == state_shapes(case.architecture, (None,))
        assert len(flat(subject.symbolic_state_shapes())) == (8 if kind == "lstm" else 4)


@KIND
def test_training_step(adapter: Any, kind: str) -> None:
    """A small step changes every array of the weights, and the outputs come nearer to the targets."""
    skip_without(adapter, "training step")
    case = case_of(adapter, Architecture((Layer(2, 3, usual(adapter, kind)),)))
    subject, targets = prepared(adapter, case), case.cotangent.outputs / 4
    before = np.square(subject.run(case.inputs).outputs - targets).mean()
    subject.train(case.inputs, targets, 2.0**-6)
    for (name, array), (_, old) in zip(subject.weights().arrays(), case.weights.arrays(), strict=True):
        assert (array != old).any(), name
    assert np.square(subject.run(case.inputs).outputs - targets).mean() < before


def test_rows_that_belong_to_no_gate() -> None:
    """Flax Linen keeps a kernel a gate: a row too many is refused, and not left behind on the way there."""
    pytest.importorskip("flax")
    from rnn_conformance.adapters.flax.linen_cells import KINDS

    weights = {"W": np.ones((13, 2)), "U": np.ones((12, 3)), "b": np.ones(12)}
    with pytest.raises(ValueError, match="equal division"):
        KINDS["lstm"].params_of(weights)
