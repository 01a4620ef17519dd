"""Models of ONNX: what is read of a file and what is refused, judged as ONNX Runtime runs it, and ported."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from layers import TARGETS, canonical_of, canonicals

from rnn_conformance.adapters.canonical import Arguments, Refused
from rnn_conformance.adapters.reading import build, held, porter, read, survey
from rnn_conformance.conformance.asserting import NonConforming, assert_agree, assert_conforms
from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Layer

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of among themselves is no error of ours

X = np.random.default_rng(0).normal(size=(3, 9, 4)).astype(np.float32)
FIELDS = {"projection", "keep", "merge", "forget_bias"}


def test_what_is_built_is_read() -> None:
    """To the last bit, up to the second bias, which is always there; or it is refused by field."""
    refused = set()

    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(canonicals())
    def round_trip(canonical: Any) -> None:
        try:
            wanted = held("onnx", canonical)
        except Refused as reason:
            refused.add(reason.field)
            return
        (found,) = read(build("onnx", canonical))
        assert found.equals(wanted), (found.architecture, wanted.architecture)
        assert held("onnx", wanted).equals(wanted)

    round_trip()
    assert refused
    assert refused <= FIELDS


@pytest.mark.parametrize("direction", ["forward", "backward", "bidirectional"])
@pytest.mark.parametrize("cell", [SimpleRnn(), Lstm(), Gru(reset="before"), Lstm(recurrent_activation="hard_sigmoid")])
def test_model_is_judged_as_it_is_run(cell: Any, direction: str, tmp_path: Path) -> None:
    """From its file, as a model and as a session."""
    import onnxruntime

    model = build("onnx", canonical_of(Layer(4, 5, cell, direction=direction), path="mine"))
    onnx.save(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    for each in (model, tmp_path / "model.onnx", session):
        report = assert_conforms(each, inputs=X)
        assert [layer.path for layer in report.layers] == ["mine"]
        assert 0 < report.worst <= 1
    (gradients,) = assert_conforms(model, inputs=X, gradients=True).gradients
    assert "it has no gradients" in gradients.not_judged[0]


def node_of(changes: Any, **options: Any) -> Any:
    """A model of one LSTM that the changes were made to."""
    model = build("onnx", canonical_of(Layer(4, 5, Lstm(), direction=options.pop("direction", "forward"))))
    node = next(node for node in model.graph.node if node.op_type == "LSTM")
    node.name = "encoder"
    node.attribute.extend(helper.make_attribute(name, value) for name, value in options.items())
    changes(model, node)
    return model


def with_peepholes(model: Any, node: Any) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.ones((1, 15), np.float32), "P"))
    node.input.extend([""] * (7 - len(node.input)) + ["P"])


def with_weights_that_are_given(model: Any, node: Any) -> None:
    model.graph.input.append(helper.make_tensor_value_info("R_0", TensorProto.FLOAT, [1, 20, 5]))
    kept = next(each for each in model.graph.initializer if each.name == "R_0")
    model.graph.initializer.remove(kept)


def nothing(model: Any, node: Any) -> None:
    pass


def of_another_domain(model: Any, node: Any) -> None:
    node.domain = "com.microsoft"


@pytest.mark.parametrize(
    ("field", "model"),
    [
        ("clip", lambda: node_of(nothing, clip=3.0)),
        ("input_forget", lambda: node_of(nothing, input_forget=1)),
        ("P", lambda: node_of(with_peepholes)),
        ("R", lambda: node_of(with_weights_that_are_given)),
        ("operator", lambda: node_of(of_another_domain)),
        ("activations", lambda: node_of(nothing, activations=["Elu", "Tanh", "Tanh"])),
        ("activations", lambda: node_of(nothing, activations=["HardSigmoid", "Tanh", "Tanh"], activation_alpha=[0.3])),
        (
            "activations",
            lambda: node_of(
                nothing, direction="bidirectional", activations=["Sigmoid", "Tanh", "Tanh", "Sigmoid", "Relu", "Tanh"]
            ),
        ),
    ],
)
def test_what_cannot_be_said_is_refused(field: str, model: Any) -> None:
    """By the node's name and field."""
    made = model()
    with pytest.raises(Refused) as refused:
        read(made)
    assert (refused.value.path, refused.value.field) == ("encoder", field)


