"""SIGTERM and a closed terminal end a run as Ctrl-C does: its workers are killed, and what was found is told."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def as_interrupts() -> Iterator[None]:
    """While this lasts, the signals that end a program raise KeyboardInterrupt with their number (see `status_of`).

    One that is ignored, such as SIGHUP under nohup, stays so.
    """
    if current_thread() is not main_thread():  # only the main thread may handle signals
        yield
        return
    signals = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in signals}
    terminals = [descriptor for descriptor in (1, 2) if os.isatty(descriptor)]

    def interrupt(number: int, frame: FrameType | None) -> None:
        if number != signal.SIGINT and signal.Signals(number).name == "SIGHUP":
            _silence(terminals)
        raise KeyboardInterrupt(number)

    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, interrupt)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def status_of(interrupt: KeyboardInterrupt) -> int:
    """The exit status of a program that a signal ended, as shells have it."""
    return 128 + int(interrupt.args[0] if interrupt.args else signal.SIGINT)


def _silence(terminals: list[int]) -> None:
    """Write to nowhere in place of a terminal that is gone, where every attempt would be an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for terminal in terminals:
        os.dup2(nowhere, terminal)
    os.close(nowhere)
