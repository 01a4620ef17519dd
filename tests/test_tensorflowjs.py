"""TensorFlow.js in Node: what is said where it is not installed, and that its program does what an adapter has to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from rnn_conformance.adapters import registry
from rnn_conformance.adapters.pipe.adapter import ProcessAdapter, ProgramRaised
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.weights import Weights, weight_shapes

HERE = registry.registered()["tensorflowjs"]
needs_it = pytest.mark.skipif(bool(HERE.missing), reason=f"{', '.join(HERE.missing)}: {HERE.how_to_install}")


@pytest.fixture(scope="module")
def adapter() -> Iterator[ProcessAdapter]:
    found = registry.load("tensorflowjs")
    assert isinstance(found, ProcessAdapter)
    yield found
    found._program.stop()


def test_what_is_said_before_npm_ci(tmp_path: Path) -> None:
    """Both commands say what to run, and where."""
    ours = Path(str(registry.load("tensorflowjs").manifest.path)).resolve().parent  # type: ignore[attr-defined]
    copy = shutil.copytree(ours, tmp_path / "tensorflowjs", ignore=shutil.ignore_patterns("node_modules"))
    manifest = str(copy / "tensorflowjs.toml")
    listed = CliRunner().invoke(cli, ["adapters", manifest]).output
    assert "node_modules/@tensorflow/tfjs/package.json" in listed
    assert f"cd {copy} && npm ci" in listed
    done = CliRunner().invoke(cli, ["run", manifest])
    assert done.exit_code == 2
    assert f"cd {copy} && npm ci" in " ".join(done.output.split())


def test_versions_are_pinned() -> None:
    """By package.json, and with all that they bring along by the lock file, which names no host."""
    folder = Path(str(registry.load("tensorflowjs").manifest.path)).parent  # type: ignore[attr-defined]
    lock = (folder / "package-lock.json").read_text(encoding="utf-8")
    assert '"@tensorflow/tfjs": "4.22.0"' in (folder / "package.json").read_text(encoding="utf-8")
    assert '"integrity"' in lock
    assert '"resolved"' not in lock


@needs_it
def test_description(adapter: ProcessAdapter) -> None:
    """The version is that of the package, and what is lacking has its reason."""
    description = adapter.describe()
    assert description.versions["tensorflowjs"] == "4.22.0"
    with pytest.raises(Unsupported, match="raises an error for resetAfter"):
        adapter.prepare(Architecture((Layer(2, 3, Gru()),), mode="apply"))
    with pytest.raises(Unsupported, match="no tensors of this type"):
        adapter.prepare(Architecture((Layer(2, 3),), mode="apply", dtype="float64"))


@needs_it
def test_types_that_it_has_not(adapter: ProcessAdapter) -> None:
    """Numbers are given to it in the type of the two that it has which is nearest; of others it has none."""
    network: Any = adapter.prepare(Architecture((Layer(2, 3),), mode="apply"))
    arrays = {name: np.ones(shape, np.float32) for name, shape in weight_shapes(Architecture((Layer(2, 3),))).items()}
    network.load(Weights.of(arrays))
    wanted = network.run(np.ones((1, 4, 2), np.float32)).outputs
    for dtype in (np.float64, np.int64, np.uint8):
        np.testing.assert_array_equal(network.run(np.ones((1, 4, 2), dtype)).outputs, wanted)
    with pytest.raises(ProgramRaised, match="no tensors of float16"):
        network.run(np.ones((1, 4, 2), np.float16))
