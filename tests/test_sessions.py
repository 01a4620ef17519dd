"""Models that a runtime holds, of which nobody reads the weights: they agree with the layer that they were made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rnn_conformance.adapters.exports.sessions import nested
from rnn_conformance.conformance.asserting import NonConforming, assert_agree
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Architecture, Layer

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of among themselves is no error of ours


def batch(*shape: int) -> Any:
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


def torch_lstm(**options: Any) -> Any:
    """A layer of torch's with weights of its own, and one of OpenVINO's that it became by way of ONNX."""
    torch = pytest.importorskip("torch")
    openvino = pytest.importorskip("openvino")
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    layer = torch.nn.LSTM(3, 4, batch_first=True, **options).eval()
    program = torch.onnx.export(layer, (torch.zeros(2, 5, 3),), dynamo=True, verbose=False)
    network = openvino.Core().read_model(program.model_proto.SerializeToString())
    return layer, openvino.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})


@pytest.mark.parametrize("options", [{}, {"bidirectional": True}], ids=["forward", "both"])
def test_openvino_agrees_with_what_it_was_made_of(options: Any) -> None:
    """Its outputs and final states, h and c of each direction, are held to the layer's own bounds."""
    layer, compiled = torch_lstm(**options)
    _, report = assert_agree(layer, compiled, inputs=batch(2, 5, 3))
    assert "CompiledModel agrees with the layer" in str(report)


def test_openvino_with_other_weights_is_noticed() -> None:
    layer, compiled = torch_lstm()
    with pytest.raises(NonConforming, match="times the bound"):
        assert_agree(type(layer)(3, 4, batch_first=True), compiled, inputs=batch(2, 5, 3))


def test_openvino_is_given_what_it_reads() -> None:
    """A mask or a state for which the model has no input is no silent pass."""
    layer, compiled = torch_lstm()
    with pytest.raises(ValueError, match="of lengths a CompiledModel knows nothing"):
        assert_agree(layer, compiled, inputs=batch(2, 5, 3), lengths=np.array([5, 3]))
    started = (batch(2, 4), batch(2, 4))
    with pytest.raises(ValueError, match="reads 1 arrays, and is given 3"):
        assert_agree(layer, compiled, inputs=batch(2, 5, 3), initial_state=started)


@pytest.mark.parametrize("cell", ["LSTM", "GRU", "SimpleRNN"])
def test_litert_agrees_with_what_it_was_made_of(cell: str) -> None:
    """An interpreter of TensorFlow's own, of a layer of Keras."""
    tf = pytest.importorskip("tensorflow")
    keras = pytest.importorskip("keras")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("Keras runs on another backend here")
    layer = getattr(keras.layers, cell)(4, return_sequences=True, unroll=True)
    model = keras.Sequential([keras.Input((5, 3), batch_size=2), layer])
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    _, report = assert_agree(layer, interpreter, inputs=batch(2, 5, 3))
    assert "Interpreter agrees with the layer" in str(report)


def test_final_states_come_in_two_ways() -> None:
    """An array for each part with all directions in it, or each array by itself."""
    from rnn_conformance.adapters.canonical import Canonical
    from rnn_conformance.reference.model.weights import Weights

    layer = Layer(2, 3, cell=Lstm(), direction="bidirectional")
    canonical = Canonical(Architecture((layer,)), Weights(()))
    h, c = batch(2, 5, 3), batch(2, 5, 3) + 1
    (((h0, c0), (h1, c1)),) = nested([h, c], canonical)
    (((again, _), _),) = nested([h0, c0, h1, c1], canonical)
    for found, right in ((h0, h[0]), (c1, c[1]), (h1, h[1]), (c0, c[0]), (again, h[0])):
        assert np.array_equal(found, right)
    with pytest.raises(ValueError, match="puts out 3 arrays beside its outputs"):
        nested([h0, c0, h1], canonical)
