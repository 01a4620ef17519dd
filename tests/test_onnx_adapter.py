"""What an adapter writes into a model of ONNX: attributes of operators, the order of gates, what is not given."""

from __future__ import annotations

import pytest

from rnn_conformance.adapters.onnx.graph import BATCH_FIRST, graph_of
from rnn_conformance.adapters.onnx.operators import attributes
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer


def test_what_is_usual_is_not_said() -> None:
    """A model is as short as its user would write it; a GRU is reset before the product where nothing is said."""
    assert attributes(Layer(2, 3), batch_first=False) == {"hidden_size": 3}
    assert attributes(Layer(2, 3, Gru(reset="before")), batch_first=False) == {"hidden_size": 3}
    assert attributes(Layer(2, 3, Gru()), batch_first=True) == {"hidden_size": 3, "linear_before_reset": 1, "layout": 1}


def test_activations_of_each_direction() -> None:
    """They are said for each direction; alpha and beta are there for those that have them, and for no others."""
    layer = Layer(2, 3, Lstm("relu", "hard_sigmoid_fifth", "linear"), direction="bidirectional")
    found = attributes(layer, batch_first=False)
    assert found["direction"] == "bidirectional"
    assert found["activations"] == ["HardSigmoid", "Relu", "Affine"] * 2
    assert found["activation_alpha"] == [0.2, 1.0] * 2
    assert found["activation_beta"] == [0.5, 0.0] * 2


def test_activation_of_a_backward_layer() -> None:
    """ONNX calls it reverse."""
    layer = Layer(2, 3, SimpleRnn("relu"), direction="backward")
    found = attributes(layer, batch_first=False)
    assert found == {"hidden_size": 3, "direction": "reverse", "activations": ["Relu"]}


def test_inputs_that_are_not_given_have_no_name() -> None:
    """Between the bias and an initial state there is a place for lengths; behind the last that is given, none."""
    pytest.importorskip("onnx")
    model = Architecture((Layer(2, 3, Lstm(recurrent_bias="all")),), mode="session")
    (lstm,) = (node for node in graph_of(model, started=False).nodes if node.op_type == "LSTM")
    assert list(lstm.input) == ["x_0", "W_0", "R_0", "B_0"]
    (lstm,) = (node for node in graph_of(model, started=True).nodes if node.op_type == "LSTM")
    assert list(lstm.input) == ["x_0", "W_0", "R_0", "B_0", "", "initial_h_0", "initial_c_0"]


def test_axes_of_a_graph() -> None:
    """What is not known has a name; with the batch first, it is so in states, too."""
    pytest.importorskip("onnx")
    layer = Layer(4, 3, direction="bidirectional")
    model = Architecture((layer,), Embedding(5, 4), masking="lengths", mode=BATCH_FIRST, batch=2)
    graph = graph_of(model, started=True, tokens="int64")
    assert graph.inputs["inputs"] == ("int64", [2, "timesteps"])
    assert graph.inputs["lengths"] == ("int32", [2])
    assert graph.inputs["initial_h_0"] == ("float32", [2, 2, 3])
    assert graph.weights["B_0"] == (2, 6)


def test_gates_there_and_back() -> None:
    """The output gate comes second in ONNX."""
    pytest.importorskip("onnx")
    import numpy as np

    from rnn_conformance.adapters.onnx.arrays import o_last, o_second

    gates = np.array(["i", "i", "f", "f", "g", "g", "o", "o"])
    assert "".join(o_second(gates)) == "iiooffgg"
    assert "".join(o_last(o_second(gates))) == "".join(gates)
