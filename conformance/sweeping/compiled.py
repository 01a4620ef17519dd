"""Byte code that environments lend each other: to compile a framework takes longer than many a check of it."""

from __future__ import annotations

import csv
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.metadata import Distribution, distributions
from pathlib import Path


def lend(site: Path, kept: Path) -> None:
    """Put byte code that was kept of the packages in `site`, a site-packages, beside their sources, as links.

    Python itself sees to it that none is taken of another source: it holds the source's date and size, and sources are
    links into uv's cache, whose date is the moment in which a wheel was unpacked.
    """
    for package in distributions(path=[str(site)]):
        if (there := kept / _key(package)).is_dir():
            shutil.copytree(there, site, copy_function=_link, dirs_exist_ok=True)


def keep(site: Path, kept: Path) -> None:
    """Keep what was compiled of the packages in `site`, each under its version; what is stale is replaced."""
    for package in distributions(path=[str(site)]):
        for folder, names in _compiled(package, str(site)):
            place = kept / _key(package) / folder
            place.mkdir(parents=True, exist_ok=True)
            for name in names:
                _keep(os.path.join(site, folder, name), os.path.join(place, name))


def _keep(source: str, target: str) -> None:
    with suppress(FileExistsError, FileNotFoundError):  # another job does the same
        if os.path.exists(target):
            if os.path.samefile(source, target):
                return
            os.unlink(target)
        os.link(source, target)


def _link(source: str, target: str) -> None:
    with suppress(FileExistsError):  # a wheel that has byte code of its own
        os.link(source, target)


def _key(package: Distribution) -> str:
    return f"{package.name}-{package.version}"


def _compiled(package: Distribution, site: str) -> Iterator[tuple[str, Sequence[str]]]:
    """The folders of byte code of a package, with its files in each; in strings, since there are thousands."""
    record = csv.reader((package.read_text("RECORD") or "").splitlines())
    sources = {row[0] for row in record if row[0].endswith(".py")}
    for folder in sorted({os.path.dirname(source) for source in sources}):
        place = os.path.join(folder, "__pycache__")
        if os.path.isdir(os.path.join(site, place)):
            found = os.listdir(os.path.join(site, place))
            yield place, [name for name in found if os.path.join(folder, f"{name.partition('.')[0]}.py") in sources]
