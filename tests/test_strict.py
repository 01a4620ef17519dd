"""JSON that could not be shown, added up or written again is refused."""

from __future__ import annotations

import itertools
import json

import pytest

from rnn_conformance.reports.records.strict import DEEPEST, LONGEST, parse, shortened


@pytest.mark.parametrize(
    "value", [{"a": [1, -2.5, None, True, "ü \U0001f600"]}, [], 0, "x", 2**63 - 1, -(2**63), 1.7e308, 5e-324]
)
def test_what_is_read(value: object) -> None:
    """Plain JSON is read as it is, whichever way its text is escaped."""
    for ascii_only in (True, False):
        assert parse(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"a": ', r"not JSON \(Expecting value, column 7\)"),
        (b"{} {}", r"not JSON \(Extra data, column 4\)"),
        (b"{'a': 1}", "not JSON"),
        (b'"a\x00b"', "not JSON .Invalid control character"),
        (b"\x00", "not JSON"),
        (b'{"a": "\xff"}', r"not UTF-8 \(invalid start byte, byte 8\)"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b'{"a": {"\\udfff": 1}}', "half of a surrogate pair"),
        (b"[NaN]", "NaN is a string in a results file"),
        (b"-Infinity", "-Infinity is a string"),
        (b"1e999", "the number 1e999 is too large; infinities are strings"),
        (b"9223372036854775808", "the integer 9223372036854775808 is too large for 64 bits"),
        (b"9" * 10_000, "the integer 99999999999999999999… is too large"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "'c' comes twice in an object"),
        (b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1), "nested in more than 32 levels"),
        (b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1), "nested in more than 32 levels"),
        (b"[" * 100_000, "not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "nested in more than 32 levels"),
        (b" " * (LONGEST + 1), "longer than 67,108,864 bytes"),
    ],
    ids=itertools.count(),
)
def test_what_is_refused(line: bytes, message: str) -> None:
    """Each with a reason; nothing but a ValueError leaves."""
    with pytest.raises(ValueError, match=message):
        parse(line)


def test_the_deepest_is_read() -> None:
    """As many levels as may be, of lists and of objects."""
    assert parse(b"[" * DEEPEST + b"]" * DEEPEST)
    assert parse(b'{"a":' * DEEPEST + b"1" + b"}" * DEEPEST)


def test_shortened() -> None:
    """A value is told in a few characters, of which a terminal obeys none."""
    assert shortened("x") == "'x'"
    assert shortened(["\x1b"] * 1000) == "['\\x1b', '\\x1b', '\\x1b', '\\x1b', '\\x1b', '…"[:40] + "…"
