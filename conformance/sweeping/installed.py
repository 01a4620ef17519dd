"""What is installed here, as the lock of an environment: what runs elsewhere is then what would run here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from rnn_conformance.conformance.sweeping.environments import always_needed
from rnn_conformance.conformance.sweeping.plan import own_packages


def installed_lock(adapter: str | None = None) -> str:
    """The packages of an adapter, what a worker needs, and all that these need, as they are installed here.

    Raises ValueError for an adapter whose packages are not known: an environment elsewhere would not have it.
    """
    own = list(own_packages(adapter)) if adapter else []
    if adapter and ":" in adapter and not own:
        raise ValueError(
            f"{adapter} names no packages of its own, so that no environment can be made for it: give it "
            "`packages`, or run it without an engine"
        )
    found: dict[str, str] = {}
    _add([Requirement(each) for each in (*own, *always_needed())], found)
    return "".join(f"{name}=={version}\n" for name, version in sorted(found.items()))


def _add(wanted: Sequence[Requirement], found: dict[str, str]) -> None:
    """Put these packages and all that they need into what was found, each once."""
    left = list(wanted)
    seen: set[tuple[str, frozenset[str]]] = set()
    while left:
        each = left.pop()
        name, extras = canonicalize_name(each.name), frozenset(each.extras)
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            there = distribution(name)
        except PackageNotFoundError:
            continue  # it is not needed: what is here runs without it
        found[name] = there.version
        left += _needed(there, extras)


def _needed(package: Distribution, extras: frozenset[str]) -> Iterator[Requirement]:
    for each in map(Requirement, package.requires or ()):
        if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras or {""}):
            yield each
