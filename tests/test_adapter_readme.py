"""The adapter in adapters/README.md works as it stands."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks.catalogue import checks
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.selftest.trials import failure_of
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer
from rnn_conformance.reference.model.states import flat
from rnn_conformance.reference.model.weights import LayerWeights, Weights, parameter_count

LAYERS = (Layer(3, 5), Layer(5, 4))


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    """What the examples of the page set, one after the other."""
    text = (files("rnn_conformance.adapters") / "README.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {"__name__": "my_module"}
    for example in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        exec(compile(example, "README.md", "exec"), names)
    return names


@pytest.fixture(scope="module")
def adapter(written: dict[str, Any]) -> Any:
    return written["adapter"]


def _weights(seed: int) -> Weights:
    rng = np.random.default_rng(seed)
    return Weights(
        tuple(
            LayerWeights(
                {
                    "W": rng.normal(size=(layer.units, layer.features)),
                    "U": rng.normal(size=(layer.units, layer.units)),
                    "b": rng.normal(size=layer.units),
                }
            )
            for layer in LAYERS
        )
    )


@pytest.mark.parametrize("return_sequences", [True, False])
@pytest.mark.parametrize("from_state", [True, False])
def test_outputs_and_states(adapter: Any, return_sequences: bool, from_state: bool) -> None:
    architecture = Architecture(LAYERS, dtype="float64", return_sequences=return_sequences, return_state=True)
    prepared = adapter.prepare(architecture)
    rng = np.random.default_rng(7)
    inputs = rng.normal(size=(2, 6, 3))
    state = tuple(((rng.normal(size=(2, layer.units)),),) for layer in LAYERS) if from_state else None
    for seed in (1, 2):
        weights = _weights(seed)
        prepared.load(weights)
        actual = prepared.run(inputs, initial_state=state)
        wanted = network.run(architecture, weights, inputs, state)
        np.testing.assert_allclose(actual.outputs, wanted.outputs, rtol=0, atol=1e-14)
        for h, wanted_h in zip(flat(actual.final_state), flat(wanted.final_state), strict=True):
            np.testing.assert_allclose(h, wanted_h, rtol=0, atol=1e-14)


def test_weights_are_read_back_and_counted(adapter: Any) -> None:
    architecture = Architecture(LAYERS, dtype="float64")
    prepared = adapter.prepare(architecture)
    weights = _weights(3)
    prepared.load(weights)
    for (name, actual), (_, wanted) in zip(prepared.weights().arrays(), weights.arrays(), strict=True):
        assert actual.tobytes() == wanted.tobytes(), name
    assert prepared.parameter_count() == parameter_count(architecture)


@pytest.mark.parametrize(
    "architecture",
    [
        Architecture(LAYERS, batched=False),
        Architecture(LAYERS, Embedding(4, 3)),
        Architecture((Layer(3, 5, SimpleRnn("relu")),)),
        Architecture((Layer(3, 5, use_bias=False),)),
    ],
    ids=str,
)
def test_unsupported_is_refused_with_the_declared_reason(adapter: Any, architecture: Architecture) -> None:
    with pytest.raises(Unsupported) as refusal:
        adapter.prepare(architecture)
    assert str(refusal.value) in adapter.describe().unsupported.values()


@pytest.mark.parametrize(
    "name",
    [
        "test_values.py::test_recurrence",
        "test_masks.py::test_final_state_under_a_mask",
        "test_gradients.py::test_gradients_of_weights",
        "test_gradients.py::test_gradients_under_a_mask",
    ],
)
def test_function_with_lengths_and_gradients(written: dict[str, Any], name: str) -> None:
    """It conforms, in examples that could have told it from a wrong one."""
    check = Check(name, Subject(written["function"]), "float64", "eager", PROFILES["smoke"], 0, 1, Journal(None))
    assert failure_of(check, checks()[name]) is None
    assert check.evidence.discriminating
