"""Results files are found, read once each, and refused with file and line where they are not what they should be."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from example_results import check, failing, header, results, written
from mutations import whole

from rnn_conformance.reports.documents.loading import load, validate_line
from rnn_conformance.reports.records.records import CheckRecord, DamagedResults, Footer, Worst, append, read
from rnn_conformance.reports.records.strict import LONGEST


def test_files_and_folders(tmp_path: Path) -> None:
    """Files come as they are named, those of a folder by name, at any depth; other files are let be."""
    for name in ("b", "deep/er/a"):
        path = tmp_path / "runs" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        written(path, results(name))
    written(tmp_path / "c.jsonl", results("c"))
    (tmp_path / "runs" / "notes.txt").write_text("no results")
    (tmp_path / "runs" / "folder.jsonl").mkdir()
    assert [each.header.adapter for each in load([tmp_path / "c.jsonl", tmp_path / "runs"])] == ["c", "b", "deep/er/a"]


def test_a_file_counts_once(tmp_path: Path) -> None:
    """Named twice, by another way, in its folder or by a link, it is still one."""
    path = written(tmp_path / "torch.jsonl", results())
    (tmp_path / "link.jsonl").symlink_to(path)
    assert len(load([path, tmp_path / ".." / tmp_path.name / path.name, tmp_path])) == 1


def test_an_empty_folder(tmp_path: Path) -> None:
    """Where there are no results, the error says what was looked for."""
    with pytest.raises(ValueError, match=rf"no results files \(\*\.jsonl\) in {tmp_path}"):
        load([tmp_path])


def test_something_else_in_a_folder(tmp_path: Path) -> None:
    """JSON lines of another kind are left out, and named; asked for by name they are an error, as damage always is."""
    written(tmp_path / "torch.jsonl", results())
    other = tmp_path / "events.jsonl"
    other.write_text('{"event": "start"}\n{"event": "stop"}\n')
    skipped: list[Path] = []
    assert [each.header.adapter for each in load([tmp_path], skipped.append)] == ["torch"]
    assert skipped == [other]
    with pytest.raises(DamagedResults, match=r"events\.jsonl, line 1: not a record"):
        load([other])
    (tmp_path / "cut.jsonl").write_text('{"record": "hea')
    with pytest.raises(DamagedResults, match=r"cut\.jsonl, line 1: not JSON"):
        load([tmp_path])


def test_what_is_no_file(tmp_path: Path) -> None:
    """A pipe, which could keep a reader waiting for ever, is refused; in a folder it is let be."""
    written(tmp_path / "torch.jsonl", results())
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(DamagedResults, match=r"pipe\.jsonl is not a regular file"):
        load([tmp_path / "pipe.jsonl"])
    assert len(load([tmp_path])) == 1


def test_editors_leave_their_marks(tmp_path: Path) -> None:
    """A byte order mark, carriage returns and empty lines change nothing."""
    path = written(tmp_path / "torch.jsonl", results(checks=[check(), failing()]))
    plain = read(path)
    path.write_bytes(b"\xef\xbb\xbf\r\n" + path.read_bytes().replace(b"\n", b"\r\n\r\n"))
    (marked,) = load([path])
    assert marked == plain


def test_whatever_follows_the_footer(tmp_path: Path) -> None:
    """Even where it looks like a line that was being written."""
    path = written(tmp_path / "torch.jsonl", results())
    with path.open("ab") as file:
        file.write(b'{"rec')
    with pytest.raises(DamagedResults, match="line 6: there is more after the footer"):
        load([path])


def test_half_a_character(tmp_path: Path) -> None:
    """A process that died within the bytes of one letter leaves a truncated file, not a damaged one."""
    path = tmp_path / "torch.jsonl"
    append(path, header())
    with path.open("ab") as file:
        file.write('{"record": "check", "check": "ü'.encode()[:-1])
    (found,) = load([path])
    assert (found.footer, found.checks) == (None, [])


def test_the_header_is_there_or_no_file_is(tmp_path: Path) -> None:
    """A process that dies while it writes the header leaves no results file, and the next run starts anew."""
    path = tmp_path / "torch.jsonl"
    (tmp_path / "torch.jsonl.new").write_bytes(b'{"record": "header", "adap')
    append(path, header())
    assert load([tmp_path])[0].header == header()
    assert [file.name for file in tmp_path.iterdir()] == ["torch.jsonl"]


def test_every_line_is_held_against_the_schema() -> None:
    """The lines of results with something in every field are as the schema says."""
    for line in whole():
        validate_line(line)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (3, r"\$: 3 is not of type 'object'"),
        ({"record": "note"}, r"\$.record: 'note' is not one of"),
        ({"record": "footer", "checks": 1, "examples": 1}, "'seconds' is a required property"),
        (
            {"record": "footer", "checks": "1", "examples": 1, "seconds": 1},
            r"\$.checks: '1' is not of type 'integer'",
        ),
        (
            {"record": "footer", "checks": ["x" * 999], "examples": 1, "seconds": 1},
            r"\$.checks: \['x{38}… breaks 'type'",
        ),
    ],
)
def test_what_the_schema_refuses(line: object, message: str) -> None:
    """Where and why, in few words."""
    with pytest.raises(ValueError, match=message):
        validate_line(line)


@pytest.mark.slow
def test_the_reader_and_the_schema_agree(tmp_path: Path) -> None:
    """Whatever field of a line is left out, is one too many or has another type: both refuse it, or neither does."""
    path = tmp_path / "one.jsonl"
    others = [None, True, 1, 1.5, "x", "nan", [], ["x"], [1], {}, {"x": "y"}, {"x": 1}, {"exact": 1}]
    first, lines = whole()[0], whole()
    tried: set[tuple[str, str]] = set()
    for line in lines:
        new = [name for name in line if (line["record"], name) not in tried]
        tried |= {(line["record"], name) for name in new}
        changed = [{**line, name: other} for name in new if name != "record" for other in others]
        changed += [{k: v for k, v in line.items() if k != name} for name in new] + [{**line, "more": 1}]
        for each in changed:
            if line["record"] == "header":
                path.write_text(json.dumps(each) + "\n")
            else:
                path.write_text(json.dumps(first) + "\n" + json.dumps(each) + "\n")
            assert refused_by_reader(path) == refused_by_schema(each), each


def refused_by_reader(path: Path) -> bool:
    try:
        read(path)
    except DamagedResults:
        return True
    return False


def refused_by_schema(line: object) -> bool:
    try:
        validate_line(line)
    except ValueError:
        return True
    return False


def test_numbers_at_the_edge(tmp_path: Path) -> None:
    """The largest numbers that are read can be added up and written again."""
    record = check(seconds=1.7e308, examples=2**62 - 1, worst=Worst(float("inf"), -float("inf"), "", ""))
    path = written(tmp_path / "torch.jsonl", results(checks=[record, record]))
    assert load([path])[0].checks == [record, record]


def test_a_record_can_be_as_long_as_a_line(tmp_path: Path) -> None:
    """A line of some megabytes is read; one without an end is refused before it fills the memory."""
    path = tmp_path / "torch.jsonl"
    append(path, header())
    append(path, CheckRecord("c", "t", [], "fails", 1.0, message="x" * 2**21))
    append(path, Footer(1, 0, 1.0))
    assert len(load([path])[0].checks[0].message) == 2**21
    with path.open("r+b") as file:
        file.truncate(LONGEST)  # of zeros, after the footer
    with pytest.raises(DamagedResults, match="line 4: there is more after the footer"):
        load([path])
    path.write_bytes(b"")
    os.truncate(path, LONGEST + 1)
    with pytest.raises(DamagedResults, match="line 1: longer than"):
        load([path])
