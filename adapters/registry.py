"""Finding adapters: by name through entry points, or as ``package.module:attribute``."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from rnn_conformance.adapters.function import from_function
from rnn_conformance.adapters.protocol import Adapter

GROUP = "rnn_conformance.adapters"
_OURS = "rnn_conformance."


@dataclass(frozen=True)
class Registered:
    """An adapter that is registered under a name. `missing` are the modules that it needs and that are not there."""

    name: str
    target: str
    missing: tuple[str, ...]

    @property
    def how_to_install(self) -> str:
        return f"pip install 'rnn-conformance[{self.name}]'"


def registered() -> dict[str, Registered]:
    """Every registered adapter by name; no framework is imported."""
    return {name: Registered(name, point.value, _missing(point)) for name, point in _points().items()}


def load(name: str) -> Adapter:
    """The adapter of that name, or the one at ``package.module:attribute``; a function there is made one.

    Raises ValueError, listing the registered names, for a name that is neither, for a module without the attribute, and
    for what is no adapter; ImportError where the module cannot be imported.
    """
    target = resolve(name)
    module_name, _, attribute = target.partition(":")
    module = importlib.import_module(module_name)
    if not hasattr(module, attribute):
        names = ", ".join(n for n in vars(module) if not n.startswith("_"))
        raise ValueError(f"module {module_name} has no attribute {attribute!r}; it has {names}")
    found = getattr(module, attribute)
    if isinstance(found, type) or not (hasattr(found, "describe") or callable(found)):
        what = "a class: name an instance of it" if isinstance(found, type) else "neither an adapter nor a function"
        raise ValueError(f"{target} is {what}")
    return cast(Adapter, found if hasattr(found, "describe") else from_function(found))


def resolve(name: str) -> str:
    """``package.module:attribute`` for a registered name; a target stays as it is.

    Raises ValueError, listing the registered names, for a name that is neither.
    """
    if ":" in name:
        return name
    known = _points()
    if name not in known:
        raise ValueError(
            f"there is no adapter {name!r}; registered are {', '.join(known)} "
            "(an adapter that is not registered is named package.module:attribute)"
        )
    return known[name].value


@cache
def _points() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def _missing(point: EntryPoint) -> tuple[str, ...]:
    """Which modules this adapter needs in vain. Adapters of others are not imported here, so theirs are not known."""
    if not point.value.startswith(_OURS):
        return ()
    return tuple(name for name in getattr(point.load(), "requires", ()) if importlib.util.find_spec(name) is None)
