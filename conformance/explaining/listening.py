"""What an example of a check asks of its subject: the calls, one after the other, with what each is given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.conformance.engine.check import Check, Function
from rnn_conformance.conformance.engine.evidence import Evidence
from rnn_conformance.conformance.engine.failures import Error, Pin
from rnn_conformance.conformance.engine.subject import GuardedNetwork, Subject, SubjectExited
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reference.layers.network import output_shape
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.states import flat
from rnn_conformance.reference.model.weights import Weights


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a model, and all that it is given; `cotangent` is there where it is asked for gradients.

    `earlier` are the inputs of the calls before it, by which a stateful model has come to its state.
    """

    architecture: Architecture
    weights: Weights
    inputs: Inputs
    given: Mapping[str, Any] = field(default_factory=dict)
    cotangent: Output | None = None
    earlier: tuple[Inputs, ...] = ()

    @property
    def wants(self) -> str:
        """What an adapter's script of it has to give."""
        return "outputs" if self.cotangent is None else "gradients"

    @property
    def size(self) -> int:
        """How many numbers it is given."""
        read = (self.inputs, *self.earlier, *flat(self.given.get("initial_state")))
        return sum(array.size for array in (*read, *dict(self.weights.arrays()).values()))

    @property
    def has_more_sequences(self) -> bool:
        """Whether it can be made with one of its sequences alone."""
        architecture = self.architecture
        return architecture.batched and architecture.batch is None and len(self.inputs) > 1 and not self.cotangent

    @property
    def should_be(self) -> tuple[str, tuple[int | None, ...]]:
        """The dtype and the shape of its outputs."""
        batch, timesteps = self.inputs.shape[:2] if self.architecture.batched else (None, self.inputs.shape[0])
        return self.architecture.dtype, output_shape(self.architecture, batch, timesteps)

    def of_sequence(self, row: int) -> Call:
        """The same call with this sequence of its batch alone."""

        def cut(value: Any) -> Any:
            return tuple(map(cut, value)) if isinstance(value, tuple) else value[row : row + 1]

        return replace(self, inputs=cut(self.inputs), given={name: cut(value) for name, value in self.given.items()})


@dataclass(frozen=True, eq=False)
class Asked:
    """One thing that was asked: `method` is one of a network, or "prepare", and `call` what it comes to, if it is one.

    That is None for what a script cannot say, such as a call in training, or after one.
    """

    method: str
    architecture: Architecture
    call: Call | None = None


def asked_in(function: Function, check: Check, pin: Pin | None) -> tuple[list[Asked], Error | None]:
    """What the example of the pin asks, in this order, and how it fails; None if it does not, when it is run alone.

    `check` is left as it is, and so is its subject: the example is run on networks of its own.
    """
    asked: list[Asked] = []
    again = replace(
        check,
        subject=Listening(check.subject.anew(), asked),
        pin=pin,
        patience=0.0,
        evidence=Evidence(),
        journal=Journal(None),
        _searches=0,
    )
    try:
        function(again)
    except (NonConforming, SubjectExited) as error:
        return asked, error
    except Exception:  # it has not failed like that before: the finding is worth more than its script
        return asked, None
    return asked, None


class Listening(Subject):
    """A subject that adds to `asked` whatever its networks are asked; it shares those of another."""

    def __init__(self, subject: Subject, asked: list[Asked]) -> None:
        self._subject, self._asked = subject, asked
        self.description = subject.description

    def network(self, architecture: Architecture) -> GuardedNetwork:
        self._asked.append(Asked("prepare", architecture))
        return _ListeningNetwork(self._subject.network(architecture), architecture, self._asked)

    def anew(self) -> Subject:
        return Listening(self._subject.anew(), self._asked)


class _ListeningNetwork(GuardedNetwork):
    """A network whose every call is added to `asked`, before it is made."""

    _weights: Weights | None = None
    _earlier: tuple[Inputs, ...] | None = ()

    def __init__(self, network: GuardedNetwork, architecture: Architecture, asked: list[Asked]) -> None:
        self._guarded, self._architecture, self._asked = network, architecture, asked

    def as_they_lie(self) -> GuardedNetwork:
        return _ListeningNetwork(self._guarded.as_they_lie(), self._architecture, self._asked)

    def load(self, weights: Weights) -> None:
        self._weights = _copy(weights)
        self._earlier = None if self._earlier else self._earlier  # which had other weights
        self._add("load")
        self._guarded.load(weights)

    def weights(self) -> Weights:
        self._add("weights")
        return self._guarded.weights()

    def run(self, inputs: Inputs, **given: Any) -> Output:
        self._add("run", self._call_of(inputs, given))
        if self._architecture.stateful and self._earlier is not None:
            # What masks leave of a state is more than a script says.
            self._earlier = None if given else (*self._earlier, _copy(inputs))
        return self._guarded.run(inputs, **given)

    def gradients(self, inputs: Inputs, cotangent: Output, **given: Any) -> Gradients:
        call = self._call_of(inputs, given)
        self._add("gradients", call and replace(call, cotangent=_copy(cotangent), earlier=()))
        return self._guarded.gradients(inputs, cotangent, **given)

    def ask(self, method: str, *arguments: Any) -> Any:
        self._add(method)
        if method == "reset":
            self._earlier = ()
        elif method in ("train", "run_training"):
            self._earlier = None
        return self._guarded.ask(method, *arguments)

    def _add(self, method: str, call: Call | None = None) -> None:
        self._asked.append(Asked(method, self._architecture, call))

    def _call_of(self, inputs: Inputs, given: Mapping[str, Any]) -> Call | None:
        if self._weights is None or self._earlier is None:
            return None
        given = {name: _copy(value) for name, value in given.items()}
        return Call(self._architecture, self._weights, _copy(inputs), given, earlier=self._earlier)


def _copy(given: Any) -> Any:
    """The same arrays, which no call can write to, one number behind the other as in a script."""
    if isinstance(given, np.ndarray):
        return np.array(given, order="C")
    if isinstance(given, Weights):
        return given.map(_copy)
    if isinstance(given, Output):
        return Output(_copy(given.outputs), _copy(given.final_state))
    return tuple(map(_copy, given)) if isinstance(given, tuple) else given
