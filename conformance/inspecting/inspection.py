"""The inspection of an adapter: every call that it offers, once, and what is wrong with the answers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from rnn_conformance.adapters import registry
from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.pipe.adapter import ProcessAdapter
from rnn_conformance.adapters.pipe.manifest import is_manifest
from rnn_conformance.adapters.protocol import Adapter, Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.engine.blame import home_of
from rnn_conformance.conformance.engine.returned import check_output
from rnn_conformance.conformance.engine.subject import GuardedNetwork, Subject, SubjectExited, SubjectRaised
from rnn_conformance.conformance.inspecting.hints import hint
from rnn_conformance.conformance.inspecting.models import PLAIN, SIZES, Trial, trials
from rnn_conformance.conformance.inspecting.places import method_of, own_traceback, place_of
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.judging.outputs import judge
from rnn_conformance.reference.model.calls import Output

_RATE = 2.0**-6
"""Of one step of training: what comes of it is not looked at."""


@dataclass(frozen=True)
class Mistake:
    """What is wrong, where in the adapter's own code, if that is known, and with which model; the traceback, if any."""

    what: str
    where: str = ""
    model: str = ""
    traceback: str = ""


def broken(name: str, error: BaseException) -> Mistake:
    """What is wrong with an adapter that cannot be loaded, or asked to describe itself, or given the smallest model."""
    cause = error.__cause__ if isinstance(error, SubjectRaised) and error.__cause__ is not None else error
    message = str(error) if isinstance(error, SubjectRaised | SubjectExited) else f"{type(error).__name__}: {error}"
    own = own_traceback(cause, _home(name))
    if isinstance(error, ValueError | RuntimeError) and not own:
        message = str(error)  # ours, which says all that there is to say
    return Mistake(message, _place_of_class(name), traceback=own)


def _home(name: str) -> str:
    """The package of an adapter, or the module, if it is in no package."""
    module = "" if is_manifest(name) else registry.resolve(name).partition(":")[0]
    return module.rpartition(".")[0] or module


def _place_of_class(name: str) -> str:
    """Where a class stands that was named in place of an instance; empty for all else."""
    module, _, attribute = name.partition(":")
    found = getattr(sys.modules.get(module), attribute, None) if attribute else None
    if not isinstance(found, type):
        return ""
    instance = f"an instance is made by adapter = {found.__name__}(), and named {module}:adapter"
    return "; ".join(filter(None, (place_of(found), instance)))


