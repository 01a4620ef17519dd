"""The lines of a results file: a header, a record for each check, a footer. Written one by one, read back with care.

A results file is JSON lines. Each line is flushed as it is written, so that whatever ends the run leaves all that was
found before; a file without its footer is truncated. Nothing here needs more than the standard library.
"""

from __future__ import annotations

import codecs
import dataclasses
import json
import math
import os
import re
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, BinaryIO, get_args, get_origin, get_type_hints

from rnn_conformance.reports.records.parts import Extent, Further, Row
from rnn_conformance.reports.records.strict import LONGEST, parse, shortened

SCHEMA = 3

VERDICTS = {
    "conforms": "every example was as the specification says",
    "deviation": "departs from the specification in a way that is known and explained",
    "fails": "departs from the specification",
    "observed": "the specification is silent: what happened is recorded",
    "untrusted": "passed, but too few examples could have failed",
    "unsupported": "the framework's layer does not offer this",
    "crashed": "the framework took the process down",
    "timed out": "the framework did not return",
    "broken": "the adapter or the suite itself did not work",
}
"""Every verdict, with what it means."""

EXACT, UNBOUNDED = "exact", "unbounded"
SHARE = f"{EXACT}|{UNBOUNDED}|-?[0-9]{{1,4}}"
"""What errors are counted by, as a regular expression: zero, an exponent of two, or that no bound says anything."""


class DamagedResults(ValueError):
    """A results file that cannot be read; the message names file and line."""


USUAL_CELL = "simple_rnn"
"""The cell that results are about where they do not say otherwise."""


def name_of(adapter: str, cell: str) -> str:
    """What the results of an adapter on a kind of cell are called beside others: ``torch``, but ``torch-lstm``."""
    return adapter if cell == USUAL_CELL else f"{adapter}-{cell}"


@dataclass(frozen=True)
class Worst:
    """The largest error that a check saw: as a share of its bound, in ULP, and where."""

    ratio: float
    ulps: float
    where: str
    case: str


@dataclass(frozen=True)
class Fingerprint:
    """What came out of one frozen example, so that two runs can be compared to the bit.

    `given` and `got` are digests of all that went into the framework and of all that came out, in the order of the
    calls. `values` are the numbers that came out, where they are few: from them a difference is told in ULP.
    """

    example: str
    given: str
    got: str
    values: Sequence[float] = field(default_factory=list)


@dataclass(frozen=True)
class Cause:
    """Why one known deviation is: a `title` that several of them may have in common, such as ``float64 is computed in
    float32``, what it `means` for a user, and the address where it was reported (`upstream`), if it was. `versions` are
    those of packages in which it was seen, such as ``>=3.12``.
    """

    deviation: str
    title: str
    means: str
    upstream: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Header:
    """The first line: what was run, on what, by which suite.

    `clauses` holds the specification's text by number. `detection` says how many planted faults the suite noticed when
    that was last measured: `killed` and `of`, with how many `seeds` and which `profile`; it is empty if it was not.
    `digest` is of all that decides cases, judging and clauses; it is empty in results that are older than it.
    `only` are the clauses and chapters that were asked for, `only_checks` the names of checks, and `only_dtypes` the
    dtypes; none of them means all. `shard` is the part of that which was run, such as ``3/8``, or several such, joined
    by commas; none means all of it. `parts` are the seeds and processors of which results were brought together, if
    they are of several. `started` is when, such as ``2026-11-28T09:30:00Z``; `cell` is the kind of cell that all checks
    were about, and `of_other_cells` are the clauses that say nothing of it.
    """

    adapter: str
    framework: str
    versions: Mapping[str, str]
    environment: Mapping[str, str]
    description: Mapping[str, Any]
    suite: str
    specification: str
    chapters: Mapping[str, str]
    clauses: Mapping[str, str]
    profile: str
    seed: int
    planned: Sequence[str]
    detection: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    only: Sequence[str] = field(default_factory=list)
    only_checks: Sequence[str] = field(default_factory=list)
    only_dtypes: Sequence[str] = field(default_factory=list)
    shard: str = ""
    parts: Sequence[str] = field(default_factory=list)
    started: str = ""
    cell: str = USUAL_CELL
    of_other_cells: Sequence[str] = field(default_factory=list)
    schema: int = SCHEMA

    @property
    def name(self) -> str:
        """What these results are called beside those of other adapters and cells."""
        return name_of(self.adapter, self.cell)


