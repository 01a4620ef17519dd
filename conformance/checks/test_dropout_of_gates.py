"""Chapter 13 of SPEC.md: which gates of a cell share a mask of dropout, seen through units that one gate alone moves.

Something that is zero at the first timestep and positive at the second is read by as many groups of units as there are
gates, each group by one gate. A number that a gate reads makes the output of its unit rise from the first timestep to
the second; where the gate drops it, the output stays. So each group shows the mask of its gate, of the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np
import pytest

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.candidates import EXACT, candidate_alone
from rnn_conformance.conformance.cases.profiles import FLOAT32, GATED
from rnn_conformance.conformance.cases.wiring import ON, Gate, shown_candidate, wired
from rnn_conformance.conformance.checks.dropping import judge_share
from rnn_conformance.conformance.checks.roles import cell_that_shows
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import GuardedNetwork
from rnn_conformance.conformance.judging.comparing import NonConforming, check_shape
from rnn_conformance.conformance.witnesses.deviations import facts_of_gates
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.weights import LayerWeights, Weights

_RATE = 0.5
_READ, _BATCH, _CALLS = 16, 32, 6
"""So many numbers are read by each gate, in so many sequences and calls: 3072 in all."""

_RISE = 1 / 8
"""Less than any gate makes an output rise: through tanh and where a forget gate opens, it is 0.27."""


@pytest.mark.clause("13.8", modes="main", dtypes=FLOAT32, thrifty=(), cells=GATED)
def test_inputs_that_gates_drop(check: Check) -> None:
    """Of the inputs, gates drop the same numbers or each its own, as declared, and so beside recurrent dropout."""
    check.requires("dropout")
    cell = cell_that_shows(check, (*EXACT, "tanh"))
    layer = Layer(_READ, _READ * len(_seen(cell)), cell, dropout=_RATE)
    _in_a_model(check, layer)
    if check.offers("recurrent dropout"):
        _in_a_model(check, replace(layer, recurrent_dropout=_RATE))


@pytest.mark.clause("13.8", modes="main", dtypes=FLOAT32, thrifty=(), cells=GATED)
def test_state_that_gates_drop(check: Check) -> None:
    """Of h_{t-1}, all gates drop the same numbers or each its own, as declared."""
    check.requires("recurrent dropout")
    cell = cell_that_shows(check, (*EXACT, "tanh"))
    layer = Layer(_READ, _READ * (1 + len(_seen(cell))), cell, recurrent_dropout=_RATE)
    network = check.subject.network(Architecture((layer,), dtype=check.dtype, mode=check.mode))
    network.load(Weights((_watching(layer, "U", check.dtype),)))
    check.example(partial(_judge, check, network, layer, "state"), layers=1, **_facts(cell))


def _in_a_model(check: Check, layer: Layer) -> None:
    """Judge what a layer drops of its inputs: of a model's own, or of a layer's below where there is no dropout else.

    Raises Unsupported, as for the first, where there is neither.
    """
    units, reasons = layer.units, []
    # Layers of one width, since some have dropout between such only.
    below, upper = Layer(_READ, units, layer.cell), replace(layer, features=units)
    arrays = np.eye(units, _READ), np.zeros((units, units)), np.zeros(units)
    handed_on = candidate_alone(layer.cell, *(array.astype(check.dtype) for array in arrays))
    for layers in ((layer,), (below, upper)):
        try:
            network = check.subject.network(Architecture(layers, dtype=check.dtype, mode=check.mode))
        except Unsupported as reason:
            reasons.append(reason)
            continue
        weights = _watching(layers[-1], "W", check.dtype)
        network.load(Weights((handed_on, weights) if len(layers) > 1 else (weights,)))
        check.example(partial(_judge, check, network, layer, "inputs"), layers=len(layers), **_facts(layer.cell))
        return
    raise reasons[0]


def _facts(cell: Cell) -> Mapping[str, str]:
    return {"activation": cell.activation, **facts_of_gates(cell)}


def _seen(cell: Cell) -> list[str]:
    """The gates whose masks show: all but a reset gate that multiplies no recurrent bias."""
    resets_bias = isinstance(cell, Gru) and cell.reset == "after" and cell.recurrent_bias != "none"
    return [gate for gate in cell.gates if gate != "r" or resets_bias]


def _watching(layer: Layer, kernel: str, dtype: str) -> LayerWeights:
    """The weights of a group of units for each gate that is seen, which read the first numbers through that gate.

    What U is to read is a group of units before them, which give the same at every timestep.
    """
    cell, seen = layer.cell, ["", *_seen(layer.cell)] if kernel == "U" else _seen(layer.cell)
    groups = [_reads(cell, watched) for watched in seen]
    gates = {}
    for name in cell.gates:
        factors = np.array([group[name] for group in groups])
        block = np.kron(factors[:, :1], np.eye(_READ))
        gates[name] = Gate(**{kernel: block}, b=np.repeat(factors[:, 1], _READ))
    weights = wired(layer, gates, dtype, both_biases=True)
    if "r" not in seen:
        return weights
    c = weights.named["c"].copy()
    c[-layer.units :][_READ * seen.index("r") :][:_READ] = 1
    return weights.with_arrays(c=c)


def _reads(cell: Cell, watched: str) -> Mapping[str, tuple[float, float]]:
    """By what each gate multiplies a number, and what it adds, so that the watched one alone moves the output.

    At zero a watched gate is shut, and a positive number opens it; an update gate goes from the old output to the new.
    """
    held = shown_candidate(cell)
    reads = {gate: (0.0, float(np.max(held[gate].b))) for gate in held} | {cell.candidate: (0.0, 1.0)}
    if watched == cell.candidate:
        return reads | {watched: (1.0, 0.0)}
    if watched:
        open_ = float(np.max(ON.b if watched == "f" else held[watched].b))
        reads[watched] = (2 * open_, -open_)
    # Where the reset gate is open, a candidate is its recurrent bias of one.
    return reads | ({cell.candidate: (0.0, 0.0)} if watched == "r" else {})


def _judge(check: Check, network: GuardedNetwork, layer: Layer, what: str) -> bool:
    seen, rng = _seen(layer.cell), np.random.default_rng(check.seed)
    dropped = []
    for call in range(_CALLS):
        x = np.zeros((_BATCH, 2, _READ), check.dtype)
        x[:, 1] = rng.uniform(1, 2, (_BATCH, _READ))
        outputs = network.ask("run_training", x, check.seed + call).outputs.astype(np.float64)
        check_shape("outputs", outputs, (_BATCH, 2, layer.units))
        rise = outputs[:, 1, -_READ * len(seen) :] - outputs[:, 0, -_READ * len(seen) :]
        dropped.append((rise < _RISE).reshape(_BATCH, len(seen), _READ))
    masks = dict(zip(seen, np.stack(dropped).transpose(2, 0, 1, 3), strict=True))
    for gate, mask in masks.items():
        judge_share(f"of what the gate {gate} reads of the {what} is dropped", mask, _RATE)
    count = dict(zip(("inputs", "state"), check.subject.description.choices.masks(layer), strict=True))[what]
    for a, b in combinations(seen, 2):
        alike = masks[a] == masks[b]
        if count > 1:
            told = f"of pairs of what the gates {a} and {b} read of the {what}, each with a mask of its own, is alike"
            judge_share(told, alike, _RATE**2 + (1 - _RATE) ** 2)
        elif not alike.all():
            raise NonConforming(
                f"the gates {a} and {b} drop other numbers of the {what} in {(~alike).mean():.0%} of places, "
                "but should drop the same: the adapter declares one mask for all gates"
            )
    return True
