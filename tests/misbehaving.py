"""Adapters that do what frameworks do on a bad day, each in one check only: a single sequence in float32."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.function import FunctionAdapter, from_function
from rnn_conformance.adapters.protocol import Inputs
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Weights


def _on_a_bad_day(happens: Callable[[], None]) -> FunctionAdapter:
    def run(architecture: Architecture, weights: Weights, inputs: Inputs, initial_state: State | None) -> Output:
        if not architecture.batched and architecture.dtype == "float32":
            happens()
        return network.run(architecture, weights, inputs, initial_state)

    return from_function(run, Description(framework=happens.__name__.strip("_"), versions={}))


def _segfaults() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _leaves() -> NoReturn:
    os._exit(7)


def _hangs() -> None:
    time.sleep(600)


def _dawdles() -> None:
    time.sleep(0.5)


def _prints() -> None:
    print('{"record": "check"}\n' * 3, flush=True)
    os.write(1, b"\x00\xff not even text")


def _exits() -> NoReturn:
    sys.exit("good bye")


def _overwrites() -> None:
    Path(sys.argv[1]).write_text("no results\n", encoding="utf-8")


def _floods() -> None:
    results = Path(sys.argv[1])
    results.with_suffix(".pid").write_text(str(os.getpid()), encoding="utf-8")
    results.write_text("no results\n" * 100_000, encoding="utf-8")
    time.sleep(600)


def _leaves_a_child() -> None:
    child = subprocess.Popen(["sleep", "600"])
    told = Path(sys.argv[1]).with_suffix(".pids")
    told.with_suffix(".new").write_text(f"{os.getpid()} {child.pid}", encoding="utf-8")
    told.with_suffix(".new").rename(told)
    time.sleep(600)


def _terminates() -> None:
    Path(sys.argv[1]).with_suffix(".pid").write_text(str(os.getpid()), encoding="utf-8")
    os.kill(os.getppid(), signal.SIGTERM)
    time.sleep(600)


def _raises() -> NoReturn:
    raise MemoryError("no room for one more sequence")


segfaults = _on_a_bad_day(_segfaults)  # dies of a signal
leaves = _on_a_bad_day(_leaves)  # ends the process behind Python's back
hangs = _on_a_bad_day(_hangs)  # does not return
dawdles = _on_a_bad_day(_dawdles)  # takes its time
prints = _on_a_bad_day(_prints)  # writes noise to standard output
exits = _on_a_bad_day(_exits)  # calls sys.exit
overwrites = _on_a_bad_day(_overwrites)  # damages the file into which its own results are written
floods = _on_a_bad_day(_floods)  # does so with more than stood there, and does not return
leaves_a_child = _on_a_bad_day(_leaves_a_child)  # starts a process, and does not return
terminates = _on_a_bad_day(_terminates)  # ends its parent as `kill` does, and does not return
raises = _on_a_bad_day(_raises)  # raises what nobody catches


def _dies(architecture: Architecture, weights: Weights, inputs: Inputs, initial_state: State | None) -> Output:
    if architecture.layers[0].units > 1:  # the smallest model works
        os.kill(os.getpid(), signal.SIGKILL)
    return network.run(architecture, weights, inputs, initial_state)


always_dies = from_function(_dies)  # kills the process in every check


class _Undescribed:
    """An adapter that does not work at all: it cannot say what it is."""

    def describe(self) -> NoReturn:
        raise RuntimeError("the library libframework.so.3 is missing")


undescribed = _Undescribed()


def _list(architecture: Architecture, weights: Weights, inputs: Inputs, initial_state: State | None) -> Output:
    return network.run(architecture, weights, inputs, initial_state).outputs.tolist()  # type: ignore[no-any-return]


returns_a_list = from_function(_list)  # not what the protocol says


_HOARD: list[mmap.mmap] = []


def _hoards_memory(architecture: Architecture, weights: Weights, inputs: Inputs, initial_state: State | None) -> Output:
    while not architecture.batched and len(_HOARD) < 20_000:  # a process may map 65,530 pieces of memory, as a rule
        _HOARD.append(mmap.mmap(-1, 1))
    return network.run(architecture, weights, inputs, initial_state)


hoards = from_function(_hoards_memory)  # as JAX does with what it compiles
