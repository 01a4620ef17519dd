"""The suite's own wheel: made of what is running, since it is on no index, and needs no checkout to be made."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import distribution
from pathlib import Path

_ROOMS = ("reference", "adapters", "conformance", "reports")
_NAME = "rnn_conformance"
_TAGS = "Wheel-Version: 1.0\nGenerator: rnn-conformance\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


@dataclass(frozen=True)
class Wheel:
    """A wheel: its file name, from which installers read what it is, and its bytes."""

    name: str
    data: bytes = field(repr=False)


@cache
def suite_wheel() -> Wheel:
    """The suite's: all files of the four rooms, and what the installed package says of itself. Always the same bytes.

    The format: https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    """
    contents = dict(_contents())
    info = f"{_NAME}-{distribution('rnn-conformance').version}.dist-info"
    record = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in contents.items()]
    contents[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in contents.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)  # no date, so that nothing changes
    return Wheel(f"{_NAME}-{distribution('rnn-conformance').version}-py3-none-any.whl", packed.getvalue())


def _contents() -> Iterator[tuple[str, bytes]]:
    for room in _ROOMS:
        folder = Path(str(importlib.resources.files(f"{_NAME}.{room}")))
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                yield f"{_NAME}/{room}/{path.relative_to(folder).as_posix()}", path.read_bytes()
    ours = distribution("rnn-conformance")
    info = f"{_NAME}-{ours.version}.dist-info"
    about = ours.read_text("METADATA") or ours.read_text("PKG-INFO") or ""
    yield f"{info}/METADATA", about.encode()
    yield f"{info}/entry_points.txt", (ours.read_text("entry_points.txt") or "").encode()
    yield f"{info}/WHEEL", _TAGS.encode()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
