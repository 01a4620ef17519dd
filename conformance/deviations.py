"""Known deviations: departures from the specification that are understood, written down in deviations.toml."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Deviation:
    """One entry of deviations.toml. `check` may hold * for any text, `versions` maps packages to specifiers."""

    name: str
    adapter: str
    clause: str
    check: str
    versions: Mapping[str, str]
    reason: str
    case: str
    upstream: str = ""

    def applies(self, adapter: str, check: str, versions: Mapping[str, str]) -> bool:
        """Whether it speaks of this check on this adapter with these versions installed."""
        return (
            fnmatchcase(adapter, self.adapter)
            and fnmatchcase(check, self.check)
            and all(
                package in versions and SpecifierSet(specifier).contains(versions[package], prereleases=True)
                for package, specifier in self.versions.items()
            )
        )


def known_deviations() -> list[Deviation]:
    """All entries of deviations.toml."""
    return parse(files("rnn_conformance.conformance").joinpath("deviations.toml").read_text(encoding="utf-8"))


def parse(text: str) -> list[Deviation]:
    """Read entries ``[deviation.NAME]``. Raises ValueError for an entry with a field too many, too few or wrong."""
    return [_entry(name, table) for name, table in tomllib.loads(text).get("deviation", {}).items()]


def _entry(name: str, table: dict[str, Any]) -> Deviation:
    known = {f.name for f in fields(Deviation)} - {"name"}
    if wrong := sorted(set(table) - known) + sorted(known - {"upstream"} - set(table)):
        raise ValueError(f"deviation {name}: fields that should not be there, or should and are not: {wrong}")
    for package, specifier in table["versions"].items():
        try:
            SpecifierSet(specifier)
        except InvalidSpecifier:
            raise ValueError(f"deviation {name}: {specifier!r} is no version specifier for {package}") from None
    return Deviation(name, **table)
