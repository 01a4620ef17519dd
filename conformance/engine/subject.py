"""The subject of a run: an adapter behind a guard, so that whatever its framework does is told from our own errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from typing import Any

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.protocol import Adapter, Inputs, Network, Unsupported
from rnn_conformance.conformance.cases.memory import laid_out
from rnn_conformance.conformance.engine import returned
from rnn_conformance.conformance.engine.blame import home_of, mistake_in
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.states import State, state_arrays, state_shapes
from rnn_conformance.reference.model.weights import Weights


class SubjectExited(Exception):
    """The framework called sys.exit, which would have ended the run."""


class SubjectRaised(NonConforming):
    """The framework raised an exception on a case that it claims to support.

    `mistake` is the place of a mistake in the adapter's own code, if it was that which raised (blame.py).
    """

    mistake: str = ""


class BrokenAdapter(Exception):
    """The adapter does not work; the message says where."""


class Subject:
    """An adapter with its networks, each prepared once, and anew after a call of it that raised an exception.

    What such a call leaves behind is a question of its own (clause 8.7), and is not to be seen by what comes later.
    Raises Unsupported as the adapter does, SubjectExited for sys.exit, SubjectRaised for every other exception, and
    NonConforming for an answer that is not what the protocol says.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self._home = home_of(adapter)
        self.description: Description = adapter.describe()
        self._networks: dict[Architecture, GuardedNetwork | Unsupported] = {}

    def network(self, architecture: Architecture) -> GuardedNetwork:
        """The network of this architecture, prepared at the first request and at the first after it raised."""
        known = self._networks.get(architecture)
        if known is None or (isinstance(known, GuardedNetwork) and known.has_raised):
            with guard("prepare", self._home):
                try:
                    known = GuardedNetwork(self._adapter.prepare(architecture), architecture, self._home)
                except Unsupported as reason:
                    known = reason
            self._networks[architecture] = known
        if isinstance(known, Unsupported):
            raise Unsupported(*known.args)
        return known

    def anew(self) -> Subject:
        """The same adapter with nothing prepared, which calls to this one have not touched."""
        return Subject(self._adapter)

    def forget(self) -> None:
        """Drop all networks, for a long run that goes on to other shapes."""
        self._networks.clear()


class GuardedNetwork:
    """A network whose every call is guarded, and whose answers are what the protocol says.

    The arrays that it is given are laid out alike in memory (memory.py), unless it is `as_they_lie`.
    """

    _moves = True

    def __init__(self, network: Network, architecture: Architecture, home: str) -> None:
        self._network: Any = network  # what goes beyond a Network is used only where the adapter offers it
        self._architecture = architecture
        self._home = home
        self._loaded: Weights | None = None
        self._raised: list[str] = []  # a list, which a copy shares

    @property
    def has_raised(self) -> bool:
        """Whether a call raised an exception, which may have left something behind."""
        return bool(self._raised)

    def as_they_lie(self) -> GuardedNetwork:
        """The same network, which is given arrays wherever they lie."""
        other = copy(self)
        other._moves = False
        return other

    def load(self, weights: Weights) -> None:
        self._loaded = weights
        self._call("load", weights)

    def weights(self) -> Weights:
        found = returned.some_weights("weights", self._call("weights"))
        if self._loaded is not None:
            returned.check_alike("weight", found.arrays(), self._loaded.arrays())
        return found

    def run(self, inputs: Inputs, **given: Any) -> Output:
        """Call `Network.run`; what is given may be `initial_state`, `lengths` and `mask`."""
        output = returned.an_output("run", self._call("run", inputs, **given))
        if _fits(self._architecture, inputs, given.get("initial_state")):
            returned.check_output(self._architecture, inputs, output)
        return output

    def gradients(self, inputs: Inputs, cotangent: Output, **given: Any) -> Gradients:
        """Call `Network.gradients`, likewise."""
        found = returned.some_gradients("gradients", self._call("gradients", inputs, cotangent, **given))
        state = given.get("initial_state")
        if self._loaded is not None and _fits(self._architecture, inputs, state):
            read: Any = None if self._architecture.embedding else inputs
            of = Gradients(self._loaded, read, state)
            returned.check_alike("gradient", found.arrays(), of.arrays())
        return found

    def ask(self, method: str, *arguments: Any) -> Any:
        """The result of another method of the protocol."""
        result = self._call(method, *arguments)
        return _ANSWERS[method](method, result) if method in _ANSWERS else result

    def _call(self, method: str, *arguments: Any, **given: Any) -> Any:
        if self._moves:
            arguments, given = laid_out(arguments), {name: laid_out(value) for name, value in given.items()}
        try:
            with guard(method, self._home):
                return getattr(self._network, method)(*arguments, **given)
        except SubjectRaised as error:
            self._raised.append(str(error))
            raise


_ANSWERS: Mapping[str, Callable[[str, Any], Any]] = {
    "parameter_count": returned.a_count,
    "symbolic_shape": returned.a_symbolic_shape,
    "symbolic_state_shapes": returned.symbolic_state_shapes,
    "second_gradient": returned.an_array,
    "run_training": returned.an_output,
}
"""What the methods are to return that have no method of their own here; `train` and `reset` return nothing."""


def _fits(architecture: Architecture, inputs: Inputs, state: State | None) -> bool:
    """Whether the model can read these inputs, and start from this state: else nobody knows what should come out."""
    wanted = (2 if architecture.batched else 1) + (architecture.embedding is None)
    if inputs.ndim != wanted or 0 in inputs.shape:
        return False
    if architecture.embedding is None and inputs.shape[-1] != architecture.layers[0].features:
        return False
    shapes = dict(state_arrays("initial_state", state_shapes(architecture, inputs.shape[: architecture.batched])))
    return all(h.shape == shapes.get(name) for name, h in state_arrays("initial_state", state))


@contextmanager
def guard(doing: str, home: str = "") -> Iterator[None]:
    """Turn whatever the subject raises into an exception of ours that says what it was doing.

    `home` is the package of the adapter, whose mistakes are told from what its framework raises.
    """
    try:
        yield
    except SystemExit as error:
        raise SubjectExited(f"called sys.exit({error.code!r}) in {doing}") from error
    except (Unsupported, NonConforming, KeyboardInterrupt):
        raise
    except BaseException as error:
        raised = SubjectRaised(f"{doing} raised {type(error).__name__}: {cut(in_a_line(str(error)), 400)}")
        raised.mistake = mistake_in(error, home)
        raise raised from error


def in_a_line(message: str) -> str:
    """A framework's message without line ends and terminal colours."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", message).split())


def cut(text: str, length: int) -> str:
    """The text, or the beginning of a longer one, which then ends with an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
