"""Whether a script shows what it is about: it is run once, as its reader would run it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from rnn_conformance.adapters.pipe.adapter import ProcessAdapter
from rnn_conformance.adapters.protocol import Adapter
from rnn_conformance.conformance.explaining.showing import NoReproducer, Shown

_DIFFERENCE = re.compile(r"^the largest difference in .*: (\S+)$", re.MULTILINE)
_OUTPUTS = re.compile(r"^(?:expected|actual) outputs: (.*)$", re.MULTILINE)


def try_script(script: str, adapter: Adapter, shown: Shown) -> None:
    """Run the script in a process and a folder of its own. Raises NoReproducer where it does not show the failure."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "script.py")
        file.write_text(script, encoding="utf-8", errors="replace")
        done = subprocess.run(
            [sys.executable, str(file)],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            cwd=folder,  # some save a model
            env=_environment(adapter),
        )
    if shown.wrong == "raises":
        if done.returncode == 0:
            raise NoReproducer("its script raises no exception")
        if f"{shown.raised}:" not in done.stderr:
            raise NoReproducer(f"its script raises another exception: {_last_line(done.stderr)}")
    elif done.returncode:
        raise NoReproducer(f"its script does not run: {_last_line(done.stderr)}")
    elif shown.wrong == "numbers" and not _shows(done.stdout, shown.error):
        raise NoReproducer("its script does not show the difference")
    elif shown.wrong == "type" and len(set(_OUTPUTS.findall(done.stdout))) != 2:
        raise NoReproducer("its script does not show the other dtype or shape")


def _environment(adapter: Adapter) -> dict[str, str]:
    """That of this process, in which the framework was found, without what the script says itself."""
    found = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    found["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, sys.path))
    if isinstance(adapter, ProcessAdapter):
        found["NODE_PATH"] = str(adapter.manifest.folder / "node_modules")
    return found


def _shows(printed: str, error: float) -> bool:
    """Whether a difference of that size is printed, or at least of half of it; NaN is larger than any number."""
    differences = [float(number) for number in _DIFFERENCE.findall(printed)]
    return any(np.isnan(each) or 2 * each >= error for each in differences)


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if re.match(r"[\w.]+:", line)), "it says nothing")
