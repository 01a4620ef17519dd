"""Follows a results file as it grows: how many checks are planned, how many have a record, and what they say."""

from __future__ import annotations

from pathlib import Path

from rnn_conformance.conformance.running.order import Progress
from rnn_conformance.reports.records import records


class Watch:
    """How far the run of one adapter is, by its results file.

    Raises DamagedResults, naming file and line, if something else than the worker writes into it.
    """

    def __init__(self, adapter: str, results: Path) -> None:
        self._adapter = adapter
        self._results = results
        self._offset = 0
        self._new: list[records.CheckRecord] = []
        self.planned = 0
        self.done = 0

    def look(self) -> None:
        """Read what was written since the last look."""
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
            elif isinstance(record, records.CheckRecord):
                self.done += 1
                self._new.append(record)

    def progress(self, doing: str = "", *, finished: bool = False) -> Progress:
        """How far it is, with each record once."""
        self.look()
        found, self._new = self._new, []
        return Progress(self._adapter, self.done, self.planned, doing, found, finished)