def test_what_stands_in_a_loop_is_refused() -> None:
    """A node of a body may be run any number of times."""
    inner = build("onnx", canonical_of(Layer(4, 5, Gru())))
    node = helper.make_node("If", ["which"], ["y"], then_branch=inner.graph, else_branch=inner.graph)
    which = helper.make_tensor_value_info("which", TensorProto.BOOL, [])
    graph = helper.make_graph([node], "g", [which], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)])
    found = survey(helper.make_model(graph))
    assert {(each.field, each.path) for each in found.refused} == {("operator", "GRU")}


def test_weights_that_are_computed_from_constants() -> None:
    """As exporters leave them: the arrays are those that the node reads. Zero peepholes are none."""
    canonical = canonical_of(Layer(4, 5, Lstm()))
    model = build("onnx", canonical)
    node = next(node for node in model.graph.node if node.op_type == "LSTM")
    kept = next(each for each in model.graph.initializer if each.name == "W_0")
    turned = numpy_helper.from_array(np.ascontiguousarray(numpy_helper.to_array(kept)[0].T), "turned")
    model.graph.initializer.remove(kept)
    model.graph.initializer.extend([turned, numpy_helper.from_array(np.array([0]), "axis")])
    model.graph.initializer.append(numpy_helper.from_array(np.zeros((1, 15), np.float32), "P"))
    node.input.extend([""] * (7 - len(node.input)) + ["P"])
    model.graph.node.insert(0, helper.make_node("Transpose", ["turned"], ["flat"], perm=[1, 0]))
    model.graph.node.insert(1, helper.make_node("Unsqueeze", ["flat", "axis"], ["W_0"]))
    assert read(model)[0].equals(held("onnx", canonical))
    assert assert_conforms(model, inputs=X).worst <= 1


@pytest.mark.skipif("torch" not in TARGETS, reason="PyTorch is not installed")
def test_export_agrees_with_the_layer_from_a_state_under_lengths() -> None:
    """What a model of ONNX is given has names of its own; a wrong one is named."""
    import torch

    torch.manual_seed(0)
    gru = torch.nn.GRU(4, 5, batch_first=True)
    h = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
    lengths = np.array([9, 4, 6], np.int32)
    (canonical,) = read(gru)
    model = started(canonical)
    feed = {"inputs": X, "lengths": lengths, "initial_h_0": h[None]}
    given = {"inputs": X, "lengths": lengths, "initial_state": h}
    _, second = assert_agree(gru, model, other_inputs=feed, **given)
    assert "equals the weights of the first" in second.weights
    lost = canonical.weights.map(np.array)
    lost.layers[0].named["c"][...] = 0
    with pytest.raises(NonConforming, match="the second bias is lost"):
        assert_agree(gru, started(replace(canonical, weights=lost)), other_inputs=feed, **given)
    with pytest.raises(ValueError, match="inputs lack lengths"):
        assert_conforms(model, inputs={"inputs": X, "initial_h_0": h[None]})


def started(canonical: Any) -> Any:
    """A model that reads lengths and an initial state as well."""
    from rnn_conformance.adapters.onnx.graph import graph_of
    from rnn_conformance.adapters.onnx.network import model_of_graph, parameters

    kept = held("onnx", canonical)
    architecture = replace(kept.architecture, masking="lengths")
    return model_of_graph(architecture, graph_of(architecture, started=True), parameters(architecture, kept.weights))


def exported(path: Path, bidirectional: bool, final: bool) -> Any:
    """A torch model and what its exporter makes of it."""
    import torch

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = torch.nn.Embedding(20, 3)
            self.lstm = torch.nn.LSTM(3, 4, batch_first=True, bidirectional=bidirectional, num_layers=2)
            self.out = torch.nn.Linear(8 if bidirectional else 4, 3)

        def forward(self, tokens: Any) -> Any:
            outputs, (h, _) = self.lstm(self.embed(tokens))
            if final:
                return self.out(torch.cat([h[-2], h[-1]], -1) if bidirectional else h[-1])
            return torch.softmax(self.out(outputs), -1)

    torch.manual_seed(0)
    model = Model().eval()
    open_axes = {"tokens": {0: "batch", 1: "timesteps"}}
    names = {"input_names": ["tokens"], "output_names": ["out"], "dynamic_axes": open_axes}
    torch.onnx.export(model, (torch.ones(2, 5, dtype=torch.long),), path, dynamo=False, **names)
    return model


