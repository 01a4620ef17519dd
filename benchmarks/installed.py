"""The command line of the suite as it is installed beside the Python that runs a benchmark."""

from __future__ import annotations

import sys
from pathlib import Path


def command() -> str:
    """Its path: of another environment's, which PATH may name, nobody asked. Without one, its name."""
    script = Path(sys.executable).with_name("rnn-conformance")
    return str(script) if script.exists() else script.name
