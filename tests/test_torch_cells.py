"""What is special to LSTM and GRU in PyTorch: its order of gates, two biases, packed sequences, oneDNN, examples."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from adapting import nested, prepared, run_script

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.adapters.torch.adapter import adapter
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.judging.gradients import judge_gradients
from rnn_conformance.conformance.judging.outputs import judge
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import each_state
from rnn_conformance.reference.model.weights import LayerWeights

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("default")  # torch warns of its own flags, and of hooks

LSTM, GRU = Lstm(recurrent_bias="all"), Gru()
CELL = pytest.mark.parametrize("cell", [LSTM, GRU], ids=["lstm", "gru"])
BOTH: dict[str, Any] = {"direction": "bidirectional"}


def case_of(*layers: Layer, **changes: Any) -> Case:
    """Three sequences of four timesteps, padded on the right where the model takes lengths."""
    architecture = replace(Architecture(layers, return_state=True), **changes)
    return Case(architecture, 3, 4, "unit", 1, "right" if architecture.is_masked else "")


def assert_right(case: Case, output: Output, *, started: bool = False) -> None:
    """Outputs and final states are within their bounds."""
    description = adapter.describe()
    precision = description.precision[case.architecture.dtype]
    assert judge(case, output, precision, description.choices, from_given_state=started)


@CELL
@pytest.mark.parametrize("way", ["eager", "reloaded", "without-onednn"])
def test_native_stacks_under_lengths(way: str, cell: Cell) -> None:
    """One module with both directions of two layers gives every state in its place, and its script does, too."""
    case = case_of(Layer(3, 4, cell, **BOTH), Layer(8, 4, cell, **BOTH), mode=way, masking="lengths")
    subject = prepared(adapter, case)
    assert len(subject._model["layers"]) == 1
    given = {"initial_state": case.initial_state, **case.given}
    assert_right(case, subject.run(case.inputs, **given), started=True)
    found = subject.gradients(case.inputs, case.cotangent, **given)
    description = adapter.describe()
    assert judge_gradients(case, found, description.precision["float32"], description.choices, from_given_state=True)
    left = run_script(adapter, case, "outputs", case.initial_state)
    assert_right(case, Output(left["outputs"], nested(left["final_state"])), started=True)


def test_cells_of_other_kinds_are_modules_of_their_own() -> None:
    """An LSTM and a GRU of equal widths are no native stack."""
    case = case_of(Layer(4, 4, LSTM), Layer(4, 4, GRU))
    subject = prepared(adapter, case)
    assert [type(module) for module in subject._model["layers"]] == [torch.nn.LSTM, torch.nn.GRU]
    assert_right(case, subject.run(case.inputs))


@pytest.mark.parametrize("mode", ["eager", "cells"])
def test_a_gate_is_where_it_should_be(mode: str) -> None:
    """A GRU whose z is 1 keeps its state to the last bit, and one whose r is 1 does not: they have changed places."""
    case = case_of(Layer(3, 4, GRU), mode=mode)
    subject, (layer,) = prepared(adapter, case), case.weights.layers
    gates = {"z": np.repeat([1, 0, 0], 4), "r": np.repeat([0, 1, 0], 4)}
    kept = {}
    for gate, rows in gates.items():
        zeros = {name: np.zeros_like(array) for name, array in layer.named.items()}
        b = (200 * rows).astype(np.float32)
        subject.load(replace(case.weights, layers=(LayerWeights({**zeros, "b": b}),)))
        ((h,),) = subject.run(case.inputs, initial_state=case.initial_state).final_state[0]
        kept[gate] = (h == case.initial_state[0][0][0]).all()
    assert kept == {"z": True, "r": False}


@pytest.mark.parametrize("cell", [LSTM, GRU, SimpleRnn()], ids=["lstm", "gru", "simple_rnn"])
def test_second_biases_are_trained_where_they_are_weights(cell: Cell) -> None:
    """A recurrent bias is trained as all weights are; the second bias of a simple RNN, which has none, is frozen."""
    subject = prepared(adapter, case_of(Layer(3, 4, cell)))
    frozen = [name for name, parameter in subject._model.named_parameters() if not parameter.requires_grad]
    assert frozen == (["layers.0.bias_hh_l0"] if cell == SimpleRnn() else [])


@pytest.mark.parametrize("way", ["eager", "without-onednn"])
def test_without_onednn(way: str) -> None:
    """In that way torch knows of no oneDNN while it computes, forwards, backwards and in training; and then it does."""
    case = case_of(Layer(3, 4, LSTM), mode=way)
    subject, seen = prepared(adapter, case), []
    (module,) = subject._model["layers"]
    module.register_forward_hook(lambda *_: seen.append(torch._C._get_mkldnn_enabled()))
    module.register_full_backward_hook(lambda *_: seen.append(torch._C._get_mkldnn_enabled()))
    subject.run(case.inputs)
    subject.gradients(case.inputs, case.cotangent)
    subject.second_gradient(case.inputs, case.cotangent)
    subject.train(case.inputs, case.cotangent.outputs, 2.0**-6)
    subject.run_training(case.inputs, 0)
    assert len(seen) > 5
    assert set(seen) == {way == "eager"}
    assert torch._C._get_mkldnn_enabled()


@CELL
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_mixed_precision(cell: Cell, dtype: str) -> None:
    """Under autocast the outputs are of the narrow type, and within its bounds; weights stay in float32."""
    case = case_of(Layer(3, 4, cell), dtype=dtype, weights_dtype="float32")
    subject = prepared(adapter, case)
    assert {array.dtype for _, array in subject.weights().arrays()} == {np.dtype("float32")}
    assert_right(case, subject.run(case.inputs))


@CELL
@pytest.mark.parametrize("mode", ["eager", "cells"])
def test_wrong_arrays_are_refused(mode: str, cell: Cell) -> None:
    """Weights of too few rows reach torch, which refuses them; so does it the state of one sequence for three."""
    case = case_of(Layer(3, 4, cell), mode=mode)
    subject, (layer,) = prepared(adapter, case), case.weights.layers
    for name, array in layer.named.items():
        for rows in (1, 3, len(array) - 1):
            wrong = replace(case.weights, layers=(layer.with_arrays(**{name: array[:rows]}),))
            with pytest.raises(RuntimeError, match="size mismatch"):
                subject.load(wrong)
    with pytest.raises(RuntimeError):
        subject.run(case.inputs, initial_state=each_state(lambda part: part[:1], case.initial_state))


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (Lstm(), "keeps two biases"),
        (Lstm("relu", recurrent_bias="all"), "activations"),
        (Lstm(recurrent_bias="all", forget_bias=1.0), "forget"),
        (Lstm(recurrent_bias="all", recurrent_activation="hard_sigmoid"), "activations"),
        (Gru(reset="before"), "reset gate after"),
        (Gru(recurrent_bias="candidate"), "bias for each gate"),
        (Gru(keep="1-z"), "keeps z"),
    ],
    ids=str,
)
def test_what_torch_leaves_to_nobody_is_refused(cell: Cell, reason: str) -> None:
    """A choice that torch.nn.LSTM or GRU has made is the reason why there is no other."""
    with pytest.raises(Unsupported, match=reason):
        adapter.prepare(Architecture((Layer(3, 4, cell),)))


@CELL
def test_examples_of_the_atlas(cell: Cell) -> None:
    """The script of the atlas loads, runs and reads the layer, and needs no more than the framework."""
    case = case_of(Layer(2, 3, cell), return_state=False)
    (weights,) = case.weights.layers
    script, left = adapter.describe().examples[cell.name], {**weights.named, "x": case.inputs}
    assert "rnn_conformance" not in script
    exec(compile(script, "example.py", "exec"), left)
    assert_right(case, Output(left["outputs"]))
    for name, array in weights.named.items():
        np.testing.assert_array_equal(left[f"{name}_read"], array, err_msg=name)
