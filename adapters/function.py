"""An adapter out of one function: for a layer that is a plain NumPy function, and for the suite's own tests."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.protocol import Inputs, Network
from rnn_conformance.adapters.support import refuse_unsupported
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Weights

Run = Callable[..., Output]
"""``run(architecture, weights, inputs, initial_state)``, and by name what else it takes: `lengths`, `mask`."""

Differentiate = Callable[..., Gradients]
"""``gradients(architecture, weights, inputs, cotangent, initial_state)``, and by name what `run` takes so."""

_BY_NAME = ("lengths", "mask")


@dataclass(frozen=True)
class FunctionAdapter:
    """An adapter whose networks call `run`, giving it what it `takes` by name, and `differentiate` for gradients."""

    run: Run
    description: Description
    takes: tuple[str, ...] = ()
    differentiate: Differentiate | None = None

    def describe(self) -> Description:
        return self.description

    def prepare(self, architecture: Architecture) -> Network:
        refuse_unsupported(self.description, architecture)
        return _FunctionNetwork(self, architecture)


def from_function(
    run: Run, description: Description | None = None, *, gradients: Differentiate | None = None
) -> FunctionAdapter:
    """Make an adapter of a function from weights, inputs and initial state to an `Output`.

    What `run` takes by the names `lengths` and `mask` is given to it, and so offered, as gradients are where there is a
    function for them; both functions have to take the same.

    >>> from rnn_conformance.reference.layers import gradients, network
    >>> adapter = from_function(network.run, gradients=gradients.gradients)
    >>> adapter.describe().framework, adapter.describe().offers
    ('run', ('mask', 'gradients'))

    Raises ValueError for functions that cannot be called so, and where the description offers what they do not take.
    """
    takes = _taken(run, ("architecture", "weights", "inputs", "initial_state"))
    if gradients is not None:
        others = _taken(gradients, ("architecture", "weights", "inputs", "cotangent", "initial_state"))
        if takes != others:
            differ = " and ".join(sorted({*takes} ^ {*others}))
            raise ValueError(f"only one of {_name(run)}() and {_name(gradients)}() takes {differ}: both have to")
    described = description or Description(framework=_name(run), versions={})
    has = (*takes, *(() if gradients is None else ("gradients",)))
    if wrong := [name for name in (*_BY_NAME, "gradients") if name in described.offers and name not in has]:
        raise ValueError(
            f"the description offers {' and '.join(wrong)}, but {_name(run)}() takes "
            f"{' and '.join(takes) or 'neither lengths nor mask'}"
            + (", and there is no function for gradients" if gradients is None else "")
        )
    more = tuple(name for name in has if name not in described.offers and name not in described.unsupported)
    return FunctionAdapter(run, replace(described, offers=(*described.offers, *more)), takes, gradients)


def _taken(function: Callable[..., Any], first: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `lengths` and `mask` that the function takes. Raises ValueError if it cannot be called so."""
    parameters = list(inspect.signature(function).parameters.values())
    where = f"{_name(function)}({', '.join(first)})"
    begun = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][: len(first)]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        begun = begun or parameters[:1]
    elif len(begun) < len(first):
        raise ValueError(f"it is called as {where}, but {_name(function)} takes {len(begun)} arguments")
    others = [p for p in parameters if p not in begun and p.kind is not p.VAR_POSITIONAL]
    for parameter in others:
        is_needed = parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD
        near = [] if parameter.name in _BY_NAME else get_close_matches(parameter.name, _BY_NAME, 1, cutoff=0.7)
        if (is_needed and parameter.name not in _BY_NAME) or near:
            hint = f": is {near[0]} meant?" if near else f"; there are {' and '.join(_BY_NAME)}"
            raise ValueError(f"{where} is never given {parameter.name!r}{hint}")
    if any(p.kind is p.VAR_KEYWORD for p in others):
        return _BY_NAME
    return tuple(name for name in _BY_NAME if name in {p.name for p in others})


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)


class _FunctionNetwork:
    """Keeps the loaded weights and hands them to the function."""

    def __init__(self, adapter: FunctionAdapter, architecture: Architecture) -> None:
        self._adapter = adapter
        self._architecture = architecture
        self._weights: Weights | None = None

    def load(self, weights: Weights) -> None:
        self._weights = deepcopy(weights)  # the caller may change the arrays afterwards

    def weights(self) -> Weights:
        return deepcopy(self._kept())  # the caller may change these, too

    def _kept(self) -> Weights:
        if self._weights is None:
            raise RuntimeError("no weights are loaded")
        return self._weights

    def run(self, inputs: Inputs, *, initial_state: State | None = None, **given: Any) -> Output:
        return self._adapter.run(self._architecture, self._kept(), inputs, initial_state, **self._taken(given))

    def gradients(
        self, inputs: Inputs, cotangent: Output, *, initial_state: State | None = None, **given: Any
    ) -> Gradients:
        assert self._adapter.differentiate is not None, "gradients are not offered"
        return self._adapter.differentiate(
            self._architecture, self._kept(), inputs, cotangent, initial_state, **self._taken(given)
        )

    def parameter_count(self) -> int:
        return sum(array.size for _, array in self._kept().arrays())

    def symbolic_shape(self) -> tuple[int | None, ...]:
        known = self._architecture
        return network.output_shape(known, known.batch, known.timesteps)

    def _taken(self, given: dict[str, Any]) -> dict[str, Any]:
        """What the functions take by name, None where a call does not have it. Raises ValueError for anything else."""
        if wrong := [name for name, value in given.items() if value is not None and name not in self._adapter.takes]:
            raise ValueError(f"{_name(self._adapter.run)}() takes no {' and no '.join(wrong)}")
        return {name: given.get(name) for name in self._adapter.takes}
