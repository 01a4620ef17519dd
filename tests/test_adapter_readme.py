"""The adapter in adapters/README.md works as it stands."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import numpy as np
import pytest

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer
from rnn_conformance.reference.model.states import flat
from rnn_conformance.reference.model.weights import LayerWeights, Weights, parameter_count

LAYERS = (Layer(3, 5), Layer(5, 4))


@pytest.fixture(scope="module")
def adapter() -> Any:
    text = (files("rnn_conformance.adapters") / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    return names["adapter"]


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
