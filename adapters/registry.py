"""Finding adapters: by name through entry points, as ``package.module:attribute``, or by the manifest of a program."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, cast

from packaging.version import Version

from rnn_conformance.adapters.function import from_function
from rnn_conformance.adapters.pipe.adapter import ProcessAdapter, of_manifest
from rnn_conformance.adapters.pipe.manifest import is_manifest
from rnn_conformance.adapters.protocol import Adapter

GROUP = "rnn_conformance.adapters"
_OURS = "rnn_conformance."


@dataclass(frozen=True)
class Registered:
    """An adapter that is registered under a name.

    `missing` are the modules that it needs and that are not there, or, of a program, the files; `install` is what to
    run for those. `packages` are the packages of its own, each with the oldest version that it works with; adapters of
    others are not imported for that, so theirs are not known here.
    """

    name: str
    target: str
    missing: tuple[str, ...]
    packages: Mapping[str, str] = field(default_factory=dict)
    install: str = ""

    @property
    def how_to_install(self) -> str:
        return self.install or f"pip install 'rnn-conformance[{self.name.replace('+', '-')}]'"

    @property
    def too_old(self) -> str:
        """That an installed package is older than this adapter works with, in a line; empty if none is."""
        return too_old(self.name, self.packages, installed(self.packages))


def registered() -> dict[str, Registered]:
    """Every registered adapter by name; no framework is imported."""
    return {name: _registered(name, point) for name, point in _points().items()}


def of_program(path: str) -> Registered:
    """The adapter of a manifest; its program is not started. Raises ValueError for a manifest that cannot be read."""
    found = of_manifest(Path(path))
    return Registered(path, path, found.missing, install=found.how_to_install)


def load(name: str) -> Adapter:
    """The adapter of that name, or the one at ``package.module:attribute``; a function there is made one.

    A name that ends with ``.toml`` is that of a manifest, whose program is the adapter.

    Raises ValueError, listing the registered names, for a name that is neither, for a module without the attribute, and
    for what is no adapter; ImportError where the module cannot be imported, and where a package of its own is older
    than it works with.
    """
    target = resolve(name)
    if is_manifest(target):
        return of_manifest(Path(target))
    found = attribute_of(target)
    if isinstance(found, type) or not (hasattr(found, "describe") or callable(found)):
        what = "a class: name an instance of it" if isinstance(found, type) else "neither an adapter nor a function"
        raise ValueError(f"{target} is {what}")
    packages = packages_of(found)
    if told := too_old(name, packages, installed(packages)):
        raise ImportError(told)
    if hasattr(found, "describe"):
        return cast(Adapter, found)
    return cast(Adapter, from_function(cast(Any, found)))


def resolve(name: str) -> str:
    """``package.module:attribute`` for a registered name; a target stays as it is, and so does a manifest.

    Raises ValueError, listing the registered names, for a name that is none of these.
    """
    if ":" in name or is_manifest(name):
        return name
    known = _points()
    if name not in known:
        raise ValueError(
            f"there is no adapter {name!r}; registered are {', '.join(known)} "
            "(an adapter that is not registered is named package.module:attribute, a program by its manifest, a .toml)"
        )
    return known[name].value


def attribute_of(target: str) -> object:
    """What is at ``package.module:attribute``. Raises ValueError and ImportError as `load` does."""
    module_name, _, attribute = target.partition(":")
    module = importlib.import_module(module_name)
    if not hasattr(module, attribute):
        names = ", ".join(n for n in vars(module) if not n.startswith("_"))
        raise ValueError(f"module {module_name} has no attribute {attribute!r}; it has {names}")
    found: object = getattr(module, attribute)
    return found


def packages_of(adapter: object) -> Mapping[str, str]:
    """The packages that an adapter names as its own, each with the oldest version that it works with."""
    return dict(getattr(adapter, "packages", {}))


def installed(packages: Mapping[str, str]) -> Mapping[str, str]:
    """The versions of those of these packages that are installed; none of them is imported."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def too_old(name: str, packages: Mapping[str, str], versions: Mapping[str, str]) -> str:
    """A line that says which of these versions are older than the adapter of this name works with; empty if none is."""
    old = [package for package, version in versions.items() if is_older(version, packages[package])]
    needs = " and ".join(f"{package} {packages[package]} or newer" for package in old)
    have = " and ".join(versions[package] for package in old)
    return f"{name} needs {needs}, {have} {'is' if len(old) == 1 else 'are'} installed" if old else ""


def is_older(version: str, oldest: str) -> bool:
    """Whether a version is older than another; pre-releases of that are not."""
    return Version(Version(version).base_version) < Version(oldest)


def _registered(name: str, point: EntryPoint) -> Registered:
    if not point.value.startswith(_OURS):
        return Registered(name, point.value, ())
    adapter = point.load()
    if isinstance(adapter, ProcessAdapter):
        return Registered(name, point.value, adapter.missing, install=adapter.how_to_install)
    missing = tuple(each for each in getattr(adapter, "requires", ()) if importlib.util.find_spec(each) is None)
    return Registered(name, point.value, missing, packages_of(adapter))


@cache
def _points() -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}
