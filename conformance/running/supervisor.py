"""Runs adapters, each in a process of its own, so that a framework that dies takes one check with it and no more."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Literal

from rnn_conformance.conformance.identity import suite_digest
from rnn_conformance.conformance.running.deaths import write_broken, write_death
from rnn_conformance.conformance.running.order import Order, Report
from rnn_conformance.conformance.running.parts import in_parts, processes_that_fit, remove_earlier
from rnn_conformance.conformance.running.process import Ended, run_worker
from rnn_conformance.conformance.running.results import finish
from rnn_conformance.conformance.running.turns import seconds_of
from rnn_conformance.conformance.running.watch import Watch
from rnn_conformance.conformance.witnesses.journal import read_journal
from rnn_conformance.reports.records import records
from rnn_conformance.reports.records.records import name_of

_DEATHS_IN_A_ROW = 5
"""After so many checks one after the other that killed the process, the rest of an adapter is not tried."""


def run_all(orders: Sequence[Order], adapters: Sequence[str], jobs: int, report: Report) -> list[Path]:
    """Run each order on each of these adapters, `jobs` at a time, and return their results files, order by order.

    What takes longest is started first, so that it is not left to run alone at the end; where there are more jobs than
    runs, each is run in parts. What an earlier run left of them is removed before. `report` is called from several
    threads. On KeyboardInterrupt all workers are killed; what they found remains.
    """
    runs = [(order, adapter) for order in orders for adapter in adapters]
    for order, adapter in runs:
        order.folder.mkdir(parents=True, exist_ok=True)
        remove_earlier(order, adapter)
    suite_digest()  # made once, before several threads ask for it
    slowest_first = sorted(runs, key=lambda run: -seconds_of(run[1]))
    most = processes_that_fit(jobs) // len(runs)
    with ExitStack() as in_the_end:
        parts = [
            (part, adapter, tell)
            for order, adapter in slowest_first
            for part, tell in in_the_end.enter_context(in_parts(order, adapter, most, report))
        ]
        _run_at_once(parts, jobs)
    return [order.results(adapter) for order, adapter in runs]


def _run_at_once(runs: Sequence[tuple[Order, str, Report]], jobs: int) -> None:
    """Run these, `jobs` at a time; none of their workers is left when this returns, or raises."""
    stop = Event()
    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(run_one, order, adapter, tell, stop) for order, adapter, tell in runs]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:  # KeyboardInterrupt most of all: no worker may outlive us
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def run_one(order: Order, adapter: str, report: Report, stop: Event) -> None:
    """Run one adapter to its end, starting a new process after each one that died or handed over.

    Goes on with the results file that there may be.
    """
    watch = Watch(name_of(adapter, order.cell), order.results(adapter))
    deaths, after = 0, ""
    while after != "over" and deaths < _DEATHS_IN_A_ROW and not stop.is_set():
        done = watch.done
        ended = run_worker(order, adapter, watch, report, stop)
        if stop.is_set():
            break
        progressed = watch.done > done
        after = _settle(order, adapter, ended, progressed=progressed)
        deaths = (0 if progressed else deaths) + (after == "died")
        watch.look()
    order.journal(adapter).unlink(missing_ok=True)
    report(watch.progress(finished=True))


def _settle(order: Order, adapter: str, ended: Ended, *, progressed: bool) -> Literal["over", "died", "go on"]:
    """Decide what the end of a worker means, and write it down.

    The run is over, or a fresh process goes on with it: after a check that killed this one, or as was planned.
    """
    path = order.results(adapter)
    if not path.exists():
        write_broken(order, adapter, ended, "before the first check")
        finish(path)
        return "over"
    if finish(path):  # a framework may crash when all is done, too
        return "over"
    results, running = records.read(path), read_journal(order.journal(adapter))
    if running is not None and running.item.check in results.missing:
        write_death(results, running, ended)
        return "over" if finish(path) else "died"
    if ended.hands_over and progressed:
        return "go on"
    write_broken(order, adapter, ended, "between two checks")
    return "over"
