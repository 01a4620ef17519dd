"""The process in which an adapter is checked: started, watched until it ends, and killed where it does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import MappingProxyType

from rnn_conformance.conformance.identity import handed_on
from rnn_conformance.conformance.running.compiled import FOLDERS, settings
from rnn_conformance.conformance.running.order import Order, Report
from rnn_conformance.conformance.running.watch import Watch
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.conformance.witnesses.journal import running_item, sign_of_life

_POLL_SECONDS = 0.1
_HANDED_OVER = 2
"""The exit status of pytest where it was told to stop."""

_STARTING_SECONDS = 120
"""So long a framework may take to be imported at least: on a busy machine that takes longer than any check."""

TOO_LONG = "did not return within"
"""What is said of a worker that took longer than it may; how long that is follows."""

ONE_THREAD = {
    f"{name}_THREADS": "1"
    for name in ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "NUMEXPR_NUM", "TF_NUM_INTRAOP", "TF_NUM_INTEROP")
}
"""On small layers, thread pools cost far more than they save; and several workers share the machine."""


@dataclass(frozen=True)
class Ended:
    """How a worker ended, in words, and what that means for the check that was running.

    One that `hands_over` has stopped by itself, between two checks, so that a fresh one goes on (room.py).
    """

    how: str
    verdict: str = "crashed"
    hands_over: bool = False


def run_worker(order: Order, adapter: str, watch: Watch, report: Report, stop: Event) -> Ended:
    """Run one worker until it ends, an example takes too long, or all shall stop; none is left when this returns."""
    order.journal(adapter).unlink(missing_ok=True)
    arguments = [str(order.results(adapter)), *order.options(adapter)]
    compiled = settings(order.compiled)
    module = "rnn_conformance.conformance.running.worker"
    with started(module, arguments, order.log(adapter), compiled, order.python) as process:
        last = ""
        since = time.monotonic()
        while process.poll() is None:
            found = running_item(order.journal(adapter))
            if (sign := sign_of_life(order.journal(adapter))) != last:  # each example has the time for itself
                last, since = sign, time.monotonic()
            report(watch.progress(_doing(found)))
            limit = order.timeout if found else max(order.timeout, _STARTING_SECONDS)
            if stop.is_set() or time.monotonic() - since > limit:
                return Ended(f"{TOO_LONG} {limit:g} seconds", "timed out")
            stop.wait(_POLL_SECONDS)
    watch.look()
    return ended(process.returncode)


@contextmanager
def started(
    module: str,
    arguments: Sequence[str],
    log: Path,
    variables: Mapping[str, str] = MappingProxyType({}),
    python: str = sys.executable,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs a module of this package, which holds its lifeline (see there); what it prints is appended to
    the log. In the end it is killed, with all the processes that its framework may have started. `variables` are what
    its environment has beside ours, and `python` is another one, whose packages are its own.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [python, *(() if python == sys.executable else ("-I",)), "-m", module, *arguments],
            stdin=subprocess.PIPE,  # the lifeline: it is closed when this process ends, however that comes about
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**_environment(), **variables},
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            _kill(process)
        assert process.stdin is not None
        process.stdin.close()


def _kill(process: subprocess.Popen[bytes]) -> None:
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def ended(status: int) -> Ended:
    """What the exit status of a process says of its end."""
    return Ended(
        f"killed by {signal.Signals(-status).name}" if status < 0 else f"the process ended with status {status}",
        hands_over=status == _HANDED_OVER,
    )


def _doing(running: tuple[Item, int] | None) -> str:
    """What is running, in short."""
    if running is None:
        return "starting"
    item, seed = running
    return f"{item.check}, seed {seed}" if seed else item.check


def _environment() -> dict[str, str]:
    mine = {k: v for k, v in os.environ.items() if k not in ("PYTEST_ADDOPTS", *FOLDERS)}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONFAULTHANDLER": "1", "PYTHONHASHSEED": "0"}
    # No plugin that happens to be installed may reorder, repeat or distribute the checks.
    return {**mine, **ONE_THREAD, **quiet, **handed_on(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
