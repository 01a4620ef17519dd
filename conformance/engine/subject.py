"""The subject of a run: an adapter behind a guard, so that whatever its framework does is told from our own errors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.protocol import Adapter, Inputs, Network, Unsupported
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.weights import Weights

T = TypeVar("T")


class SubjectExited(Exception):
    """The framework called sys.exit, which would have ended the run."""


class SubjectRaised(NonConforming):
    """The framework raised an exception on a case that it claims to support."""


class Subject:
    """An adapter with its networks, each prepared once.

    Raises Unsupported as the adapter does, SubjectExited for sys.exit, and SubjectRaised for every other exception.
    """

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self.description: Description = adapter.describe()
        self._networks: dict[Architecture, GuardedNetwork | Unsupported] = {}

    def network(self, architecture: Architecture) -> GuardedNetwork:
        """The network of this architecture, prepared at the first request."""
        known = self._networks.get(architecture)
        if known is None:
            with guard("prepare"):
                try:
                    known = GuardedNetwork(self._adapter.prepare(architecture))
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
    """A network whose every call is guarded, and whose output is what the protocol says."""

    def __init__(self, network: Network) -> None:
        self._network: Any = network  # what goes beyond a Network is used only where the adapter offers it

    def load(self, weights: Weights) -> None:
        with guard("load"):
            self._network.load(weights)

    def weights(self) -> Weights:
        with guard("weights"):
            return self._network.weights()

    def run(self, inputs: Inputs, **given: Any) -> Output:
        """Call `Network.run`; what is given may be `initial_state`, `lengths` and `mask`."""
        with guard("run"):
            return _of_type(Output, "run", self._network.run(inputs, **given))

    def gradients(self, inputs: Inputs, cotangent: Output, **given: Any) -> Gradients:
        """Call `Network.gradients`, likewise."""
        with guard("gradients"):
            return _of_type(Gradients, "gradients", self._network.gradients(inputs, cotangent, **given))

    def ask(self, method: str, *arguments: Any) -> Any:
        """The result of another method of the protocol."""
        with guard(method):
            return getattr(self._network, method)(*arguments)


def _of_type(wanted: type[T], method: str, result: Any) -> T:
    if not isinstance(result, wanted):
        raise NonConforming(
            f"{method} returned a {type(result).__name__}, but should return an instance of {wanted.__name__}"
        )
    return result


@contextmanager
def guard(doing: str) -> Iterator[None]:
    """Turn whatever the subject raises into an exception of ours that says what it was doing."""
    try:
        yield
    except SystemExit as error:
        raise SubjectExited(f"called sys.exit({error.code!r}) in {doing}") from error
    except (Unsupported, NonConforming, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise SubjectRaised(f"{doing} raised {type(error).__name__}: {cut(in_a_line(str(error)), 400)}") from error


def in_a_line(message: str) -> str:
    """A framework's message without line ends and terminal colours."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", message).split())


def cut(text: str, length: int) -> str:
    """The text, or the beginning of a longer one, which then ends with an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"
