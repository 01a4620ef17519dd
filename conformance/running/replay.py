"""Running the example of a witness again: within a check, or in a process of its own."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from rnn_conformance.conformance.running.order import Order
from rnn_conformance.conformance.running.selection import EVERYTHING
from rnn_conformance.conformance.running.supervisor import run_one
from rnn_conformance.conformance.witnesses.witness import Witness, write_witness
from rnn_conformance.reports.records import records


@dataclass(frozen=True)
class Again:
    """What came of an example that was run again, and a script of the framework alone; empty where there is none."""

    results: records.Results
    script: str = ""


def replay(witness: Witness, adapter: str, timeout: float, script_of: str = "") -> Again:
    """Run the example of a witness with this adapter, in a process of its own; nothing is left behind but the results.

    A process that dies or takes longer than `timeout` seconds is a verdict like any other. A script is made of what
    fails if `script_of` is there, the command that runs it again.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = write_witness(witness, Path(folder) / "witness")
        order = Order(witness.profile, witness.seed, EVERYTHING, 0, timeout, Path(folder), path, script_of=script_of)
        run_one(order, adapter, lambda step: None, Event())
        results = records.read(order.results(adapter))
        scripts = [Path(folder, check.reproducer_file) for check in results.checks if check.reproducer_file]
        return Again(results, scripts[0].read_text(encoding="utf-8") if scripts else "")
