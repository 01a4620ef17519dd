"""What a sweep goes through: a release of one package at a time, each with neighbours that fit its time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from rnn_conformance.adapters import registry
from rnn_conformance.conformance.sweeping.environments import Wanted, lock, versions_in
from rnn_conformance.conformance.sweeping.indexes import Indexes
from rnn_conformance.conformance.sweeping.releases import LeftOut, Release, day_of, files_of, releases

_OWN_DATE = ("torch",)
"""Packages of which few builds can be had here: where they are not what is swept, the pinned one is taken."""


@dataclass(frozen=True)
class Point:
    """A release, and what its environment should hold."""

    release: Release
    wanted: Wanted


@dataclass(frozen=True)
class Plan:
    """The points of a sweep, the oldest day first, and the releases that are left out."""

    points: Sequence[Point]
    left_out: Sequence[LeftOut]


@dataclass(frozen=True)
class Span:
    """What is swept: the `packages` that vary, since which day, with pre-releases or without.

    `pins` are requirements of every environment, such as ``jax==0.10.2``, which overrule the day of a release. With
    `lines` only the newest release of each line, such as 3.12, is taken.
    """

    packages: Sequence[str]
    since: date
    pre: bool = False
    lines: bool = False
    pins: Sequence[str] = ()


def packages_of(adapter: str, asked: Sequence[str] = ()) -> list[str]:
    """The packages of an adapter that a sweep varies: those asked for, or all.

    Raises ValueError for an adapter that names none, and for a package that is not one of its own, with those that are.
    """
    own = own_packages(adapter)
    if not own:
        raise ValueError(f"{adapter} names no packages of its own, so there are no releases to go through")
    if wrong := [name for name in asked if name not in own]:
        raise ValueError(f"{', '.join(wrong)} is no package of {adapter}; it has {', '.join(own)}")
    return list(dict.fromkeys(asked)) or list(own)


def plan(adapter: str, span: Span, indexes: Indexes, python: str) -> Plan:
    """The plan of a sweep of an adapter. Raises ValueError for a package that is on no index, and for a wrong pin."""
    pins, exempt = _pinned(adapter, span, indexes, python)
    points: list[Point] = []
    left_out: list[LeftOut] = []
    for package in span.packages:
        kept, left = releases(package, files_of(package, indexes), span.since, pre=span.pre)
        left_out += left
        for release in newest_of_lines(kept) if span.lines else kept:
            if registry.is_older(release.version, own_packages(adapter)[package]):
                left_out.append(
                    LeftOut(release, f"{adapter} needs {package} {own_packages(adapter)[package]} or newer")
                )
            else:
                points.append(Point(release, wanted(adapter, [release], pins, exempt, python)))
    return Plan(sorted(points, key=_turn), sorted(left_out, key=lambda each: each.release.day or date.min))


def wanted(
    adapter: str, chosen: Sequence[Release], pins: Sequence[str], exempt: Mapping[str, date | None], python: str
) -> Wanted:
    """An environment of these releases, with the adapter's other packages and all neighbours as they were on the day
    of the newest of them.
    """
    fixed = {each.package for each in chosen} | {canonicalize_name(Requirement(pin).name) for pin in pins}
    requirements = [f"{each.package}=={each.version}" for each in chosen]
    requirements += [f"{name}>={oldest}" for name, oldest in own_packages(adapter).items() if name not in fixed]
    day = max(each.day for each in chosen if each.day)
    return Wanted([*requirements, *pins], day, python, {**exempt, **{each.package: None for each in chosen}})


def in_order(found: Plan, packages: Sequence[str]) -> list[Point]:
    """The points as a history, the oldest first: of one package by version, of several by date.

    By date, releases of older lines are left out, such as 3.12.4 after 3.15.0: nobody gets them by an upgrade.
    """
    if len(packages) == 1:
        return sorted(found.points, key=lambda point: Version(point.release.version))
    newest: dict[str, Version] = {}
    heads = []
    for point in found.points:
        version = Version(point.release.version)
        if version >= newest.get(point.release.package, version):
            newest[point.release.package] = version
            heads.append(point)
    return heads


def newest_of_lines(found: Sequence[Release]) -> list[Release]:
    """The newest release of each line of releases, such as 3.12, given the oldest version first."""
    return list({Version(each.version).release[:2]: each for each in found}.values())


def own_packages(adapter: str) -> Mapping[str, str]:
    """The packages of an adapter's own, by canonical name, with the oldest version of each that it works with."""
    target = registry.resolve(adapter)
    known = registry.registered().get(adapter)
    found = known.packages if known and known.packages else registry.packages_of(registry.attribute_of(target))
    return {canonicalize_name(name): oldest for name, oldest in found.items()}


def _pinned(adapter: str, span: Span, indexes: Indexes, python: str) -> tuple[Sequence[str], Mapping[str, date | None]]:
    """The pins of every environment, and what may be newer than its release for their sake: they and all they need."""
    asked: dict[str, str] = {canonicalize_name(Requirement(pin).name): pin for pin in span.pins}
    if twice := sorted(asked.keys() & set(span.packages)):
        raise ValueError(f"{', '.join(twice)} is pinned, and to be swept as well: name what varies with --releases")
    for name in own_packages(adapter):
        if name in _OWN_DATE and name not in asked and name not in span.packages:
            asked[name] = _pin_of(adapter, name)
    exempt: dict[str, date | None] = {}
    for name, pin in asked.items():
        version = next((each.version for each in Requirement(pin).specifier if each.operator == "=="), "")
        day = day_of(name, version, files_of(name, indexes)) if version and "*" not in version else None
        needed = versions_in(lock(Wanted([pin], day or date.max, python, {name: None}), indexes))
        exempt |= dict.fromkeys(needed, day) | {name: None}
    return list(asked.values()), exempt


def _pin_of(adapter: str, package: str) -> str:
    """The version that the extra of this adapter pins."""
    for each in map(Requirement, distribution("rnn-conformance").requires or ()):
        if canonicalize_name(each.name) == package and each.marker and each.marker.evaluate({"extra": adapter}):
            return f"{each.name}{each.specifier}"
    return package


def _turn(point: Point) -> tuple[date, str]:
    return point.release.day or date.min, point.release.package
