"""An adapter that is a program behind a pipe: every call becomes a request, and its answer what the protocol wants."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.pipe.frames import PROTOCOL, Arrays, Frame
from rnn_conformance.adapters.pipe.manifest import Manifest, read_manifest
from rnn_conformance.adapters.pipe.program import Program, ProgramEnded
from rnn_conformance.adapters.pipe.words import architecture_as_data, description_of
from rnn_conformance.adapters.protocol import Inputs, Lengths, Unsupported
from rnn_conformance.adapters.support import refuse_unsupported
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.states import State, StateShapes, state_arrays, state_of
from rnn_conformance.reference.model.weights import Weights


class ProgramRaised(Exception):
    """What a program says that its framework raised, with the name that it has there."""


class ProcessAdapter:
    """The adapter of a manifest. Its program is started when it is asked for the first time, and after each end again.

    Networks that were prepared before an end are prepared anew, with their weights, when they are called next.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.manifest = manifest
        self._program = Program(manifest)
        self._description: Description | None = None
        self._released: list[int] = []
        self._networks = 0

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not there of all that the program needs."""
        return self.manifest.missing

    @property
    def how_to_install(self) -> str:
        """What to run for that."""
        return self.manifest.how_to_install

    def describe(self) -> Description:
        """What the program says. Raises ValueError where that is none, RuntimeError where it ends in place of that."""
        if self._description is None:
            try:
                self.awake()
            except ProgramEnded as end:
                raise RuntimeError(str(end)) from None  # it does not work at all
        assert self._description is not None
        return self._description

    def prepare(self, architecture: Architecture) -> PipeNetwork:
        refuse_unsupported(self.describe(), architecture)
        return PipeNetwork(self, architecture)

    def awake(self) -> int:
        """See to it that the program runs and speaks this protocol. Returns which of its lives this is."""
        if not self._program.runs:
            self._program.start()
            self._released.clear()
            answer = self._program.ask({"request": "describe", "protocol": PROTOCOL})
            try:
                self._read(answer.header)
            except ValueError:
                self._program.kill()
                raise
        return self._program.lives

    def _read(self, header: Mapping[str, Any]) -> None:
        """Take the description out of the first answer."""
        file = self.manifest.path.name
        if (spoken := header.get("protocol")) != PROTOCOL:
            raise ValueError(f"the program of {file} speaks protocol {spoken!r}, and this suite protocol {PROTOCOL}")
        if told := _told_error(header):
            raise ValueError(f"the program of {file} does not describe itself: {told}")
        try:
            self._description = description_of(header.get("description"))
        except ValueError as error:
            raise ValueError(f"the program of {file} describes itself wrongly: {error}") from None

    def ask(self, request: str, arrays: Iterable[tuple[str, np.ndarray]] = (), **fields: Any) -> Frame:
        """Ask the program, which runs. Raises Unsupported and ProgramRaised as it answers, ProgramEnded if it ends."""
        answer = self._program.ask({"request": request, **fields}, arrays)
        if reason := answer.header.get("unsupported"):
            raise Unsupported(str(reason))
        if told := _told_error(answer.header):
            raise ProgramRaised(told)
        return answer

    def new_network(self, architecture: Architecture) -> tuple[int, Frame]:
        """Have the program prepare a model, and forget those that nobody holds any more. Returns its number."""
        released = [self._released.pop() for _ in range(len(self._released))]
        self._networks += 1
        told = architecture_as_data(architecture)
        return self._networks, self.ask("prepare", network=self._networks, architecture=told, released=released)

    def release(self, number: int) -> None:
        """Remember that nobody holds this network any more."""
        self._released.append(number)


class PipeNetwork:
    """One model in the program."""

    def __init__(self, adapter: ProcessAdapter, architecture: Architecture) -> None:
        self._adapter = adapter
        self._architecture = architecture
        self._loaded: Weights | None = None
        self._life = 0
        self._number = 0
        self._prepared: Mapping[str, Any] = {}
        self._ask("prepare")

    def load(self, weights: Weights) -> None:
        self._ask("load", weights.arrays())
        self._loaded = weights.map(np.copy)  # for a program that is started again

    def weights(self) -> Weights:
        return Weights.of(self._ask("weights"))

    def run(
        self,
        inputs: Inputs,
        *,
        initial_state: State | None = None,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
    ) -> Output:
        return _output(self._ask("run", _given(inputs, initial_state, lengths, mask)))

    def run_training(self, inputs: Inputs, seed: int) -> Output:
        return _output(self._ask("run", _given(inputs), seed=seed))

    def gradients(
        self,
        inputs: Inputs,
        cotangent: Output,
        *,
        initial_state: State | None = None,
        lengths: Lengths | None = None,
        mask: Mask | None = None,
    ) -> Gradients:
        given = [*_given(inputs, initial_state, lengths, mask), *_cotangent(cotangent)]
        found = self._ask("gradients", given)
        state = state_of("initial_state", found)
        return Gradients(Weights.of(found), found.get("inputs"), state or None)

    def second_gradient(self, inputs: Inputs, cotangent: Output) -> NDArray[np.floating]:
        given: Any = self._ask("second_gradient", [*_given(inputs), *_cotangent(cotangent)])
        return given.get("inputs")

    def train(self, inputs: Inputs, targets: NDArray[np.floating], rate: float) -> None:
        self._ask("train", [*_given(inputs), ("targets", targets)], rate=float(rate))

    def reset(self) -> None:
        self._ask("reset")

    def parameter_count(self) -> int:
        return self._prepared.get("parameter_count")  # type: ignore[return-value]  # the suite looks what it is

    def symbolic_shape(self) -> tuple[int | None, ...]:
        return _tuples(self._prepared.get("symbolic_shape"))

    def symbolic_state_shapes(self) -> StateShapes:
        return _tuples(self._prepared.get("symbolic_state_shapes"))

    def _ask(self, request: str, arrays: Iterable[tuple[str, np.ndarray]] = (), **fields: Any) -> Arrays:
        """The arrays of the answer; before that, the model is prepared in a program that does not know it."""
        life = self._adapter.awake()
        if life != self._life:
            self._number, answer = self._adapter.new_network(self._architecture)
            self._life, self._prepared = life, answer.header
            weakref.finalize(self, self._adapter.release, self._number).atexit = False
            if self._loaded is not None and request != "load":
                self._adapter.ask("load", self._loaded.arrays(), network=self._number)
        return {} if request == "prepare" else self._adapter.ask(request, arrays, network=self._number, **fields).arrays


def of_manifest(path: Path) -> ProcessAdapter:
    """The adapter of this manifest. Raises ValueError, with file and line, for one that cannot be read."""
    return ProcessAdapter(read_manifest(path))


def _given(
    inputs: Inputs, initial_state: State | None = None, lengths: Lengths | None = None, mask: Mask | None = None
) -> list[tuple[str, np.ndarray]]:
    """What a call is given, by name; what is not given is not there."""
    optional = (("lengths", lengths), ("mask", mask))
    named = [(name, np.asarray(value)) for name, value in optional if value is not None]
    return [("inputs", inputs), *state_arrays("initial_state", initial_state), *named]


def _cotangent(cotangent: Output) -> list[tuple[str, np.ndarray]]:
    return [
        ("cotangent.outputs", cotangent.outputs),
        *state_arrays("cotangent.final_state", cotangent.final_state),
    ]


def _output(found: Mapping[str, Any]) -> Output:
    """What the arrays of an answer are; without outputs, what no check takes for an output."""
    return Output(found.get("outputs"), state_of("final_state", found) or None)  # type: ignore[arg-type]


def _told_error(header: Mapping[str, Any]) -> str:
    """The error that an answer tells of, as ``TypeError: no such layer``; empty if it tells of none."""
    error = header.get("error")
    if error is None:
        return ""
    told = error if isinstance(error, dict) else {"message": error}
    return ": ".join(str(told[name]) for name in ("type", "message") if told.get(name)) or "an error without a message"


def _tuples(value: Any) -> Any:
    """Lists as tuples, at any depth."""
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
