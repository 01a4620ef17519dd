"""Clauses 2.8, 2.9 and 2.12 of SPEC.md: half precisions, mixed precision, and the types of tokens."""

from __future__ import annotations

from collections.abc import Set
from functools import partial

import numpy as np
import pytest

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.magnitudes import largest_sum
from rnn_conformance.conformance.cases.profiles import FLOAT32
from rnn_conformance.conformance.cases.regimes import TOKENS
from rnn_conformance.conformance.checks.few import few_cases
from rnn_conformance.conformance.checks.refusals import attempt
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import SubjectRaised
from rnn_conformance.conformance.judging.comparing import check_dtype, same_bits
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.weights import LayerWeights, Weights

_HALF = ("float16", "bfloat16")
_FLOAT16_ENDS = 65504


@pytest.mark.clause("2.8", "2.4", modes="main", dtypes=_HALF)
def test_half_precision(check: Check) -> None:
    """In float16 and bfloat16 each output follows from the one before it, within the rounding of the type."""
    _judged(check, "")


@pytest.mark.clause("2.9", "2.4", modes="main", dtypes=_HALF)
def test_mixed_precision(check: Check) -> None:
    """Weights kept in float32 are read back to the bit, and computed with as if rounded to the smaller type."""
    check.requires("mixed precision")
    _judged(check, "float32")


@pytest.mark.clause("2.9", modes="main", dtypes=_HALF)
def test_mixed_precision_rounds_weights(check: Check) -> None:
    """Of a weight kept in float32 and its rounded negative, each times the same input, exactly nothing is left."""
    check.requires("mixed precision")
    features, units = 2, 16
    dtype = dtype_of(check.dtype)

    def examine(activation: str) -> bool:
        rng = np.random.default_rng(check.seed)
        kept = rng.uniform(-2, 2, units).astype(np.float32)
        rounded = kept.astype(dtype).astype(np.float32)
        weights = LayerWeights(
            np.stack([kept, -rounded], axis=1), np.zeros((units, units), np.float32), np.zeros(units, np.float32)
        )
        architecture = Architecture(
            (Layer(features, units, activation),), dtype=check.dtype, mode=check.mode, weights_dtype="float32"
        )
        network = check.subject.network(architecture)
        network.load(Weights((weights,)))
        x = np.repeat(rng.uniform(1, 2, (2, 4, 1)), features, axis=2).astype(dtype)
        outputs = network.run(x).outputs
        same_bits("outputs", outputs, np.zeros((2, 4, units), dtype), "the weights cancel where both are rounded")
        left = (kept - rounded).max()
        return bool(left.astype(dtype) > 0)

    offered = [name for name in ("linear", "relu", "tanh") if check.offers(name)]
    check.example(lambda: examine(offered[0]), activation=offered[0], weights_dtype="float32")


def _judged(check: Check, weights_dtype: str) -> None:
    with_state = check.offers("final state")

    def examine(case: Case) -> Set[str] | None:
        grows = case.architecture.layers[0].activation in ("relu", "linear")
        if grows and check.dtype == "float16" and largest_sum(case) > _FLOAT16_ENDS / 2:
            return None
        network = check.network(case)
        for (name, array), (_, loaded) in zip(network.weights().arrays(), case.weights.arrays(), strict=True):
            same_bits(name, array, loaded, "it was loaded")
        output = network.run(case.inputs)
        check_dtype("outputs", output.outputs, check.dtype)
        for k, (h,) in enumerate(output.final_state or ()):
            check_dtype(f"final_state[{k}]", h, check.dtype)
        return {"2.4", "2.9" if weights_dtype else "2.8"} if check.judge(case, output) else {"2.4"}

    searches = ((("layer", "stack", "embedding"), True), (("layer",), False))
    for kinds, return_sequences in searches[: 1 if check.profile.thrifty else None]:
        check.for_all(
            kinds, examine, return_sequences=return_sequences, return_state=with_state, weights_dtype=weights_dtype
        )


@pytest.mark.clause("2.4", modes="main", dtypes=(*_HALF, "float32", "float64"), thrifty=(*_HALF, "float32"))
def test_types_of_gradients(check: Check) -> None:
    """The gradient of a weight has the dtype of the weight, and that of inputs and states the dtype of the layer."""
    check.requires("gradients")
    from_given_state = check.offers("initial state")

    def examine(case: Case) -> bool:
        found = check.gradients(case, from_given_state=from_given_state)
        wanted = {name: str(array.dtype) for name, array in case.weights.arrays()}
        for name, gradient in found.arrays():
            check_dtype(f"gradient of {name}", gradient, wanted.get(name, check.dtype))
        return True

    check.every(few_cases(check, ("layer",) if check.profile.thrifty else ("layer", "embedding")), examine)


@pytest.mark.clause("2.12", modes="main", thrifty=FLOAT32)
def test_types_of_tokens(check: Check) -> None:
    """Tokens give the bits that they give as int32, in every other type that holds and that the framework accepts."""
    check.requires("embedding")
    accepted: dict[str, bool] = {}

    def examine(case: Case) -> bool:
        assert case.architecture.embedding is not None
        network = check.network(case)
        outputs = network.run(case.inputs).outputs
        for dtype in check.some_of(TOKENS):
            if case.architecture.embedding.tokens - 1 > np.iinfo(dtype).max:
                continue
            result = attempt(partial(network.run, case.inputs.astype(dtype)))
            accepted[dtype] = not isinstance(result, SubjectRaised)
            if not isinstance(result, SubjectRaised):
                same_bits(f"outputs for {dtype} tokens", result.outputs, outputs, "the tokens are the same as int32")
        return any(accepted.values()) and bool(outputs.any())

    check.for_all("embedding", examine)
    check.evidence.measured["accepted"] = sorted(dtype for dtype, does in accepted.items() if does)
