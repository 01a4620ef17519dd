"""Chapter 11 of SPEC.md: gradients. Each check looks at those that its clause speaks of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import Structure
from rnn_conformance.conformance.cases.profiles import DTYPES
from rnn_conformance.conformance.cases.regimes import orthogonal
from rnn_conformance.conformance.checks import laws
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import NonConforming, compare, same_bits
from rnn_conformance.reference.bounds.jacobians import expected_jacobian_norm, norm
from rnn_conformance.reference.layers.gradients import gradients
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights, direction_shapes, in_float64

_KINDS = ("layer", "stack")

_LAGS = (1, 2, 5, 10, 20, 50, 100, 150, 200)
_FEW_LAGS = (1, 20, 200)
"""Where each lag takes a call of its own, and so has to be compiled."""

_SCALES = {"small": 0.8, "orthogonal": 1.0, "large": 1.25}
"""What an orthogonal U is multiplied with to see a gradient vanish, last, and explode."""
_OPEN = {"f": 1.0, "r": 3.0}
"""Biases of gates: that which frameworks give a forget gate, and one by which a reset gate lets most of h through.

Without them an orthogonal U would let every gradient vanish: with all gates at 1/2, h is 3/4 of what it was at most.
"""
_FEATURES, _UNITS = 3, 8

IsMeant = Callable[[Case, str], bool]
"""Whether the gradient of this name is one that a check is about."""


@pytest.mark.clause("11.1", thrifty=DTYPES)
def test_gradients_of_weights(check: Check) -> None:
    """The gradients of W, U and b of every layer are those of backpropagation through all timesteps."""
    _search(check, _KINDS, [{}], lambda case, name: name.startswith("layers["))


@pytest.mark.clause("11.2")
def test_gradient_of_inputs(check: Check) -> None:
    """The gradient of the inputs is that of backpropagation through all timesteps."""
    _search(check, _KINDS, [{}], lambda case, name: name == "inputs")


@pytest.mark.clause("11.3")
def test_gradient_of_initial_state(check: Check) -> None:
    """The gradient of the initial state of each layer is that of backpropagation through all timesteps."""
    check.requires("initial state")
    _search(check, _KINDS, [{}], lambda case, name: name.startswith("initial_state["))


@pytest.mark.clause("11.4")
def test_gradient_of_embedding(check: Check) -> None:
    """The gradient of the table adds up what each occurrence of a token gives, and is zero for every other token."""
    check.requires("gradients")
    check.requires("embedding")

    def examine(case: Case) -> bool:
        discriminates = check.judge_gradients(case, check.gradients(case), only=lambda name: name == "embedding")
        assert case.architecture.embedding is not None
        occurring = len(np.unique(case.inputs))
        return discriminates and occurring < min(case.inputs.size, case.architecture.embedding.tokens)

    check.for_all("embedding", examine)


@pytest.mark.clause("11.5")
def test_gradients_of_last_output(check: Check) -> None:
    """Where only the last output is returned, all gradients are those of that output."""
    check.requires("gradients")

    def examine(case: Case) -> bool:
        return check.judge_gradients(case, check.gradients(case))

    check.for_all(_KINDS, examine, return_sequences=False, few=True)


@pytest.mark.clause("11.6")
def test_gradients_of_stacks(check: Check) -> None:
    """The gradients of what is below the last layer of a stack are what passed through the layers above."""
    check.requires("stack")
    _search(check, ["stack"], [{}], _is_below_the_last_layer)


@pytest.mark.clause("11.7", thrifty=())
def test_gradients_under_a_mask(check: Check) -> None:
    """Timesteps that are not valid have no part in any gradient, and their inputs have gradient zero."""
    _search_masked(check, _KINDS, laws.maskings(), laws.has_parts, few=True)


@pytest.mark.clause("11.7", "11.8", modes="main", dtypes=("float32",))
def test_gradients_of_directions_under_a_mask(check: Check) -> None:
    """In backward and bidirectional layers, too, timesteps that are not valid have no part in any gradient."""
    _search_masked(check, ["layer"], laws.turned_and_masked(), laws.is_short)


@pytest.mark.clause("11.7")
def test_gradients_and_nan_in_the_padding(check: Check) -> None:
    """NaN in an input that is not valid changes no bit of a gradient of the last output."""
    check.requires("gradients")

    def examine(case: Case) -> bool:
        assert case.mask is not None
        inputs = case.inputs.copy()
        inputs[~case.mask] = np.nan
        before = {name: array.copy() for name, array in check.gradients(case).arrays()}
        for name, array in check.gradients(case, inputs=inputs).arrays():
            same_bits(f"gradient of {name}", array, before[name], "the inputs differ only where they are not valid")
        return not case.mask.all() and any(bool(array.any()) for array in before.values())

    # Of the last output, because NaN in the padding may well show in padded outputs.
    laws.for_each(check, _KINDS, laws.maskings(), examine, where=laws.is_short, return_sequences=False, few=True)


@pytest.mark.clause("11.8", thrifty=())
def test_gradients_of_directions(check: Check) -> None:
    """Gradients of backward and bidirectional layers are those of what these layers compute."""
    _search(check, ["layer"], laws.TURNED, _is_any, where=laws.has_parts)


@pytest.mark.clause("11.8", modes="main", dtypes=("float32",), thrifty=())
def test_gradients_of_merge_modes(check: Check) -> None:
    """Gradients pass through the sum, the product and the mean of the outputs of two directions."""
    _search(check, ["layer"], laws.MERGED, _is_any, where=laws.is_short)


@pytest.mark.clause("11.6", "11.8", modes="main", dtypes=("float32",), thrifty=())
def test_gradients_of_stacked_directions(check: Check) -> None:
    """Gradients pass through a backward or bidirectional layer to the one below it."""
    _search(check, ["stack"], laws.TURNED, _is_below_the_last_layer, where=laws.is_short)


@pytest.mark.clause("11.9", modes="main")
def test_gradient_over_time(check: Check) -> None:
    """The norm of d s_T / d s_{T-k} is right for each k: small U lets it vanish, orthogonal U last, large U explode."""
    check.requires("gradients")
    check.requires("initial state")
    if check.cell == "simple_rnn":
        check.requires("tanh")
    cell = next((cell for cell in check.cells if cell.activation == "tanh"), None)
    if cell is None:
        raise Unsupported(f"no {check.cell} of the adapter has tanh for its candidate")
    lags: Sequence[int] = _LAGS
    if len(cell.parts) > 1:
        check.requires("final state")
        lags = _FEW_LAGS if check.profile.thrifty else _LAGS
    measured = check.evidence.measured
    measured["lag"] = list(lags)

    def examine(kernel: str) -> bool:
        layer = Layer(_FEATURES, _UNITS, cell)
        weights, inputs, start = _sequence(layer, kernel, check.dtype, check.seed)
        norms = _jacobian_norms(check, layer, weights, inputs, start, lags)
        wide, x, first = in_float64(weights), inputs.astype(np.float64), [part.astype(np.float64) for part in start]
        expected = [expected_jacobian_norm(layer, wide, x[:k], first, check.precision) for k in lags]
        values, bounds = (np.array([getattr(one, name) for one in expected]) for name in ("value", "bound"))
        measured.update({kernel: norms, f"reference {kernel}": values.tolist()})
        title = f"norm of d s_T / d s_(T-k) for {kernel} U"
        judgement = compare(
            title, np.array(norms), values, bounds, check.dtype, lambda at: f"k = {lags[at[0]]}, seed {check.seed}"
        )
        check.evidence.add(judgement, None)
        return bool((values > bounds).all())

    for kernel in _SCALES:
        check.example(partial(examine, kernel), activation="tanh")


def _jacobian_norms(
    check: Check, layer: Layer, weights: LayerWeights, inputs: Array, start: Sequence[Array], lags: Sequence[int]
) -> list[float]:
    """The subject's norm of d s_k / d s_0 for each lag k.

    Where h is the whole state, all of them come from one call: the batch is the same sequence for each lag and unit.
    Its cotangent is that unit of output k and zero elsewhere, so that nothing comes back from later timesteps, and the
    gradients of the initial state are the rows of the Jacobians. What more there is of a state is seen at the end only,
    and so takes a call for each lag.
    """
    widths = [len(part) for part in start]
    has_more = len(start) > 1
    architecture = Architecture((layer,), dtype=check.dtype, mode=check.mode, return_state=has_more)
    subject = check.subject.network(architecture)
    subject.load(Weights((weights,)))

    def rows(x: Array, cotangent: Output, count: int) -> Array:
        batch = np.repeat(x[np.newaxis], count, axis=0)
        state = ((tuple(np.repeat(part[np.newaxis], count, axis=0) for part in start),),)
        found = subject.gradients(batch, cotangent, initial_state=state)
        if found.initial_state is None:
            raise NonConforming("gradients of the initial state: none, though one was given")
        return np.concatenate([part.astype(np.float64) for part in found.initial_state[0][0]], axis=-1)

    if has_more:
        norms = []
        eye = np.split(np.eye(sum(widths), dtype=check.dtype), np.cumsum(widths)[:-1], axis=1)
        for k in lags:
            nothing = np.zeros((sum(widths), k, layer.width), check.dtype)
            norms.append(norm(rows(inputs[:k], Output(nothing, ((tuple(eye),),)), sum(widths))))
        return norms
    cotangent = np.zeros((len(lags), layer.units, len(inputs), layer.units), check.dtype)
    for i, k in enumerate(lags):
        cotangent[i, :, k - 1] = np.eye(layer.units)
    count = len(lags) * layer.units
    found = rows(inputs, Output(cotangent.reshape(count, *cotangent.shape[2:])), count)
    return [norm(jacobian) for jacobian in found.reshape(len(lags), layer.units, layer.units)]


def _sequence(layer: Layer, kernel: str, dtype: str, seed: int) -> tuple[LayerWeights, Array, list[Array]]:
    """A layer, inputs (timesteps, features), and each part of the state (units,) that it starts from."""
    rng, cell = np.random.default_rng(seed), layer.cell
    shapes = direction_shapes(layer)
    named = {name: np.zeros(shape) for name, shape in shapes.items()}
    named["U"][...] = np.concatenate([orthogonal(rng, layer.units) for _ in cell.gates]) * _SCALES[kernel]
    named["W"][...] = rng.standard_normal(shapes["W"])
    for k, gate in enumerate(cell.gates):
        named["b"][k * layer.units : (k + 1) * layer.units] = _OPEN.get(gate, 0)
    # A large U makes tanh saturate, and the gradient vanish after all, wherever h is not zero: so it is given zeros.
    size = 0 if kernel == "large" else 0.005
    inputs = rng.standard_normal((_LAGS[-1], layer.features)) * size
    start = [rng.standard_normal(width) * size for width in cell.widths(layer.units).values()]
    weights = LayerWeights({name: array.astype(dtype) for name, array in named.items()})
    return weights, inputs.astype(dtype), [part.astype(dtype) for part in start]


@pytest.mark.clause("11.10")
def test_calls_and_gradients(check: Check) -> None:
    """A call after a gradient was taken gives the bits that it gave before, and so does a gradient taken twice."""
    check.requires("gradients")
    from_given_state = check.offers("initial state")

    def examine(case: Case) -> bool:
        subject = check.network(case)
        given = {"initial_state": case.initial_state} if from_given_state else {}
        outputs = subject.run(case.inputs, **given).outputs.copy()
        first = {name: array.copy() for name, array in subject.gradients(case.inputs, case.cotangent, **given).arrays()}
        for name, array in subject.gradients(case.inputs, case.cotangent, **given).arrays():
            same_bits(name, array, first[name], "it is the same gradient, taken again")
        same_bits("outputs", subject.run(case.inputs, **given).outputs, outputs, "only gradients were taken between")
        return bool(outputs.any()) and any(bool(array.any()) for array in first.values())

    check.for_all(_KINDS, examine, return_state=check.offers("final state"))


def _is_any(case: Case, name: str) -> bool:
    return True


def _is_below_the_last_layer(case: Case, name: str) -> bool:
    """Also initial states: what they add to a gradient passes through the layers above as well."""
    return f"[{len(case.architecture.layers) - 1}]" not in name


def _search(check: Check, kinds: Sequence[str], ways: Sequence[laws.Way], is_meant: IsMeant, **how: Any) -> None:
    """Judge the gradients that are meant, of models that return all that they can and start from a given state."""
    check.requires("gradients")
    given = check.offers("initial state")

    def examine(case: Case) -> bool:
        found = check.gradients(case, from_given_state=given)
        return check.judge_gradients(case, found, only=lambda name: is_meant(case, name), from_given_state=given)

    laws.for_each(check, kinds, ways, examine, return_state=check.offers("final state"), **how)


def _search_masked(
    check: Check, kinds: Sequence[str], ways: Sequence[laws.Way], where: Callable[[Structure], bool], **how: Any
) -> None:
    """Judge all gradients of models under a mask."""
    check.requires("gradients")
    given, choices = check.offers("initial state"), check.subject.description.choices

    def examine(case: Case) -> bool:
        assert case.mask is not None
        cotangent = _of_valid_outputs(check, case)
        found = check.gradients(case, cotangent=cotangent, from_given_state=given)
        check.judge_gradients(case, found, cotangent=cotangent, from_given_state=given)
        assert found.inputs is not None  # judge_gradients has seen to it
        padding = found.inputs[~case.mask]
        same_bits("gradients of inputs that are not valid", padding, np.zeros_like(padding), "they have no part in it")
        state = case.initial_state if given else None
        wrong = gradients(case.architecture, case.weights, case.inputs, cotangent, state, choices=choices)
        assert wrong.inputs is not None
        return bool(wrong.inputs[~case.mask].any())

    laws.for_each(check, kinds, ways, examine, where=where, return_state=check.offers("final state"), **how)


def _of_valid_outputs(check: Check, case: Case) -> Output:
    """The cotangent of the case, zero for padded outputs: these may repeat valid ones, or go on evolving from them."""
    valid = laws.shows_valid(case, check.subject.description.choices)[..., np.newaxis]
    outputs = case.cotangent.outputs
    return replace(case.cotangent, outputs=np.where(valid, outputs, outputs.dtype.type(0)))
