"""The plugin of tox: the name of an environment says which backend, and which versions of its packages."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def toxfile() -> Any:
    spec = importlib.util.spec_from_file_location("toxfile", ROOT / "toxfile.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["toxfile"] = module  # where dataclasses look for their annotations
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def project() -> dict[str, Any]:
    """The part of a pyproject.toml that matters, with other pins than ours."""
    names = ("numpy", "torch", "keras-jax", "keras-tensorflow", "keras", "flax-nnx")
    return {
        "entry-points": {"rnn_conformance.adapters": dict.fromkeys(names, "")},
        "optional-dependencies": {
            "torch": ["torch==2.0"],
            "keras-jax": ["keras==3.0", "jax==0.1"],
            "keras-tensorflow": ["keras==3.0", "tensorflow-cpu==2.0"],
            "flax-nnx": ["flax==0.2", "jax==0.1"],
            "desk": ["click>=8"],
        },
    }


@pytest.mark.parametrize(
    ("name", "backend", "requirements"),
    [
        ("keras-jax-keras3.10", "keras-jax", ["keras==3.10.*", "jax==0.1"]),
        ("keras-jax-keras3.10.1-jax0.4", "keras-jax", ["keras==3.10.1.*", "jax==0.4.*"]),
        ("flax-nnx-jax0.4-flax0.10.0", "flax-nnx", ["flax==0.10.0.*", "jax==0.4.*"]),
        ("keras-tensorflow-tensorflow2.18", "keras-tensorflow", ["keras==3.0", "tensorflow-cpu==2.18.*"]),
        ("keras-tensorflow-tensorflow_cpu2.18", "keras-tensorflow", ["keras==3.0", "tensorflow-cpu==2.18.*"]),
        ("keras-jax-numpy1.26", "keras-jax", ["keras==3.0", "jax==0.1", "numpy==1.26.*"]),
        ("keras-jax-ml_dtypes0.3", "keras-jax", ["keras==3.0", "jax==0.1", "ml-dtypes==0.3.*"]),
        ("numpy-numpy2.0", "numpy", ["numpy==2.0.*"]),
        ("torch-torch2.13.0rc1", "torch", ["torch==2.13.0rc1"]),
    ],
)
def test_name(toxfile: Any, project: dict[str, Any], name: str, backend: str, requirements: list[str]) -> None:
    """What is not named stays pinned; a version stands for all that begin with it."""
    found = toxfile.upgrade(name, project)
    assert (found.name, found.backend, found.requirements) == (name, backend, requirements)


@pytest.mark.parametrize(
    "name", ["keras-jax", "keras-jax-", "keras-jax-keras", "tests", "py311", "torchy-torch2", "torch-lstm", "-"]
)
def test_other_environments_are_left_alone(toxfile: Any, project: dict[str, Any], name: str) -> None:
    """They are what tox.ini says they are."""
    assert toxfile.upgrade(name, project) is None


def test_cell(toxfile: Any, project: dict[str, Any]) -> None:
    """A kind of cell between backend and packages is what is run, and held against the baseline of that cell."""
    found = toxfile.upgrade("keras-jax-lstm-keras3.10", project)
    assert (found.backend, found.requirements) == ("keras-jax", ["keras==3.10.*", "jax==0.1"])
    run, compare = found.commands([])
    assert run.args[-2:] == ["--cell", "lstm"]
    assert compare.args[2:] == [
        "pinned",
        "results/keras-jax-lstm-keras3.10/keras-jax-lstm.jsonl",
    ]


def test_commands(toxfile: Any, project: dict[str, Any]) -> None:
    """A run that does not conform is compared all the same; its options are those of the comparison."""
    run, compare = toxfile.upgrade("keras-jax-keras3.10", project).commands(["--fail-on", "bits"])
    assert run.ignore_exit_code
    assert run.args[:3] == ["rnn-conformance", "run", "keras-jax"]
    assert not compare.ignore_exit_code
    assert compare.args == [
        "rnn-conformance",
        "compare",
        "pinned",
        "results/keras-jax-keras3.10/keras-jax.jsonl",
        "--fail-on",
        "bits",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("asked", [["-e", "tests,flax-linen-flax0.10"], ["-eflax-linen-flax0.10"]])
def test_tox_knows_it(asked: list[str]) -> None:
    """Tox itself, asked for an environment that stands in no list."""
    command = [sys.executable, "-m", "tox", "config", "-c", str(ROOT / "tox.ini"), *asked, "-k", "deps", "commands"]
    done = subprocess.run([*command, "--", "--format", "json"], capture_output=True, text=True, check=True)
    assert "[testenv:flax-linen-flax0.10]\ndeps =\n  flax==0.10.*\n  jax==" in done.stdout
    assert "rnn-conformance run flax-linen --profile smoke" in done.stdout
    assert "results/flax-linen-flax0.10/flax-linen.jsonl --format json" in done.stdout
