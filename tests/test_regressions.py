"""The list of known regressions can be bisected, and what was measured comes to the page; so does what sweeps cost."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("unearth")
pytest.importorskip("uv")

from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.commands.bisect import bisect
from rnn_conformance.conformance.running.selection import Selection, refuse_wrong
from rnn_conformance.conformance.sweeping.plan import packages_of

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _beside_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Benchmarks import one another, as scripts of one folder do."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def script(name: str) -> ModuleType:
    """A benchmark, which is no part of the package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where its dataclasses look for it
    spec.loader.exec_module(module)
    return module


def test_every_regression_can_be_looked_for() -> None:
    """Its check is run for its cell, in its dtype and profile, and its package is one of the backend's."""
    regressions = script("regressions").regressions()
    assert len([each for each in regressions if not each.name.startswith("control-")]) >= 10
    for each in regressions:
        _, _, *words = each.command(Path("folder"))
        asked = bisect.make_context("bisect", words).params
        assert packages_of(each.backend, asked["packages"]) == [each.package]
        is_clause = each.subject[0].isdigit()
        selection = Selection((each.subject,) if is_clause else (), () if is_clause else (each.subject,), (each.dtype,))
        refuse_wrong(selection, PROFILES[asked["profile"]], each.cell)


def measured(each: Any, **found: Any) -> dict[str, Any]:
    return {"asked": asdict(each), "status": 0, "blamed": each.package, "hidden": [], "jobs": 4, "cpu": 12.5, **found}


def test_page_has_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another release than the expected one is not counted as named, and neither is another kind."""
    module = script("regressions")
    monkeypatch.setattr(module, "PAGE", tmp_path / "upgrades.md")
    (tmp_path / "upgrades.md").write_text("# Above\n", encoding="utf-8")
    regressions = module.regressions()
    known = [each for each in regressions if not each.name.startswith("control-")]
    for each in regressions:
        told = {"kinds": [each.kind], "before": "fails", "after": "conforms"}
        found = measured(each, changed={each.package: ["before", each.expected]}, **told)
        if each is known[0]:
            found["kinds"] = ["bits"]
        if each is known[1]:
            found["changed"] = {each.package: ["before", "another"]}
        if each not in known:
            found = {"asked": asdict(each), "status": module.NOTHING, "cpu": 3.0, "said": []}
        (tmp_path / f"{each.name}.json").write_text(json.dumps(found), encoding="utf-8")
    for _ in range(2):
        module.write(tmp_path)
    text = (tmp_path / "upgrades.md").read_text(encoding="utf-8")
    assert text.startswith("# Above\n")
    assert text.count(f"names **{len(known) - 2} of {len(known)}** that were measured") == 1
    assert text.count(f"[{known[0].told}]({known[0].link})") == 1
    assert f"of {len(regressions) - len(known)} pairs {len(regressions) - len(known)} are the same" in text


def test_simulation() -> None:
    """One worker works all the time; many wait for the longest job, or for their wheels."""
    module = script("scale")
    seconds = [100.0, *[10.0] * 90]
    alone = module.simulate(seconds, 1, megabytes=0)
    assert (alone.wall, alone.utilisation) == (1000, 1)
    many = module.simulate(seconds, 1000, megabytes=0)
    assert many.wall == many.longest == 100
    assert module._bound(many) == "the longest job"
    crowded = module.simulate(seconds, 10_000, megabytes=1000)
    assert crowded.fetching == 313  # nodes, which share a gigabyte a second
    assert module._bound(crowded) == "fetching wheels"


@pytest.mark.slow
def test_page_of_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made of twenty jobs, and has a row for each number of workers, and a picture."""
    module = script("scale")
    monkeypatch.setattr(module, "DOCS", tmp_path)
    jobs = [
        {"backend": name, "part": f"{k}/{count}", "cpu": 10.0 * k, "wall": 12.0}
        for name, count in module.BACKENDS.items()
        for k in range(1, count + 1)
    ]
    environments = {name: {"cpu": 1.5, "megabytes": 200.0} for name in module.BACKENDS}
    wall = sum(job["cpu"] for job in jobs) / 2 / 0.95
    found = {"wall": wall, "cores": 2, "load": 0.1, "jobs": jobs, "environments": environments}
    (tmp_path / "scale.json").write_text(json.dumps(found), encoding="utf-8")
    module.write(tmp_path)
    text = (tmp_path / "scale.md").read_text(encoding="utf-8")
    assert "20 jobs" in text
    assert "**95%**" in text
    assert text.count("| 10,000 |") == 2
    assert (tmp_path / "scale.svg").stat().st_size > 1000
