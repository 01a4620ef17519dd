"""Clauses 2.4, 2.8, 2.9, 2.12 and 2.13: half precisions, mixed precision, wider sums, and the types of tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pytest

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.magnitudes import largest_sum
from rnn_conformance.conformance.cases.profiles import GATED, SIMPLE_RNN
from rnn_conformance.conformance.cases.regimes import TOKENS
from rnn_conformance.conformance.cases.wiring import Gate, shown_gate, wired
from rnn_conformance.conformance.checks.few import few_cases
from rnn_conformance.conformance.checks.refusals import attempt
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import SubjectRaised
from rnn_conformance.conformance.judging.comparing import check_dtype, same_bits
from rnn_conformance.conformance.judging.outputs import expectations
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import state_arrays
from rnn_conformance.reference.model.weights import LayerWeights, Weights, direction_shapes

_HALF = ("float16", "bfloat16")
_FLOAT16_ENDS = 65504
_TERMS, _TERMS_OF_GATES = 256, 512
_READ = 1 / 8
"""What gates read so many of: small, since each weight that multiplies it may be read as zero where it is subnormal."""


@pytest.mark.clause("2.8", "2.4", modes="main", dtypes=_HALF, thrifty=("bfloat16",))
def test_half_precision(check: Check) -> None:
    """In float16 and bfloat16 each output follows from the one before it, within the rounding of the type."""
    _judged(check, "")


@pytest.mark.clause("2.9", "2.4", modes="main", dtypes=_HALF)
def test_mixed_precision(check: Check) -> None:
    """Weights kept in float32 are read back to the bit, and computed with as if rounded to the smaller type."""
    check.requires("mixed precision")
    _judged(check, "float32")


@pytest.mark.clause("2.9", modes="main", dtypes=_HALF, thrifty=("bfloat16",))
def test_mixed_precision_rounds_weights(check: Check) -> None:
    """Of a weight kept in float32 and its rounded negative, each times the same input, exactly nothing is left."""
    check.requires("mixed precision")
    features, units = 2, 16
    dtype = dtype_of(check.dtype)

    def examine(cell: Cell) -> bool:
        layer, rng = Layer(features, units, cell), np.random.default_rng(check.seed)
        named = {name: np.zeros(shape, np.float32) for name, shape in direction_shapes(layer).items()}
        kept = rng.uniform(-2, 2, len(named["W"])).astype(np.float32)
        rounded = kept.astype(dtype).astype(np.float32)
        named["W"] = np.stack([kept, -rounded], axis=1)
        architecture = Architecture((layer,), dtype=check.dtype, mode=check.mode, weights_dtype="float32")
        network = check.subject.network(architecture)
        network.load(Weights((LayerWeights(named),)))
        x = np.repeat(rng.uniform(1, 2, (2, 4, 1)), features, axis=2).astype(dtype)
        outputs = network.run(x).outputs
        # Where gates are 1/2 and the candidate is 0, so is what they make of a state of zeros.
        same_bits("outputs", outputs, np.zeros((2, 4, units), dtype), "the weights cancel where both are rounded")
        left = (kept - rounded).max()
        return bool(left.astype(dtype) > 0)

    of_name = {cell.activation: cell for cell in reversed(check.cells)}
    offered = [of_name[name] for name in ("linear", "relu", "tanh") if name in of_name]
    if not offered:
        raise Unsupported(f"no activation of a candidate of {check.cell} is 0 for nothing")
    check.example(lambda: examine(offered[0]), activation=offered[0].activation, weights_dtype="float32")


@pytest.mark.clause("2.13", modes="main", dtypes=_HALF, thrifty=("float16",), cells=SIMPLE_RNN)
def test_wider_sums(check: Check) -> None:
    """After terms of 1 come terms so small that an addition in the type itself loses each, and they arrive all."""
    if not check.precision.sums_are_wider:
        raise Unsupported(f"no wider sums than {check.dtype} are declared for {check.dtype}")
    growing = [name for name in ("relu", "linear") if check.offers(name)]
    if not growing:
        raise Unsupported("neither relu nor linear is offered, and the others saturate")
    layer = Layer(_TERMS, _TERMS, SimpleRnn(growing[0]))
    returning = Architecture((layer,), dtype=check.dtype, mode=check.mode)
    sums = {case: (t, lost) for case, t, lost in _sums(Case(returning, 1, 2, "unit", 0), check.precision.eps / 2)}

    def examine(case: Case) -> bool:
        output = check.run(case)
        check.judge(case, output)
        choices = check.subject.description.choices
        (_, _, expected), *_ = expectations(case, output, check.precision, choices, from_given_state=False)
        t, lost = sums[case]
        return bool((lost > expected.bound[:, t]).all())

    check.every(sums, examine)


def _sums(case: Case, small: float) -> Iterator[tuple[Case, int, float]]:
    """The case with such sums, at which timestep they are, and what of them is lost if they are added one by one.

    There are as many terms of 1 as open each lane of a vector, before the small ones or, for a sum that begins at the
    other end, behind them. They stand in W and then in U, whose sum is one of the second timestep, of states of 1.
    """
    dtype = dtype_of(case.architecture.dtype)
    nothing, x = np.zeros((_TERMS, _TERMS), dtype), np.ones(case.inputs.shape, dtype)
    for openers in (1, 8, 32):
        row = np.full(_TERMS, small)
        row[:openers] = 1
        for terms in (row, row[::-1]):
            kernel = np.tile(terms, (_TERMS, 1)).astype(dtype)
            in_W = LayerWeights({"W": kernel, "U": nothing, "b": np.zeros(_TERMS, dtype)})
            in_U = LayerWeights({"W": nothing, "U": kernel, "b": np.ones(_TERMS, dtype)})
            for t, one in enumerate((in_W, in_U)):
                arrays = replace(case.arrays, weights=Weights((one,)), inputs=x)
                yield case.with_arrays(arrays), t, (_TERMS - openers) * small
                case = case.next()


@pytest.mark.clause("2.13", modes="main", dtypes=_HALF, thrifty=("float16",), cells=GATED)
def test_wider_sums_of_gates(check: Check) -> None:
    """Between a term of 1 and one of -1 stand some so small that an addition in the type loses each, and all arrive."""
    if not check.precision.sums_are_wider:
        raise Unsupported(f"no wider sums than {check.dtype} are declared for {check.dtype}")
    check.requires("initial state")
    cell = next((cell for cell in check.cells if cell.activation == "tanh"), None)
    if cell is None:
        raise Unsupported(f"no {check.cell} of the adapter has tanh for its candidate")
    architecture = Architecture((Layer(_TERMS_OF_GATES, _TERMS_OF_GATES, cell),), dtype=check.dtype, mode=check.mode)
    # In a thrifty profile each gate with one kernel, in one order.
    kinds = check.some_of(list(product(cell.gates, (1, -1), ("W", "U"))), every=4)
    sums = dict(_cancelling_sums(Case(architecture, 1, 1, "unit", 0), check.precision.eps / 4, kinds))

    def examine(case: Case) -> bool:
        output = check.run(case, initial_state=case.initial_state)
        check.judge(case, output, from_given_state=True)
        right, lost = (_expected(check, each, output) for each in (case, sums[case]))
        return bool((np.abs(right.value - lost.value) > right.bound).all())

    check.every(sums, examine)


def _expected(check: Check, case: Case, output: Output) -> Expected:
    choices = check.subject.description.choices
    (_, _, expected), *_ = expectations(case, output, check.precision, choices, from_given_state=True)
    return expected


def _cancelling_sums(case: Case, small: float, kinds: Iterable[tuple[str, int, str]]) -> Iterator[tuple[Case, Case]]:
    """The case with such sums for a gate, which alone is shown, and with sums of nothing but 1 and -1.

    What is asked for is a gate, in which order the terms stand, and in which kernel: in W, which is multiplied with the
    inputs, or in U, with the initial state.
    """
    layer, dtype = case.architecture.layers[0], case.architecture.dtype
    nothing, read = np.zeros(case.inputs.shape, dtype_of(dtype)), np.full(case.inputs.shape, _READ, dtype_of(dtype))
    ends, drawn = np.zeros(_TERMS_OF_GATES), case.arrays
    ends[0], ends[-1] = 1, -1
    for watched, order, kernel in kinds:
        gates, start = shown_gate(layer.cell, watched, _READ)
        state = tuple(np.full_like(read[:, 0], number) for number in start)
        arrays = replace(drawn, inputs=read if kernel == "W" else nothing, initial_state=((state,),))
        sums = []
        for terms in (np.where(ends, ends, small)[::order], ends[::order]):
            reads = Gate(**{kernel: np.tile(terms / _READ, (_TERMS_OF_GATES, 1))})
            weights = Weights((wired(layer, {**gates, watched: reads}, dtype),))
            sums.append(case.with_arrays(replace(arrays, weights=weights)))
        yield sums[0], sums[1]
        case = case.next()


def _judged(check: Check, weights_dtype: str) -> None:
    with_state = check.offers("final state")

    def examine(case: Case) -> Set[str] | None:
        grows = case.architecture.layers[0].cell.activation in ("relu", "linear")
        if grows and check.dtype == "float16" and largest_sum(case) > _FLOAT16_ENDS / 2:
            return None
        network = check.network(case)
        for (name, array), (_, loaded) in zip(network.weights().arrays(), case.weights.arrays(), strict=True):
            same_bits(name, array, loaded, "it was loaded")
        output = network.run(case.inputs)
        check_dtype("outputs", output.outputs, check.dtype)
        for name, h in state_arrays("final_state", output.final_state):
            check_dtype(name, h, check.dtype)
        return {"2.4", "2.9" if weights_dtype else "2.8"} if check.judge(case, output) else {"2.4"}

    searches = ((("layer", "stack", "embedding"), True), (("layer",), False))
    for kinds, return_sequences in searches[: 1 if check.profile.thrifty else None]:
        check.for_all(
            kinds, examine, return_sequences=return_sequences, return_state=with_state, weights_dtype=weights_dtype
        )


@pytest.mark.clause("2.4", modes="main", dtypes=(*_HALF, "float32", "float64"), thrifty=("bfloat16", "float32"))
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


@pytest.mark.clause("2.12", modes="main")
def test_types_of_tokens(check: Check) -> None:
    """Tokens give the bits that they give as int32, in every other type that holds and that the framework accepts."""
    check.requires("embedding")
    accepted: dict[str, bool] = {}

    def examine(case: Case) -> bool:
        assert case.architecture.embedding is not None
        network = check.network(case)
        # Without token 0: what takes it for less raises, which would look like a type that is not accepted.
        tokens = np.maximum(case.inputs, 1)
        outputs = network.run(tokens).outputs
        for dtype in dict.fromkeys(["int64", *check.some_of(TOKENS, every=len(TOKENS))]):  # int64 is taken everywhere
            if case.architecture.embedding.tokens - 1 > np.iinfo(dtype).max:
                continue
            result = attempt(partial(network.run, tokens.astype(dtype)))
            accepted[dtype] = not isinstance(result, SubjectRaised)
            if not isinstance(result, SubjectRaised):
                same_bits(f"outputs for {dtype} tokens", result.outputs, outputs, "the tokens are the same as int32")
        return any(accepted.values()) and bool(outputs.any())

    check.for_all("embedding", examine)
    check.evidence.measured["accepted"] = sorted(dtype for dtype, does in accepted.items() if does)