@dataclass(frozen=True)
class CheckRecord:
    """What one check found.

    `check` is its pytest name, such as ``test_values.py::test_recurrence[float32-eager]``. `examples` counts judged
    examples, `discriminating` those that could have failed; `message` explains a verdict other than conforms;
    `deviation` names the known deviations that this is, `reason` says why, in a line for each, and so do `causes`, in
    short; `not_looked_at` are the known deviations that a failure may be, which were not looked at in these versions.
    `case` is the smallest failing case, `witness` its arrays in full, by name. `diagnosis` says which known fault this
    looks like. `witness_file` and `reproducer_file` are relative to the results file, `no_reproducer` says why there is
    none of the latter, and `replay` is the command that runs the example again. `measured` are figures, by name.
    `shares` counts the judged errors by their share of the bound: "exact" for zero, "-3" for those above 2**-3 and
    up to 2**-2, and so on, and "unbounded" for arrays whose bounds are too large to judge anything. `fingerprints` are
    of the frozen examples of this check. `structures` counts the models that were asked for, `refusals` those of them
    that were refused though nothing says so beforehand, by reason. `by_clause` counts the discriminating examples of
    each clause, where a check cites several. `extents` says how much of the check each known deviation touches,
    `further` are failures of other kinds than the first, and `rows` says what became of each row of crossed features,
    by what the row says, such as ``way eager, masking none, pattern none``.
    """

    check: str
    title: str
    clauses: Sequence[str]
    verdict: str
    seconds: float
    dtype: str = ""
    mode: str = ""
    examples: int = 0
    discriminating: int = 0
    worst: Worst | None = None
    message: str = ""
    case: str = ""
    witness: Mapping[str, Any] = field(default_factory=dict)
    deviation: str = ""
    reason: str = ""
    causes: Sequence[Cause] = field(default_factory=list)
    not_looked_at: Sequence[Cause] = field(default_factory=list)
    diagnosis: str = ""
    witness_file: str = ""
    reproducer_file: str = ""
    no_reproducer: str = ""
    replay: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict)
    shares: Mapping[str, int] = field(default_factory=dict)
    fingerprints: Sequence[Fingerprint] = field(default_factory=list)
    structures: int = 0
    refusals: Mapping[str, int] = field(default_factory=dict)
    by_clause: Mapping[str, int] = field(default_factory=dict)
    extents: Sequence[Extent] = field(default_factory=list)
    further: Sequence[Further] = field(default_factory=list)
    rows: Mapping[str, Row] = field(default_factory=dict)


@dataclass(frozen=True)
class Footer:
    """The last line: what ended well has one."""

    checks: int
    examples: int
    seconds: float


@dataclass(frozen=True)
class Results:
    """A results file as it was read; `footer` is None if the run was cut short."""

    path: Path
    header: Header
    checks: Sequence[CheckRecord]
    footer: Footer | None

    @property
    def missing(self) -> list[str]:
        """The checks that were planned and have no record."""
        done = {record.check for record in self.checks}
        return [check for check in self.header.planned if check not in done]


KINDS: dict[str, type[Header] | type[CheckRecord] | type[Footer]] = {
    "header": Header,
    "check": CheckRecord,
    "footer": Footer,
}
"""The dataclass of each kind of line, by what it has for `record`."""

_TYPES: dict[type[Any], Mapping[str, Any]] = {
    cls: get_type_hints(cls) for cls in (*KINDS.values(), Worst, Fingerprint, Cause, Extent, Further, Row)
}


def append(path: Path, record: Header | CheckRecord | Footer) -> None:
    """Write one line and see it onto the disk's side of the process.

    There is no file without its header, whenever the process dies. A line that an earlier process died writing is
    removed first: what follows it would make it look like damage. Raises OSError where the file cannot be written.
    """
    kind = next(name for name, cls in KINDS.items() if isinstance(record, cls))
    text = json.dumps({"record": kind, **plain(dataclasses.asdict(record))}, ensure_ascii=False, allow_nan=False)
    # A framework's message may hold half of a surrogate pair, which UTF-8 has no bytes for.
    line = text.encode("utf-8", errors="replace") + b"\n"
    new = not path.exists()
    target = path.with_name(f"{path.name}.new") if new else path
    with target.open("w+b" if new else "a+b") as file:
        _remove_unfinished_line(file)
        file.write(line)
        file.flush()
        os.fsync(file.fileno())
    if new:
        target.replace(path)


def _remove_unfinished_line(file: BinaryIO) -> None:
    end = file.seek(0, os.SEEK_END)
    if end == 0:
        return
    file.seek(end - 1)
    if file.read(1) == b"\n":
        return
    file.seek(0)
    last = file.read().rpartition(b"\n")[2]
    try:
        json.loads(last)
    except ValueError:
        file.truncate(end - len(last))
    else:
        file.write(b"\n")  # only the newline is missing


