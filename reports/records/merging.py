"""Parts of one result brought together: shards of a run, or runs with several seeds or on several processors."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rnn_conformance.reports.records.records import CheckRecord, Footer, Header, Results, Worst, append

_FREE = {"planned", "shard", "seed", "started", "environment", "detection", "description", "parts"}
"""What may differ between the headers of two parts of one."""

_GRAVITY = ("broken", "crashed", "timed out", "fails", "untrusted", "deviation", "conforms", "observed", "unsupported")


def merged(results: Sequence[Results]) -> list[Results]:
    """The same results, parts of one together; those that are no parts of others stay as they are, also if they are of
    one backend: two runs of the same shard, seed and processor say the same twice.
    """
    groups: dict[str, list[Results]] = {}
    for each in results:
        groups.setdefault(_identity(each.header), []).append(each)
    return [whole for group in groups.values() for whole in _together(group)]


def write(results: Results, path: Path) -> None:
    """Write results line by line, as a run does: whole ones end with their footer."""
    append(path, results.header)
    for record in results.checks:
        append(path, record)
    if results.footer is not None:
        append(path, results.footer)


def _together(group: Sequence[Results]) -> Iterator[Results]:
    parts = [_part(each.header) for each in group]
    if len(group) == 1 or len(set(parts)) < len(group):
        yield from group
        return
    seeds_and_processors = {(seed, processor) for _, seed, processor in parts}
    by_run: dict[tuple[int, str], list[Results]] = {}
    for each in sorted(group, key=lambda each: _turn(each.header)):
        _, seed, processor = _part(each.header)
        by_run.setdefault((seed, processor), []).append(each)
    folder = Path(os.path.commonpath([each.path.parent.absolute() for each in group]))
    runs = {run: _of_shards(shards, folder) for run, shards in by_run.items()}
    yield next(iter(runs.values())) if len(seeds_and_processors) == 1 else _of_runs(runs)


def _of_shards(shards: Sequence[Results], folder: Path) -> Results:
    """The shards of one run together. What is in two of them has the gravest verdict of the two."""
    checks: dict[str, CheckRecord] = {}
    for each in shards:
        for record in each.checks:
            moved = _moved(record, each.path.parent, folder)
            checks[record.check] = _gravest([checks[record.check], moved]) if record.check in checks else moved
    planned = list(dict.fromkeys(check for each in shards for check in each.header.planned))
    header = replace(shards[0].header, planned=planned, shard=_shard([each.header.shard for each in shards]))
    footers = [each.footer for each in shards if each.footer]
    footer = _footer(list(checks.values())) if len(footers) == len(shards) else None
    return Results(folder / f"{header.name}.jsonl", header, list(checks.values()), footer)


def _of_runs(runs: Mapping[tuple[int, str], Results]) -> Results:
    """Runs with several seeds or on several processors together: of each check what is gravest, and where it was."""
    where = {run: f"seed {run[0]}" + (f", on {run[1]}" if run[1] else "") for run in runs}
    found: dict[str, list[CheckRecord]] = {}
    for run, each in runs.items():
        for record in each.checks:
            said = f"{record.message}\n(seen with {where[run]})" if record.message else record.message
            found.setdefault(record.check, []).append(replace(record, message=said))
    first = next(iter(runs.values()))
    planned = list(dict.fromkeys(check for each in runs.values() for check in each.header.planned))
    header = replace(first.header, planned=planned, parts=list(where.values()))
    checks = [_summed(_gravest(records), records) for records in found.values()]
    footer = _footer(checks) if all(each.footer for each in runs.values()) else None
    return Results(first.path, header, checks, footer)


def _summed(gravest: CheckRecord, records: Sequence[CheckRecord]) -> CheckRecord:
    """The gravest record with the numbers of all: how many examples there were, and the worst error."""
    worst = [record.worst for record in records if record.worst]
    return replace(
        gravest,
        seconds=sum(record.seconds for record in records),
        examples=sum(record.examples for record in records),
        discriminating=sum(record.discriminating for record in records),
        worst=max(worst, key=_size) if worst else None,
        shares=_added(record.shares for record in records),
        by_clause=_added(record.by_clause for record in records),
    )


def _size(worst: Worst) -> float:
    return math.inf if math.isnan(worst.ratio) else worst.ratio


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total)


def _gravest(records: Sequence[CheckRecord]) -> CheckRecord:
    return min(records, key=lambda record: _GRAVITY.index(record.verdict))


def _moved(record: CheckRecord, source: Path, folder: Path) -> CheckRecord:
    """The record with its files named from another folder, in which its own one lies."""
    below = source.absolute().relative_to(folder)

    def name(file: str) -> str:
        return (below / file).as_posix() if file else ""

    further = [
        replace(each, witness_file=name(each.witness_file), replay=_replay(each, name)) for each in record.further
    ]
    return replace(
        record,
        witness_file=name(record.witness_file),
        reproducer_file=name(record.reproducer_file),
        replay=_replay(record, name),
        further=further,
    )


def _replay(record: Any, name: Any) -> str:
    file: str = record.witness_file
    return str(record.replay).replace(file, name(file)) if file else str(record.replay)


def _footer(checks: Sequence[CheckRecord]) -> Footer:
    seconds = round(sum(record.seconds for record in checks), 2)
    return Footer(len(checks), sum(record.examples for record in checks), seconds)


def _shard(shards: Sequence[str]) -> str:
    """What several shards are together: nothing where they are all there are."""
    numbers = {shard.partition("/")[0] for shard in shards if shard}
    of = {shard.partition("/")[2] for shard in shards if shard}
    if not of or (len(of) == 1 and len(numbers) == int(next(iter(of)))):
        return ""
    return ",".join(shards)


def _identity(header: Header) -> str:
    """All that parts of one have in common; shards of another number are of another whole."""
    shared = {name: value for name, value in asdict(header).items() if name not in _FREE}
    return repr([*sorted(shared.items()), header.shard.partition("/")[2]])


def _part(header: Header) -> tuple[str, int, str]:
    return header.shard, header.seed, header.environment.get("processor", "")


def _turn(header: Header) -> tuple[int, str, int]:
    number = header.shard.partition("/")[0]
    return header.seed, header.environment.get("processor", ""), int(number) if number.isdecimal() else 0
