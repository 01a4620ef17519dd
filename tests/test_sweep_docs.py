"""What the documentation says of sweeps is so: its commands are understood, and the page is made by a script."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

pytest.importorskip("unearth")
pytest.importorskip("uv")

from sweeping import with_versions

from rnn_conformance.conformance.commands.bisect import bisect
from rnn_conformance.conformance.commands.sweep import sweep
from rnn_conformance.reports.renderings.releases_markdown import releases_json
from rnn_conformance.reports.upgrades.releases import Tried, timeline

ROOT = Path(__file__).parents[1]


def commands(text: str) -> list[list[str]]:
    """The words of every sweep and bisection in a text, with GitHub's variables filled in."""
    filled = text.replace("${{ matrix.backend }}", "keras-jax").replace("${{ matrix.cell }}", "lstm")
    filled = re.sub(r'"\$\(date[^)]*\)"', "2026-01-01", filled)
    found = re.findall(r"rnn-conformance ((?:sweep|bisect) .*)", filled)
    return [shlex.split(line.partition(" >>")[0], comments=True) for line in found]


@pytest.mark.parametrize("name", ["docs/sweeping.md", "docs/sweep.yml", "README.md"])
def test_commands_are_understood(name: str) -> None:
    """Every option is one that there is, with a value that it takes."""
    text = (ROOT / name).read_text(encoding="utf-8")
    if name.endswith(".yml"):
        steps: list[dict[str, Any]] = yaml.safe_load(text)["jobs"]["sweep"]["steps"]
        text = "\n".join(step["run"] for step in steps if "run" in step)
    asked = commands(text)
    assert asked
    for command, *words in asked:
        context = {"sweep": sweep, "bisect": bisect}[command].make_context(command, list(words))
        assert context.params["adapter"] in ("keras-jax", "flax-nnx")


def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """benchmarks/upgrades.py, which is no part of the package."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    spec = importlib.util.spec_from_file_location("upgrades", ROOT / "benchmarks" / "upgrades.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_page_is_made_of_what_sweeps_have_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It replaces what it made before of the same sweeps, and nothing else of the page."""
    upgrades = script(monkeypatch)
    monkeypatch.setattr(upgrades, "DOCS", tmp_path)
    page = tmp_path / "upgrades.md"
    sections = "old\n\n### torch-gru\n\nas it was.\n\n### keras-jax\n\nold.\n"
    page.write_text(f"# Above\n\n{upgrades.BEGIN}\n{sections}{upgrades.END}\n\n## Below\n", encoding="utf-8")
    tried = [
        Tried("keras", "3.10.0", "2025-05-19", with_versions({"keras": "3.10.0", "jax": "0.10.2"}, "conforms")),
        Tried("keras", "3.11.3", "2025-08-21", with_versions({"keras": "3.11.3", "jax": "0.10.2"}, "fails")),
    ]
    found = tmp_path / "sweep"
    found.mkdir()
    (found / "sweep.json").write_text(releases_json([timeline("keras-jax", tried)]), encoding="utf-8")
    (found / "sweep-keras-jax.svg").write_text("<svg/>", encoding="utf-8")
    for _ in range(2):
        upgrades.write([found])
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Above\n")
    assert text.endswith("\n\n## Below\n")
    assert "old" not in re.findall(r"\w+", text)
    assert "\n### torch-gru\n\nas it was.\n\n### keras-jax\n" in text
    assert text.count("### keras-jax") == 1
    assert "* **keras 3.11.3** (2025-08-21) with jax 0.10.2, after keras 3.10.0: meaning 1 worse" in text
    assert "conforms → fails" in text
    assert (tmp_path / "sweep-keras-jax.svg").exists()