@pytest.mark.skipif("torch" not in TARGETS, reason="PyTorch is not installed")
@pytest.mark.parametrize(("bidirectional", "final"), [(False, False), (True, False), (False, True), (True, True)])
def test_exported_torch_model_goes_on(
    bidirectional: bool, final: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch.onnx.export, held against the model it came from, and ported whole."""
    import torch

    model = exported(tmp_path / "model.onnx", bidirectional, final)
    tokens = np.random.default_rng(0).integers(0, 20, (3, 7))
    first, second = assert_agree(model, str(tmp_path / "model.onnx"), inputs=tokens)
    assert len(first.layers) == len(second.layers) == 2
    targets = [name for name in ("keras", "flax-nnx", "torch") if name in TARGETS]
    target = targets[(bidirectional + final) % len(targets)]
    asked = [str(tmp_path / "model.onnx"), "--to", target, "--out", str(tmp_path / "ported")]
    done = CliRunner().invoke(cli, ["port", *asked])
    assert done.exit_code == 0, done.output
    assert "whole model proved" in done.output

    # What is not recurrent is carried as well.
    monkeypatch.syspath_prepend(str(tmp_path / "ported"))
    for name in ("load", "model"):
        sys.modules.pop(name, None)
    from load import load  # type: ignore[import-not-found]

    ends, ported = porter(target), load()
    calls, outputs = ends.watch(ported, ends.survey(ported, None), Arguments(tokens.astype(np.int32)))
    with torch.no_grad():
        h, wanted = model.lstm(model.embed(torch.tensor(tokens)))[0].numpy(), model(torch.tensor(tokens)).numpy()
    distance = np.abs(h - calls[-1].output.outputs).max()
    assert np.abs(outputs - wanted).max() <= distance_behind(model.out, distance)


def distance_behind(linear: Any, distance: float) -> float:
    """How far two models may be apart behind their Linear, where they are so far apart in front of it.

    That is the norm of its kernel times the distance, and each of the two sums is rounded: of n terms, none larger than
    its weight as |h| < 1, and a bias, by (n + 1) u of the sum of their sizes (Higham, Accuracy and Stability of
    Numerical Algorithms, 3.1). A softmax moves by no more than its inputs; its own numbers are below 1, and rounded in
    the difference to the largest, in exp (5 ULP, which clause 7.1 allows an activation), the sum and the quotient.
    """
    unit, n = np.finfo(np.float32).eps / 2, linear.in_features
    kernel, bias = np.abs(linear.weight.detach().numpy()), np.abs(linear.bias.detach().numpy())
    norm, sizes = kernel.sum(axis=1).max(), (kernel.sum(axis=1) + bias).max()
    softmax = (2 * sizes + 2 * 5 + linear.out_features + 1) * unit
    return float(norm * distance + 2 * (n + 1) * unit * sizes + 2 * softmax)


def test_what_is_no_model(tmp_path: Path) -> None:
    """Told in a line."""
    (tmp_path / "model.onnx").write_bytes(b"\xff\xff no model")
    done = CliRunner().invoke(
        cli, ["port", str(tmp_path / "model.onnx"), "--to", "torch", "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 2
    assert "is no ONNX model" in " ".join(done.output.split())
    with pytest.raises(ValueError, match=r"is no \.onnx file"):
        read("model.keras")


@pytest.mark.skipif("torch" not in TARGETS, reason="PyTorch is not installed")
def test_what_is_not_known_leaves_the_layers_untied(tmp_path: Path) -> None:
    """Each layer is proved by itself, and the way between them is a hole."""
    model = build("onnx", canonical_of(Layer(4, 5, Gru()), path="mine"))
    model.graph.node.append(helper.make_node("Exp", ["outputs"], ["more"], name="exp"))
    model.graph.output[0].name = "more"
    onnx.save(model, tmp_path / "model.onnx")
    asked = [str(tmp_path / "model.onnx"), "--to", "torch", "--out", str(tmp_path / "ported")]
    done = CliRunner().invoke(cli, ["port", *asked])
    assert done.exit_code == 0, done.output
    assert "its recurrent layers proved" in done.output
    assert "exp: Exp" in (tmp_path / "ported" / "model.py").read_text(encoding="utf-8")
