"""Results files for the desk: found in folders, read, and held against the published schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from rnn_conformance.reports.documents.schema import schema
from rnn_conformance.reports.records.harmless import shown
from rnn_conformance.reports.records.merging import merged
from rnn_conformance.reports.records.records import Results, read
from rnn_conformance.reports.records.strict import LONGEST, parse, shortened


def load(paths: Iterable[Path], skipped: Callable[[Path], object] = lambda path: None) -> Sequence[Results]:
    """Read results files, and those in folders at any depth, each once however often it is named.

    Shards of one run, and runs with several seeds or on several processors, come as one. `skipped` is told of JSON
    lines in a folder that are no results. Raises DamagedResults, naming file and line, for a
    file that is damaged, of another schema or none at all; ValueError where there are no results; OSError where a file
    cannot be read.
    """
    paths = list(paths)
    found: dict[Path, Path] = {}
    for path in paths:
        for file in _in_folder(path, skipped) if path.is_dir() else [path]:
            found.setdefault(file.resolve(), file)
    if not found:
        raise ValueError(f"no results files (*.jsonl) in {', '.join(map(str, paths))}")
    return merged([read(file, validate_line) for file in found.values()])


def validate_line(line: Any) -> None:
    """Raise ValueError, saying where and why, for a line that is not as the schema says."""
    _validate(line, "Line")


def validate_document(data: Any) -> None:
    """Raise ValueError, saying where and why, for a document that is not as the schema says."""
    _validate(data, "Document")


def _in_folder(folder: Path, skipped: Callable[[Path], object]) -> Iterable[Path]:
    for file in sorted(folder.rglob("*.jsonl")):
        if file.is_file():
            if _is_something_else(file):
                skipped(file)
            else:
                yield file


def _is_something_else(file: Path) -> bool:
    """Whether a file begins with whole JSON that is no record: results that are damaged are no something else."""
    with file.open("rb") as opened:
        line = opened.readline(LONGEST)
    try:
        data = parse(line)
    except ValueError:
        return False
    return not isinstance(data, dict) or "record" not in data


def _validate(data: Any, definition: str) -> None:
    if (error := best_match(_validator(definition).iter_errors(data))) is not None:
        # The library's own words hold the value in full, which may be a whole witness; a path may hold any name.
        what = error.message if len(error.message) <= 100 else f"{shortened(error.instance)} breaks {error.validator!r}"
        raise ValueError(f"not as the schema says: {shown(error.json_path)[:100]}: {what}")


@cache
def _validator(definition: str) -> Draft202012Validator:
    whole = schema()
    return Draft202012Validator({"$ref": f"#/$defs/{definition}", "$defs": whole["$defs"]})
