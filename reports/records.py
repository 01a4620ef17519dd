"""The lines of a results file: a header, a record for each check, a footer. Written one by one, read back with care.

A results file is JSON lines. Each line is flushed as it is written, so that whatever ends the run leaves all that was
found before; a file without its footer is truncated. Nothing here needs more than the standard library.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, BinaryIO, get_args, get_origin, get_type_hints

SCHEMA = 3

VERDICTS = {
    "conforms": "every example was as the specification says",
    "deviation": "departs from the specification in a way that is known and explained",
    "fails": "departs from the specification",
    "observed": "the specification is silent: what happened is recorded",
    "untrusted": "passed, but no example could have failed",
    "unsupported": "the framework's layer does not offer this",
    "crashed": "the framework took the process down",
    "timed out": "the framework did not return",
    "broken": "the adapter or the suite itself did not work",
}
"""Every verdict, with what it means."""


class DamagedResults(ValueError):
    """A results file that cannot be read; the message names file and line."""


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
class Header:
    """The first line: what was run, on what, by which suite.

    `clauses` holds the specification's text by number. `detection` says how many planted faults the suite noticed when
    that was last measured: `killed` and `of`, with how many `seeds` and which `profile`; it is empty if it was not.
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
    schema: int = SCHEMA


@dataclass(frozen=True)
class CheckRecord:
    """What one check found.

    `check` is its pytest name, such as ``test_values.py::test_recurrence[float32-eager]``. `examples` counts judged
    examples, `discriminating` those that could have failed; `message` explains a verdict other than conforms;
    `deviation` names the known deviation that this is, and `reason` says why it is known;
    `case` is the smallest failing case, `witness` its arrays in full, by name. `diagnosis` says which known fault this
    looks like. `witness_file` and `reproducer_file` are relative to the results file, `no_reproducer` says why there is
    none of the latter, and `replay` is the command that runs the example again. `measured` are figures, by name.
    `shares` counts the judged errors by their share of the bound: "exact" for zero, "-3" for those from 2**-3 up to
    2**-2, and so on. `fingerprints` are of the frozen examples of this check.
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
    diagnosis: str = ""
    witness_file: str = ""
    reproducer_file: str = ""
    no_reproducer: str = ""
    replay: str = ""
    measured: Mapping[str, Any] = field(default_factory=dict)
    shares: Mapping[str, int] = field(default_factory=dict)
    fingerprints: Sequence[Fingerprint] = field(default_factory=list)


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


_KINDS: dict[str, type[Header] | type[CheckRecord] | type[Footer]] = {
    "header": Header,
    "check": CheckRecord,
    "footer": Footer,
}

_TYPES: dict[type[Any], Mapping[str, Any]] = {cls: get_type_hints(cls) for cls in (*_KINDS.values(), Worst, Fingerprint)}


def append(path: Path, record: Header | CheckRecord | Footer) -> None:
    """Write one line and see it onto the disk's side of the process.

    A line that an earlier process died writing is removed first: what follows it would make it look like damage.
    Raises OSError where the file cannot be written.
    """
    kind = next(name for name, cls in _KINDS.items() if isinstance(record, cls))
    line = json.dumps({"record": kind, **_plain(dataclasses.asdict(record))}, ensure_ascii=False, allow_nan=False)
    with path.open("a+b") as file:
        _remove_unfinished_line(file)
        # A framework's message may hold half of a surrogate pair, which UTF-8 has no bytes for.
        file.write(line.encode("utf-8", errors="replace") + b"\n")
        file.flush()
        os.fsync(file.fileno())


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


def read(path: Path) -> Results:
    """Read a results file, up to its end if it is truncated.

    Raises DamagedResults, naming file and line, for one that is not a results file, is of another schema or is damaged
    before its last line. Raises OSError where there is no such file.
    """
    header: Header | None = None
    checks: list[CheckRecord] = []
    footer: Footer | None = None
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        try:
            data = json.loads(line, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            if number == len(lines) and header is not None:  # the process died while it wrote this line
                break
            raise DamagedResults(f"{where}: not JSON ({error})") from None
        if footer is not None:
            raise DamagedResults(f"{where}: there is more after the footer")
        try:
            record = _record(data)
        except (ValueError, OverflowError) as error:
            raise DamagedResults(f"{where}: {error}") from None
        if isinstance(record, Header):
            if header is not None:
                raise DamagedResults(f"{where}: a second header")
            header = record
        elif header is None:
            raise DamagedResults(f"{where}: a results file begins with its header")
        elif isinstance(record, CheckRecord):
            checks.append(record)
        else:
            footer = record
    if header is None:
        raise DamagedResults(f"{path}, line 1: empty, so not a results file")
    return Results(path, header, checks, footer)


def _record(data: Any) -> Header | CheckRecord | Footer:
    kind = data.get("record") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise ValueError(f"not a record: 'record' should be one of {', '.join(_KINDS)}")
    fields = {name: value for name, value in data.items() if name != "record"}
    if kind == "header" and fields.get("schema") != SCHEMA:
        raise ValueError(f"schema {fields.get('schema')!r}; this version reads schema {SCHEMA}")
    record: Header | CheckRecord | Footer = _build(_KINDS[kind], fields)
    if isinstance(record, CheckRecord) and record.verdict not in VERDICTS:
        raise ValueError(f"verdict {record.verdict!r} is none of {', '.join(VERDICTS)}")
    return record


def _build(cls: type[Any], data: Mapping[str, Any]) -> Any:
    """A dataclass from its fields. Raises ValueError, naming them, for fields too many, too few or of a wrong type."""
    fields = dataclasses.fields(cls)
    needed = {f.name for f in fields if f.default is f.default_factory is dataclasses.MISSING}
    if wrong := sorted(set(data) - {f.name for f in fields}) + sorted(needed - set(data)):
        raise ValueError(f"fields that should not be there, or should and are not: {', '.join(wrong)}")
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
        return {key: _value(get_args(wanted)[1], item, f"{name}[{key!r}]") for key, item in value.items()}
    if base is Sequence and isinstance(value, list):
        return [_value(get_args(wanted)[0], item, f"{name}[{i}]") for i, item in enumerate(value)]
    if base is float and (type(value) in (int, float) or value in _NOT_FINITE):
        return float(value)
    if base in (str, int) and type(value) is base:
        return value
    raise ValueError(f"{name} should be of type {base.__name__}, but is {_shortened(value)}")


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is a string in a results file")


_NOT_FINITE = ("inf", "-inf", "nan")


def _plain(value: Any) -> Any:
    """The same for JSON: infinities and NaN become strings that float() reads, arrays become lists."""
    if hasattr(value, "tolist"):  # a NumPy array or scalar, told without NumPy
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
