"""What assertions came to, as results files: what `rnn-conformance report` reads, tells, and writes as JUnit and JSON.

A results file is of one framework and one kind of cell, as those of runs are. Its checks are the assertions, by the
test that made them, and the layers that were judged in them.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.reading import PORTERS, porter
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.porting.judge import LayerFailed
from rnn_conformance.conformance.porting.own import SuiteFailed, SuiteReport
from rnn_conformance.conformance.porting.report import LayerGradients, LayerReport, Report
from rnn_conformance.conformance.running.results import finish, header
from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.reports.records import records
from rnn_conformance.reports.records.records import CheckRecord, Worst

PROFILE = "your own data"
"""What stands in the place of a profile of drawn cases."""


@dataclass(frozen=True)
class Noted:
    """One check of an assertion: of which framework and kind of cell, and its record."""

    framework: str
    cell: str
    record: CheckRecord


_LISTENING: list[list[Noted]] = []
"""Where each assertion is noted, for those who asked for that."""


@contextmanager
def recorded(folder: str | Path, name: str = "own") -> Iterator[None]:
    """What `assert_conforms` and `assert_agree` judge in here, and what fails, is written into a folder at its end.

    A file for each framework and kind of cell, called ``name-torch-lstm.jsonl`` and so on: ``rnn-conformance report
    FOLDER`` makes one report of them all. Raises FileExistsError, before anything is judged, where the folder has
    results by that name already; nothing is ever overwritten.
    """
    folder = Path(folder)
    if there := sorted(folder.glob(f"{name}-*.jsonl")):
        raise FileExistsError(f"{there[0]} is there already, and nothing is overwritten: name another folder")
    mine: list[Noted] = []
    _LISTENING.append(mine)
    try:
        yield
    finally:
        _LISTENING.remove(mine)
        write(mine, folder, name)


def note(report: Report | SuiteReport) -> None:
    """Note what conforms."""
    for mine in _LISTENING:
        mine += _of_suite(report) if isinstance(report, SuiteReport) else _of_report(report)


def note_failure(failure: NonConforming) -> None:
    """Note what does not."""
    for mine in _LISTENING:
        if isinstance(failure, SuiteFailed):
            mine.append(Noted(failure.subject, failure.cell, failure.record))
        elif isinstance(failure, LayerFailed):
            layer, told = failure.layer.architecture, failure.judgement
            worst = None if told is None else Worst(told.ratio, told.ulps, told.where, str(layer))
            record = CheckRecord(
                _check(failure.layer.path, layer.dtype),
                f"{failure.layer.path or 'The layer'} computes what it should",
                failure.clauses,
                "fails",
                0.0,
                layer.dtype,
                "eager",
                1,
                1,
                worst,
                str(failure),
                str(layer),
            )
            mine.append(Noted(failure.framework, layer.layers[0].cell.name, record))


def _of_report(report: Report) -> Iterator[Noted]:
    for layer in report.layers:
        yield Noted(report.framework, layer.cell, _of_layer(layer))
    kinds = {layer.path: layer for layer in report.layers}
    for found in report.gradients:
        layer = kinds.get(found.path) or kinds[f"{found.path}[0]"]
        yield Noted(report.framework, layer.cell, _of_gradients(found, layer))


def _of_layer(layer: LayerReport) -> CheckRecord:
    """Conforms, or is untrusted where no call of it had a bound that says anything."""
    return CheckRecord(
        _check(layer.path, layer.dtype),
        f"{layer.path or 'The layer'} computes what it should",
        layer.clauses,
        "conforms" if layer.proven else "untrusted",
        0.0,
        layer.dtype,
        "eager",
        layer.calls,
        layer.proven,
        Worst(layer.share, layer.ulps, layer.where, layer.layer),
        "; ".join(layer.not_proven),
    )


def _of_gradients(found: LayerGradients, layer: LayerReport) -> CheckRecord:
    """Conforms, or is untrusted where not even one gradient has a bound below its own size; unsupported without any."""
    judged = [one for one in found.each if one.is_judged]
    worst = max(judged, key=lambda one: one.share, default=None)
    verdict = "unsupported" if not found.each else "conforms" if judged else "untrusted"
    return CheckRecord(
        _check(f"{found.path} gradients".strip(), layer.dtype),
        f"The gradients of {found.path or 'the layer'} are what they should be",
        tuple(dict.fromkeys(clause for one in found.each for clause in one.clauses)) or ("11.1",),
        verdict,
        0.0,
        layer.dtype,
        "eager",
        len(found.each),
        len(judged),
        None if worst is None else Worst(worst.share, 0.0, worst.where, layer.layer),
        "; ".join(f"not judged: {reason}" for reason in found.not_judged),
    )


def _of_suite(report: SuiteReport) -> Iterator[Noted]:
    for record in report.records:
        yield Noted(report.subject, report.cell, record)


def _check(what: str, dtype: str) -> str:
    """The name of a check: the test that is running, if one is, and what of it this is about."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0] or "assertions"
    file, _, name = test.partition("::")
    named = " ".join(filter(None, (name, what))) or "layer"
    return f"{file}::{named.translate(_PLAIN)}[{dtype}-eager]"


_PLAIN = str.maketrans("[]", "()")
"""What stands in square brackets at the end of a check's name are its dtype and mode."""


def write(noted: Sequence[Noted], folder: Path, name: str) -> list[Path]:
    """The results files of what was noted."""
    groups: dict[tuple[str, str], list[CheckRecord]] = {}
    for one in noted:
        groups.setdefault((one.framework, one.cell), []).append(one.record)
    return [_write_file(folder, f"{name}-{framework}", cell, each) for (framework, cell), each in groups.items()]


def _write_file(folder: Path, adapter: str, cell: str, each: Sequence[CheckRecord]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{adapter}-{cell}.jsonl"
    checks = list(_told_apart(each))
    cited = tuple(dict.fromkeys(clause for record in checks for clause in record.clauses))
    framework = adapter.partition("-")[2]
    begun = header(
        adapter, PROFILE, 0, [record.check for record in checks], _description(framework), Selection(cited), cell
    )
    records.append(path, begun)
    for record in checks:
        records.append(path, record)
    finish(path)
    return path


def _told_apart(each: Sequence[CheckRecord]) -> Iterator[CheckRecord]:
    """The records with names that none of them shares: the second one of a name says so."""
    seen: Counter[str] = Counter()
    for record in each:
        seen[record.check] += 1
        name, bracket, rest = record.check.partition("[")
        again = f"{name} ({seen[record.check]}){bracket}{rest}"
        yield record if seen[record.check] == 1 else replace(record, check=again)


def _description(framework: str) -> Description | None:
    """Of a framework, which is there if something of it was judged; a function or a class of one's own has none."""
    return porter(framework).describe() if framework in PORTERS else None
