"""Results that are kept under the digest of what made them: a folder that several sweeps, and several people, share."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

import archspec.cpu

from rnn_conformance.conformance.sweeping.job import RESULTS, Job, Made, Skipped
from rnn_conformance.reports.records import records

_SKIPPED = "skipped.json"
_DIGITS = 20


class Cache:
    """A folder with a folder for each job, and in that one for each processor; and the locks that were asked for.

    Everything is written whole or not at all: a folder is moved to its place when all is in it. Whoever comes second
    with the same leaves what is there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def results(self, job: Job) -> Path:
        """Where the results of a job are, those of this processor if there are any; the file need not be there."""
        here = self._of(job) / archspec.cpu.host().name
        return next((place / RESULTS for place in (here, *self._others(job)) if place.exists()), here / RESULTS)

    def skipped(self, job: Job) -> Skipped | None:
        """Why a job could not be run, if that is known."""
        file = self.results(job).with_name(_SKIPPED)
        return Skipped(**json.loads(file.read_text(encoding="utf-8"))) if file.exists() else None

    def has(self, job: Job, *, anywhere: bool = False) -> bool:
        """Whether a job was run on this processor, or on any: then it need not be run again."""
        here = self._of(job) / archspec.cpu.host().name
        return here.exists() or (anywhere and any(self._others(job)))

    def like(self, job: Job) -> Path | None:
        """Results of the same backend and cell, whatever their versions: of the same checks, or all, or the newest."""
        found = []
        for file in self.folder.glob("*/*/question.json"):
            question, results = json.loads(file.read_text(encoding="utf-8")), file.with_name(RESULTS)
            if (question["backend"], question["cell"]) == (job.adapter, job.cell) and results.exists():
                asked = question["asked"]
                found.append((asked == job.asked.options(), not asked, file.stat().st_mtime, results))
        return max(found)[-1] if found else None

    def keep(self, job: Job, outcome: Made | Skipped) -> None:
        """Keep what came of a job, under the processor that it was run on."""
        files = {"question.json": json.dumps(job.question, indent=1).encode(), "lock.txt": job.locked.encode()}
        files |= outcome.files if isinstance(outcome, Made) else {_SKIPPED: json.dumps(asdict(outcome)).encode()}
        self._of(job).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._of(job), prefix=".", ignore_cleanup_errors=True) as place:
            whole = Path(place, "whole")
            for name, data in files.items():
                (whole / name).parent.mkdir(parents=True, exist_ok=True)
                (whole / name).write_bytes(data)
            target = self._of(job) / _processor(whole / RESULTS)
            try:
                whole.rename(target)
            except OSError:
                if not target.exists():
                    raise

    def locked(self, question: Mapping[str, object]) -> str | Skipped | None:
        """The lock that came of a question, or that there is none; None if it was not asked yet."""
        file = self._lock_file(question)
        if not file.exists():
            return None
        found = json.loads(file.read_text(encoding="utf-8"))
        return Skipped(**found) if isinstance(found, dict) else str(found)

    def keep_lock(self, question: Mapping[str, object], found: str | Skipped) -> None:
        """Keep a lock, or that there is none."""
        file = self._lock_file(question)
        file.parent.mkdir(parents=True, exist_ok=True)
        data = asdict(found) if isinstance(found, Skipped) else found
        with tempfile.NamedTemporaryFile("w", dir=file.parent, encoding="utf-8", delete=False) as whole:
            json.dump(data, whole)
        Path(whole.name).replace(file)

    def _of(self, job: Job) -> Path:
        return self.folder / job.digest

    def _others(self, job: Job) -> Iterator[Path]:
        yield from (each for each in sorted(self._of(job).glob("[!.]*")) if each.is_dir())

    def _lock_file(self, question: Mapping[str, object]) -> Path:
        digest = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:_DIGITS]
        return self.folder / "locks" / f"{digest}.json"


def _processor(results: Path) -> str:
    """The processor of results; of what could not be run, the one here."""
    host = str(archspec.cpu.host().name)
    return records.read(results).header.environment.get("processor", host) if results.exists() else host
