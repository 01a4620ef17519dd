"""Running the example of a witness again: within a check, or in a process of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path
from threading import Event

from rnn_conformance.conformance.running.order import Order
from rnn_conformance.conformance.running.selection import EVERYTHING
from rnn_conformance.conformance.running.supervisor import run_one
from rnn_conformance.conformance.witnesses.witness import Witness, write_witness
from rnn_conformance.reports.records import records


def replay(witness: Witness, adapter: str, timeout: float) -> records.Results:
    """Run the example of a witness with this adapter, in a process of its own; nothing is left behind but the results.

    A process that dies or takes longer than `timeout` seconds is a verdict like any other.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = write_witness(witness, Path(folder) / "witness")
        order = Order(witness.profile, witness.seed, EVERYTHING, 0, timeout, Path(folder), path)
        run_one(order, adapter, lambda step: None, Event())
        return records.read(order.results(adapter))