def read(path: Path, validate: Callable[[Any], object] = lambda line: None) -> Results:
    """Read a results file, up to its end if it is truncated.

    `validate` is given each line as data, and raises ValueError for one that is damaged in its eyes.

    Raises DamagedResults, naming file and line, for one that is not a results file, is of another schema or is damaged
    before its last line. Raises OSError where there is no such file.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise DamagedResults(f"{path} is not a regular file, so not a results file")
    header: Header | None = None
    checks: list[CheckRecord] = []
    footer: Footer | None = None
    with path.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(LONGEST + 1), b""), start=1):
            line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if not line.strip():
                continue
            try:
                if footer is not None:
                    raise ValueError("there is more after the footer")
                try:
                    data = parse(line)
                except ValueError:
                    if header is not None and not line.endswith(b"\n") and len(line) <= LONGEST:
                        break  # the process died while it wrote this line
                    raise
                record = _record(data)
                validate(data)
                if isinstance(record, Header):
                    if header is not None:
                        raise ValueError("a second header")
                    header = record
                elif header is None:
                    raise ValueError("a results file begins with its header")
                elif isinstance(record, CheckRecord):
                    checks.append(record)
                else:
                    footer = record
            except ValueError as error:
                raise DamagedResults(f"{path}, line {number}: {error}") from None
    if header is None:
        raise DamagedResults(f"{path}, line 1: empty, so not a results file")
    return Results(path, header, checks, footer)


def parse_record(line: bytes) -> Header | CheckRecord | Footer:
    """The record on one line of a results file. Raises ValueError, saying why, if it is none."""
    return _record(parse(line))


def _record(data: Any) -> Header | CheckRecord | Footer:
    kind = data.get("record") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"not a record: 'record' should be one of {', '.join(KINDS)}")
    fields = {name: value for name, value in data.items() if name != "record"}
    if kind == "header" and fields.get("schema") != SCHEMA:
        raise ValueError(
            f"schema {shortened(fields.get('schema'))}; this version reads schema {SCHEMA}: read it with the version "
            f"of the suite that wrote it ({shortened(fields.get('suite'))}), or run it again"
        )
    record: Header | CheckRecord | Footer = _build(KINDS[kind], fields)
    if isinstance(record, CheckRecord):
        _check_words(record)
    return record


def _check_words(record: CheckRecord) -> None:
    """Raise ValueError for a text that a type allows and no run writes."""
    if record.verdict not in VERDICTS:
        raise ValueError(f"verdict {shortened(record.verdict)} is none of {', '.join(VERDICTS)}")
    for name, row in record.rows.items():
        if row.outcome not in VERDICTS:
            raise ValueError(f"row {shortened(name)} has the outcome {shortened(row.outcome)}, which is no verdict")
    for share in record.shares:
        if not re.fullmatch(SHARE, share):
            words = 'exponents of two, by "exact" and by "unbounded"'
            raise ValueError(f"shares are counted by {words}, not by {shortened(share)}")


def _build(cls: type[Any], data: Mapping[str, Any]) -> Any:
    """A dataclass from its fields. Raises ValueError, naming them, for fields too many, too few or of a wrong type."""
    fields = dataclasses.fields(cls)
    needed = {f.name for f in fields if f.default is f.default_factory is dataclasses.MISSING}
    if wrong := sorted(set(data) - {f.name for f in fields}) + sorted(needed - set(data)):
        raise ValueError(f"fields that should not be there, or should and are not: {', '.join(map(_name, wrong))}")
    types = _TYPES[cls]
    return cls(**{name: _value(types[name], value, name) for name, value in data.items()})


def _value(wanted: Any, value: Any, name: str) -> Any:
    """A field's value as the type that it is declared with, which is one of those used above."""
    base = get_origin(wanted) or wanted
    if base is UnionType:
        return None if value is None else _value(get_args(wanted)[0], value, name)
    if base is Any:
        return value
    if dataclasses.is_dataclass(wanted) and isinstance(value, dict):
        return _build(base, value)
    if base is Mapping and isinstance(value, dict):
        return {key: _value(get_args(wanted)[1], item, f"{name}[{shortened(key)}]") for key, item in value.items()}
    if base is Sequence and isinstance(value, list):
        return [_value(get_args(wanted)[0], item, f"{name}[{i}]") for i, item in enumerate(value)]
    if base is float and (type(value) in (int, float) or value in NOT_FINITE):
        return float(value)
    if base in (str, int) and type(value) is base:
        return value
    raise ValueError(f"{name} should be of type {base.__name__}, but is {shortened(value)}")


def _name(name: str) -> str:
    """A field's name as it is, unless it is none."""
    return name if name.isidentifier() and len(name) <= 40 else shortened(name)


NOT_FINITE = ("inf", "-inf", "nan")
"""What JSON has no numbers for, as strings that float() reads."""


def plain(value: Any) -> Any:
    """The same for JSON: infinities and NaN become strings that float() reads, arrays become lists."""
    if hasattr(value, "tolist"):  # a NumPy array or scalar, told without NumPy
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
