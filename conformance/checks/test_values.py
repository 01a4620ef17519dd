"""Chapter 1 of SPEC.md: values."""

from __future__ import annotations

from collections.abc import Set
from functools import partial

import numpy as np
import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.magnitudes import largest_sum
from rnn_conformance.conformance.cases.profiles import DTYPES, SIMPLE_RNN
from rnn_conformance.conformance.cases.regimes import orthogonal
from rnn_conformance.conformance.checks import laws
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import check_finite, compare, same_bits
from rnn_conformance.conformance.judging.outputs import reach_of
from rnn_conformance.reference.bounds.layers import expected_layer
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights, direction_shapes, in_float64

_GAINS = {"small": 0.5, "orthogonal": 1.0, "large": 2.0}
"""What an orthogonal U is multiplied with to see errors die out, last, and grow until the layer is chaotic."""

_LONG = 200
_SHOWN = np.unique(np.geomspace(1, _LONG, 40).astype(int))
"""The timesteps at which the report shows the error."""


@pytest.mark.clause("1.1", "1.3", "3.1", thrifty=DTYPES)
def test_recurrence(check: Check) -> None:
    """Each output follows from the one before it by one step of the recurrence."""

    def examine(case: Case) -> Set[str]:
        output = check.run(case)
        told = {"1.1"} if check.judge(case, output) else set()
        told |= {"1.3"} if laws.shows_time(case, output) else set()
        other_start = laws.reference_run(case, check.subject.description.choices, from_given_state=True)
        return told | ({"3.1"} if laws.tells(check, case, other_start, "valid outputs") else set())

    check.for_all("layer", examine)


@pytest.mark.clause("1.2")
def test_no_bias(check: Check) -> None:
    """A layer without bias follows the recurrence with b = 0."""
    check.requires("no bias")
    check.for_all("layer", lambda case: check.judge(case, check.run(case)), bias=False)


@pytest.mark.clause("1.4", thrifty=DTYPES)
def test_last_output(check: Check) -> None:
    """The last output is h_T, within the bound carried through time."""
    check.for_all("layer", lambda case: check.judge(case, check.run(case)), return_sequences=False)


@pytest.mark.clause("1.5")
def test_rows_are_independent(check: Check) -> None:
    """Other inputs in the rows of a batch beside it do not change a single bit of a row."""

    def examine(case: Case) -> bool:
        outputs = check.run(case).outputs
        inputs = case.next().inputs.copy()
        inputs[0] = case.inputs[0]
        other = check.run(case, inputs=inputs).outputs
        same_bits("outputs[0]", other[0], outputs[0], "only the other rows of the batch have changed")
        return bool((other[1:] != outputs[1:]).any())

    check.for_all("layer", examine, where=lambda structure: structure.batch > 1)


@pytest.mark.clause("1.6")
def test_the_past_does_not_depend_on_the_future(check: Check) -> None:
    """Other inputs from some timestep on do not change a single bit of the outputs before it."""

    def examine(case: Case) -> bool:
        split = 1 + case.seed % (case.timesteps - 1)
        outputs = check.run(case).outputs
        inputs = case.inputs.copy()
        inputs[:, split:] = case.next().inputs[:, split:]
        other = check.run(case, inputs=inputs).outputs
        same_bits(f"outputs[:, :{split}]", other[:, :split], outputs[:, :split], f"inputs[:, :{split}] are the same")
        return bool((other[:, split:] != outputs[:, split:]).any())

    check.for_all("layer", examine, where=lambda structure: structure.timesteps > 1)


@pytest.mark.clause("1.7", cells=SIMPLE_RNN)
def test_permuting_units(check: Check) -> None:
    """Permuted units give permuted outputs, exactly where the arithmetic is exact."""

    def examine(case: Case) -> bool:
        (layer,) = case.weights.layers
        order = np.random.default_rng(case.seed).permutation(len(layer.U))
        permuted = layer.with_arrays(
            W=layer.W[order], U=layer.U[np.ix_(order, order)], b=None if layer.b is None else layer.b[order]
        )
        outputs = check.run(case).outputs
        other = check.run(case, weights=Weights((permuted,))).outputs
        same_bits("outputs of permuted units", other, outputs[..., order], "the units were only given another order")
        return bool((outputs[..., order] != outputs).any())

    check.for_all("layer", examine, regimes=["integers"], activations=["relu", "linear"])