class Inspection:
    """The inspection of the adapter of this name; `begin` is told what comes next, in case that it never returns."""

    def __init__(self, name: str, begin: Callable[[str], None] = lambda what: None) -> None:
        self._name = name
        self._begin = begin
        self._usual: dict[str, Output] = {}
        self.description: Description | None = None

    def mistakes(self) -> Iterator[Mistake]:
        """All that are found; the first of each kind."""
        self._begin("load")
        try:
            adapter = registry.load(self._name)
        except Exception as error:
            yield broken(self._name, error)
            return
        self._begin("describe")
        try:
            subject = Subject(adapter)
        except Exception as error:
            yield broken(self._name, error)
            return
        described: object = subject.description
        if not isinstance(described, Description):
            what = f"describe returned a {type(described).__name__}, but should return a Description"
            yield Mistake(what, place_of(method_of(adapter, None, "describe")))
            return
        self.description = described
        seen: set[str] = set()
        for trial in trials(described):
            for mistake in self._tried(adapter, subject, trial):
                if mistake.what not in seen:
                    seen.add(mistake.what)
                    yield mistake

    def _tried(self, adapter: Adapter, subject: Subject, trial: Trial) -> Iterator[Mistake]:
        """What goes wrong with one model, up to the first call that does."""
        self._begin(f"prepare, for {trial.what}")
        description = subject.description
        model, network = f"{trial.what}: {trial.case}", None
        doing = "prepare"
        try:
            network = subject.network(trial.case.architecture)
            if network._network is None:
                where = place_of(method_of(adapter, None, "prepare"))
                yield Mistake(
                    "prepare returned None, but should return a network: is a `return` missing?", where, model
                )
                return
            for doing, call in self._calls(description, network, trial):
                self._begin(f"{doing}, for {trial.what}")
                call()
        except Unsupported as reason:
            if trial.case.architecture.mode in description.ways:
                return  # which says itself where it does not go
            yield Mistake(
                f"{doing} says that {trial.what} is unsupported ({reason}), but the description does not: add it to "
                f"`unsupported`, with the reason, or take it out of what the description has",
                place_of(method_of(adapter, network and network._network, doing)),
                model,
            )
        except SubjectExited as error:
            yield Mistake(str(error), model=model)
        except SubjectRaised as error:
            cause = error.__cause__ or error
            yield Mistake(str(error) + _of_choice(trial), model=model, traceback=own_traceback(cause, home_of(adapter)))
        except NonConforming as error:
            told = hint(str(error), SIZES)
            what = f"{error}: {told}" if told else f"{self._as_usual(trial)}{error}"
            yield Mistake(what, self._place(adapter, network, doing), model)

    def _calls(
        self, description: Description, network: GuardedNetwork, trial: Trial
    ) -> Iterator[tuple[str, Callable[[], object]]]:
        """Each method by its name, with the call of it; a call raises NonConforming for a wrong answer."""
        case = trial.case
        given: dict[str, Any] = {**case.given, **({"initial_state": case.initial_state} if trial.from_state else {})}
        yield "load", partial(network.load, case.weights)
        yield "weights", partial(_same_weights, network, case.weights)
        if any(layer.dropout or layer.recurrent_dropout for layer in case.architecture.layers):
            yield "run_training", partial(_run_training, network, case)
            return
        yield "run", partial(self._run, description, network, trial, given)
        if not description.lacks("parameter count"):
            yield "parameter_count", partial(network.ask, "parameter_count")
        if not description.lacks("symbolic shapes"):
            yield "symbolic_shape", partial(network.ask, "symbolic_shape")
        if not description.lacks("gradients") and not case.architecture.stateful:
            yield "gradients", partial(network.gradients, case.inputs, case.cotangent, **given)
        if case.architecture.stateful:
            yield "reset", partial(network.ask, "reset")
        if case.architecture.return_state and not description.lacks("symbolic state shapes"):
            yield "symbolic_state_shapes", partial(network.ask, "symbolic_state_shapes")
        if trial.what == PLAIN and not description.lacks("double backward"):
            yield "second_gradient", partial(network.ask, "second_gradient", case.inputs, case.cotangent)
        if trial.what == PLAIN and not description.lacks("training step"):
            yield "train", partial(network.ask, "train", case.inputs, case.cotangent.outputs, _RATE)

    def _run(self, description: Description, network: GuardedNetwork, trial: Trial, given: dict[str, Any]) -> None:
        output = network.run(trial.case.inputs, **given)
        if trial.what == PLAIN:
            self._usual[trial.case.architecture.dtype] = output
        self._latest = output
        precision = description.precision[trial.case.architecture.dtype]
        if trial.case.architecture.mode not in description.rounding:
            judge(trial.case, output, precision, description.choices, from_given_state=trial.from_state)

    def _as_usual(self, trial: Trial) -> str:
        """Whether a variant of a cell gives what the usual one gives."""
        usual = self._usual.get(trial.case.architecture.dtype)
        if trial.usual is None or usual is None or not np.array_equal(usual.outputs, self._latest.outputs):
            return ""
        return f"{trial.what} gives what {trial.usual} gives{_of_choice(trial)}: "

    def _place(self, adapter: Adapter, network: GuardedNetwork | None, method: str) -> str:
        if isinstance(adapter, ProcessAdapter):
            return f"{adapter.manifest.path}: the answer to {method}"
        return place_of(method_of(adapter, network and network._network, method))


def _run_training(network: GuardedNetwork, case: Case) -> None:
    """Whether a call in training gives what is of the right shapes; which numbers, no single call can tell."""
    check_output(case.architecture, case.inputs, network.ask("run_training", case.inputs, case.seed))


def _same_weights(network: GuardedNetwork, loaded: Any) -> None:
    """Whether what is read is what was loaded, to the bit."""
    found = dict(network.weights().arrays())
    for name, array in loaded.arrays():
        if found[name].tobytes() != array.tobytes():
            raise NonConforming(f"weights returned another {name} than was loaded")


def _of_choice(trial: Trial) -> str:
    """What to do where a cell of the description cannot be built."""
    if trial.usual is None:
        return ""
    return (
        f". If there is no {trial.case.architecture.layers[0].cell}, name those that there are in "
        "Description.activations (all four, where nothing is said) or Description.variants"
    )
