"""What frameworks compile is kept for the next run, and never for one that it could be wrong for."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest

from rnn_conformance.conformance.running import compiled
from rnn_conformance.conformance.running.order import Order
from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.conformance.running.supervisor import run_one
from rnn_conformance.reports.records import records


def test_the_same_folder_for_the_same_machine(tmp_path: Path) -> None:
    """A second run finds what the first one left."""
    folder = compiled.folder_for(tmp_path)
    assert folder.parent == tmp_path
    assert compiled.folder_for(tmp_path) == folder


def another_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled.archspec.cpu, "host", lambda: SimpleNamespace(name="zen3", features={"avx2"}))


def more_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    host = compiled.archspec.cpu.host()
    more = SimpleNamespace(name=host.name, features={*host.features, "avx1024"})
    monkeypatch.setattr(compiled.archspec.cpu, "host", lambda: more)


def another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    jax: Any = SimpleNamespace(metadata={"Name": "jax", "Version": "0.11.0"})
    monkeypatch.setattr(compiled, "distributions", lambda: [jax])


def fewer_instructions_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")


def another_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")


@pytest.mark.parametrize(
    "change",
    [another_processor, more_instructions, another_version, fewer_instructions_asked_for, another_flag],
    ids=lambda change: change.__name__,
)
def test_another_folder_for_what_compiles_otherwise(
    change: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code for another instruction set has given wrong numbers, and other versions or flags may, too."""
    before = compiled.folder_for(tmp_path)
    change(monkeypatch)
    assert compiled.folder_for(tmp_path) != before


def test_where_it_is_kept_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = compiled.folder_for(tmp_path)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/somewhere")
    assert compiled.folder_for(tmp_path) == before


def test_old_folders_are_removed(tmp_path: Path) -> None:
    """One that no run has used for a month; one of last week may be needed again."""
    for name, days in (("old", 31), ("recent", 7)):
        (tmp_path / name / "jax").mkdir(parents=True)
        then = time.time() - days * 24 * 3600
        os.utime(tmp_path / name, (then, then))
    folder = compiled.folder_for(tmp_path)
    assert set(tmp_path.iterdir()) == {folder, tmp_path / "recent"}


def test_without_a_folder_nothing_is_kept() -> None:
    """Whatever the user's own settings say."""
    assert compiled.settings(None)["JAX_ENABLE_COMPILATION_CACHE"] == "false"
    assert not any("DIR" in name for name in compiled.settings(None))


@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is not installed")
def test_what_was_kept_gives_the_same_bits(tmp_path: Path) -> None:
    """Two runs of which the second compiles nothing, and one that keeps nothing, give the same fingerprints."""
    kept = tmp_path / "kept"
    order = Order("smoke", 0, Selection(["1.4"]), 1, 120, tmp_path, compiled=kept)
    found = []
    for folder in (kept, kept, None):
        run_one(replace(order, compiled=folder), "jax-scan", lambda step: None, Event())
        results = order.results("jax-scan")
        found.append([each.fingerprints for each in records.read(results).checks])
        results.unlink()
    assert found[0] == found[1] == found[2]
    assert any(found[0])
    assert any((kept / "jax").iterdir())
