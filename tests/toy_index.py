"""A small package in five releases, on an index that is served here: one breaks the layer, one cannot be imported."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import io
import json
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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


class Hanging(Handler):
    """Gives no file away, and does not say so: whoever asks for one waits."""

    def do_GET(self) -> None:
        if self.path.endswith(".whl"):
            time.sleep(120)
        super().do_GET()


@contextmanager
def served(folder: Path, handler: type[Handler] = Handler) -> Iterator[str]:
    """The toy on an index, in a new folder, while this lasts; gives the address of the index."""
    page = folder / "simple" / "toylayer"
    page.mkdir(parents=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    server.daemon_threads = True
    server.block_on_close = False
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
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield address
    finally:
        server.shutdown()
        server.server_close()
