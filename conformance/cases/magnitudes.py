"""How large the numbers of a case can become on their way, whatever the order of summation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.weights import LayerWeights, Weights


def largest_sum(case: Case) -> float:
    """No partial sum can be larger than this: the model run on magnitudes, in float64. It starts from zeros."""
    layers = tuple(replace(layer, activation="linear") for layer in case.architecture.layers)
    architecture = replace(case.architecture, layers=layers, return_sequences=True, return_state=True)
    table = case.weights.embedding
    weights = Weights(
        tuple(_magnitudes(layer) for layer in case.weights.layers),
        None if table is None else np.abs(table).astype(np.float64),
    )
    final = network.run(architecture, weights, np.abs(case.inputs)).final_state
    assert final is not None
    return max(float(h.max(initial=0)) for layer in final for h in layer)


def _magnitudes(layer: LayerWeights) -> LayerWeights:
    W, U, b = (None if array is None else np.abs(array).astype(np.float64) for array in (layer.W, layer.U, layer.b))
    assert W is not None
    assert U is not None
    return LayerWeights(W, U, b, None if layer.backward is None else _magnitudes(layer.backward))
