"""The package and its source distribution hold what they need, and every link leads somewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
from fnmatch import fnmatchcase
from importlib.metadata import metadata, version
from pathlib import Path
from typing import Any

import pytest

from rnn_conformance.conformance.commands.main import DESK
from rnn_conformance.reports.documents.baseline import PINNED

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ROOMS = ("reference", "adapters", "conformance", "reports")


def tracked() -> list[Path]:
    """The files of the repository; those of an unpacked source distribution are not known to Git."""
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        pytest.skip("this is no clone")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [Path(name) for name in listed.split("\0") if (ROOT / name).is_file()]


def test_package_has_every_file_of_the_rooms() -> None:
    """Code and data: a folder that is not listed, or a kind of file that is no data, would be missing in the wheel."""
    setuptools = PROJECT["tool"]["setuptools"]
    patterns = ["*.py", *setuptools["package-data"]["*"]]
    for file in tracked():
        if file.parts[0] in ROOMS:
            assert ".".join(("rnn_conformance", *file.parent.parts)) in setuptools["packages"], file
            assert any(fnmatchcase(file.name, pattern) for pattern in patterns), file


def test_missing_library_is_told() -> None:
    """Of every library of the desk it is known that the desk brings it; MarkupSafe comes with Jinja."""
    desk = {re.split("[^a-z0-9]", need)[0] for need in PROJECT["project"]["optional-dependencies"]["desk"]}
    assert set(DESK) == desk | {"markupsafe"}


def test_baselines_are_in_the_package() -> None:
    """`compare pinned` needs no clone. They are those of NumPy and of the extra `frameworks`."""
    (extras,) = PROJECT["project"]["optional-dependencies"]["frameworks"]
    backends = ["numpy", *extras.partition("[")[2].rstrip("]").split(",")]
    assert set(backends) < set(PROJECT["project"]["entry-points"]["rnn_conformance.adapters"])
    names = {f"{backend}{cell}" for backend in backends for cell in ("", "-lstm", "-gru")}
    assert {path.stem for path in PINNED.glob("*.jsonl")} == names


@pytest.mark.slow
def test_source_distribution_has_every_file(tmp_path: Path) -> None:
    """Its own tests run in it, so it holds their helpers, their pages, and what they read of the repository."""
    pytest.importorskip("setuptools", minversion="77")
    files = tracked()
    for file in files:
        (tmp_path / "tree" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / "tree" / file)
    build = [sys.executable, "-c", f"from setuptools.build_meta import build_sdist; build_sdist({str(tmp_path)!r})"]
    done = subprocess.run(build, cwd=tmp_path / "tree", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        names = {Path(*Path(name).parts[1:]) for name in packed.getnames()}
    assert set(files) <= names
    assert not [name for name in names if name.suffix == ".pyc"]


def pages() -> list[str]:
    """The pages in Markdown, by their path."""
    folders = [path for name in (*ROOMS, "docs", "benchmarks") for path in (ROOT / name).rglob("*.md")]
    own = [path for path in (*ROOT.glob("*.md"), *folders) if "node_modules" not in path.parts]
    return sorted(path.relative_to(ROOT).as_posix() for path in own)


@pytest.mark.parametrize("page", pages())
def test_links_of_a_page(page: str) -> None:
    """A relative link leads to a file or folder of the repository."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"(?s)```.*?```|`[^`\n]*`", "", text)):
        if not re.match(r"[a-z]+:|#", target):
            assert (ROOT / page).parent.joinpath(target.partition("#")[0]).exists(), target


def test_text_of_the_package_has_no_relative_link() -> None:
    """It is shown where the files of the repository are not."""
    text = (ROOT / PROJECT["project"]["readme"]).read_text(encoding="utf-8")
    assert "rnn-conformance run" in text
    assert not re.search(r"\]\((?!https?:)", text)


def test_address_of_the_repository_stands_in_one_place() -> None:
    """It is a placeholder as long as there is none: nobody has to look for the others."""
    address = PROJECT["project"]["urls"]["Repository"].removeprefix("https://github.com/").encode()
    assert [file.as_posix() for file in tracked() if address in (ROOT / file).read_bytes()] == ["pyproject.toml"]


def test_installed_package_says_what_it_is() -> None:
    """Name, version and address, from the one file that has them."""
    assert version("rnn-conformance") == PROJECT["project"]["version"]
    assert metadata("rnn-conformance")["Project-URL"] == f"Repository, {PROJECT['project']['urls']['Repository']}"
