"""The manifest of a program: a file of TOML that says how it is started (docs/process.md)."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SUFFIX = ".toml"
"""What the name of a manifest ends with, and that of no other adapter."""


@dataclass(frozen=True)
class Manifest:
    """How a program is started.

    `command` is the program and its arguments; it runs in the folder of the manifest, from which a program that is
    told by a path, such as ``./backend``, is found as well. `timeout` is in seconds, for each request. `needs` are
    files of that folder without which the program cannot run, and `install` says what makes them.
    """

    path: Path
    command: Sequence[str]
    timeout: float = 60.0
    needs: Sequence[str] = ()
    install: str = ""

    @property
    def folder(self) -> Path:
        """From which all paths count: that of the file itself, wherever a link to it lies."""
        return self.path.resolve().parent

    @property
    def program(self) -> str | None:
        """Where the program is; None if it is nowhere."""
        first = self.command[0]
        if "/" in first or "\\" in first:
            return str(self.folder / first) if (self.folder / first).is_file() else None
        return shutil.which(first)

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not there of all that the program needs."""
        lacking = [need for need in self.needs if not (self.folder / need).exists()]
        return tuple([] if self.program else [self.command[0]]) + tuple(lacking)

    @property
    def how_to_install(self) -> str:
        """What to run for what is missing, from any folder."""
        return f"cd {self.folder} && {self.install}" if self.install else f"see {self.path}"


def is_manifest(name: str) -> bool:
    """Whether the name of an adapter is that of a manifest."""
    return name.endswith(SUFFIX)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest. Raises ValueError, with file and line, for what is none, listing the keys for a wrong one."""
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise ValueError(f"{path} is no TOML: {error}") from None
    _check(path, text, table)
    return Manifest(path, **{"timeout": 60.0, **table})


def _check(path: Path, text: str, table: Mapping[str, Any]) -> None:
    keys = [f.name for f in fields(Manifest) if f.name != "path"]
    for key, value in table.items():
        at = f"{path}, line {_line(text, key)}"
        if key not in keys:
            near = get_close_matches(key, keys, 1)
            hint = f" (is {near[0]} meant?)" if near else ""
            raise ValueError(f"{at}: there is no key {key!r}{hint}; the keys are {', '.join(keys)}")
        if not _IS[key][0](value):
            raise ValueError(f"{at}: {key} should be {_IS[key][1]}, but is {value!r}")
    if "command" not in table:
        raise ValueError(f'{path} has no command, such as command = ["node", "backend.js"]')


def _line(text: str, key: str) -> int:
    """The line in which a key is set, or a table of its name begins, counted from 1."""
    set_here = re.compile(rf"\s*(\[+\s*)?[\"']?{re.escape(key)}[\"']?\s*[\].=]")
    lines = enumerate(text.splitlines(), start=1)
    return next((number for number, line in lines if set_here.match(line)), 1)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) and each for each in value)


_IS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "command": (lambda value: _is_texts(value) and bool(value), "a list of texts, the program first"),
    "timeout": (lambda value: type(value) in (int, float) and value > 0, "a number of seconds above 0"),
    "needs": (_is_texts, "a list of paths"),
    "install": (lambda value: isinstance(value, str), "a text"),
}
"""What each key should be: a test, and the words for it."""
