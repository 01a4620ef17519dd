"""A program as a subject: the right one conforms, and one that misbehaves costs one check."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from click.testing import CliRunner
from conftest import Supervised, runner
from programs import manifest

from rnn_conformance.adapters import registry
from rnn_conformance.adapters.pipe import program
from rnn_conformance.adapters.pipe.frames import SCHEMA
from rnn_conformance.adapters.pipe.manifest import read_manifest
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.weights import LayerWeights, Weights

LAST = "test_values.py::test_last_output[float32-eager]"
ARCHITECTURE = Architecture((Layer(2, 3),), return_sequences=False)


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Programs that are started in this process end with the test."""
    found: list[program.Program] = []
    start = program.Program.start

    def remembered(self: program.Program) -> None:
        found.append(self)
        start(self)

    monkeypatch.setattr(program.Program, "start", remembered)
    yield
    for each in found:
        each.kill()


def weights(units: int = 3) -> Weights:
    arrays = {"W": np.ones((units, 2)), "U": np.ones((units, units)), "b": np.ones(units)}
    return Weights((LayerWeights({name: array.astype(np.float32) for name, array in arrays.items()}),))


@pytest.mark.usefixtures("ended")
def test_right_program(tmp_path: Path, run_here: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
    """It conforms, in examples that could have told, and every frame of either side is as the schema says."""
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    exchange, seen = program._exchange, set()

    def watched(process: Any, data: bytes, timeout: float) -> bytes:
        answer = exchange(process, data, timeout)
        for frame in (data, answer):
            header = json.loads(frame[8 : 8 + int.from_bytes(frame[4:8], "little")])
            if (kind := next(iter(header.items()))) not in seen:
                validator.validate(header)
                seen.add(kind)
        return answer

    monkeypatch.setattr(program, "_exchange", watched)
    results = run_here(manifest(tmp_path, "right"), "1.4", "6.1")
    verdicts = {record.check: record.verdict for record in results.checks}
    assert set(verdicts.values()) == {"conforms"}, verdicts
    assert results.header.framework == "My layer"
    assert {("request", "describe"), ("answer", "prepare"), ("answer", "run"), ("answer", "weights")} <= seen


@pytest.mark.slow
@pytest.mark.usefixtures("ended")
@pytest.mark.parametrize(
    ("how", "timeout", "told"),
    [
        ("dies", 30, "was killed by SIGSEGV and left run without an answer; it said last: no room for it"),
        (
            "babbles",
            30,
            r"was ended, since what it wrote is no answer to run: where a frame should begin there is b'\x1b",
        ),
    ],
)
def test_death_costs_one_check(tmp_path: Path, run_here: Supervised, how: str, timeout: float, told: str) -> None:
    """It is told with what the program said last; a new one goes on."""
    results = run_here(manifest(tmp_path, how, timeout), "1.4", "6.1")
    assert results.footer is not None
    verdicts = {record.check: record.verdict for record in results.checks}
    assert verdicts.pop(LAST) == "crashed"
    assert set(verdicts.values()) == {"conforms"}, verdicts
    (record,) = (record for record in results.checks if record.check == LAST)
    assert record.message.startswith(f"the program of {how}.toml {told}")
    assert "last output" in record.case


@pytest.mark.usefixtures("ended")
def test_networks_outlive_a_program(tmp_path: Path) -> None:
    """What was prepared and loaded before is so in the new program."""
    adapter: Any = registry.load(manifest(tmp_path, "dies"))
    architecture = Architecture((Layer(2, 3),))
    network = adapter.prepare(architecture)
    network.load(weights())
    before = network.run(np.ones((1, 2, 2), np.float32)).outputs
    fatal = adapter.prepare(ARCHITECTURE)
    fatal.load(weights())
    with pytest.raises(SystemExit, match="was killed by SIGSEGV"):
        fatal.run(np.ones((1, 2, 2), np.float32))
    np.testing.assert_array_equal(network.run(np.ones((1, 2, 2), np.float32)).outputs, before)


@pytest.mark.usefixtures("ended")
@pytest.mark.parametrize(
    ("how", "error", "told"),
    [
        (
            "banner",
            RuntimeError,
            "no answer to describe: where a frame should begin there is b'Hi there! This framework",
        ),
        ("mute", RuntimeError, "did not answer describe within 2 seconds"),
        ("newer", ValueError, "the program of newer.toml speaks protocol 2, and this suite protocol 1"),
        ("misspelt", ValueError, "describes itself wrongly: the description has cell, but its fields are framework"),
    ],
)
def test_program_that_cannot_be_spoken_with(tmp_path: Path, how: str, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        registry.load(manifest(tmp_path, how, 2 if how == "mute" else 30)).describe()


@pytest.mark.usefixtures("ended")
def test_answers_of_a_program(tmp_path: Path) -> None:
    """What it lacks is unsupported; what its layer raises is raised; networks that nobody holds are told."""
    adapter = registry.load(manifest(tmp_path, "right"))
    with pytest.raises(Unsupported, match="MyLayer is tanh only"):
        adapter.prepare(Architecture((Layer(2, 3, SimpleRnn("relu")),)))
    network: Any = adapter.prepare(Architecture((Layer(2, 3),)))
    network.load(weights())
    assert network.parameter_count() == 18
    with pytest.raises(Exception, match="ValueError: inputs should have 3 axes, but have 2"):
        network.run(np.ones((2, 2), np.float32))
    with pytest.raises(Unsupported, match="MyLayer has no reset"):
        network.reset()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            '# mine\ncomand = ["x"]\n',
            r"m.toml, line 2: there is no key 'comand' \(is command meant\?\); the keys are command",
        ),
        (
            'command = "node x"\n',
            "m.toml, line 1: command should be a list of texts, the program first, but is 'node x'",
        ),
        ('command = ["x"]\n\ntimeout = 0', "m.toml, line 3: timeout should be a number of seconds above 0, but is 0"),
        ('command = ["x"]\n[needs]\na = 1', "m.toml, line 2: needs should be a list of paths"),
        ("timeout = 3", 'm.toml has no command, such as command = ."node"'),
        ("command = [", "m.toml is no TOML"),
    ],
)
def test_wrong_manifest(tmp_path: Path, text: str, told: str) -> None:
    """File and line are told, and what would be right."""
    path = tmp_path / "m.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=told):
        read_manifest(path)


