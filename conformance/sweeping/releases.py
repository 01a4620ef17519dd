"""The releases of a package, as the package index has them: with their dates, and without those that are of no use."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from packaging.specifiers import SpecifierSet
from packaging.tags import sys_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version
from unearth import Package, PackageFinder

from rnn_conformance.conformance.sweeping.indexes import Indexes

_CPU_ONLY = ("torch",)
"""Packages whose builds for GPUs bring gigabytes along: of these, builds for processors alone are of use."""


@dataclass(frozen=True)
class Release:
    """A release of a package. `day` is when it was uploaded; none where no index says so."""

    package: str
    version: str
    day: date | None

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


@dataclass(frozen=True)
class LeftOut:
    """A release that is not swept, and why not."""

    release: Release
    reason: str


def files_of(package: str, indexes: Indexes) -> Sequence[Package]:
    """Every file of a package on the indexes and in the folders. Raises ValueError where there is none."""
    finder = PackageFinder(
        index_urls=[indexes.index, *indexes.further], find_links=indexes.find_links, ignore_compatibility=True
    )
    found = list(finder.find_all_packages(package, allow_yanked=True))
    if not found:
        raise ValueError(f"no release of {package} is on {indexes.index}, or in what pip is set up with beside it")
    return found


def releases(
    package: str, files: Iterable[Package], since: date, *, pre: bool = False
) -> tuple[list[Release], list[LeftOut]]:
    """The releases of these files since a day, the oldest version first, and those that are of no use here.

    Pre-releases and nightly builds count with `pre` only, and are not told of otherwise.
    """
    found: dict[Version, list[Package]] = {}
    for file in files:
        if (version := _version(file)) is not None and (pre or not version.is_prerelease):
            found.setdefault(version, []).append(file)
    kept, left = [], []
    for version in sorted(found):
        release = Release(package, str(version), _day(found[version]))
        if release.day is not None and release.day < since:
            continue
        if reason := _obstacle(package, found[version]):
            left.append(LeftOut(release, reason))
        elif release.day is None:
            left.append(LeftOut(release, "no index says when it was uploaded"))
        else:
            kept.append(release)
    return kept, left


def day_of(package: str, version: str, files: Iterable[Package]) -> date | None:
    """When a version was uploaded; None where no index says so, or where there is no such version."""
    return _day([file for file in files if _version(file) == Version(Version(version).public)])


def _version(file: Package) -> Version | None:
    """The public version of a file: a build for another processor is no release of its own."""
    try:
        return Version(Version(file.version or "").public)
    except InvalidVersion:
        return None


def _day(files: Iterable[Package]) -> date | None:
    """The day of the first upload."""
    return min((file.link.upload_time.date() for file in files if file.link.upload_time), default=None)


def _obstacle(package: str, files: Sequence[Package]) -> str:
    """Why a release cannot be installed here; empty if it can."""
    left = [file for file in files if not file.link.is_yanked]
    if not left:
        reasons = {str(file.link.yank_reason) for file in files} - {"", "None", "True"}
        return "yanked" + (f": {', '.join(sorted(reasons))}" if reasons else "")
    wheels = [file for file in left if file.link.is_wheel]
    if not wheels:
        return "it has no wheel"
    python = platform.python_version()
    asking = [file for file in wheels if not SpecifierSet(file.link.requires_python or "").contains(python)]
    if len(asking) == len(wheels):
        return f"it needs Python {asking[0].link.requires_python}, and this is {python}"
    fitting = [file for file in wheels if file not in asking and _fits(file)]
    if not fitting:
        return f"it has no wheel for Python {'.'.join(map(str, sys.version_info[:2]))} on this machine"
    if package in _CPU_ONLY and sys.platform == "linux" and not any("+cpu" in str(file.version) for file in fitting):
        return "no build of it for processors alone (+cpu) is on the indexes"
    return ""


def _fits(file: Package) -> bool:
    try:
        *_, tags = parse_wheel_filename(file.link.filename)
    except (InvalidWheelFilename, InvalidVersion):
        return False
    return not tags.isdisjoint(sys_tags())
