"""Environments by uv: what belongs together on a day, as a lock, and a virtual environment of a lock."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from importlib.metadata import distribution, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from uv import find_uv_bin

from rnn_conformance.conformance.sweeping.compiled import keep, lend
from rnn_conformance.conformance.sweeping.indexes import Indexes
from rnn_conformance.conformance.sweeping.wheel import Wheel

_UNSOLVABLE = 1
"""The exit status of uv where requirements contradict each other; of anything else, such as no network, it is 2."""

_LEFT_SECONDS = 24 * 3600
"""An environment that is older was left behind: nothing that runs in one takes so long."""

_YOUNGER = {"archspec": date(2024, 2, 26)}
"""What the suite needs and was not there yet beside some frameworks, with the day of the first that will do."""

_COMPILED = "compiled"
"""The folder beside environments of the byte code of their packages."""

_LINES = 12
"""So much is told of what uv said last."""


class CannotBeMade(Exception):
    """There is no such environment: these requirements contradict each other, or cannot be installed together."""


class TookTooLong(CannotBeMade):
    """It was not made in time, which it may be another time."""


class UvFailed(Exception):
    """uv did not work, for a reason that need not be so tomorrow, such as a network that is down."""


@dataclass(frozen=True)
class Wanted:
    """What an environment should hold: requirements, and neighbours that were there at the end of the day after `day`.

    `exempt` names packages that may be newer, each with a day of its own, or with none.
    """

    requirements: Sequence[str]
    day: date
    python: str
    exempt: Mapping[str, date | None] = field(default_factory=dict)


def with_suite(wanted: Wanted) -> Wanted:
    """The same, and what the suite needs beside it.

    Hypothesis is of the version that runs here, whatever the day: another one would draw other cases.
    """
    requirements = [*wanted.requirements, *always_needed(), f"hypothesis=={version('hypothesis')}"]
    younger = {name: day for name, day in _YOUNGER.items() if wanted.day < day}
    return replace(wanted, requirements=requirements, exempt={"hypothesis": None, **younger, **wanted.exempt})


def always_needed() -> list[str]:
    """The requirements of the suite itself, without those of its extras."""
    needs = [Requirement(each) for each in distribution("rnn-conformance").requires or ()]
    return [str(each) for each in needs if not re.search(r"\bextra\b", str(each.marker or ""))]


def lock(wanted: Wanted, indexes: Indexes, timeout: float = 600) -> str:
    """What belongs together, a line ``name==version`` for each package.

    Raises CannotBeMade for what contradicts itself, and UvFailed where uv cannot tell.
    """
    options = [
        *("pip", "compile", "-", "--python", wanted.python, "--only-binary", ":all:", "--no-header", "--no-annotate"),
        *("--exclude-newer", _end_of(wanted.day), *indexes.options()),
        *(
            word
            for name, day in wanted.exempt.items()
            for word in ("--exclude-newer-package", f"{name}={_end_of(day)}")
        ),
    ]
    try:
        done = _uv(options, indexes, timeout, "\n".join(wanted.requirements))
    except TookTooLong as error:
        raise UvFailed(str(error)) from None
    if done.returncode == 0:
        return done.stdout
    raise _error(done)


@contextmanager
def environment(
    locked: str, python: str, wheel: Wheel, indexes: Indexes, folder: Path, timeout: float
) -> Iterator[Path]:
    """The Python of a new environment with these packages and the suite's wheel, which is removed in the end.

    Raises CannotBeMade where they cannot be installed, TookTooLong where that takes longer than `timeout` seconds, and
    UvFailed where uv cannot tell, such as on a full disk. What a process that was killed left there is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("environment-*"):
        if time.time() - left.stat().st_mtime > _LEFT_SECONDS:
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="environment-", dir=folder, ignore_cleanup_errors=True) as place:
        here = Path(place)
        interpreter = here / "venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        (here / "lock.txt").write_text(locked, encoding="utf-8")
        (here / wheel.name).write_bytes(wheel.data)
        into = ("--python", str(interpreter), "--no-deps", *indexes.options())
        for options in (
            ("venv", "--no-config", "--python", python, str(here / "venv")),
            ("pip", "install", *into, "--only-binary", ":all:", "-r", str(here / "lock.txt")),
            ("pip", "install", *into, str(here / wheel.name)),
        ):
            done = _uv(options, indexes, timeout)
            if done.returncode != 0:
                raise _error(done)
        (site,) = (here / "venv").glob("[Ll]ib/**/site-packages")
        lend(site, folder / _COMPILED)
        yield interpreter
        keep(site, folder / _COMPILED)


def versions_in(locked: str) -> Mapping[str, str]:
    """The version of each package of a lock, by its canonical name."""
    found = (line.partition(" ")[0].partition("==") for line in locked.splitlines() if "==" in line)
    return {canonicalize_name(name): version for name, _, version in found}


def _uv(options: Sequence[str], indexes: Indexes, timeout: float, given: str = "") -> subprocess.CompletedProcess[str]:
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("UV_INDEX", "UV_EXTRA_INDEX"))}
    command = [find_uv_bin(), "--no-progress", "--color", "never", *options]
    try:
        return subprocess.run(
            command,
            input=given,
            check=False,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            env={**mine, **indexes.variables()},
        )
    except subprocess.TimeoutExpired:
        raise TookTooLong(f"uv {options[0]} {options[1]} did not end within {timeout:g} seconds") from None


def _error(done: subprocess.CompletedProcess[str]) -> Exception:
    """What it means that uv did not do what it was asked for."""
    return (CannotBeMade if done.returncode == _UNSOLVABLE else UvFailed)(_last(done.stderr))


def _end_of(day: date | None) -> str:
    """The end of the day after, in UTC: what belongs to a release may be uploaded some hours later."""
    return "false" if day is None else f"{day + timedelta(2)}T00:00:00Z"


def _last(said: str) -> str:
    """What was said last; warnings, such as of files without a date, are not what it was about."""
    lines = [line.rstrip() for line in said.splitlines() if line.strip() and not line.startswith("warning:")]
    return "\n".join(lines)[-_LINES * 300 :]
