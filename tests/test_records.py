"""A results file keeps what was found, whatever ends the run, and damage in it is named."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from example_results import check, failing, header, results, written

from rnn_conformance.reports.records.records import CheckRecord, DamagedResults, Footer, Header, Worst, append, read


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Header, records and footer come back as they were, with nothing missing."""
    wanted = results(checks=[check(), failing(), check("2.1", "unsupported", worst=None, message="keine Stapel …")])
    path = written(tmp_path / "torch.jsonl", wanted)
    assert read(path) == replace(wanted, path=path)
    assert read(path).missing == []


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_numbers_that_json_lacks(tmp_path: Path, number: float) -> None:
    """Infinities and NaN come back as numbers in fields, and as text that float() reads in a witness."""
    record = check(worst=Worst(number, number, "", ""), witness={"actual": [[number, 1.0]]})
    path = written(tmp_path / "torch.jsonl", results(checks=[record]))
    (back,) = read(path).checks
    assert back.worst is not None
    assert [repr(back.worst.ratio), repr(back.worst.ulps)] == [repr(number)] * 2
    assert back.witness == {"actual": [[repr(number), 1.0]]}
    assert not {"NaN", "Infinity"} & set(path.read_text(encoding="utf-8").replace('"', " ").split())


def test_arrays_need_no_conversion(tmp_path: Path) -> None:
    """NumPy arrays and scalars are written as the lists and numbers that they hold."""
    numpy = pytest.importorskip("numpy")
    witness = {"W": numpy.array([[1.5, numpy.inf]], dtype="float32"), "size": numpy.int32(3)}
    path = written(tmp_path / "torch.jsonl", results(checks=[check(witness=witness)]))
    assert read(path).checks[0].witness == {"W": [[1.5, "inf"]], "size": 3}


def test_figures_are_kept(tmp_path: Path) -> None:
    """What a check measured comes back by name, whatever its shape, with text for the numbers that JSON lacks."""
    measured = {"pairs": 12, "norm": [{"lag": 1, "norm": 0.5}, {"lag": 2, "norm": math.inf}], "note": "of 24"}
    path = written(tmp_path / "torch.jsonl", results(checks=[check(measured=measured)]))
    back = read(path).checks[0].measured
    assert back == {"pairs": 12, "norm": [{"lag": 1, "norm": 0.5}, {"lag": 2, "norm": "inf"}], "note": "of 24"}


def test_half_a_surrogate_pair(tmp_path: Path) -> None:
    """A message that UTF-8 cannot write does not stop the run."""
    path = written(tmp_path / "torch.jsonl", results(checks=[check(message="a\ud800b")]))
    assert read(path).checks[0].message == "a?b"


@pytest.mark.slow
def test_killed_at_any_byte(tmp_path: Path) -> None:
    """Every beginning of a results file is read as truncated, or is refused by file and line."""
    path = written(tmp_path / "whole.jsonl", results(checks=[check(message="naïve"), failing()]))
    whole, checks = path.read_bytes(), read(path).checks
    lines = [at for at, byte in enumerate(whole) if byte == ord("\n")]
    cut = tmp_path / "cut.jsonl"
    for size in range(len(whole) - 1):  # the last byte is the newline after a footer that is there in full
        cut.write_bytes(whole[:size])
        if size < lines[0]:
            with pytest.raises(DamagedResults, match=r"cut\.jsonl, line 1: "):
                read(cut)
        else:
            found = read(cut)
            assert found.footer is None
            assert found.checks == checks[: sum(size >= end for end in lines[1:])]


def test_a_run_goes_on_after_a_line_was_cut(tmp_path: Path) -> None:
    """What is written after a process died in the middle of a line can be read; a whole line is kept."""
    path = tmp_path / "torch.jsonl"
    append(path, header(planned=["a"]))
    before = path.read_bytes()
    append(path, check())
    whole = path.read_bytes()
    for size in {len(before), len(before) + 1, len(before) + 40, len(whole) - 2, len(whole) - 1, len(whole)}:
        path.write_bytes(whole[:size])
        append(path, check("1.2", "crashed"))
        kept = ["conforms"] if size >= len(whole) - 1 else []
        assert [record.verdict for record in read(path).checks] == [*kept, "crashed"]


def test_planned_and_not_recorded(tmp_path: Path) -> None:
    """What a truncated run lacks is known by name."""
    wanted = replace(results(planned=[check().check, "never", "ran"]), footer=None)
    found = read(written(tmp_path / "torch.jsonl", wanted))
    assert found.footer is None
    assert found.missing == ["never", "ran"]


