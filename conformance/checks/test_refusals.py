"""Chapter 14 of SPEC.md: what does not fit is refused with an exception, and never quietly made to fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pytest

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import KINDS
from rnn_conformance.conformance.cases.profiles import FLOAT32
from rnn_conformance.conformance.checks.few import few_cases
from rnn_conformance.conformance.checks.refusals import attempt
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import GuardedNetwork, SubjectRaised
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.reference.model.architecture import DIRECTIONS
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights


@pytest.mark.clause("14.1", thrifty=FLOAT32)
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


@pytest.mark.clause("14.2", thrifty=FLOAT32)
def test_wrong_initial_state(check: Check) -> None:
    """An initial state for another batch or other units is refused, also where it could be broadcast."""
    check.requires("initial state")

    def examine(make: Callable[[Array], Array | None], case: Case) -> bool | None:
        (((h, *others),),) = case.initial_state
        wrong = make(h)
        if wrong is None:
            return None
        network = check.network(case)
        network.run(case.inputs, initial_state=case.initial_state)  # what is right is not refused
        state: State = (((wrong, *others),),)
        result = attempt(partial(network.run, case.inputs, initial_state=state))
        _refused(result, f"an initial state of shape {wrong.shape} for a batch of {len(h)} and {h.shape[1]} units")
        return True

    for wrong, make in _WRONG_STATES.items():
        cases = few_cases(check, ["layer"], where=lambda structure: structure.batch > 1)
        check.every(cases, partial(examine, make), wrong=wrong)


_WRONG_STATES: Mapping[str, Callable[[Array], Array | None]] = {
    "one sequence": lambda h: h[:1],
    "no batch": lambda h: h[0],
    "a sequence more": lambda h: np.concatenate([h, h[:1]]),
    "a unit more": lambda h: np.concatenate([h, h[:, :1]], axis=1),
    "one unit": lambda h: h[:, :1] if h.shape[1] > 1 else None,
    "turned": lambda h: np.ascontiguousarray(h.T) if len(h) != h.shape[1] else None,
}
"""Arrays of other shapes than (batch, units), batch being more than one; None where that would be the right shape."""


@pytest.mark.clause("14.3", thrifty=FLOAT32)
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


@pytest.mark.clause("14.4", thrifty=FLOAT32)
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
