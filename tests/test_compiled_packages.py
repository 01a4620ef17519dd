"""Environments lend each other the byte code of their packages, so that a framework is compiled once a version."""

from __future__ import annotations

import compileall
import os
from pathlib import Path

import pytest

pytest.importorskip("uv")

from rnn_conformance.conformance.sweeping.compiled import keep, lend


def installed(site: Path, source: Path, version: str = "1.0") -> Path:
    """A package of one module, `source`, linked into a site-packages as uv does; where its byte code belongs."""
    (site / "toy").mkdir(parents=True)
    os.link(source, site / "toy" / "layer.py")
    about = site / f"toy-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: toy\nVersion: {version}\n", encoding="utf-8")
    (about / "RECORD").write_text("toy/layer.py,,\ntoy/README,,\n", encoding="utf-8")
    return site / "toy" / "__pycache__"


def test_byte_code_is_lent_to_the_same_version(tmp_path: Path) -> None:
    """It is the same file, and it is another version's as little as a wheel that has its own is in the way."""
    source, kept = tmp_path / "layer.py", tmp_path / "kept"
    source.write_text("UNITS = 3\n", encoding="utf-8")
    first = installed(tmp_path / "first", source)
    assert compileall.compile_dir(tmp_path / "first", quiet=1)
    keep(tmp_path / "first", kept)
    again = installed(tmp_path / "again", source)
    other = installed(tmp_path / "other", source, "2.0")
    for _ in range(2):
        lend(tmp_path / "again", kept)
    lend(tmp_path / "other", kept)
    (compiled,) = again.iterdir()
    assert compiled.samefile(first / compiled.name)
    assert not other.exists()


def test_stale_byte_code_is_replaced(tmp_path: Path) -> None:
    """A wheel of the same version that was unpacked anew has another date, and Python compiles it anew."""
    kept = tmp_path / "kept"
    for number, name in enumerate(("first", "second")):
        source = tmp_path / f"{name}.py"
        source.write_text(f"UNITS = {number}\n", encoding="utf-8")
        os.utime(source, (number, number))
        folder = installed(tmp_path / name, source)
        lend(tmp_path / name, kept)
        assert compileall.compile_dir(tmp_path / name, quiet=1)
        keep(tmp_path / name, kept)
        (compiled,) = folder.iterdir()
        assert (kept / "toy-1.0" / "toy" / "__pycache__" / compiled.name).samefile(compiled)
