"""Where packages come from: the index and the folders of wheels that pip or uv is set up with, and how uv is told."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_DEFAULT = "https://pypi.org/simple"


@dataclass(frozen=True)
class Indexes:
    """The index that is asked first, further ones, and folders or pages of wheels; `cert` is a file of certificates."""

    index: str = _DEFAULT
    further: Sequence[str] = ()
    find_links: Sequence[str] = ()
    cert: str = ""

    def options(self) -> list[str]:
        """The same for uv's command line; as with pip, the best version of all indexes is taken."""
        return [
            *("--no-config", "--default-index", self.index, "--index-strategy", "unsafe-best-match"),
            *(word for each in self.further for word in ("--index", each)),
            *(word for each in self.find_links for word in ("--find-links", each)),
        ]

    def variables(self) -> dict[str, str]:
        """The environment variables that uv needs beside its options."""
        return {"SSL_CERT_FILE": self.cert} if self.cert else {}


def set_up() -> Indexes:
    """What uv's environment variables say, or else pip's configuration, as `pip config list` has it."""
    return from_settings(_pip_settings(), os.environ)


def from_settings(pip: Mapping[str, str], variables: Mapping[str, str]) -> Indexes:
    """The indexes by pip's settings, such as ``index-url``, and environment variables of uv, which come first."""
    index = variables.get("UV_DEFAULT_INDEX") or variables.get("UV_INDEX_URL") or pip.get("index-url") or _DEFAULT
    further = variables.get("UV_INDEX") or variables.get("UV_EXTRA_INDEX_URL") or pip.get("extra-index-url", "")
    links = variables.get("UV_FIND_LINKS", "").replace(",", " ") or pip.get("find-links", "")
    cert = variables.get("SSL_CERT_FILE") or pip.get("cert", "")
    return Indexes(index, further.split(), list(dict.fromkeys(links.split())), cert)


def _pip_settings() -> Mapping[str, str]:
    """pip's configuration of this Python; nothing where there is no pip."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], check=False, capture_output=True, encoding="utf-8"
    )
    return dict(_settings(listed.stdout)) if listed.returncode == 0 else {}


def _settings(listed: str) -> Iterator[tuple[str, str]]:
    """Each setting by its name; those of the environment are last, since they overrule the others."""
    lines = [line.partition("=") for line in listed.splitlines() if "=" in line]
    for section in ("global.", "install.", ":env:."):
        for name, _, value in lines:
            if name.startswith(section):
                yield name.removeprefix(section), ast.literal_eval(value)
