"""Which state of the suite a result comes from: a digest of what decides cases, judging and clauses.

Two runs can be compared only if both were asked the same questions. The digest is made of syntax trees, statement by
statement and in no order, without docstrings, comments and imports: code that moves to another file, or is explained in
other words, keeps it; code that does something else does not. What only tells of results (reports, the command line),
what plants faults and what is known of frameworks (adapters, deviations) is not in it.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.resources
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_DIGITS = 12
"""Hexadecimal digits of the digest."""

_DECIDING = (
    "reference/",
    *(f"conformance/{room}/" for room in ("cases", "judging", "engine", "checks")),
)
"""What decides: files, or rooms with all that is in them."""

_LISTING = ("conformance/checks/catalogue.py",)
"""What is in these rooms, and decides nothing."""


_HANDED_ON = "RNN_CONFORMANCE_DIGEST"
"""The environment variable in which a process tells those that it starts: its number, and the digest."""

_SILENT = frozenset({"ctx", "kind", "type_comment", "type_params"})
"""Fields of a syntax tree that decide nothing."""


@cache
def suite_digest() -> str:
    """The digest of this suite, the same on every Python; that of the process that has started this one, if it told."""
    parent, _, told = os.environ.get(_HANDED_ON, "").partition(" ")
    if parent == str(os.getppid()):  # and no process from which it was only inherited
        return told
    found = sorted(digest for source in _sources() for digest in statement_digests(source))
    return hashlib.sha256("\n".join([*found, _specification()]).encode()).hexdigest()[:_DIGITS]


def handed_on() -> dict[str, str]:
    """The environment of a process that runs this suite, too, and need not parse it once more."""
    return {_HANDED_ON: f"{os.getpid()} {suite_digest()}"}


@cache
def told_digest() -> str:
    """A digest of what decides results beside that: the adapters' code, and what is known of frameworks."""
    adapters = [file.read_text(encoding="utf-8") for file in sorted(_room("adapters").rglob("*.py"))]
    known = sorted(_room("conformance").joinpath("known").rglob("*.*"))
    found = sorted(digest for source in adapters for digest in statement_digests(source))
    found += [hashlib.sha256(file.read_bytes()).hexdigest() for file in known if file.suffix in (".toml", ".json")]
    return hashlib.sha256("\n".join(found).encode()).hexdigest()[:_DIGITS]


def statement_digests(source: str) -> list[str]:
    """A digest of each statement at the top of a module, but for its docstring and its imports."""
    texts = (_told(node) for node in _body(ast.parse(source).body))
    return [hashlib.sha256(text.encode()).hexdigest() for text in texts if text]


def _sources() -> Iterator[str]:
    for name in ("reference", "conformance"):
        room = _room(name)
        for file in sorted(room.rglob("*.py")):
            path = f"{name}/{file.relative_to(room).as_posix()}"
            if path.startswith(_DECIDING) and path not in _LISTING:
                yield file.read_text(encoding="utf-8")


def _room(name: str) -> Path:
    return Path(str(importlib.resources.files(f"rnn_conformance.{name}")))


def _specification() -> str:
    return hashlib.sha256(_room("reference").joinpath("SPEC.md").read_text(encoding="utf-8").encode()).hexdigest()


def _body(statements: list[ast.stmt]) -> list[ast.stmt]:
    """Without what says nothing to the machine: where names come from, and docstrings."""
    return [node for node in statements if not isinstance(node, ast.Import | ast.ImportFrom) and not _is_text(node)]


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _told(value: object) -> str:
    """A node as text: the names and values of its fields that are set.

    `ast.dump` says other things on other versions of Python, such as of fields that are empty.
    """
    if isinstance(value, ast.AST):
        fields = []
        for name in value._fields:
            inner = None if name in _SILENT else getattr(value, name, None)
            if name == "body" and isinstance(inner, list):
                inner = _body(inner)
            if inner is not None and inner != []:
                fields.append(f"{name}={_told(inner)}")
        return f"{type(value).__name__}({', '.join(fields)})"
    if isinstance(value, list):
        return f"[{', '.join(map(_told, value))}]"
    return repr(value)
