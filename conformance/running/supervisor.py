"""Running adapters, each in a process of its own, so that a framework that dies takes one check with it and no more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event

from rnn_conformance.conformance.running.results import EVIDENCE, REPLAY, WITNESSES, finish, header, journal_path
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.conformance.witnesses.journal import Running, read_journal, running_item
from rnn_conformance.conformance.witnesses.witness import witness_of, write_witness
from rnn_conformance.reports.records import records
from rnn_conformance.reports.records.harmless import safe

_POLL_SECONDS = 0.1
_HANDED_OVER = 2
"""The exit status of pytest where it was told to stop."""

_STARTING_SECONDS = 120
"""So long a framework may take to be imported at least: on a busy machine that takes longer than any check."""

_DEATHS_IN_A_ROW = 5
"""After so many checks one after the other that killed the process, the rest of an adapter is not tried."""

ONE_THREAD = {
    f"{name}_THREADS": "1"
    for name in ("OMP_NUM", "OPENBLAS_NUM", "MKL_NUM", "NUMEXPR_NUM", "TF_NUM_INTRAOP", "TF_NUM_INTEROP")
}
"""On small layers, thread pools cost far more than they save; and several workers share the machine."""


@dataclass(frozen=True)
class Order:
    """What to run: the options of the worker, how long a check may take, and where results go.

    With a `witness`, its example alone.
    """

    profile: str
    seed: int
    only: Sequence[str]
    seeds: int
    timeout: float
    folder: Path
    witness: Path | None = None

    def results(self, adapter: str) -> Path:
        """The results file of an adapter."""
        return self.folder / f"{safe(adapter)}.jsonl"

    def evidence(self, adapter: str) -> list[Path]:
        """The files beside the results that an earlier run left for this adapter."""
        return [file for folder in EVIDENCE for file in (self.folder / folder).glob(f"{safe(adapter)}--*")]

    def options(self, adapter: str) -> list[str]:
        """The worker's command line."""
        only = [part for clause in self.only for part in ("--conformance-only", clause)]
        return [
            *("--adapter", adapter, "--conformance-profile", self.profile, "--conformance-seed", str(self.seed)),
            *("--conformance-seeds", str(self.seeds), *only),
            *(() if self.witness is None else ("--conformance-witness", str(self.witness))),
        ]


@dataclass(frozen=True)
class Progress:
    """How far an adapter is: checks done of those planned (0 while its framework starts), and what is running."""

    adapter: str
    done: int
    planned: int
    doing: str
    finished: bool = False


Report = Callable[[Progress], None]


def run_all(order: Order, adapters: Sequence[str], jobs: int, report: Report) -> list[Path]:
    """Run these adapters, `jobs` at a time, and return their results files.

    `report` is called from several threads. On KeyboardInterrupt all workers are killed; what they found remains.
    """
    order.folder.mkdir(parents=True, exist_ok=True)
    stop = Event()
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(run_one, order, adapter, report, stop): adapter for adapter in adapters}
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:  # KeyboardInterrupt most of all: no worker may outlive us
            stop.set()
            raise
    return [order.results(adapter) for adapter in adapters]


def run_one(order: Order, adapter: str, report: Report, stop: Event) -> None:
    """Run one adapter to its end, starting a new process after each one that died or handed over."""
    results, journal = order.results(adapter), journal_path(order.results(adapter))
    log = results.with_suffix(".log")
    for old in (results, journal, log, *order.evidence(adapter)):
        old.unlink(missing_ok=True)
    watch = _Watch(results)
    deaths = 0
    while not stop.is_set() and deaths < _DEATHS_IN_A_ROW:
        done = watch.done
        journal.unlink(missing_ok=True)
        ended = _run_worker(order, adapter, watch, report, stop)
        if stop.is_set():
            break
        if not results.exists():
            _record_broken(results, adapter, order, f"{ended.how} before the first check; it said: {_said(log)}")
            break
        finish(results)  # a framework may crash when all is done, too
        read = records.read(results)
        if read.footer is not None:
            break
        running = read_journal(journal)
        if running is None or running.item.check not in read.missing:
            if ended.hands_over and watch.done > done:
                continue
            _record_broken(results, adapter, order, f"{ended.how} between two checks; it said: {_said(log)}")
            break
        deaths = 1 if watch.done > done else deaths + 1
        records.append(results, _record_of_death(read, running, ended))
        watch.look()
        finish(results)
        if read.missing == [running.item.check]:
            break
    journal.unlink(missing_ok=True)
    watch.look()
    report(Progress(adapter, watch.done, watch.planned, "", finished=True))


@dataclass(frozen=True)
class _Ended:
    """How a worker ended, in words, and what that means for the check that was running.

    One that `hands_over` has stopped by itself, between two checks, so that a fresh one goes on (room.py).
    """

    how: str
    verdict: str = "crashed"
    hands_over: bool = False