def test_paths_count_from_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the command is given from; what is not there is told with what makes it."""
    (tmp_path / "mine").mkdir()
    path = tmp_path / "mine" / "m.toml"
    path.write_text('command = ["./backend"]\nneeds = ["lib"]\ninstall = "make"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert read_manifest(Path("mine/m.toml")).missing == ("./backend", "lib")
    done = CliRunner().invoke(cli, ["run", "./mine/m.toml"])
    assert done.exit_code == 2
    assert f"mine/m.toml needs ./backend, lib: cd {tmp_path / 'mine'} && make" in " ".join(done.output.split())
    (path.parent / "backend").touch()
    (path.parent / "lib").touch()
    assert read_manifest(path).missing == ()
    assert read_manifest(path).program == str(tmp_path / "mine" / "backend")
    assert CliRunner().invoke(cli, ["adapters", "mine/m.toml"]).output == "mine/m.toml: installed\n"


def test_no_manifest() -> None:
    done = CliRunner().invoke(cli, ["run", "nowhere.toml"])
    assert done.exit_code == 2
    assert "nowhere.toml: No such file or directory" in done.output


@pytest.mark.slow
def test_no_program_outlives_its_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even one that hangs, and does not look at its standard input."""
    results = runner(tmp_path)(manifest(tmp_path, "hangs", 600), "1.4", timeout=4)
    assert "timed out" in {record.verdict for record in results.checks}
    assert not _runs(int((tmp_path / "hangs.pid").read_text(encoding="utf-8")))


@pytest.mark.slow
def test_program_ends_with_a_process_that_is_killed(tmp_path: Path) -> None:
    """Its standard input comes to an end then."""
    code = (
        "import os, sys; from rnn_conformance.adapters import registry; adapter = registry.load(sys.argv[1]);"
        "adapter.describe(); print(adapter._program._process.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    arguments = [sys.executable, "-c", code, manifest(tmp_path, "right")]
    pid = int(subprocess.run(arguments, capture_output=True, text=True, check=False).stdout)
    until = time.monotonic() + 10
    while _runs(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    """Whether there is such a process, and no mere remains of one."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
