"""How large the numbers of a case can become on their way, whatever the order of summation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.states import state_arrays


def largest_sum(case: Case) -> float:
    """No partial sum can be larger than this: the model run on magnitudes, in float64. It starts from zeros."""
    layers = tuple(replace(layer, cell=replace(layer.cell, activation="linear")) for layer in case.architecture.layers)
    architecture = replace(case.architecture, layers=layers, return_sequences=True, return_state=True)
    weights = case.weights.map(lambda array: np.abs(array).astype(np.float64))
    final = network.run(architecture, weights, np.abs(case.inputs)).final_state
    return max(float(h.max(initial=0)) for _, h in state_arrays("final_state", final))
