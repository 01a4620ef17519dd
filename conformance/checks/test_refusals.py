"""Chapter 14 of SPEC.md: what does not fit is refused with an exception, and never quietly made to fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import KINDS
from rnn_conformance.conformance.cases.profiles import FLOAT32
from rnn_conformance.conformance.checks.crossing import UNROLLED
from rnn_conformance.conformance.checks.few import few_cases
from rnn_conformance.conformance.checks.refusals import attempt
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import GuardedNetwork, SubjectRaised
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.reference.model.architecture import DIRECTIONS, Architecture, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights


@pytest.mark.clause("14.1")
def test_wrong_number_of_features(check: Check) -> None:
    """Inputs with more or fewer features than the layer reads are refused."""

    def examine(case: Case) -> bool:
        network = check.network(case)
        network.run(case.inputs)  # what is right is not refused
        wanted = case.architecture.layers[0].features
        for features in (wanted + 1, wanted - 1, 1):
            if features in (0, wanted):
                continue
            inputs = np.resize(case.inputs, (case.batch, case.timesteps, features))
            result = attempt(partial(network.run, inputs))
            _refused(result, f"inputs with {features} features for a layer of {wanted}")
        return True

    check.every(few_cases(check, ["layer"]), examine)


@pytest.mark.clause("14.2")
def test_wrong_initial_state(check: Check) -> None:
    """An initial state for another batch, other units or of another rank is refused, also where it could be broadcast.

    So it is in every way to run a model, and for a single sequence, too.
    """
    check.requires("initial state")

    def examine(make: Callable[[Array], Array | None], case: Case) -> bool | None:
        ((parts,),) = case.initial_state
        if make(parts[0]) is None:
            return None
        for k, part in enumerate(parts):
            network = check.network(case)
            network.run(case.inputs, initial_state=case.initial_state)  # what is right is not refused
            wrong = make(part)
            assert wrong is not None
            state: State = (((*parts[:k], wrong, *parts[k + 1 :]),),)
            result = attempt(partial(network.run, case.inputs, initial_state=state))
            _refused(result, f"an initial state of shape {wrong.shape} where it has the shape {part.shape}")
        return True

    for wrong, make in _WRONG_STATES.items():
        cases = few_cases(check, ["layer"], where=lambda structure: structure.batch > 1)
        check.every(_in_every_way(check, cases), partial(examine, make), wrong=wrong)
    for wrong, make in _WRONG_SINGLE_STATES.items():
        has_single = check.offers("single sequence") and not check.profile.thrifty
        single = few_cases(check, ["layer"], batched=False) if has_single else ()
        check.every(_in_every_way(check, single), partial(examine, make), wrong=wrong)


_WRONG_STATES: Mapping[str, Callable[[Array], Array | None]] = {
    "one sequence": lambda h: h[:1],
    "no batch": lambda h: h[0],
    "a sequence more": lambda h: np.concatenate([h, h[:1]]),
    "a unit more": lambda h: np.concatenate([h, h[:, :1]], axis=1),
    "one unit": lambda h: h[:, :1] if h.shape[1] > 1 else None,
    "turned": lambda h: np.ascontiguousarray(h.T) if len(h) != h.shape[1] else None,
    "a sequence fewer": lambda h: h[1:] if len(h) > 2 else None,
    "an axis more in front": lambda h: h[np.newaxis],
    "an axis more behind": lambda h: h[..., np.newaxis],
    "one number": lambda h: np.array(h[0, 0]),
}
"""Arrays of other shapes than (batch, units), batch being more than one; None where that would be the right shape."""

_WRONG_SINGLE_STATES: Mapping[str, Callable[[Array], Array | None]] = {
    "a batch of one for a single sequence": lambda h: h[np.newaxis],
    "a batch of two for a single sequence": lambda h: np.stack([h, h]),
    "a unit more for a single sequence": lambda h: np.concatenate([h, h[:1]]),
    "one unit for a single sequence": lambda h: h[:1] if len(h) > 1 else None,
    "one number for a single sequence": lambda h: np.array(h[0]),
}
"""Arrays of other shapes than (units,); None where that would be the right shape."""


def _in_every_way(check: Check, cases: Iterable[Case]) -> Iterator[Case]:
    """The cases and, where there is time and they are those of the main mode, the first in each further way."""
    for k, case in enumerate(cases):
        yield case
        if k == 0 and check.in_main_mode and not check.profile.thrifty:
            for way in check.subject.description.ways:
                timesteps = case.timesteps if way == UNROLLED else None
                yield replace(case, architecture=replace(case.architecture, mode=way, timesteps=timesteps))


@pytest.mark.clause("14.8", modes="main", thrifty=())
def test_wrong_number_of_states(check: Check) -> None:
    """Initial states for more layers or directions than the model has, or of more parts, or of fewer, are refused."""
    check.requires("initial state")

    def examine(make: Callable[[State], State | None], case: Case) -> bool | None:
        wrong = make(case.initial_state)
        if wrong is None:
            return None
        network = check.network(case)
        network.run(case.inputs, initial_state=case.initial_state)  # what is right is not refused
        counts = [[[len(parts) for parts in layer] for layer in state] for state in (wrong, case.initial_state)]
        result = attempt(partial(network.run, case.inputs, initial_state=wrong))
        _refused(result, f"states of so many parts, by layer and direction: {counts[0]} in place of {counts[1]}")
        return True

    for wrong, (kind, how, make) in _WRONG_COUNTS.items():
        cases = few_cases(check, [kind], **dict[str, Any](how)) if all(map(check.offers, how.values())) else ()
        check.every(cases, partial(examine, make), wrong=wrong)


_WRONG_COUNTS: Mapping[str, tuple[str, Mapping[str, str], Callable[[State], State | None]]] = {
    "a layer more": ("layer", {}, lambda state: (*state, state[-1])),
    "a layer fewer": ("stack", {}, lambda state: state[:-1]),
    "a direction more": ("layer", {}, lambda state: ((*state[0], state[0][0]), *state[1:])),
    "a direction fewer": ("layer", {"direction": "bidirectional"}, lambda state: (state[0][:1], *state[1:])),
    "a part more": ("layer", {}, lambda state: ((state[0][0] * 2,),) if len(state[0][0]) == 1 else None),
    "a part fewer": ("layer", {}, lambda state: ((state[0][0][:1],),) if len(state[0][0]) > 1 else None),
}
"""For a model of this kind, the states of another one; None where there is none."""


@pytest.mark.clause("14.3")
def test_wrong_weights(check: Check) -> None:
    """Kernels and biases of another shape are refused, also where they could be broadcast."""

    def examine(name: str, make: Callable[[Array], Array | None], case: Case) -> bool | None:
        (layer,) = case.weights.layers
        array = getattr(layer, name)
        wrong = None if array is None else make(array)
        if wrong is None:
            return None
        network = check.network(case)
        result = attempt(partial(_load_and_run, network, layer.with_arrays(**{name: wrong}), case))
        _refused(result, f"{name} of shape {wrong.shape} for a layer whose {name} has the shape {array.shape}")
        network.load(case.weights)  # what is right is not refused, also not after what is wrong
        return True

    for (name, wrong), make in _WRONG_WEIGHTS.items():
        check.every(few_cases(check, ["layer"]), partial(examine, name, make), wrong=f"{name} {wrong}")


def _load_and_run(network: GuardedNetwork, layer: LayerWeights, case: Case) -> Output:
    """Where weights are plain arrays, nothing can be seen to be wrong before the next call."""
    network.load(Weights((layer,)))
    return network.run(case.inputs)


_WRONG_WEIGHTS: Mapping[tuple[str, str], Callable[[Array], Array | None]] = {
    ("W", "a feature more"): lambda W: np.concatenate([W, W[:, :1]], axis=1),
    ("W", "a unit more"): lambda W: np.concatenate([W, W[:1]]),
    ("U", "a column more"): lambda U: np.concatenate([U, U[:, :1]], axis=1),
    ("W", "one row"): lambda W: W[0],
    ("W", "turned"): lambda W: np.ascontiguousarray(W.T) if W.shape[0] != W.shape[1] else None,
    ("W", "one unit"): lambda W: W[:1] if len(W) > 1 else None,
    ("U", "one unit"): lambda U: U[:1] if len(U) > 1 else None,
    ("U", "one column"): lambda U: U[:, :1] if U.shape[1] > 1 else None,
    ("b", "a unit more"): lambda b: np.concatenate([b, b[:1]]),
    ("b", "one unit"): lambda b: b[:1] if len(b) > 1 else None,
}
"""Arrays of other shapes than that of the array of this name; None where that would be the right shape."""


@pytest.mark.clause("14.4")
def test_wrong_lengths(check: Check) -> None:
    """Lengths that are negative, or greater than the number of timesteps, are refused."""
    check.requires("lengths")

    def examine(make: Callable[[int], int], case: Case) -> bool:
        network = check.network(case)
        network.run(case.inputs, **case.given)  # what is right is not refused
        wrong = make(case.timesteps)
        lengths = case.given["lengths"].copy()
        lengths[case.seed % case.batch] = wrong
        result = attempt(partial(network.run, case.inputs, lengths=lengths))
        _refused(result, f"a length of {wrong} for {case.timesteps} timesteps")
        return True

    for wrong, make in _WRONG_LENGTHS.items():
        cases = few_cases(check, ["layer"], masking="lengths", pattern="full")
        check.every(cases, partial(examine, make), wrong=wrong)


_WRONG_LENGTHS: Mapping[str, Callable[[int], int]] = {
    "a negative length": lambda timesteps: -1,
    "a length of one more": lambda timesteps: timesteps + 1,
    "a length of twice as many": lambda timesteps: 2 * timesteps,
}
"""Lengths that no sequence of so many timesteps has."""


@pytest.mark.clause("14.6", thrifty=())
def test_wrong_shape_of_mask(check: Check) -> None:
    """Lengths and masks for another batch or other timesteps are refused, also where they could be broadcast."""
    lacking = [check.subject.description.lacks(masking) for masking in _WRONG_MASKS]
    if all(lacking):
        raise Unsupported(lacking[0])

    def examine(make: Callable[[Array], Array | None], case: Case) -> bool | None:
        ((name, right),) = case.given.items()
        wrong = make(np.asarray(right))
        if wrong is None:
            return None
        network = check.network(case)
        network.run(case.inputs, **case.given)  # what is right is not refused
        result = attempt(partial(network.run, case.inputs, **{name: wrong}))
        _refused(result, f"{name} of shape {wrong.shape} for inputs of shape {case.inputs.shape}")
        return True

    for masking, shapes in _WRONG_MASKS.items():
        for wrong, make in shapes.items():
            longer = {"where": lambda structure: structure.batch > 1 and structure.timesteps > 1}
            cases = few_cases(check, ["layer"], masking=masking, pattern="right", **longer)
            check.every(cases if check.offers(masking) else (), partial(examine, make), wrong=f"{masking}: {wrong}")
    for masking, shapes in _WRONG_SINGLE_MASKS.items():
        has_both = check.offers(masking) and check.offers("single sequence")
        for wrong, make in shapes.items():
            single = few_cases(check, ["layer"], masking=masking, pattern="right", batched=False)
            check.every(single if has_both else (), partial(examine, make), wrong=f"{masking}: {wrong}")


_WRONG_MASKS: Mapping[str, Mapping[str, Callable[[Array], Array | None]]] = {
    "lengths": {
        "one sequence": lambda lengths: lengths[:1],
        "a sequence more": lambda lengths: np.concatenate([lengths, lengths[:1]]),
        "a sequence fewer": lambda lengths: lengths[1:] if len(lengths) > 2 else None,
        "an axis more": lambda lengths: lengths[:, np.newaxis],
        "one number": lambda lengths: np.asarray(lengths.max()),
    },
    "mask": {
        "one sequence": lambda mask: mask[:1],
        "a sequence more": lambda mask: np.concatenate([mask, mask[:1]]),
        "one timestep": lambda mask: mask[:, :1],
        "a timestep more": lambda mask: np.concatenate([mask, mask[:, :1]], axis=1),
        "a timestep fewer": lambda mask: mask[:, 1:] if mask.shape[1] > 2 else None,
        "turned": lambda mask: np.ascontiguousarray(mask.T) if len(mask) != mask.shape[1] else None,
        "no batch": lambda mask: mask[0],
        "an axis more": lambda mask: mask[..., np.newaxis],
    },
}
"""Arrays of other shapes than (batch,) and (batch, timesteps), both being more than one; None where that would fit."""

_WRONG_SINGLE_MASKS: Mapping[str, Mapping[str, Callable[[Array], Array | None]]] = {
    "lengths": {
        "a batch of one for a single sequence": lambda length: length[np.newaxis],
        "a batch of two for a single sequence": lambda length: np.stack([length, length]),
    },
    "mask": {
        "a batch of one for a single sequence": lambda mask: mask[np.newaxis],
        "a timestep more for a single sequence": lambda mask: np.concatenate([mask, mask[:1]]),
        "one timestep for a single sequence": lambda mask: mask[:1] if len(mask) > 1 else None,
    },
}
"""Arrays of other shapes than () and (timesteps,); None where that would fit."""


@pytest.mark.clause("14.7", modes="main", thrifty=())
def test_wrong_tokens(check: Check) -> None:
    """Tokens below zero, or beyond the table of the embedding, are refused."""
    check.requires("embedding")

    def examine(make: Callable[[int], int], case: Case) -> bool:
        network = check.network(case)
        network.run(case.inputs)  # what is right is not refused
        assert case.architecture.embedding is not None
        tokens, wrong = case.inputs.copy(), make(case.architecture.embedding.tokens)
        tokens[case.seed % case.batch, -1] = wrong
        _refused(attempt(partial(network.run, tokens)), f"token {wrong} of {case.architecture.embedding.tokens}")
        return True

    for wrong, make in _WRONG_TOKENS.items():
        check.every(few_cases(check, ["embedding"]), partial(examine, make), wrong=wrong)


_WRONG_TOKENS: Mapping[str, Callable[[int], int]] = {
    "a negative token": lambda tokens: -1,
    "a token one beyond the table": lambda tokens: tokens,
    "a token far beyond the table": lambda tokens: 1000 * tokens,
}


@pytest.mark.clause("14.9", modes="main", dtypes=FLOAT32, thrifty=())
def test_wrong_rates(check: Check) -> None:
    """Rates of dropout below zero, of one, or above it are refused when a model is built or trained."""
    offered = [feature for feature in _RATES if check.offers(feature)]
    if not offered:
        check.requires("dropout")

    def examine(rates: Mapping[str, float], case: Case) -> bool:
        *below, last = case.architecture.layers
        wrong = _with_rates(case, below, last, rates)
        told = " and ".join(f"{name} at rate {rate:g}" for name, rate in rates.items())
        _refused(attempt(partial(_build_and_train, check, wrong, case)), told)
        return True

    for feature, word in _RATES.items():
        for rate in (-0.25, 1.0, 1.5):
            # Some have dropout between the layers of a stack only.
            cases = few_cases(check, ["layer", "stack"]) if feature in offered else ()
            check.every(
                filter(partial(_can_drop, check, word), cases),
                partial(examine, {word: rate}),
                wrong=f"{feature} at rate {rate:g}",
            )


_RATES = {"dropout": "dropout", "recurrent dropout": "recurrent_dropout"}
"""The names of the features, and those of a layer's rates."""