def record_line(**changes: Any) -> str:
    """A check's line with some of its fields changed."""
    return json.dumps(
        {"record": "check", "check": "c", "title": "t", "clauses": [], "verdict": "fails", "seconds": 1} | changes
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"record": "check", "chec', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"record": "check", "seconds": NaN}', "NaN is a string in a results file"),
        ("[1, 2]", "not a record"),
        ("3", "not a record"),
        ('{"record": ["check"]}', "not a record"),
        ('{"record": "note"}', "'record' should be one of header, check, footer"),
        (record_line(verdict="passed"), "verdict 'passed' is none of conforms"),
        (record_line(verdict=["fails"]), "verdict should be of type str"),
        (record_line(extra=1), "should not be there, or should and are not: extra"),
        ('{"record": "footer", "checks": 1}', "should and are not: examples, seconds"),
        (record_line(seconds="long"), "seconds should be of type float, but is 'long'"),
        (record_line(seconds=10**400), "too large"),
        (record_line(seconds=True), "seconds should be of type float, but is True"),
        (record_line(examples=1.5), "examples should be of type int, but is 1.5"),
        (record_line(clauses="1.1"), "clauses should be of type Sequence, but is '1.1'"),
        (record_line(clauses=["1.1", 2]), r"clauses\[1\] should be of type str, but is 2"),
        (record_line(witness=[1]), r"witness should be of type Mapping, but is \[1\]"),
        (record_line(measured=[1]), r"measured should be of type Mapping, but is \[1\]"),
        *(
            (record_line(shares={share: 1}), 'counted by exponents of two, by "exact" and by "unbounded", not by ')
            for share in ("many", "1e9", "-99999999", "nan", "", "3\n", "٣", "\x1b[31m")
        ),
        (record_line(worst=3), "worst should be of type Worst, but is 3"),
        (record_line(worst={"ratio": 1}), "should and are not: case, ulps, where"),
        (
            record_line(worst={"ratio": None, "ulps": 1, "where": "", "case": ""}),
            "ratio should be of type float, but is None",
        ),
        (record_line(message="x" * 99, seconds="y" * 99), "but is 'y{39}…$"),
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    """A line that is not as it should be is refused by file, line and what is wrong; never with another exception."""
    path = tmp_path / "torch.jsonl"
    append(path, header())
    append(path, check())
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(DamagedResults, match=rf"torch\.jsonl, line 3: .*{message}"):
        read(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 99}, "schema 99; this version reads schema 3"),
        ({"schema": None}, "schema None"),
        ({"schema": True}, "schema True; this version reads schema 3"),
        ({"seed": "7"}, "seed should be of type int, but is '7'"),
        ({"versions": {"torch": 2}}, r"versions\['torch'\] should be of type str, but is 2"),
        ({"planned": {}}, "planned should be of type Sequence"),
    ],
)
def test_a_wrong_header(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """Another schema and fields of a wrong type are refused, even where the line has no newline yet."""
    path = tmp_path / "torch.jsonl"
    append(path, header())
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(DamagedResults, match=rf"torch\.jsonl, line 1: {message}"):
        read(path)


def write_lines(path: Path, *lines: Header | CheckRecord | Footer) -> None:
    """Write lines in whatever order."""
    for line in lines:
        append(path, line)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_text(""), "line 1: empty, so not a results file"),
        (lambda path: path.write_text("RNN\n"), "line 1: not JSON"),
        (lambda path: path.write_bytes(b"\x00\xff\xfe"), r"line 1: not UTF-8 \(invalid start byte, byte 2\)"),
        (lambda path: write_lines(path, check()), "line 1: a results file begins with its header"),
        (lambda path: write_lines(path, header(), header()), "line 2: a second header"),
        (
            lambda path: write_lines(path, header(), Footer(0, 0, 0.0), check()),
            "line 3: there is more after the footer",
        ),
    ],
)
def test_lines_in_a_wrong_order(tmp_path: Path, write: Callable[[Path], object], message: str) -> None:
    """A file that is no results file, or whose lines are in a wrong order, is refused."""
    path = tmp_path / "torch.jsonl"
    write(path)
    with pytest.raises(DamagedResults, match=message):
        read(path)


def test_defaults_may_be_left_out(tmp_path: Path) -> None:
    """A line without the fields that have a default is whole."""
    path = tmp_path / "torch.jsonl"
    append(path, header())
    with path.open("a", encoding="utf-8") as file:
        file.write(record_line() + "\n")
    assert read(path).checks == [CheckRecord("c", "t", [], "fails", 1.0)]
