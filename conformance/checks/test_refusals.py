"""Chapter 14 of SPEC.md: what does not fit is refused with an exception, and never quietly made to fit."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

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

    def examine(case: Case) -> bool:
        network = check.network(case)
        network.run(case.inputs, initial_state=case.initial_state)  # what is right is not refused
        (((h, *others),),) = case.initial_state
        for wrong in _wrong_states(h):
            state: State = (((wrong, *others),),)
            result = attempt(partial(network.run, case.inputs, initial_state=state))
            _refused(result, f"an initial state of shape {wrong.shape} for a batch of {len(h)} and {h.shape[1]} units")
        return True

    check.every(few_cases(check, ["layer"], where=lambda structure: structure.batch > 1), examine)


def _wrong_states(h: Array) -> Iterator[Array]:
    """Arrays of other shapes than (batch, units); batch is more than one."""
    batch, units = h.shape
    yield h[:1]
    yield h[0]
    yield np.concatenate([h, h[:1]])
    yield np.concatenate([h, h[:, :1]], axis=1)
    if units > 1:
        yield h[:, :1]
    if units != batch:
        yield np.ascontiguousarray(h.T)


@pytest.mark.clause("14.3", thrifty=FLOAT32)
def test_wrong_weights(check: Check) -> None:
    """Kernels and biases of another shape are refused, also where they could be broadcast."""

    def examine(case: Case) -> bool:
        network = check.network(case)
        (layer,) = case.weights.layers
        for name, wrong in _wrong_weights(layer):
            shape, wanted = getattr(wrong, name).shape, getattr(layer, name).shape
            result = attempt(partial(_load_and_run, network, wrong, case))
            _refused(result, f"{name} of shape {shape} for a layer whose {name} has the shape {wanted}")
        network.load(case.weights)  # what is right is not refused, also not after what is wrong
        return True

    check.every(few_cases(check, ["layer"]), examine)


def _load_and_run(network: GuardedNetwork, layer: LayerWeights, case: Case) -> Output:
    """Where weights are plain arrays, nothing can be seen to be wrong before the next call."""
    network.load(Weights((layer,)))
    return network.run(case.inputs)


def _wrong_weights(layer: LayerWeights) -> Iterator[tuple[str, LayerWeights]]:
    """Weights of which one array, named, has another shape."""
    units, features = layer.W.shape
    yield "W", layer.with_arrays(W=np.concatenate([layer.W, layer.W[:, :1]], axis=1))
    yield "W", layer.with_arrays(W=np.concatenate([layer.W, layer.W[:1]]))
    yield "U", layer.with_arrays(U=np.concatenate([layer.U, layer.U[:, :1]], axis=1))
    yield "W", layer.with_arrays(W=layer.W[0])
    if units != features:
        yield "W", layer.with_arrays(W=np.ascontiguousarray(layer.W.T))
    if units > 1:
        yield "W", layer.with_arrays(W=layer.W[:1])
        yield "U", layer.with_arrays(U=layer.U[:1])
        yield "U", layer.with_arrays(U=layer.U[:, :1])
    if layer.b is not None:
        yield "b", layer.with_arrays(b=np.concatenate([layer.b, layer.b[:1]]))
        if units > 1:
            yield "b", layer.with_arrays(b=layer.b[:1])


@pytest.mark.clause("14.4", thrifty=FLOAT32)
def test_wrong_lengths(check: Check) -> None:
    """Lengths that are negative, or greater than the number of timesteps, are refused."""
    check.requires("lengths")

    def examine(case: Case) -> bool:
        network = check.network(case)
        network.run(case.inputs, **case.given)  # what is right is not refused
        for wrong in (-1, case.timesteps + 1, case.timesteps + case.timesteps):
            lengths: dict[str, Any] = {"lengths": case.given["lengths"].copy()}
            lengths["lengths"][case.seed % case.batch] = wrong
            result = attempt(partial(network.run, case.inputs, **lengths))
            _refused(result, f"a length of {wrong} for {case.timesteps} timesteps")
        return True

    check.every(few_cases(check, ["layer"], masking="lengths", pattern="full"), examine)


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
