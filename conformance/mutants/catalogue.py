"""The catalogue of mutants: layers that are wrong in one way each, which the checks must notice.

Each is a class of a few lines in one of the files of this room, on top of a layer in small steps without a fault
(base.py). `selftest` measures which of them the checks notice, and `diagnosis` which of them a failure is like.
"""

from __future__ import annotations

import ast
import importlib
import importlib.resources
from collections.abc import Mapping, Sequence
from functools import cache
from zlib import crc32

from rnn_conformance.conformance.mutants.base import MARKED, Mutant
from rnn_conformance.conformance.mutants.cells import Gated

THEMES = (
    "values",
    "activations",
    "time",
    "states",
    "masks",
    "lengths",
    "directions",
    "models",
    "precision",
    "gradients",
    "backpropagation",
    "calls",
    "memory",
    "batches",
    "lifetimes",
    "rare",
    "rarer",
    "mistakes",
    "ways",
    "ways_seldom",
    "dropout",
    "refusals",
    "gated_training",
    "gated_training_steps",
    "lstm_gates",
    "lstm_equation",
    "gated_precision",
    "lstm_states",
    "lstm_time",
    "lstm_masks",
    "lstm_weights",
    "lstm_gradients",
    "lstm_projection",
    "gru_gates",
    "gru_equation",
    "gru_states",
    "gru_weights",
    "gru_gradients",
)


@cache
def catalogue() -> Mapping[str, Mutant]:
    """Every mutant by name, theme after theme."""
    for theme in THEMES:
        importlib.import_module(f"rnn_conformance.conformance.mutants.{theme}")
    return {m.name: m for theme in THEMES for m in MARKED.values() if m.theme == theme}


@cache
def digests() -> Mapping[str, str]:
    """For each mutant eight digits that change whenever its code does, since what was measured is of that code.

    Of its file, that is all but the imports and the other mutants; and all of the sound layer but its imports, which
    for gated cells is in three files.
    """
    base = _crc(_statements("base"), 0)
    gated = _crc(_statements("rows"), _crc(_statements("cells"), base))
    found: dict[str, str] = {}
    for theme in THEMES:
        statements = _statements(theme)
        classes = {m.network.__name__: name for name, m in catalogue().items() if m.theme == theme}
        shared = [(node, text) for node, text in statements if getattr(node, "name", "") not in classes]
        is_gated = any(issubclass(catalogue()[name].network, Gated) for name in classes.values())
        before = _crc(shared, gated if is_gated else base)
        for node, text in statements:
            if isinstance(node, ast.ClassDef) and node.name in classes:
                found[classes[node.name]] = f"{_crc([(node, text)], before):08x}"
    return {name: found[name] for name in catalogue()}


Statement = tuple[ast.stmt, str]
"""A statement of a file, and its text; imports are none, so that what moves stays what it is."""


def _statements(module: str) -> list[Statement]:
    file = importlib.resources.files("rnn_conformance.conformance.mutants").joinpath(f"{module}.py")
    source = file.read_text(encoding="utf-8")
    lines = source.splitlines()

    def first(node: ast.stmt) -> int:
        return min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", ()))])

    body = [node for node in ast.parse(source).body if not isinstance(node, ast.Import | ast.ImportFrom)]
    return [(node, "\n".join(lines[first(node) - 1 : node.end_lineno])) for node in body]


def _crc(statements: Sequence[Statement], before: int) -> int:
    return crc32("\n".join(text for _, text in statements).encode(), before)
