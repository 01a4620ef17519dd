"""Sweep and bisect as a whole: real environments by uv, of a small package on an index that is served here."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import io
import json
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("unearth")
pytest.importorskip("uv")

from rnn_conformance.conformance.commands import bisect, sweep
from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.conformance.sweeping.indexes import set_up
from rnn_conformance.conformance.sweeping.job import RESULTS, Job, Made, run_job

pytestmark = pytest.mark.slow

SOURCE = """
from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.function import FunctionAdapter
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.calls import Output

{first}

class Toy(FunctionAdapter):
    packages = {{"toylayer": "1.0"}}

def run(architecture, weights, inputs, initial_state):
    output = network.run(architecture, weights, inputs, initial_state)
    return Output(output.outputs * {factor}, output.final_state)

adapter = Toy(run, Description(framework="Toy", versions={{"toylayer": "{version}"}}))
"""
RELEASES = {"0.9": "2025-01-05", "1.0": "2025-02-05", "1.1": "2025-03-05", "1.2": "2025-04-05", "1.3": "2025-05-05"}
"""A small layer, which is wrong since 1.2, cannot be imported in 1.1, and is too old for its adapter in 0.9."""

OLDEST = """
pytest==7.4.0
hypothesis==6.80.0
numpy==1.24.4
ml-dtypes==0.3.1
packaging==21.3
archspec==0.2.3
click==8.1.0
attrs==23.1.0
exceptiongroup==1.1.2; python_version < "3.11"
iniconfig==2.0.0
pluggy==1.2.0
pyparsing==3.1.0
sortedcontainers==2.4.0
tomli==2.0.1; python_version < "3.11"
typing-extensions==4.7.1
"""
"""The oldest of all that a worker needs, by pyproject.toml."""


def source(version: str) -> str:
    factor = "1.5" if version >= "1.2" else "1"
    first = 'raise ImportError("toylayer is broken today")' if version == "1.1" else ""
    return SOURCE.format(version=version, factor=factor, first=first)


def wheel(version: str) -> bytes:
    """The toy in a version, as a wheel."""
    info = f"toylayer-{version}.dist-info"
    contents = {
        "toylayer.py": source(version),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: toylayer\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {
        name: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()) for name, text in contents.items()
    }
    record = [f"{name},sha256={digest.rstrip(b'=').decode()}," for name, digest in digests.items()]
    contents[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in contents.items():
            archive.writestr(name, text)
    return packed.getvalue()


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves the pages of an index as JSON (PEP 691), and says nothing of it."""

    def guess_type(self, path: object) -> str:
        return "application/vnd.pypi.simple.v1+json" if str(path).endswith("index.html") else "application/zip"

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The toy on an index beside the usual one; its adapter can be imported here as well, in its first version."""
    page = tmp_path / "index" / "simple" / "toylayer"
    page.mkdir(parents=True)
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=str(tmp_path / "index"))
    )
    address = f"http://127.0.0.1:{server.server_port}/simple"
    files = []
    for version, day in RELEASES.items():
        name, data = f"toylayer-{version}-py3-none-any.whl", wheel(version)
        (page / name).write_bytes(data)
        files.append(
            {
                "filename": name,
                "url": f"{address}/toylayer/{name}",
                "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
                "upload-time": f"{day}T12:00:00.000000Z",
                "yanked": False,
            }
        )
    listed = {"meta": {"api-version": "1.1"}, "name": "toylayer", "versions": list(RELEASES), "files": files}
    (page / "index.html").write_text(json.dumps(listed), encoding="utf-8")
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "toylayer.py").write_text(source("1.0"), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path / "here"))
    indexes = replace(set_up(), further=[address])
    for command in (sweep, bisect):
        monkeypatch.setattr(sys.modules[command.__name__], "set_up", lambda: indexes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield
    server.shutdown()
    server.server_close()
    sys.modules.pop("toylayer", None)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, list(map(str, arguments)))


@pytest.mark.usefixtures("toy")
def test_sweep_and_bisect(tmp_path: Path) -> None:
    """The release that broke the layer is told by both, with one that is skipped before it, and run once."""
    kept = ("--kept", tmp_path / "kept", "--timeout", 3000)
    asked = ("toylayer:adapter", "--since", "2025", "--only", "1.1", "--dtype", "float32", "--jobs", 1, *kept)
    swept = run("sweep", *asked, "--out", tmp_path / "out")
    assert swept.exit_code == 0, swept.output
    (found,) = json.loads((tmp_path / "out" / "sweep.json").read_text(encoding="utf-8"))
    outcomes = {row["version"]: row["outcome"] for row in found["rows"]}
    assert set(outcomes) == {"1.0", "1.1", "1.2", "1.3"}
    assert outcomes["1.1"] == "skipped: import: ImportError: toylayer is broken today"
    assert outcomes["1.2"].startswith("meaning")
    assert outcomes["1.3"].startswith("nothing changed")
    assert found["left_out"] == {"toylayer 0.9": "toylayer:adapter needs toylayer 1.0 or newer"}
    again = run("sweep", *asked, "--out", tmp_path / "out")
    assert "0 of 0 (4 environments, 4 kept" in again.stderr

    named = run("bisect", "toylayer:adapter", "1.1", "--good", "1.0", "--bad", "1.3", *kept, "--out", tmp_path / "b")
    assert named.exit_code == 1, named.output  # as 1.1, between the two, cannot be run
    assert "1.1 in float32 of simple_rnn: conforms with toylayer 1.0, fails with toylayer 1.2" in named.stdout
    assert "between the two, which could not be run: toylayer 1.1" in named.stdout
    assert "0 jobs were run for this" in named.stdout
    assert (tmp_path / "b" / "after" / RESULTS).exists()


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="the oldest NumPy has no wheel for this Python")
def test_oldest_packages_that_the_suite_works_with() -> None:
    """Beside a framework of years ago, there are the libraries of that time."""
    asked = Selection(["1.1", "2.8"])
    outcome = run_job(Job("numpy", "lstm", "smoke", 0, asked, 3000, OLDEST, sys.executable, set_up()))
    assert isinstance(outcome, Made), outcome
    verdicts = [json.loads(line).get("verdict") for line in outcome.files[RESULTS].splitlines()[1:-1]]
    assert set(verdicts) <= {"conforms", "unsupported"}
    assert "conforms" in verdicts
