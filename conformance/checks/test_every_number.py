"""Activations and their slopes at every number of half precision, densely elsewhere (7.5, 16.8, 16.10, 17.5, 17.7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.doors import Door, architecture_of
from rnn_conformance.conformance.cases.profiles import FLOAT32, GRU, LSTM, SIMPLE_RNN
from rnn_conformance.conformance.checks.roles import doors_to, has_state_given
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.reference.arithmetic.activations import HARD_SIGMOIDS
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.model.weights import Array, Weights

_ALL = ("float16", "bfloat16", "float32", "float64")
_UNITS, _BATCH = 8, 512
_DENSE = 80 * _UNITS * _BATCH
"""So many numbers of the types that have too many to go through."""


@pytest.mark.clause("7.5", modes="main", dtypes=_ALL, thrifty=(), cells=SIMPLE_RNN)
def test_activations_and_slopes(check: Check) -> None:
    """tanh, sigmoid and their slopes are within the bound at every number of half types, and densely elsewhere."""
    _through_doors(check, ("tanh", "sigmoid"))


@pytest.mark.clause("16.8", "7.5", modes="main", dtypes=_ALL, thrifty=FLOAT32, cells=LSTM)
def test_roles_of_lstm(check: Check) -> None:
    """tanh and sigmoid of each gate, of the candidate and of the output, and their slopes, are within the bound."""
    _through_doors(check, ("tanh", "sigmoid"))


@pytest.mark.clause("17.5", "7.5", modes="main", dtypes=_ALL, thrifty=FLOAT32, cells=GRU)
def test_roles_of_gru(check: Check) -> None:
    """tanh and sigmoid of both gates and of the candidate, and their slopes, are within the bound."""
    _through_doors(check, ("tanh", "sigmoid"))


@pytest.mark.clause("16.10", modes="main", dtypes=_ALL, thrifty=FLOAT32, cells=LSTM)
def test_hard_sigmoid_of_lstm(check: Check) -> None:
    """A hard sigmoid of a gate is the declared one, at every number of half types, and densely elsewhere."""
    _through_doors(check, tuple(HARD_SIGMOIDS))


@pytest.mark.clause("17.7", modes="main", dtypes=_ALL, thrifty=FLOAT32, cells=GRU)
def test_hard_sigmoid_of_gru(check: Check) -> None:
    """A hard sigmoid of a gate is the declared one, at every number of half types, and densely elsewhere."""
    _through_doors(check, tuple(HARD_SIGMOIDS))


def _through_doors(check: Check, names: Sequence[str]) -> None:
    """Judge what comes out of the doors to these activations, and the gradients of what comes in."""
    given = has_state_given(check)
    with_gradients = check.offers("gradients")
    numbers = _numbers(check, _DENSE // 4 if given else _DENSE)
    for cell, door in doors_to(check, names):
        enters = "initial_state" if door.by_c else "inputs"

        def examine(case: Case, enters: str = enters) -> bool:
            output = check.run(case, initial_state=case.initial_state if given else None)
            check.judge(case, output, from_given_state=given)
            if with_gradients:
                found = check.gradients(case, from_given_state=given)
                check.judge_gradients(case, found, only=lambda name: name.startswith(enters), from_given_state=given)
            return True

        check.every(_cases(check, cell, door, numbers), examine)


def _cases(check: Check, cell: Cell, door: Door, numbers: Array) -> Iterator[Case]:
    """One timestep in which each unit has one number to itself, which is what the activation is given."""
    architecture = architecture_of(cell, _UNITS, check.dtype, check.mode)
    weights = Weights((door.weights(architecture.layers[0], check.dtype),))
    for k, z in enumerate(numbers.reshape(-1, _BATCH, _UNITS)):
        case = Case(architecture, _BATCH, 1, "unit", k)
        inputs, state = door.given(z)
        drawn = case.arrays.cotangent
        cotangent = replace(door.cotangent(z), final_state=door.cotangent(z).final_state or drawn.final_state)
        arrays = replace(case.arrays, weights=weights, inputs=inputs, initial_state=state, cotangent=cotangent)
        yield case.with_arrays(arrays)


def _numbers(check: Check, dense: int) -> Array:
    """Every finite number of a type of two bytes; of others those of every magnitude, most of them where slopes are.

    They fill whole batches; a thrifty profile has one.
    """
    dtype = dtype_of(check.dtype)
    if dtype.itemsize == 2:
        patterns = np.arange(2**16, dtype=np.uint16).view(dtype)
        numbers = patterns[np.isfinite(patterns.astype(np.float32))]
    else:
        rng, info = np.random.default_rng(check.seed), np.finfo(dtype)
        small = np.exp2(rng.uniform(info.minexp - info.nmant, 1, dense // 4))
        bent = rng.uniform(0, 45, dense - len(small) - len(small) // 4)  # sigmoid's slope is there in float64, too
        far = np.exp2(rng.uniform(5, info.maxexp - 1, len(small) // 4))
        numbers = np.concatenate([small, bent, far])
        numbers = (numbers * rng.choice([-1, 1], len(numbers))).astype(dtype)
        if check.profile.thrifty:
            numbers = rng.choice(numbers, _UNITS * _BATCH)
    return np.resize(numbers, -(-len(numbers) // (_UNITS * _BATCH)) * _UNITS * _BATCH)
