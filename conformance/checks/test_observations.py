"""What subjects do where the specification is silent, recorded so that a change is seen on an upgrade.

A check of this file cites no clause and cannot fail. It says in a line what came out: shapes and numbers, or the
exception.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from rnn_conformance.conformance.cases.candidates import candidate_alone
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.profiles import SIMPLE_RNN
from rnn_conformance.conformance.cases.regimes import TOKENS
from rnn_conformance.conformance.checks.refusals import attempt, words
from rnn_conformance.conformance.checks.roles import cell_that_shows
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import GuardedNetwork, SubjectRaised
from rnn_conformance.reference.arithmetic.rounding import ulp
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers.gradients import second_gradient
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import state_arrays
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights, in_float64

_OBSERVED: dict[str, object] = {"modes": "main", "dtypes": ("float32",), "thrifty": ()}
_OF_SIMPLE_RNN = {**_OBSERVED, "cells": SIMPLE_RNN}
"""What has a meaning, or a reference, in the simple RNN alone."""

_NOTICEABLE = 1e-4
"""A thousand roundings of float32, far from any fault."""


@pytest.mark.clause(**_OBSERVED)
def test_observe_no_timesteps(check: Check) -> None:
    """A batch of sequences without a timestep."""
    case, network = _small(check)
    told = [_outcome(lambda: network.run(case.inputs[:, :0]))]
    if check.offers("initial state"):
        from_state = _outcome(lambda: network.run(case.inputs[:, :0], initial_state=case.initial_state))
        told.append(f"from a state, {from_state}")
    check.observe("; ".join(told))


@pytest.mark.clause(**_OBSERVED)
def test_observe_empty_batch(check: Check) -> None:
    """A batch of no sequences."""
    case, network = _small(check)
    check.observe(_outcome(lambda: network.run(case.inputs[:0])))


@pytest.mark.clause(**_OBSERVED)
def test_observe_length_zero(check: Check) -> None:
    """A sequence whose length is 0, in a batch with one that is longer."""
    check.requires("lengths")
    case, network = _small(check, masking="lengths")
    lengths = np.array([0, case.timesteps], np.int32)
    check.observe(_outcome(lambda: network.run(case.inputs, lengths=lengths), first=True))


@pytest.mark.clause(**_OBSERVED)
def test_observe_wholly_masked(check: Check) -> None:
    """A sequence without a valid timestep, in a batch with one that has only such."""
    check.requires("mask")
    case, network = _small(check, masking="mask")
    mask = np.ones((case.batch, case.timesteps), np.bool_)
    mask[0] = False
    check.observe(_outcome(lambda: network.run(case.inputs, mask=mask), first=True))


@pytest.mark.clause(**_OBSERVED)
def test_observe_integer_inputs(check: Check) -> None:
    """Whole numbers as int32, for a float32 layer."""
    case, network = _small(check)
    check.observe(_outcome(lambda: network.run(case.inputs.astype(np.int32)), like=network.run(case.inputs)))


@pytest.mark.clause(**_OBSERVED)
def test_observe_float64_inputs(check: Check) -> None:
    """Numbers in float64, for a float32 layer."""
    case, network = _small(check)
    check.observe(_outcome(lambda: network.run(case.inputs.astype(np.float64)), like=network.run(case.inputs)))


@pytest.mark.clause(**_OBSERVED)
def test_observe_types_of_tokens(check: Check) -> None:
    """Which types of integers an embedding takes its tokens in."""
    check.requires("embedding")
    case, network = _small(check, embedding=Embedding(5, 2))
    tried, refused = check.some_of(TOKENS, every=len(TOKENS)), {}
    for dtype in tried:
        result = attempt(partial(network.run, case.inputs.astype(dtype)))
        if isinstance(result, SubjectRaised):
            refused[dtype] = words(result, 80)
    accepted = [dtype for dtype in ("int32", *tried) if dtype not in refused]
    told = "".join(f"; {dtype}: {why}" for dtype, why in refused.items())
    check.observe(f"accepts {', '.join(accepted)}{told}")


@pytest.mark.clause(**_OBSERVED)
def test_observe_token_that_is_not_in_the_table(check: Check) -> None:
    """A token as large as the table has rows, and one that is negative."""
    check.requires("embedding")
    case, network = _small(check, embedding=Embedding(5, 2))
    told = []
    for token in (5, -1):
        inputs = case.inputs.copy()
        inputs[0, 0] = token
        told.append(f"{token}: {_outcome(partial(network.run, inputs))}")
    check.observe("; ".join(told))


@pytest.mark.clause(**_OBSERVED)
def test_observe_negative_strides(check: Check) -> None:
    """Inputs with negative strides, which not every framework can read."""
    case, network = _small(check)
    backwards = case.inputs[:, ::-1].copy()[:, ::-1]
    check.observe(_outcome(lambda: network.run(backwards), like=network.run(case.inputs)))


@pytest.mark.clause(**_OBSERVED)
def test_observe_gradient_of_relu_at_zero(check: Check) -> None:
    """The gradient of relu where its argument is exactly 0; of an LSTM that of two, one behind the other."""
    check.requires("relu")
    check.requires("gradients")
    network = _of_one_unit(check, cell_that_shows(check, ("relu",)))
    one = np.ones((1, 1, 1), check.dtype)
    result = attempt(lambda: network.gradients(0 * one, Output(one)))
    if isinstance(result, SubjectRaised) or result.inputs is None:
        check.observe(words(result) if isinstance(result, SubjectRaised) else "there is none")
    else:
        check.observe(f"{float(result.inputs.ravel()[0]):g}")


@pytest.mark.clause(**_OF_SIMPLE_RNN)
def test_observe_double_backward(check: Check) -> None:
    """The gradient of half the squared norm of the gradient of the inputs, as a gradient penalty needs it."""
    check.requires("double backward")
    check.requires("tanh")
    case = Case(Architecture((Layer(2, 3),), dtype=check.dtype, mode=check.mode), 2, 4, "unit", 0)
    network = check.network(case)
    result = attempt(lambda: network.ask("second_gradient", case.inputs, case.cotangent))
    if isinstance(result, SubjectRaised):
        check.observe(words(result))
        return
    wide = in_float64(case.weights)
    cotangent = Output(case.cotangent.outputs.astype(np.float64))
    expected = second_gradient(case.architecture, wide, case.inputs.astype(np.float64), cotangent)
    error = float((np.abs(result - expected) / np.abs(expected).max()).max())
    right = error < _NOTICEABLE
    check.observe(
        f"right to {_NOTICEABLE:g} of its largest number" if right else f"{error:.1g} of its largest number off"
    )


@pytest.mark.clause(**_OBSERVED)
def test_observe_subnormal_numbers(check: Check) -> None:
    """Whether subnormal numbers are kept, or flushed to zero."""
    cell = cell_that_shows(check, ("linear", "relu", "tanh"))
    activation, network = cell.activation, _of_one_unit(check, cell)
    tiny = np.full((1, 1, 1), np.finfo(check.dtype).tiny / 4, check.dtype)
    output = network.run(tiny).outputs
    check.observe(f"{activation}: {'kept' if (output == tiny).all() else f'flushed to {float(output[0, 0, 0]):g}'}")


@pytest.mark.clause(**_OF_SIMPLE_RNN)
def test_observe_negative_zero(check: Check) -> None:
    """Whether a layer without recurrence keeps the sign of -0.0."""
    # A gated cell always adds a zero to its candidate, which leaves 0.0 of -0.0.
    activation = _first_of(check, "linear", "relu", "tanh")
    network = _of_one_unit(check, SimpleRnn(activation))
    output = network.run(np.full((1, 1, 1), -0.0, check.dtype)).outputs
    check.observe(f"{activation}(1 * -0.0) = {float(output[0, 0, 0])}")


@pytest.mark.clause(**_OBSERVED)
def test_observe_batch_of_one(check: Check) -> None:
    """How far a sequence in a batch lies from the same sequence alone."""
    # Of these sizes, one alone is compiled for the errors over time (test_values.py), too.
    layer = Layer(3, 8, check.cells[0])
    case = Case(Architecture((layer,), dtype=check.dtype, mode=check.mode), 5, 200, "unit", 0)
    network = check.network(case)
    together = network.run(case.inputs).outputs
    alone = np.concatenate([network.run(row[np.newaxis]).outputs for row in case.inputs])
    error = np.abs(together.astype(np.float64) - alone)
    worst = float((error / ulp(alone, check.dtype)).max())
    check.observe(f"up to {worst:.0f} ULP" if worst else "the same bits")


def _small(check: Check, *, masking: str = "none", embedding: Embedding | None = None) -> tuple[Case, GuardedNetwork]:
    """A layer of 3 units in whole numbers, for 2 sequences of 4 timesteps, and its network."""
    architecture = Architecture(
        (Layer(2, 3, _cell(check)),),
        embedding,
        check.dtype,
        mode=check.mode,
        masking=masking,
        return_state=check.offers("final state"),
    )
    case = Case(architecture, 2, 4, "integers", 0, "full" if masking != "none" else "")
    return case, check.network(case)


def _of_one_unit(check: Check, cell: Cell) -> GuardedNetwork:
    """A layer that applies its activation to its input and has no memory; of a gated cell, the candidate alone."""
    network = check.subject.network(Architecture((Layer(1, 1, cell),), dtype=check.dtype, mode=check.mode))
    one = np.ones((1, 1), check.dtype)
    # Adding 0.0 would turn -0.0 into 0.0.
    arrays = {"W": one, "U": -0.0 * one, "b": -0.0 * one[0]}
    weights = LayerWeights(arrays) if len(cell.gates) == 1 else candidate_alone(cell, *arrays.values())
    network.load(Weights((weights,)))
    return network


def _cell(check: Check) -> Cell:
    """The usual variant; of the simple RNN one that shows whole numbers."""
    return SimpleRnn(_first_of(check, "relu", "linear")) if check.cell == "simple_rnn" else check.cells[0]


def _first_of(check: Check, *activations: str) -> str:
    """The first of these that the subject has, or any that it has."""
    return next((name for name in activations if check.offers(name)), check.subject.description.activations[0])


def _outcome(call: Callable[[], Output], *, first: bool = False, like: Output | None = None) -> str:
    """What came out of a call, in a line: how it compares with `like`, or else what it is.

    `first` asks for the numbers of the first sequence, in whole numbers or nearly so.
    """
    result = attempt(call)
    if isinstance(result, SubjectRaised):
        return words(result)
    outputs = np.asarray(result.outputs)
    if like is not None:
        same = outputs.shape == like.outputs.shape and bool((outputs == like.outputs).all())
        return f"{outputs.dtype} outputs, {'the same numbers' if same else 'other numbers'} as for {like.outputs.dtype}"
    told = f"outputs {_numbers(outputs[0]) if first else _shape(outputs)}"
    for _, h in state_arrays("final_state", result.final_state):
        told += f", state {_numbers(np.asarray(h)[0]) if first else _shape(np.asarray(h))}"
    return told


def _shape(array: Array) -> str:
    what = "" if np.isfinite(array).all() else ", not all finite"
    return f"of shape {array.shape}{what}"


def _numbers(array: Array) -> str:
    return str([float(f"{number:.4g}") for number in np.ravel(array)])