@pytest.mark.clause(
    "1.8",
    dtypes=("float16", "bfloat16", "float32", "float64"),
    thrifty=("float16", "float32", "float64"),
    cells=SIMPLE_RNN,
)
def test_exact_arithmetic(check: Check) -> None:
    """Small whole numbers give exactly what the recurrence says."""

    def examine(case: Case) -> bool | None:
        # What is added up has to be exact, and so has what is stored from step to step.
        if largest_sum(case) >= 1 / max(check.precision.unit_roundoff, check.precision.eps / 2):
            return None
        output = check.run(case)
        exact = in_float64(case.weights)
        expected = network.run(case.architecture, exact, case.inputs).outputs.astype(output.outputs.dtype)
        same_bits("outputs", output.outputs, expected, "every sum is exactly representable")
        return bool(expected.any()) and case.timesteps > 1

    check.for_all(("layer", "stack"), examine, regimes=["integers"], activations=["relu", "linear"], few=True)


@pytest.mark.clause("1.10", "2.3")
def test_single_sequence(check: Check) -> None:
    """A sequence without a batch axis gives what the recurrence says, in both return modes."""
    check.requires("single sequence")

    def examine(case: Case) -> Set[str]:
        return {"1.10", "2.3"} if check.judge(case, check.run(case)) else {"2.3"}

    for return_sequences in (True,) if check.profile.thrifty else (True, False):
        check.for_all("layer", examine, return_sequences=return_sequences, batched=False, few=True)


@pytest.mark.clause("1.1", modes="main", thrifty=DTYPES)
def test_error_over_time(check: Check) -> None:
    """Over 200 timesteps errors stay within the bound carried through time, for small, orthogonal and large U."""
    cell = check.cells[0]
    if check.cell == "simple_rnn":
        check.requires("tanh")
        cell = SimpleRnn("tanh")
    measured = check.evidence.measured
    measured["timestep"] = _SHOWN.tolist()

    def examine(kernel: str) -> bool:
        layer = Layer(3, 8, cell)
        weights, inputs = _long_sequence(layer, kernel, check.dtype, check.seed)
        architecture = Architecture((layer,), dtype=check.dtype, mode=check.mode)
        subject = check.subject.network(architecture)
        subject.load(Weights((weights,)))
        outputs = subject.run(inputs).outputs
        check_finite("outputs", outputs)
        expected = expected_layer(layer, in_float64(weights), inputs.astype(np.float64), None, check.precision).outputs
        for name, errors in (kernel, np.abs(outputs - expected.value)), (f"bound {kernel}", expected.bound):
            measured[name] = [float(f"{error:.3g}") for error in errors[0].max(-1)[_SHOWN - 1]]
        reach = reach_of(architecture, "outputs") or np.inf
        grown = np.flatnonzero(expected.bound[0].max(-1) > reach)  # in a chaotic layer, errors grow out of all bounds
        judged = slice(0, grown[0] if len(grown) else None)
        judgement = compare(
            "outputs",
            outputs[:, judged],
            expected.value[:, judged],
            expected.bound[:, judged],
            check.dtype,
            lambda at: f"layer 0, timestep {at[1]}, unit {at[2]}, {kernel} U, seed {check.seed}",
            reach,
        )
        check.evidence.add(judgement, None)
        return bool((np.abs(expected.value - expected.without_recurrence) > expected.bound).any())

    for kernel in _GAINS:
        check.example(partial(examine, kernel), activation=cell.activation)


def _long_sequence(layer: Layer, kernel: str, dtype: str, seed: int) -> tuple[LayerWeights, Array]:
    """A layer without biases, its U orthogonal times a gain for each gate, and inputs (1, timesteps, features)."""
    rng, shapes = np.random.default_rng(seed), direction_shapes(layer)
    named = {name: np.zeros(shape) for name, shape in shapes.items()}
    named["W"] = rng.standard_normal(shapes["W"])
    inputs: Array = rng.standard_normal((1, _LONG, layer.features))
    named["U"] = np.concatenate([orthogonal(rng, layer.units) for _ in layer.cell.gates]) * _GAINS[kernel]
    return LayerWeights({name: array.astype(dtype) for name, array in named.items()}), inputs.astype(dtype)
