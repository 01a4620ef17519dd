"""Clauses 12.3 to 12.5 of SPEC.md: a step of training and a second one, in numbers so coarse that all of it is exact.

Inputs, biases and the table of an embedding are whole multiples of q = 1/8, the kernels small whole numbers, and the
activation is relu or linear: so outputs y are multiples of q. With N outputs, a power of two, the gradient of the mean
squared error with respect to y, 2 (y - target) / N, is a multiple of 2 q / N, and so is that with respect to every
pre-activation. The gradient of a weight is a sum of products of these with inputs or outputs, hence a multiple of
2 q^2 / N, and the changed weight is one of 2 q^2 r / N for a rate r of 1/4. Where the sum of all magnitudes is below
2^24 times that (in float32), every partial sum in every order is a number of the dtype, and there is nothing to round.

The gates of a cell that has some are held open or shut (cases/candidates.py), where their slope is 0: what is left is a
simple RNN, and their own weights stay as they are. How far these move is judged by bounds, in other numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice

import numpy as np
import pytest

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.candidates import EXACT, candidate_alone, hands_on
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import KINDS, in_direction
from rnn_conformance.conformance.cases.pairs import covering_rows
from rnn_conformance.conformance.cases.profiles import FLOAT32, GATED
from rnn_conformance.conformance.checks.few import few_cases
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import compare, same_bits
from rnn_conformance.reference.arithmetic.rounding import dtype_of, standard_precision
from rnn_conformance.reference.bounds.cells import propagated_of
from rnn_conformance.reference.bounds.layers import expected_layer
from rnn_conformance.reference.bounds.steps import Expected
from rnn_conformance.reference.bounds.training import expected_step
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.layers.gradients import gradients
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights, direction_shapes, in_float64

_RATE = 0.25
_COARSE = 2.0**-3
_BATCH, _TIMESTEPS, _FEATURES = 2, 4, 3
_FEW_ROWS = 2
_TRIES = 200
"""Among so many sets of numbers there are enough in which relu stands nowhere at its corner."""


@pytest.mark.clause("12.3", modes="main")
def test_training_step(check: Check) -> None:
    """One step of gradient descent changes each weight by the rate times its gradient, exactly."""
    check.requires("training step")
    check.every(_cases(check), partial(_train_and_compare, check))


@pytest.mark.clause("12.3", modes="main", dtypes=FLOAT32, thrifty=())
def test_training_on_tokens(check: Check) -> None:
    """A step counts every occurrence of a token, in a row and in several, and none that an embedding masks."""
    check.requires("training step")
    check.requires("embedding")
    for masks_zero in (False, True) if check.offers("mask_zero") else (False,):
        check.every(_on_tokens(check, masks_zero), partial(_train_and_compare, check))


def _train_and_compare(check: Check, case: Case) -> bool:
    """Take one step of training from coarse numbers, and compare every weight to the bit."""
    simple = _candidate(case)
    weights, inputs = _coarse(simple)
    weights, targets = _wired(case.architecture, weights), simple.cotangent.outputs
    wide = in_float64(weights)
    outputs = network.run(case.architecture, wide, inputs).outputs
    slope = gradients(case.architecture, wide, inputs, _error(outputs, targets)).weights
    trained = check.network(case, weights)
    trained.ask("train", inputs, targets, _RATE)
    changed = True
    pairs = zip(trained.weights().arrays(), wide.arrays(), slope.arrays(), strict=True)
    # Biases last: where there are two, both are trained, and nothing else should be overlooked for that.
    for (name, array), (_, old), (_, g) in sorted(pairs, key=lambda pair: pair[0][0].endswith(("b", "c"))):
        wanted = (old - _RATE * g).astype(dtype_of(check.dtype))
        same_bits(f"{name} after a step", array, wanted, f"it is exactly {name} - {_RATE} times its gradient")
        changed &= bool(g.any())
    return changed


@pytest.mark.clause("12.3", modes="main", dtypes=("float64",))
def test_training_in_double(check: Check) -> None:
    """In float64, a step uses the digits of inputs and targets that float32 has not."""
    check.requires("training step")
    cell = _exact_cells(check)[-1]
    one, few = np.ones((1, 1), check.dtype), 2.0**-40

    def examine() -> bool:
        architecture = Architecture((Layer(1, 1, cell),), dtype=check.dtype, mode=check.mode)
        trained = check.subject.network(architecture)
        trained.load(Weights((candidate_alone(cell, one, 0 * one, 0 * one[0]),)))
        # The output is x = 1 + 2^-40 and its error 1, so W - r * 2 x = 1/2 - 2^-41, in float32 1/2.
        trained.ask("train", one[np.newaxis] * (1 + few), one[np.newaxis] * few, _RATE)
        (after,) = trained.weights().layers
        W = after.W[[cell.gates.index(cell.candidate)]]
        same_bits("W after a step", W, check.stored(one * (0.5 - few / 2)), "it is exactly 1/2 - 2^-41")
        return True

    check.example(examine, activation=cell.activation)


@pytest.mark.clause("12.4", modes="main")
def test_call_after_training(check: Check) -> None:
    """After a step of training, a call computes the recurrence with the weights as they then are."""
    check.requires("training step")

    def examine(case: Case) -> bool:
        trained = check.network(case)
        before = trained.run(case.inputs).outputs.copy()
        trained.ask("train", case.inputs, case.cotangent.outputs, _RATE)
        weights, outputs = trained.weights(), trained.run(case.inputs).outputs
        x: Array = case.inputs.astype(np.float64)
        error: Array | None = None
        *below, last = zip(case.architecture.layers, map(in_float64, weights.layers), strict=True)
        for layer, kept in below:
            made, *_ = propagated_of(layer.cell, kept.named, x, None, check.precision, error)
            x, error = made.value, made.bound
        seen = outputs.astype(np.float64)
        expected = expected_layer(*last, x, None, check.precision, inputs_error=error, seen=seen).outputs
        check.evidence.add(compare("outputs", outputs, expected.value, expected.bound, check.dtype), case)
        return bool((np.abs(outputs.astype(np.float64) - before) > expected.bound).any())

    # Steps that are too long end in overflow: numbers stay small.
    check.for_all(("layer", "stack"), examine, regimes=["small", "contractive"], few=True)


@pytest.mark.clause("12.3", modes="main", thrifty=(), cells=GATED)
def test_every_gate_is_trained(check: Check) -> None:
    """A step changes the weights of each gate, in each array, by the rate times their gradient, within the bound."""
    check.requires("training step")

    def examine(case: Case) -> bool:
        trained, wide = check.network(case), in_float64(case.weights)
        targets = case.cotangent.outputs
        expected = expected_step(case.architecture, wide, case.inputs, targets, _RATE, check.precision)
        trained.ask("train", case.inputs, targets, _RATE)
        for name, after in trained.weights().arrays():
            wanted = expected[name]
            found = compare(f"{name} after a step", after, wanted.value, wanted.bound, check.dtype)
            check.evidence.add(found, case)
        return all(_tells_of_each_gate(case.architecture, name, each) for name, each in expected.items())

    # One layer for each set of arrays that a variant has, and a stack: what reaches the lower layer went through gates.
    layers = {str(direction_shapes(layer)): layer for layer in (Layer(3, 4, cell) for cell in reversed(check.cells))}
    stacks: list[tuple[Layer, ...]] = [(layer,) for layer in layers.values()]
    if check.offers("stack"):
        lower = replace(stacks[-1][0], direction="bidirectional" if check.offers("bidirectional") else "forward")
        stacks.append((lower, replace(stacks[-1][0], features=lower.width)))
    models = [Architecture(stack, dtype=check.dtype, mode=check.mode) for stack in stacks]
    seeds = range(check.seed, check.seed + check.profile.draws)
    check.every([Case(model, _BATCH, _TIMESTEPS, "unit", seed) for model in models for seed in seeds], examine)


@pytest.mark.clause("12.5", modes="main", dtypes=FLOAT32, thrifty=())
def test_second_step(check: Check) -> None:
    """A second step does to the bit what a first step from the same weights does in another model of that shape."""
    check.requires("training step")
    twins = check.subject.anew()

    def examine(case: Case) -> bool:
        trained, second = check.network(case), case.next()
        trained.ask("train", case.inputs, case.cotangent.outputs, _RATE)
        between = trained.weights().map(np.copy)
        trained.ask("train", second.inputs, second.cotangent.outputs, _RATE / 2)
        twin = twins.network(case.architecture)
        twin.load(between)
        twin.ask("train", second.inputs, second.cotangent.outputs, _RATE / 2)
        moved = True
        pairs = zip(trained.weights().arrays(), twin.weights().arrays(), between.arrays(), strict=True)
        for (name, array), (_, wanted), (_, before) in pairs:
            same_bits(f"{name} after a second step", array, wanted, "so does a first step from the same weights")
            moved &= bool((array != before).any())
        return moved

    kinds = [kind for kind in KINDS if check.offers(kind)]
    for direction in ("forward", *(["bidirectional"] if check.offers("bidirectional") else [])):
        cases = few_cases(check, kinds, where=lambda structure: structure.timesteps <= 5, direction=direction)
        check.every([replace(case, regime="small") for case in cases], examine)


def _cases(check: Check) -> Iterator[Case]:
    """Small models, each two features of which meet in one at least, in numbers that `_coarse` makes coarse."""
    factors = {
        "cell": _exact_cells(check),
        "units": [(4,), (3, 4)] if check.offers("stack") else [(4,)],
        "embedding": [None, Embedding(5, _FEATURES)] if check.offers("embedding") else [None],
        "direction": ["forward", "bidirectional"] if check.offers("bidirectional") else ["forward"],
        # What holds a gate is its bias.
        "bias": [True, False] if check.offers("no bias") and not _is_gated(check) else [True],
        "sequences": [True, False],
    }
    rows = covering_rows(factors, lambda row: True, check.seed).rows
    for row in rows[: (1 if check.is_spare else _FEW_ROWS) if check.profile.thrifty else None]:
        pairs = zip((_FEATURES, *row["units"][:-1]), row["units"], strict=True)
        layers = [Layer(features, units, row["cell"], row["bias"]) for features, units in pairs]
        architecture = Architecture(
            in_direction(layers, row["direction"]),
            row["embedding"],
            check.dtype,
            return_sequences=row["sequences"],
            mode=check.mode,
        )
        seeds = range(check.seed, check.seed + _TRIES)
        drawn = (Case(architecture, _BATCH, _TIMESTEPS, "integers", seed) for seed in seeds)
        yield from islice((case for case in drawn if _is_exact(_candidate(case))), check.profile.draws)


def _on_tokens(check: Check, masks_zero: bool) -> Iterator[Case]:
    """Small models, to which a token comes twice in a row and in every sequence, among others that do not.

    Under a mask they return the last output: what a loss makes of others that are not valid, nothing here says.
    """
    table = Embedding(5, _FEATURES, mask_zero=masks_zero)
    for direction in ("forward", *(["bidirectional"] if check.offers("bidirectional") else [])):
        layers = in_direction([Layer(_FEATURES, 4, _exact_cells(check)[-1])], direction)
        architecture = Architecture(layers, table, check.dtype, return_sequences=not masks_zero, mode=check.mode)
        pattern = "gaps" if masks_zero else ""
        seeds = range(check.seed, check.seed + _TRIES)
        drawn = (Case(architecture, _BATCH, _TIMESTEPS, "integers", seed, pattern) for seed in seeds)
        yield from islice((case for case in map(_repeating, drawn) if _is_exact(_candidate(case))), _FEW_ROWS)


def _repeating(case: Case) -> Case:
    """The same case, in which token 1 stands at the last two timesteps of each sequence, where they are valid."""
    tokens = case.inputs.copy()
    tokens[:, -2:] = np.where(tokens[:, -2:] == 0, 0, 1) if case.mask is not None else 1
    return case.with_arrays(replace(case.arrays, inputs=tokens))


def _exact_cells(check: Check) -> list[Cell]:
    """The first with relu and the first with linear. Raises Unsupported where there is neither."""
    first = {cell.activation: cell for cell in reversed(check.cells) if hands_on(cell)}
    if not first:
        raise Unsupported("a step is exact with relu or linear only")
    return [first[name] for name in EXACT if name in first]


def _is_gated(check: Check) -> bool:
    return any("gate" in cell.activations for cell in check.cells)


def _candidate(case: Case) -> Case:
    """The case of the simple RNN that is left of this one where its gates are held open or shut."""
    layers = tuple(replace(layer, cell=SimpleRnn(layer.cell.activation)) for layer in case.architecture.layers)
    return replace(case, architecture=replace(case.architecture, layers=layers))


def _wired(architecture: Architecture, simple: Weights) -> Weights:
    """The weights of this model that make it that simple RNN."""

    def one(cell: Cell, kept: LayerWeights) -> LayerWeights:
        if kept.b is None or "gate" not in cell.activations:
            return kept
        return candidate_alone(cell, kept.W, kept.U, kept.b)

    pairs = zip(architecture.layers, simple.layers, strict=True)
    layers = [LayerWeights.of([one(layer.cell, each) for each in kept.directions]) for layer, kept in pairs]
    return replace(simple, layers=tuple(layers))


def _coarse(case: Case) -> tuple[Weights, Array]:
    """The weights and inputs of a case, of which biases, inputs and table are drawn anew, as multiples of q."""
    rng = np.random.default_rng(case.seed)

    def drawn(array: Array) -> Array:
        return (rng.integers(-16, 17, array.shape) * _COARSE).astype(array.dtype)

    def one(layer: LayerWeights) -> LayerWeights:
        return LayerWeights.of(
            [each if each.b is None else each.with_arrays(b=drawn(each.b)) for each in layer.directions]
        )

    table = case.weights.embedding
    weights = Weights(tuple(one(layer) for layer in case.weights.layers), None if table is None else drawn(table))
    return weights, case.inputs if table is not None else drawn(case.inputs)


def _tells_of_each_gate(architecture: Architecture, name: str, expected: Expected) -> bool:
    """Whether some weight of each gate in this array moves by more than twice its bound."""
    cell, units = architecture.layers[0].cell, architecture.layers[0].units
    tells = np.abs(expected.value - expected.without_recurrence) > 2 * expected.bound
    blocks = len(cell.gates) if len(tells) == len(cell.gates) * units else 1
    return all(rows.any() for rows in np.split(tells, blocks))


def _error(outputs: Array, targets: Array) -> Output:
    """The gradient of the mean squared error with respect to the outputs."""
    return Output(2 * (outputs - targets) / outputs.size)


def _is_exact(case: Case) -> bool:
    """Whether a step of training from these numbers is exact, and its gradient beyond doubt."""
    weights, inputs = _coarse(case)
    wide = in_float64(weights)
    return not (
        _at_a_corner(case.architecture, wide, inputs)
        or _may_round(case.architecture, wide, inputs, case.cotangent.outputs)
    )


def _at_a_corner(architecture: Architecture, weights: Weights, inputs: Array) -> bool:
    """Whether some pre-activation of relu is exactly 0, where the specification names no gradient."""
    x = network.embed(weights, inputs)
    for layer, kept in zip(architecture.layers, weights.layers, strict=True):
        one = replace(architecture, layers=(layer,), embedding=None, return_sequences=True)
        outputs = network.run(one, Weights((kept,)), x).outputs
        for direction, start in zip(kept.directions, (0, layer.units), strict=False):
            if layer.cell.activation != "relu":
                continue
            turn = slice(None, None, -1 if start else 1)  # the backward direction reads from the end
            h = outputs[:, turn, start : start + layer.units]
            previous = np.concatenate([np.zeros_like(h[:, :1]), h[:, :-1]], axis=1)
            z = x[:, turn] @ direction.W.T + previous @ direction.U.T + (0 if direction.b is None else direction.b)
            if (z == 0).any():
                return True
        x = outputs
    return False


def _may_round(architecture: Architecture, weights: Weights, inputs: Array, targets: Array) -> bool:
    """Whether a sum of magnitudes is too large for a changed weight to be exact in every order of summation."""
    linear = tuple(replace(layer, cell=replace(layer.cell, activation="linear")) for layer in architecture.layers)
    large = replace(architecture, layers=linear)

    # At least 1, so that what is multiplied with an input is no larger than the product.
    table = None if weights.embedding is None else np.maximum(np.abs(weights.embedding), 1)
    magnitudes = replace(weights.map(np.abs), embedding=table)
    x = inputs if table is not None else np.maximum(np.abs(inputs), 1)
    outputs = network.run(large, magnitudes, x).outputs
    slope: Gradients = gradients(large, magnitudes, x, Output(2 * (outputs + np.abs(targets)) / outputs.size))
    unit = 2 * _COARSE**2 * _RATE / outputs.size
    largest = max(
        float((np.abs(array) + _RATE * g).max())
        for (_, array), (_, g) in zip(weights.arrays(), slope.weights.arrays(), strict=True)
    )
    return largest >= unit * 1 / standard_precision(architecture.dtype).unit_roundoff
