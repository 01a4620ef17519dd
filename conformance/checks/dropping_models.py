"""Models wired so that every number that a layer drops shows in the outputs, and what is to be seen there.

With W = 1, a layer hands on its inputs, and with U = 0 nothing else: each output is 0, or the input divided by 1 - p.
With U = 1 as well, h_t - x_t is 0, or h_{t-1} divided by 1 - p. All numbers are positive, and the activation is relu or
linear, so that nothing else makes a zero. Gates are held open or shut (cases/candidates.py).
Where there is tanh alone, each output is 0, or what tanh makes of the input divided by 1 - p.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.candidates import EXACT, candidate_alone, hands_on
from rnn_conformance.conformance.checks.dropping import dropping
from rnn_conformance.conformance.checks.roles import cell_that_shows
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import GuardedNetwork
from rnn_conformance.conformance.witnesses.deviations import facts_of_gates
from rnn_conformance.reference.arithmetic.rounding import gamma
from rnn_conformance.reference.bounds.layers import expected_layer
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights, in_float64

RATE = 0.25
"""Its double, its half and 1 - p are far from it, and 1 - p is exact."""

UNITS = 64

_Layers = Sequence[tuple[Layer, LayerWeights]]

Seen = tuple[Array, Array, Array, Array]
"""Some outputs, what they are where something was dropped, what elsewhere, and within which bound."""

See = Callable[[Array, Array], Seen]
"""What is to be seen of inputs and outputs."""

Model = tuple[GuardedNetwork, See, Mapping[str, Any]]
"""A model that drops, how to see what it does, and what a known deviation may be about."""


def models(check: Check, feature: str, mode: str, below: Sequence[int]) -> Iterator[Model]:
    """Models in which a layer above so many others drops; raises Unsupported where the subject has none of them."""
    check.requires(feature)
    recurrent = feature == "recurrent dropout"
    cell = cell_that_shows(check, EXACT if recurrent else (*EXACT, "tanh"))
    seen = _state_seen if recurrent else _inputs_seen
    one, none = np.eye(UNITS, dtype=check.dtype), np.zeros((UNITS, UNITS), check.dtype)
    bias = np.zeros(UNITS, check.dtype)
    reasons = []
    for others in below:
        plain = Layer(UNITS, UNITS, cell)
        layers = (*(plain,) * others, dropping(plain, feature, RATE))
        try:
            network = check.subject.network(Architecture(layers, dtype=check.dtype, mode=mode))
        except Unsupported as reason:
            reasons.append(reason)
            continue
        handed_on, last = (
            candidate_alone(cell, one, none, bias),
            candidate_alone(cell, one, one if recurrent else none, bias),
        )
        weights = (*(handed_on,) * others, last)
        network.load(Weights(weights))
        of_layers = partial(seen, check, list(zip(layers, weights, strict=True)))
        facts = {"activation": cell.activation, **facts_of_gates(cell), "layers": others + 1, "mode": mode}
        yield network, of_layers, facts
    if len(reasons) == len(below):
        raise reasons[0]


def in_every_way(check: Check, features: Sequence[str]) -> Iterator[Model]:
    """A model with each feature in each way but the main one; raises Unsupported where there is none."""
    description, reasons = check.subject.description, []
    # What rounds its weights has no kernel of zeros, nor the identity.
    ways = [way for way in (*description.modes, *description.ways) if way not in (check.mode, *description.rounding)]
    for way, feature in product(ways, features):
        try:
            yield next(models(check, feature, way, (0, 1)))
        except Unsupported as reason:
            reasons.append(reason)
    if len(reasons) == len(ways) * len(features):
        raise reasons[0] if reasons else Unsupported("there is no further way to run a model")


def _inputs_seen(check: Check, layers: _Layers, x: Array, outputs: Array) -> Seen:
    if hands_on(layers[-1][0].cell):
        return outputs, np.zeros_like(x), x / (1 - RATE), _rounded(check, x / (1 - RATE))
    *below, last = layers
    u, value, error = check.precision.unit_roundoff, x, np.zeros_like(x)
    for layer in below:
        value, error = _through(check, layer, value, error)
    # A number that is kept is multiplied by the inverse of 1 - p, which is rounded.
    kept, error = value / (1 - RATE), (error + gamma(2, u) * (value + error)) / (1 - RATE)
    return outputs, np.zeros_like(x), *_through(check, last, kept, error)


def _through(check: Check, layer: tuple[Layer, LayerWeights], x: Array, error: Array) -> tuple[Array, Array]:
    """What a layer makes of inputs within an error, and within which bound."""
    made = expected_layer(layer[0], in_float64(layer[1]), x, None, check.precision, inputs_error=error).outputs
    return made.value, made.bound


def _rounded(check: Check, kept: Array) -> Array:
    """How far off such sums may be: 4 roundings, with one to spare, and 2 of the reference's own in float64."""
    # A number that is kept is multiplied by the inverse of 1 - p, which is rounded, and added to another.
    return (gamma(4, check.precision.unit_roundoff) + gamma(2, 2.0**-53)) * kept


def _state_seen(check: Check, layers: _Layers, x: Array, outputs: Array) -> Seen:
    kept = x[:, 1:] + outputs[:, :-1] / (1 - RATE)
    return outputs[:, 1:], x[:, 1:], kept, _rounded(check, kept)
