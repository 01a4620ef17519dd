"""Known deviations: departures from the specification that are understood, written down in deviations.toml."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from importlib.resources import files
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from rnn_conformance.conformance.journal import Item

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@dataclass(frozen=True)
class Deviation:
    """One entry of deviations.toml, whose first lines say what each field means."""

    name: str
    adapters: Sequence[str]
    checks: Sequence[str]
    versions: Mapping[str, str]
    reason: str
    case: str
    dtypes: Sequence[str] = ("float32", "float64")
    upstream: str = ""

    @property
    def explanation(self) -> str:
        """Why, the smallest case, and where it was reported."""
        return " ".join(filter(None, (self.reason, self.case, self.upstream)))

    def applies(self, adapter: str, item: Item, versions: Mapping[str, str]) -> bool:
        """Whether it speaks of this check, on this adapter, with these versions of its packages."""
        return (
            adapter in self.adapters
            and item.function in self.checks
            and item.dtype in self.dtypes
            and all(
                package in versions and SpecifierSet(specifier).contains(versions[package], prereleases=True)
                for package, specifier in self.versions.items()
            )
        )


def known_deviations() -> list[Deviation]:
    """All entries of deviations.toml."""
    return parse(files("rnn_conformance.conformance").joinpath("deviations.toml").read_text(encoding="utf-8"))


def parse(text: str) -> list[Deviation]:
    """Read entries ``[NAME]``. Raises ValueError, naming the entry, for a field too many, too few or unreadable."""
    return [_entry(name, table) for name, table in tomllib.loads(text).items()]


def _entry(name: str, table: dict[str, Any]) -> Deviation:
    known = {f.name: f.default is MISSING for f in fields(Deviation) if f.name != "name"}
    if wrong := sorted(set(table) - set(known)):
        raise ValueError(f"deviation {name}: there is no field {', '.join(wrong)}; the fields are {', '.join(known)}")
    if missing := [field for field, needed in known.items() if needed and not table.get(field)]:
        raise ValueError(f"deviation {name}: {', '.join(missing)} should be given")
    for package, specifier in table["versions"].items():
        try:
            SpecifierSet(specifier)
        except InvalidSpecifier:
            raise ValueError(f"deviation {name}: {specifier!r} is no version specifier for {package}") from None
    return Deviation(name, **table)
