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
from typing import Any

SCHEMA = 1

VERDICTS = {
    "conforms": "every example was as the specification says",
    "deviation": "departs from the specification in a way that is known and explained",
    "fails": "departs from the specification",
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
class Header:
    """The first line: what was run, on what, by which suite. `clauses` holds the specification's text by number."""

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
    schema: int = SCHEMA


@dataclass(frozen=True)
class CheckRecord:
    """What one check found.

    `check` is its pytest name, such as ``test_values.py::test_recurrence[float32-eager]``. `examples` counts judged
    examples, `discriminating` those that could have failed; `message` explains a verdict other than conforms;
    `case` is the smallest failing case, `witness` its arrays in full, by name.
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


def append(path: Path, record: Header | CheckRecord | Footer) -> None:
    """Write one line and see it onto the disk's side of the process."""
    kind = next(name for name, cls in _KINDS.items() if isinstance(record, cls))
    line = json.dumps({"record": kind, **_plain(dataclasses.asdict(record))}, ensure_ascii=False, allow_nan=False)
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> Results:
    """Read a results file, up to its end if it is truncated.

    Raises DamagedResults, naming file and line, for one that is not a results file, is of another schema or is damaged
    before its last line.
    """
    header: Header | None = None
    checks: list[CheckRecord] = []
    footer: Footer | None = None
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        if footer is not None:
            raise DamagedResults(f"{where}: there is more after the footer")
        try:
            record = _parse(line)
        except ValueError as error:
            if number == len(lines):  # no newline after it: the process died while it wrote this line
                break
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
        raise DamagedResults(f"{path}: empty, so not a results file")
    return Results(path, header, checks, footer)


def _parse(line: str) -> Header | CheckRecord | Footer:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from None
    if not isinstance(data, dict) or data.get("record") not in _KINDS:
        raise ValueError(f"not a record: 'record' should be one of {', '.join(_KINDS)}")
    cls = _KINDS[data.pop("record")]
    if cls is Header and data.get("schema") != SCHEMA:
        raise ValueError(f"schema {data.get('schema')!r}; this version reads schema {SCHEMA}")
    names = {f.name for f in dataclasses.fields(cls)}
    needed = {
        f.name
        for f in dataclasses.fields(cls)
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    if wrong := sorted(set(data) - names) + sorted(needed - set(data)):
        raise ValueError(f"fields that should not be there, or should and are not: {', '.join(wrong)}")
    if cls is CheckRecord:
        if data["verdict"] not in VERDICTS:
            raise ValueError(f"verdict {data['verdict']!r} is none of {', '.join(VERDICTS)}")
        if data.get("worst") is not None:
            data["worst"] = Worst(**{**data["worst"], "ratio": float(data["worst"]["ratio"])})
    return cls(**data)


def _plain(value: Any) -> Any:
    """The same without infinities and NaN, which JSON does not have: they become strings that float() reads."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