def _run_worker(order: Order, adapter: str, watch: _Watch, report: Report, stop: Event) -> _Ended:
    """Run one process until it ends, or a check takes too long."""
    results = order.results(adapter)
    with results.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "rnn_conformance.conformance.running.worker", str(results), *order.options(adapter)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(),
            start_new_session=True,
        )
    try:
        return _follow(process, order, adapter, watch, report, stop)
    finally:  # whatever happened meanwhile: no worker may outlive us
        if process.poll() is None:
            _kill(process)


def _follow(
    process: subprocess.Popen[bytes], order: Order, adapter: str, watch: _Watch, report: Report, stop: Event
) -> _Ended:
    """Wait for the process to end, which one does not whose check takes too long."""
    running: tuple[Item, int] | None = None
    since = time.monotonic()
    while process.poll() is None:
        watch.look()
        found = running_item(journal_path(order.results(adapter)))
        if found != running:  # each seed of a soak has the time for itself
            running, since = found, time.monotonic()
        report(Progress(adapter, watch.done, watch.planned, _doing(found)))
        limit = order.timeout if found else max(order.timeout, _STARTING_SECONDS)
        if stop.is_set() or time.monotonic() - since > limit:
            return _Ended(f"did not return within {limit:g} seconds", "timed out")
        stop.wait(_POLL_SECONDS)
    watch.look()
    status = process.returncode
    return _Ended(
        f"killed by {signal.Signals(-status).name}" if status < 0 else f"the process ended with status {status}",
        hands_over=status == _HANDED_OVER,
    )


def _doing(running: tuple[Item, int] | None) -> str:
    """What is running, in short."""
    if running is None:
        return "starting"
    item, seed = running
    return f"{item.check}, seed {seed}" if seed else item.check


def _record_of_death(read: records.Results, running: Running, ended: _Ended) -> records.CheckRecord:
    """The record of the check that was running when the process ended; the case is kept as a witness."""
    header = read.header
    witness = witness_of(
        running.item,
        adapter=header.adapter,
        versions=header.versions,
        profile=header.profile,
        seed=running.seed,
        search=running.search,
        verdict=ended.verdict,
        message=ended.how,
        case=running.case,
        details={},
    )
    file = write_witness(witness, read.path.parent / WITNESSES).relative_to(read.path.parent).as_posix()
    return records.CheckRecord(
        **asdict(running.item),
        verdict=ended.verdict,
        seconds=0.0,
        message=ended.how,
        case=str(running.case or ""),
        witness_file=file,
        replay=f"{REPLAY} {file}",
        no_reproducer="the process ended",
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the worker with all the processes that its framework may have started."""
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _environment() -> dict[str, str]:
    mine = {k: v for k, v in os.environ.items() if k != "PYTEST_ADDOPTS"}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONFAULTHANDLER": "1", "PYTHONHASHSEED": "0"}
    # No plugin that happens to be installed may reorder, repeat or distribute the checks.
    return {**mine, **ONE_THREAD, **quiet, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def _record_broken(results: Path, adapter: str, order: Order, message: str) -> None:
    """Say in the results that the run of this adapter did not work."""
    item = Item("adapter", "The adapter works", (), "", "")
    if not results.exists():
        records.append(results, header(adapter, order.profile, order.seed, [item.check], None))
    records.append(results, records.CheckRecord(**asdict(item), verdict="broken", seconds=0.0, message=message))
    finish(results)


class _Watch:
    """Follows a results file as it grows: how many checks are planned, and how many have a record.

    Raises DamagedResults, naming file and line, if something else than the worker writes into it.
    """

    def __init__(self, results: Path) -> None:
        self._results = results
        self._offset = 0
        self.planned = 0
        self.done = 0

    def look(self) -> None:
        if not self._results.exists():
            return
        with self._results.open("rb") as file:
            file.seek(self._offset)
            *lines, _ = file.read().split(b"\n")
        self._offset += sum(len(line) + 1 for line in lines)
        for line in lines:
            try:
                record = records.parse_record(line)
            except ValueError as error:
                records.read(self._results)  # says which line it is, counted from the first
                raise records.DamagedResults(f"{self._results}: {error}") from None
            if isinstance(record, records.Header):
                self.planned = len(record.planned)
            self.done += isinstance(record, records.CheckRecord)


def _said(log: Path, lines: int = 15) -> str:
    """The end of a log; what the worker gives as the reason stands first, as it is easily lost below a traceback."""
    tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
    reason = next((line.strip("! ") for line in reversed(tail) if " does not work: " in line), "")
    return "\n".join([reason.removeprefix("_pytest.outcomes.Exit: "), *tail])
