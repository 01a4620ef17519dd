"""Running the example of a witness again: within a check, or in a process of its own."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from threading import Event

from rnn_conformance.adapters.protocol import Description
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.engine.check import Check, Pin
from rnn_conformance.conformance.running.supervisor import Order, run_one
from rnn_conformance.conformance.witnesses.journal import Item
from rnn_conformance.conformance.witnesses.witness import Witness, read_witness
from rnn_conformance.reports.records import records


def mode_of(witness: Witness, description: Description) -> str:
    """The mode to run it in: its own or, where the adapter has no mode of that name, the adapter's main one."""
    return witness.mode if witness.mode in description.modes else description.modes[0]


def witnesses(witness: Witness, item: Item, description: Description) -> bool:
    """Whether this is the one check, dtype and mode of an adapter in which the witness is run again."""
    here = (item.check.split("[")[0], item.dtype, item.mode)
    return here == (witness.check, witness.dtype, mode_of(witness, description))


def pinned(check: Check, witness: Witness) -> Check:
    """The same check, but of the example of this witness alone."""
    description = check.subject.description
    case = witness.case
    if case is not None and case.architecture.mode not in description.modes + description.ways:
        here = replace(case, architecture=replace(case.architecture, mode=check.mode))
        case = here.with_arrays(case.arrays)
    profile = PROFILES[witness.profile]
    pin = Pin(witness.search, case)
    return replace(check, pin=pin, profile=profile, seed=witness.seed, deviations=(), _searches=0)


def replay(path: Path, adapter: str, timeout: float) -> records.Results:
    """Run the example of a witness with this adapter, in a process of its own; nothing is left behind but the results.

    A process that dies or takes longer than `timeout` seconds is a verdict like any other. Raises DamagedWitness for a
    file that is no witness.
    """
    witness = read_witness(path)
    with tempfile.TemporaryDirectory() as folder:
        order = Order(witness.profile, witness.seed, (), 0, timeout, Path(folder), path.resolve())
        run_one(order, adapter, lambda step: None, Event())
        return records.read(order.results(adapter))
