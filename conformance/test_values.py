"""Chapter 1 of SPEC.md: values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rnn_conformance.conformance.cases import Case
from rnn_conformance.conformance.check import Check
from rnn_conformance.conformance.judging import same_bits
from rnn_conformance.reference import network
from rnn_conformance.reference.architecture import Architecture, Layer, LayerWeights, Weights


@pytest.mark.clause("1.1", "1.3", "3.1")
def test_recurrence(check: Check) -> None:
    """Each output follows from the one before it by one step of the recurrence."""
    check.for_all("layer", lambda case: check.judge(case, check.run(case)))


@pytest.mark.clause("1.2")
def test_no_bias(check: Check) -> None:
    """A layer without bias follows the recurrence with b = 0."""
    check.requires("no bias")
    check.for_all("layer", lambda case: check.judge(case, check.run(case)), bias=False)


@pytest.mark.clause("1.4")
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


@pytest.mark.clause("1.7")
def test_permuting_units(check: Check) -> None:
    """Permuted units give permuted outputs, exactly where the arithmetic is exact."""

    def examine(case: Case) -> bool:
        (layer,) = case.weights.layers
        order = np.random.default_rng(case.seed).permutation(len(layer.U))
        permuted = LayerWeights(
            layer.W[order], layer.U[np.ix_(order, order)], None if layer.b is None else layer.b[order]
        )
        outputs = check.run(case).outputs
        other = check.run(case, weights=Weights((permuted,))).outputs
        same_bits("outputs of permuted units", other, outputs[..., order], "the units were only given another order")
        return bool((outputs[..., order] != outputs).any())

    check.for_all("layer", examine, regimes=["integers"], activations=["relu", "linear"])


@pytest.mark.clause("1.8")
def test_exact_arithmetic(check: Check) -> None:
    """Small whole numbers give exactly what the recurrence says."""

    def examine(case: Case) -> bool | None:
        if _largest_sum(case) >= 2.0 ** np.finfo(check.dtype).nmant:
            return None
        output = check.run(case)
        expected = network.run(case.architecture, case.weights, case.inputs)
        same_bits("outputs", output.outputs, expected.outputs, "every sum is exactly representable")
        return bool(expected.outputs.any()) and case.timesteps > 1

    check.for_all(("layer", "stack"), examine, regimes=["integers"], activations=["relu", "linear"])


def _largest_sum(case: Case) -> float:
    """No partial sum can be larger than this: the model run on magnitudes, in float64."""
    layers = [[np.abs(array).astype(np.float64) for _, array in layer.arrays()] for layer in case.weights.layers]
    linear = replace(
        case.architecture, layers=tuple(replace(layer, activation="linear") for layer in case.architecture.layers)
    )
    state = replace(linear, return_sequences=True, return_state=True)
    final = network.run(
        state, Weights(tuple(LayerWeights(*layer) for layer in layers)), np.abs(case.inputs)
    ).final_state
    assert final is not None
    return max(float(h.max(initial=0)) for (h,) in final)


@pytest.mark.clause("1.9")
def test_shift_register(check: Check) -> None:
    """A tanh layer wired as a shift register passes 0, 1 and -1 along, exactly, for 200 timesteps."""

    def examine() -> bool:
        units, timesteps = 7, 200 if check.in_main_mode else 30
        # Every pre-activation is 0 or +-64: tanh is exactly 0 there, or rounds to +-1 in every precision.
        W = np.zeros((units, 1), check.dtype)
        W[0] = 64
        U = np.eye(units, k=-1, dtype=check.dtype) * 64
        signal = np.random.default_rng(check.seed).choice([-1, 0, 1], (2, timesteps, 1)).astype(check.dtype)
        architecture = Architecture((Layer(1, units),), dtype=check.dtype, mode=check.mode)
        subject = check.subject.network(architecture)
        subject.load(Weights((LayerWeights(W, U, np.zeros(units, check.dtype)),)))
        expected = np.zeros((2, timesteps, units), check.dtype)
        for k in range(units):
            expected[:, k:, k] = signal[:, : timesteps - k, 0]
        same_bits("outputs", subject.run(signal).outputs, expected, "unit k repeats the input k steps later")
        return True

    check.example(examine)


@pytest.mark.clause("1.10", "2.3")
def test_single_sequence(check: Check) -> None:
    """A sequence without a batch axis gives what the recurrence says, in both return modes."""
    check.requires("single sequence")
    for return_sequences in (True, False):
        check.for_all(
            "layer",
            lambda case: check.judge(case, check.run(case)),
            return_sequences=return_sequences,
            batched=False,
        )
