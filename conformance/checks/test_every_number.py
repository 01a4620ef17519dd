"""Clause 7.5 of SPEC.md: activations and their slopes at every number of half precision, and at many of others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.profiles import SIMPLE_RNN
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights

_UNITS, _BATCH = 8, 512
_DENSE = 80 * _UNITS * _BATCH
"""So many numbers of the types that have too many to go through."""


@pytest.mark.clause(
    "7.5", modes="main", dtypes=("float16", "bfloat16", "float32", "float64"), thrifty=(), cells=SIMPLE_RNN
)
def test_activations_and_slopes(check: Check) -> None:
    """tanh, sigmoid and their slopes are within the bound at every number of half types, and densely elsewhere."""
    names = [name for name in ("tanh", "sigmoid") if name in check.subject.description.activations]
    if not names:
        check.requires("tanh")
    with_gradients = check.offers("gradients")

    def examine(case: Case) -> bool:
        check.judge(case, check.run(case))
        if with_gradients:
            check.judge_gradients(case, check.gradients(case), only=lambda name: name == "inputs")
        return True

    numbers = _numbers(check)
    for name in names:
        check.every(_cases(check, name, numbers), examine, activation=name)


def _cases(check: Check, name: str, numbers: Array) -> Iterator[Case]:
    """One timestep from zeros, in which each unit has one input to itself: its pre-activation is that number."""
    identity = np.eye(_UNITS, dtype=numbers.dtype)
    named = {"W": identity, "U": np.zeros_like(identity), "b": np.zeros(_UNITS, numbers.dtype)}
    architecture = Architecture((Layer(_UNITS, _UNITS, SimpleRnn(name)),), dtype=check.dtype, mode=check.mode)
    for k, z in enumerate(numbers.reshape(-1, _BATCH, 1, _UNITS)):
        case = Case(architecture, _BATCH, 1, "unit", k)
        cotangent = Output(np.ones_like(z), case.arrays.cotangent.final_state)
        weights = Weights((LayerWeights(named),))
        yield case.with_arrays(replace(case.arrays, weights=weights, inputs=z, cotangent=cotangent))


def _numbers(check: Check) -> Array:
    """Every finite number of a type of two bytes; of others those of every magnitude, most of them where slopes are.

    They fill whole batches.
    """
    dtype = dtype_of(check.dtype)
    if dtype.itemsize == 2:
        patterns = np.arange(2**16, dtype=np.uint16).view(dtype)
        numbers = patterns[np.isfinite(patterns.astype(np.float32))]
    else:
        rng, info = np.random.default_rng(check.seed), np.finfo(dtype)
        small = np.exp2(rng.uniform(info.minexp - info.nmant, 1, _DENSE // 4))
        bent = rng.uniform(0, 45, _DENSE - len(small) - len(small) // 4)  # sigmoid's slope is there in float64, too
        far = np.exp2(rng.uniform(5, info.maxexp - 1, len(small) // 4))
        numbers = np.concatenate([small, bent, far])
        numbers = (numbers * rng.choice([-1, 1], len(numbers))).astype(dtype)
    return np.resize(numbers, -(-len(numbers) // (_UNITS * _BATCH)) * _UNITS * _BATCH)
