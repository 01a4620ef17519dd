"""What is to be run, and how far it is: what the command line and the supervisor tell each other."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rnn_conformance.conformance.running.results import EVIDENCE, journal_path
from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.reports.records.harmless import safe
from rnn_conformance.reports.records.records import CheckRecord, name_of


@dataclass(frozen=True)
class Order:
    """What to run: the options of the worker, how long one example may take, and where results go.

    With a `witness`, its example alone, and a script of what fails if `script_of` is there, the command that runs it
    again. `compiled` is the folder for what frameworks compile, if it is to be kept. `python` is that of the worker's
    environment.
    """

    profile: str
    seed: int
    asked: Selection
    seeds: int
    timeout: float
    folder: Path
    witness: Path | None = None
    cell: str = "simple_rnn"
    compiled: Path | None = None
    python: str = sys.executable
    script_of: str = ""

    def results(self, adapter: str) -> Path:
        """The results file of an adapter."""
        return self.folder / f"{self._name(adapter)}.jsonl"

    def log(self, adapter: str) -> Path:
        """Where all goes that the worker prints."""
        return self.results(adapter).with_suffix(".log")

    def journal(self, adapter: str) -> Path:
        """Where the worker notes what it is doing."""
        return journal_path(self.results(adapter))

    def parts(self, adapter: str) -> Path:
        """The folder of the parts of a run, as long as it is run in parts."""
        return self.results(adapter).with_suffix(".parts")

    def files(self, adapter: str) -> list[Path]:
        """All files that a run of this adapter writes: what is there of an earlier one."""
        evidence = [file for folder in EVIDENCE for file in (self.folder / folder).glob(f"{self._name(adapter)}--*")]
        return [self.results(adapter), self.journal(adapter), self.log(adapter), *evidence]

    def _name(self, adapter: str) -> str:
        return safe(name_of(adapter, self.cell))

    def options(self, adapter: str) -> list[str]:
        """The worker's command line."""
        return [
            *("--adapter", adapter, "--conformance-profile", self.profile, "--conformance-seed", str(self.seed)),
            *("--conformance-seeds", str(self.seeds), "--conformance-cell", self.cell),
            *self.asked.options(),
            *(() if self.witness is None else ("--conformance-witness", str(self.witness))),
            *(("--conformance-script-of", self.script_of) if self.script_of else ()),
        ]


@dataclass(frozen=True)
class Progress:
    """How far an adapter is: checks done of those planned (0 while its framework starts), and what is running.

    The adapter is named as its results are, such as torch-lstm; `found` are the records that are new since the last
    step.
    """

    adapter: str
    done: int
    planned: int
    doing: str
    found: Sequence[CheckRecord] = ()
    finished: bool = False


Report = Callable[[Progress], None]