def _can_drop(check: Check, word: str, case: Case) -> bool:
    """Whether the model can be had with a rate that is right."""
    *below, last = case.architecture.layers
    try:
        check.subject.network(_with_rates(case, below, last, {word: 0.5}))
    except Unsupported:
        return False
    return True


def _with_rates(case: Case, below: Sequence[Layer], last: Layer, rates: Mapping[str, Any]) -> Architecture:
    return replace(case.architecture, layers=(*below, replace(last, **rates)))


def _build_and_train(check: Check, architecture: Architecture, case: Case) -> Output:
    network = check.subject.network(architecture)
    network.load(case.weights)
    found: Output = network.ask("run_training", case.inputs, check.seed)
    return found


@pytest.mark.clause("14.5", modes="main", dtypes=("float32",))
def test_what_is_offered_is_not_refused(check: Check) -> None:
    """Layers, stacks and embeddings of any size, in each direction that is offered, are not refused."""
    check.requires("any size")

    def examine(case: Case) -> bool:
        try:
            check.subject.network(case.architecture)
        except Unsupported as reason:
            raise NonConforming(f"refused, though nothing of it is declared to be unsupported: {reason}") from reason
        return True

    for direction in DIRECTIONS:
        if direction == "forward" or check.offers(direction):
            check.every(few_cases(check, KINDS, direction=direction), examine)
        else:
            check.skip_search()


def _refused(result: Output | SubjectRaised, what: str) -> None:
    """Raise NonConforming for a result where there should be an exception."""
    if not isinstance(result, SubjectRaised):
        raise NonConforming(
            f"accepted {what} and returned outputs of shape {np.shape(result.outputs)}, but should refuse that"
        )
