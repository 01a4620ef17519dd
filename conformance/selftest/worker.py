"""The process in which mutants are tried elsewhere.

Run as ``python -m rnn_conformance.conformance.selftest.worker TASK TRIALS``: TASK is a file with what to try, as JSON,
and TRIALS becomes a file of JSON lines, one for each mutant and seed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rnn_conformance.conformance.running import lifeline
from rnn_conformance.conformance.selftest.trials import Kill, Trial, try_mutant


def main(task: Path, trials: Path) -> None:
    """Try each mutant with each seed, one after the other."""
    asked = json.loads(task.read_text(encoding="utf-8"))
    with trials.open("w", encoding="utf-8") as lines:
        for seed in asked["seeds"]:
            for mutant in asked["mutants"]:
                found = try_mutant(mutant, seed, asked["profile"], asked["every"])
                lines.write(f"{json.dumps(asdict(found))}\n")


def read(lines: Sequence[str]) -> list[Trial]:
    """The trials that were written so."""
    found = [json.loads(line) for line in lines]
    return [
        Trial(**{**each, "kills": tuple(Kill(**kill) for kill in each["kills"]), "broken": tuple(each["broken"])})
        for each in found
    ]


if __name__ == "__main__":
    lifeline.hold()
    main(Path(sys.argv[1]), Path(sys.argv[2]))
