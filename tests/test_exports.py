"""Exports: how many are made, that each load reaches what was made before, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adapting import run_script

from rnn_conformance.adapters import registry
from rnn_conformance.adapters.exports.kept import Exports, forget
from rnn_conformance.adapters.exports.marks import Layout, Marked, marks
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.judging.outputs import judge
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Architecture, Layer

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of among themselves is no error of ours

NAMES = [name for name in registry.registered() if "+" in name]


@pytest.fixture(autouse=True)
def nothing_exported() -> Iterator[None]:
    """As in a process that has just begun."""
    forget()
    yield
    forget()


def test_a_model_is_exported_once() -> None:
    """And again when all was forgotten."""
    exports, made = Exports(), []
    for k in [0, 1, 0]:
        assert exports.get(k, lambda k=k: made.append(k) or k) == k  # type: ignore[misc]
    assert made == [0, 1]
    forget()
    assert exports.get(0, lambda: 2) == 2


def test_weights_are_found_by_their_marks() -> None:
    """Transposed or joined with other constants, wherever an exporter puts them; what is no weight stays."""
    shapes = [(2, 3), (3,)]
    kernel, bias = marks(shapes)
    constants = [kernel.T.ravel(), np.append(bias, np.float32(7))]
    marked = Marked(constants, shapes, Layout(lambda content: content, lambda _, constants: constants))
    weights = [np.arange(6, dtype=np.float32).reshape(2, 3), np.float32([6, 8, 9])]
    filled = marked.filled(weights)
    np.testing.assert_array_equal(filled[0], weights[0].T.ravel())
    np.testing.assert_array_equal(filled[1], [6, 8, 9, 7])
    for found, loaded in zip(marked.weights_in(filled), weights, strict=True):
        np.testing.assert_array_equal(found, loaded)
    np.testing.assert_array_equal(constants[1][:3], bias)


def test_weights_that_an_exporter_computes_with_are_not_found() -> None:
    """A mark that is not there would leave a weight of the export in place of the one that is loaded."""
    (kernel,) = marks([(2, 3)])
    layout = Layout(lambda content: content, lambda _, constants: constants)
    with pytest.raises(ValueError, match="computes with the weights"):
        Marked([kernel.ravel()[:5], kernel.ravel()[5:] + 1], [(2, 3)], layout)


def test_an_export_is_named_after_its_two_ends() -> None:
    """And its extra by a name that an extra can have."""
    assert {"torch+onnxruntime", "torch+openvino", "jax+export", "jax+jax2tf", "keras-tensorflow+litert"} <= {*NAMES}
    assert registry.registered()["torch+openvino"].how_to_install == "pip install 'rnn-conformance[torch-openvino]'"


def loaded(name: str) -> Any:
    """The adapter of an export, if what it needs is here."""
    found = registry.registered()[name]
    if found.missing:
        pytest.skip(f"{', '.join(found.missing)} is not installed")
    return registry.load(name)


def prepared(name: str, architecture: Architecture) -> tuple[Any, Case]:
    """A network of such an export with weights in it, and the case that they are from."""
    adapter = loaded(name)
    case = Case(replace(architecture, mode=adapter.describe().modes[0]), 2, 4, "unit", 1)
    network = adapter.prepare(case.architecture)
    network.load(case.weights)
    return network, case


@pytest.mark.parametrize("name", NAMES)
def test_weights_that_are_loaded_reach_what_was_exported(name: str) -> None:
    """A call, other weights, and a call: the outputs are others, and with the first weights the first ones again."""
    network, case = prepared(name, Architecture((Layer(2, 3, loaded(name).describe().variants_of("lstm")[0]),)))
    before = network.run(case.inputs).outputs
    network.load(case.next().weights)
    assert not np.array_equal(network.run(case.inputs).outputs, before)
    network.load(case.weights)
    np.testing.assert_array_equal(network.run(case.inputs).outputs, before)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("keras")])
@pytest.mark.parametrize("cell", ["simple_rnn", "lstm", "gru"])
def test_weights_are_what_would_have_been_exported(
    name: str, cell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in a model in place of its marks gives the bits that an export of these weights gives."""
    monkeypatch.chdir(tmp_path)  # a script exports to a file
    network, case = prepared(name, Architecture((Layer(2, 3, loaded(name).describe().variants_of(cell)[0]),)))
    exported = run_script(loaded(name), case, "outputs", None)["outputs"]
    np.testing.assert_array_equal(network.run(case.inputs).outputs, exported)


@pytest.mark.parametrize("name", NAMES)
def test_batches_of_other_sizes(name: str) -> None:
    """The batch is open: three sequences are within their bounds, where two were exported."""
    network, case = prepared(name, Architecture((Layer(2, 3),)))
    network.run(case.inputs)
    three, description = replace(case, batch=3), loaded(name).describe()
    network.load(three.weights)
    precision = description.precision[three.architecture.dtype]
    assert judge(three, network.run(three.inputs), precision, description.choices).discriminates


def test_timesteps_of_which_each_is_exported_by_itself() -> None:
    """Each step is traced, and so a long sequence is refused, in words."""
    network, case = prepared("torch+onnxruntime", Architecture((Layer(2, 3),)))
    with pytest.raises(Unsupported, match="traces each timestep"):
        network.run(np.repeat(case.inputs, 40, axis=1))


def test_kinds_of_cells_in_one_stack() -> None:
    """The states of a stack are told apart by how many parts they have, which is one number."""
    with pytest.raises(Unsupported, match="of one kind"):
        prepared("torch+onnxruntime", Architecture((Layer(2, 3), Layer(3, 3, Lstm(recurrent_bias="all")))))


def test_what_was_saved_has_gradients_once() -> None:
    """A step of training goes where the loaded gradient points; the gradient of that one TensorFlow cannot tell."""
    network, case = prepared("jax+jax2tf", Architecture((Layer(2, 3),)))
    targets = np.zeros_like(network.run(case.inputs).outputs)

    def error() -> float:
        return float(np.mean((network.run(case.inputs).outputs - targets) ** 2))

    before = error()
    network.train(case.inputs, targets, 0.1)
    assert error() < before
    assert "out of scope" in loaded("jax+jax2tf").describe().lacks("double backward")


def test_networks_that_share_what_was_saved() -> None:
    """Each has its own weights, though the variables are one network's after the other's."""
    (one, case), (other, _) = (prepared("jax+jax2tf", Architecture((Layer(2, 3),))) for _ in range(2))
    before = one.run(case.inputs).outputs
    other.load(case.next().weights)
    assert not np.array_equal(other.run(case.inputs).outputs, before)
    np.testing.assert_array_equal(one.run(case.inputs).outputs, before)
    for read, given in zip(other.weights().arrays(), case.next().weights.arrays(), strict=True):
        np.testing.assert_array_equal(read[1], given[1])
