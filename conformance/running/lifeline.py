"""Ends a worker, with all that its framework has started, when the process that it works for dies, in whatever way.

A process that is killed cannot tell its children. But its end of a pipe is closed then, and the other one, which is the
worker's standard input, comes to its end.
"""

from __future__ import annotations

import os
import signal
from threading import Thread


def hold() -> None:
    """Watch standard input, on which nothing ever comes, and kill this process and its group when it ends.

    Nothing is watched in a process that leads no group, such as one that was started by hand: it would kill its caller.

    Where processes can be forked, the watching is left to one that does nothing else: a framework that hangs may hold
    Python's lock, and then no thread of this process gets its turn. It is no child of this process, in case that a
    framework waits for all of those. Elsewhere, a thread ends this process alone.
    """
    if hasattr(os, "getpgrp") and os.getpgrp() != os.getpid():
        return
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # for the framework, there is no input
    os.close(nothing)
    if not hasattr(os, "fork"):
        Thread(target=_end_with, args=(lifeline,), daemon=True).start()
        return
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            _end_with(lifeline)
        os._exit(0)
    os.waitpid(child, 0)
    os.close(lifeline)


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
