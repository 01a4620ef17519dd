"""What is written into a results file in the place of a worker that has died, and cannot write it itself."""

from __future__ import annotations

from dataclasses import asdict

from rnn_conformance.conformance.running.order import Order
from rnn_conformance.conformance.running.process import Ended
from rnn_conformance.conformance.running.results import REPLAY, WITNESSES, header
from rnn_conformance.conformance.running.telling import in_block
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.conformance.witnesses.journal import Running
from rnn_conformance.conformance.witnesses.witness import witness_of, write_witness
from rnn_conformance.reports.records import records


def write_death(results: records.Results, running: Running, ended: Ended) -> None:
    """Write the record of the check that was running; its case is kept as a witness."""
    of = results.header
    witness = witness_of(
        running.item,
        adapter=of.adapter,
        versions=of.versions,
        profile=of.profile,
        seed=running.seed,
        cell=of.cell,
        search=running.search,
        verdict=ended.verdict,
        message=ended.how,
        case=running.case,
        details={},
    )
    folder = results.path.parent
    file = write_witness(witness, folder / WITNESSES).relative_to(folder).as_posix()
    record = records.CheckRecord(
        **asdict(running.item),
        verdict=ended.verdict,
        seconds=0.0,
        message=ended.how,
        case=str(running.case or ""),
        witness_file=file,
        replay=f"{REPLAY} {file}",
        no_reproducer="the process ended",
    )
    records.append(results.path, record)


def write_broken(order: Order, adapter: str, ended: Ended, when: str) -> None:
    """Write that the run of this adapter did not work, with what its process said last."""
    item = Item("adapter", "The adapter works", (), "", "")
    results = order.results(adapter)
    if not results.exists():
        records.append(results, header(adapter, order.profile, order.seed, [item.check], None, order.asked, order.cell))
    log = order.log(adapter).read_text(encoding="utf-8", errors="replace")
    message = in_block(log) or f"{ended.how} {when}; it said: {_end_of(log)}"
    records.append(results, records.CheckRecord(**asdict(item), verdict="broken", seconds=0.0, message=message))


def _end_of(log: str, lines: int = 15) -> str:
    return "\n".join(log.splitlines()[-lines:])
