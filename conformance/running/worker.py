"""The process in which one adapter is checked: pytest on the checks of this package, and nothing of the user's own.

Run by the supervisor as ``python -m rnn_conformance.conformance.running.worker RESULTS OPTION...``.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

from rnn_conformance.conformance.running import lifeline


def main(results: str, options: list[str]) -> int:
    """Check, with the options of options.py, and append to the results file. Returns pytest's exit status."""
    with tempfile.TemporaryDirectory() as empty:
        # Where nothing is kept, nothing is taken either from the folder that PyTorch shares between all its users.
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(Path(empty, "torch")))
        ini = Path(empty, "pytest.ini")
        ini.write_text("[pytest]\n", encoding="utf-8")
        return pytest.main(
            [
                *("--pyargs", "rnn_conformance.conformance"),
                *("-p", "rnn_conformance.conformance.running.options", "-p", "no:cacheprovider"),
                *("-c", str(ini), "--rootdir", empty),
                "--noconftest",  # that of the folder in which it was started, and of its tests, is none of ours
                *("-p", "no:unraisableexception"),  # it collects the garbage of a whole framework, ten times
                *("-s", "-q"),  # what a framework prints goes straight to the log, where a crash cannot lose it
                *("--conformance-results", results),
                *options,
            ]
        )


if __name__ == "__main__":
    lifeline.hold()
    sys.exit(main(sys.argv[1], sys.argv[2:]))
