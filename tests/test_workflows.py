"""The workflows of this repository: which kinds of cells they run, and what becomes of what their jobs leave."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from configparser import ConfigParser
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from rnn_conformance.conformance.commands.run import run
from rnn_conformance.reference.cells.kinds import CELLS

ROOT = Path(__file__).parents[1]
WORKFLOWS = {
    path.name: yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in [*sorted((ROOT / ".github" / "workflows").glob("*.yml")), ROOT / "docs" / "sweep.yml"]
}
WITHOUT_SIMPLE_RNN = {"equinox"}
"""Environments whose framework has no such layer."""


def combinations(job: Mapping[str, Any]) -> Iterator[Mapping[str, str]]:
    """What the matrix of a job comes to. What it includes has to be a combination of its own."""
    matrix: dict[str, Any] = dict(job.get("strategy", {}).get("matrix", {}))
    included: list[dict[str, str]] = matrix.pop("include", [])
    made = [dict(zip(matrix, values, strict=True)) for values in product(*matrix.values())]
    for each in included:
        assert set(each) == set(matrix)
        assert each not in made
    yield from made + included


def filled(text: str, values: Mapping[str, str]) -> str:
    """A text of a workflow with the values of one combination."""
    return re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda found: str(values[found[1]]), text)


def jobs() -> Iterator[tuple[str, Mapping[str, Any], Sequence[Mapping[str, str]]]]:
    """Every job of every workflow, by its name, with its combinations."""
    for name, workflow in WORKFLOWS.items():
        for job, what in workflow["jobs"].items():
            yield f"{name}: {job}", what, list(combinations(what))


def runs_in_tox() -> Mapping[str, str]:
    """The environments that hand their options on to `rnn-conformance run`: which options where none are given."""
    tox = ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    found = {}
    for section in tox.sections():
        commands = tox.get(section, "commands", fallback="").replace("\\\n", " ").splitlines()
        for command in commands:
            options = re.search(r"rnn-conformance run .*\{posargs(?::(.*))?\}", command)
            names = section.removeprefix("testenv:").strip("{}").split(",")
            found |= dict.fromkeys(names, options[1] or "") if options else {}
    return found


def asked_of_run() -> Iterator[tuple[str, list[str]]]:
    """Of every environment that the workflows run so: which options `rnn-conformance run` is given."""
    without = runs_in_tox()
    for _, job, made in jobs():
        for values, step in product(made, job["steps"]):
            for names, given in re.findall(r"tox run -e ([\w,-]+)(?: -- (.*))?", filled(step.get("run", ""), values)):
                for env in set(names.split(",")) & set(without):
                    yield env, shlex.split(given or without[env])


def test_every_cell_is_run() -> None:
    """Of each environment; the options are such as there are."""
    cells: dict[str, set[str]] = {}
    for env, options in asked_of_run():
        assert "--cell" in options, f"{env} would be run on the simple RNN alone, since nothing is said"
        cells.setdefault(env, set()).update(run.make_context("run", list(options)).params["cells"])
    assert {"all", "torch", "keras-jax", "equinox", "exports"} <= set(cells)
    for env, found in cells.items():
        assert found == set(CELLS) - ({"simple_rnn"} if env in WITHOUT_SIMPLE_RNN else set()), env


@pytest.mark.parametrize("name", WORKFLOWS)
def test_artifacts_have_names_of_their_own(name: str) -> None:
    """Two of one name would end the second job with an error."""
    named = [
        filled(step["with"]["name"], values)
        for job in WORKFLOWS[name]["jobs"].values()
        for values in combinations(job)
        for step in job["steps"]
        if step.get("uses", "").startswith("actions/upload-artifact@")
    ]
    assert named
    assert len(named) == len(set(named))


def test_results_that_become_one_tree_are_in_folders_of_their_own() -> None:
    """The job that makes one report of them reads all artifacts into one folder, where they must not meet."""
    steps = WORKFLOWS["conformance.yml"]["jobs"]["report"]["steps"]
    (collected,) = (step["with"] for step in steps if "download-artifact" in step.get("uses", ""))
    assert collected["merge-multiple"]
    backend = WORKFLOWS["conformance.yml"]["jobs"]["backend"]
    folders = []
    for values in combinations(backend):
        ((command,),) = (
            re.findall(r"tox run -e [\w-]+ -- (.*)", filled(step.get("run", ""), values))
            for step in backend["steps"]
            if "tox run -e" in step.get("run", "")
        )
        folders.append(run.make_context("run", shlex.split(command)).params["out"])
    assert {folder.parent for folder in folders} == {Path(collected["path"])}
    assert len(folders) == len(set(folders)) == len(list(combinations(backend)))
