"""The catalogue of mutants: layers that are wrong in one way each, which the checks must notice.

Each is a class of a few lines in one of the files mutants_<theme>.py, on top of a layer in small steps without a fault
(mutants_base.py). `selftest` measures which of them the checks notice, and `diagnosis` which of them a failure is like.
"""

from __future__ import annotations

import importlib
import importlib.resources
from collections.abc import Mapping
from functools import cache
from zlib import crc32

from rnn_conformance.conformance.mutants_base import MARKED, Mutant

THEMES = (
    "values",
    "activations",
    "time",
    "states",
    "masks",
    "directions",
    "models",
    "precision",
    "gradients",
    "calls",
    "ways",
    "dropout",
    "refusals",
)

OF_SOME_CALLS = "calls"
"""The theme of the mutants whose calls disturb one another."""


@cache
def catalogue() -> Mapping[str, Mutant]:
    """Every mutant by name, theme after theme."""
    for theme in THEMES:
        importlib.import_module(f"rnn_conformance.conformance.mutants_{theme}")
    return {m.name: m for theme in THEMES for m in MARKED.values() if m.theme == theme}


def digests() -> Mapping[str, str]:
    """For each theme eight digits that change whenever one of its mutants does, since a measurement is of these."""
    folder = importlib.resources.files("rnn_conformance.conformance")

    def crc(name: str, before: int = 0) -> int:
        return crc32((folder / f"{name}.py").read_bytes().replace(b"\r\n", b"\n"), before)

    base = crc("mutants_base")
    return {theme: f"{crc(f'mutants_{theme}', base):08x}" for theme in THEMES}
