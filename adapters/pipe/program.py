"""The process of a program: started, asked, and ended where it does not answer as it should."""

from __future__ import annotations

import atexit
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from threading import Thread
from typing import Any

import numpy as np

from rnn_conformance.adapters.pipe.frames import Frame, NoFrame, length, packed, unpacked
from rnn_conformance.adapters.pipe.manifest import Manifest

_LAST_LINES = 8
_STOPPING_SECONDS = 2.0
_CHUNK = 2**20


class ProgramEnded(SystemExit):
    """The program ended, or had to be ended, in place of an answer: no refusal, and no result of its framework.

    It is a SystemExit, as that is what a program's end is within this process.
    """

    def __init__(self, told: str) -> None:
        super().__init__(_Told(told))


class _Told(str):
    """A text that stands without quotes where the suite says what an exit was called with."""

    __repr__ = str.__str__


class Program:
    """One program, which is started when it is first asked, and again when it is asked after its end.

    `lives` counts how often it was started. It belongs to the group of this process, with which it is killed; its
    standard error goes to that of this process.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._process: subprocess.Popen[bytes] | None = None
        self._said: deque[bytes] = deque(maxlen=_LAST_LINES)
        self._listener: Thread | None = None
        self.lives = 0
        atexit.register(self.stop)

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended, so far as is known."""
        return self._process is not None

    def start(self) -> None:
        """Start the process. Raises ValueError where it cannot be started."""
        if missing := self._manifest.missing:
            lacking = ", ".join(missing)
            raise ValueError(f"{self._manifest.path} needs {lacking}: {self._manifest.how_to_install}")
        if not hasattr(os, "killpg"):
            raise ValueError("programs are run on systems with select for pipes only, such as Linux and macOS")
        try:
            self._process = subprocess.Popen(
                [str(self._manifest.program), *self._manifest.command[1:]],
                cwd=self._manifest.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
            )
        except OSError as error:
            raise ValueError(f"{self._manifest.path}: {self._manifest.command[0]}: {error.strerror}") from None
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)
        self.lives += 1
        self._said.clear()
        self._listener = Thread(target=_hand_on, args=(self._process, self._said), daemon=True)
        self._listener.start()

    def ask(self, header: Mapping[str, Any], arrays: Iterable[tuple[str, np.ndarray]] = ()) -> Frame:
        """Send a request to the running program and wait for its answer. Raises ProgramEnded where none comes."""
        assert self._process is not None, "the program does not run"
        request, data = header["request"], packed(header, arrays)
        try:
            answer = unpacked(_exchange(self._process, data, self._manifest.timeout))
            if answer.header.get("answer") != request:
                raise NoFrame(f"the answer to {request} should say so in its field 'answer': {dict(answer.header)!r}")
        except TimeoutError:
            self._end(f"did not answer {request} within {self._manifest.timeout:g} seconds")
        except NoFrame as error:
            self._end(f"was ended, since what it wrote is no answer to {request}: {error}")
        except EOFError:
            status = _status(self._process)
            self._end(f"{status} and left {request} without an answer")
        except BaseException:  # such as an interrupt: what is still to come would be taken for another answer
            self.kill()
            raise
        return answer

    def stop(self) -> None:
        """Let the program end by itself, and kill it if it does not."""
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        with suppress(OSError):
            os.write(process.stdin.fileno(), packed({"request": "stop"}))
        with suppress(OSError):
            process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_STOPPING_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End the process, whatever it does."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        if self._listener is not None:
            self._listener.join(_STOPPING_SECONDS)  # what it said last has to be read

    def _end(self, how: str) -> None:
        """Kill the process, and raise what there is to tell of its end."""
        self.kill()
        said = b"".join(self._said).decode("utf-8", errors="replace").strip()
        last = f"; it said last: {said}" if said else ""
        raise ProgramEnded(f"the program of {self._manifest.path.name} {how}{last}") from None


def _exchange(process: subprocess.Popen[bytes], data: bytes, timeout: float) -> bytes:
    """Send these bytes and receive one frame. Raises TimeoutError, EOFError and NoFrame."""
    assert process.stdin is not None
    assert process.stdout is not None
    deadline = time.monotonic() + timeout
    rest, received, wanted = memoryview(data), bytearray(), 1
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdin, selectors.EVENT_WRITE)
        selector.register(process.stdout, selectors.EVENT_READ)
        while len(received) < wanted:
            left = deadline - time.monotonic()
            ready = selector.select(left) if left > 0 else []
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                if key.fileobj is process.stdout:
                    chunk = os.read(key.fd, _CHUNK)
                    if not chunk:
                        raise EOFError
                    received += chunk
                else:
                    try:
                        rest = rest[os.write(key.fd, rest[:_CHUNK]) :]
                    except BrokenPipeError:  # it has ended, as what is read will tell
                        rest = rest[:0]
                    if not rest:
                        selector.unregister(process.stdin)
            if len(received) >= wanted:
                wanted = length(bytes(received))
    if len(received) > wanted:
        raise NoFrame(f"after the answer there is {bytes(received[wanted:][:200])!r}")
    return bytes(received)


def _status(process: subprocess.Popen[bytes]) -> str:
    """How a process that has closed its output ended, in words."""
    try:
        status = process.wait(_STOPPING_SECONDS)
    except subprocess.TimeoutExpired:
        return "closed its standard output"
    return f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def _hand_on(process: subprocess.Popen[bytes], said: deque[bytes]) -> None:
    """Hand on what the program says on standard error, and keep the last of it."""
    assert process.stderr is not None
    with process.stderr as stream:
        for line in iter(stream.readline, b""):
            said.append(line)
            with suppress(OSError):  # nobody hears it
                os.write(2, line)
