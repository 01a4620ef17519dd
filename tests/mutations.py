"""Results files that are damaged, huge, deeply nested or hostile, drawn by Hypothesis."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import asdict, replace
from typing import Any

from example_results import check, every_clause, failing, header, observation
from hypothesis import strategies as st

from rnn_conformance.reports.records.records import KINDS, Fingerprint, Footer, plain

TAG, ATTRIBUTE = "x-fuzz", "y-fuzz"
"""What no page has of its own."""

TEXTS = (
    f"<{TAG} {ATTRIBUTE}=1>",
    f"</script></style></title></textarea></svg>--><{TAG}>",
    f'" {ATTRIBUTE}="1',
    f"' {ATTRIBUTE}='1",
    f"x {ATTRIBUTE}=1 onmouseover=alert(1) ",
    f"&lt;{TAG}&gt;&#60;{TAG}&#62;",
    f"]]><{TAG}/><![CDATA[",
    f"<!--<{TAG}>-->",
    f"```\n<{TAG}>\n```",
    f"| a | b |\n|---|---|\n# <{TAG}>",
    "javascript:alert(1)",
    "../../../etc/passwd",
    "/etc/passwd",
    "C:\\windows\\win.ini",
    "//example.invalid/x",
    "file:///etc/passwd",
    "{{ 7 * 7 }}{% raw %}{# ${7} %(x)s {0}",
    "[red]bold[/red][link=file:///etc/passwd]x[/link]",
    "\x1b[31m\x1b]0;title\x07\x00\x08\r\x7f\x9b",
    "\u202e\u2028\u2029\ufeff\ufffe\uffff\U0001f600",
    "\ud800",
    "x" * 30_000,
    "`" * 100,
    "\n" * 100,
    "",
    " ",
    "..",
    "con.",
    "conforms",
    "deviation",
    "unsupported",
    "broken",
    "1.1",
    "test_values.py::test_1_1[float32-eager]",
    "nan",
    "-inf",
    "1e999",
)

VALUES = (
    *TEXTS,
    *(None, True, False, 0, -1, 3, 2**63 - 1, -(2**63), 2**63, 10**30),
    *(0.5, -0.0, 5e-324, 1e308, -1e308),
    *([], {}, [[]], [{}], {"": ""}, [None], [0.5, "nan", None], list(range(300)), [[1], [1, 2]], [[[[1.5]]]]),
    {"lag": [1, 2], "norm": [0.5, "inf"]},
    [{"lag": 1}, {"lag": 2}],
    {"killed": 3, "of": "4", "seeds": True},
    {TEXTS[0]: {TEXTS[2]: [TEXTS[1]]}},
)

BYTES = (b"\x00", b"\xff", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\r\n", b"\n", b"\n\n{}\n", b'"', b"\\", b"\\u0000")
BYTES += (b"\\ud800", b",", b"}", b"]", b"[" * 40, b"[" * 5000, b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"-0")
BYTES += (b'"record": "footer", ', b'{"record": "check"}', b"null", b"true", b"x" * 3000)


def whole() -> list[dict[str, Any]]:
    """The lines of a small results file that has something in every field."""
    prints = [Fingerprint("0", "ab12", "cd34", [0.5, -1.0, float("nan")]), Fingerprint("1", "ab", "cd")]
    told = {"shares": {"exact": 3, "-3": 90}, "fingerprints": prints, "no_reproducer": "it takes two calls"}
    figures = {"growth": {"lag": [1, 2], "norm": [0.5, 0.25]}, "rows": [{"a": 1, "b": "x"}], "share": 0.5}
    checks = [
        *every_clause(),
        replace(failing(), deviation="known", reason="it is known", **told),
        check("1.2", "deviation", deviation="known", reason="it is known", case="one unit", measured=figures),
        check("2.1", "unsupported", worst=None, message="no stacks", check="test_shapes.py::test_stack[float64-eager]"),
        observation(),
    ]
    planned = [record.check for record in checks]
    first = header(planned=planned, detection={"killed": 3, "of": 4, "seeds": 1, "profile": "smoke"})
    last = Footer(len(checks), 400, 1.5)
    kinds = {cls: kind for kind, cls in KINDS.items()}
    return [{"record": kinds[type(line)], **plain(asdict(line))} for line in (first, *checks, last)]


def places(data: Any) -> Iterator[tuple[str | int, ...]]:
    """The path to everything inside of a value."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield (key,)
        yield from ((key, *rest) for rest in places(value))


LINES = whole()
PLACES = [(number, path) for number, line in enumerate(LINES) for path in places(line)]


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """The bytes of a results file after a few changes."""
    lines = json.loads(json.dumps(LINES))
    for _ in range(draw(st.integers(0, 4))):
        number, path = draw(st.sampled_from(PLACES))
        _change(draw, lines[number], path)
    if draw(st.integers(0, 4)) == 0:
        _reorder(draw, lines)
    ascii_only = draw(st.booleans())
    data = (
        "\n".join(json.dumps(line, ensure_ascii=ascii_only) for line in lines).encode("utf-8", errors="surrogatepass")
        + b"\n"
    )
    if draw(st.integers(0, 3)) == 0:
        for _ in range(draw(st.integers(1, 3))):
            data = _bytes_changed(draw, data)
    return data


def _change(draw: st.DrawFn, line: dict[str, Any], path: tuple[str | int, ...]) -> None:
    """Change what stands at a path, if an earlier change left something there."""
    holder: Any = line
    for key in path[:-1]:
        try:
            holder = holder[key]
        except (KeyError, IndexError, TypeError):
            return
    key = path[-1]
    if not (isinstance(holder, dict) and key in holder) and not (
        isinstance(holder, list) and isinstance(key, int) and key < len(holder)
    ):
        return
    how = draw(st.integers(0, 9))
    if how <= 5 and isinstance(holder[key], str):
        holder[key] = draw(st.sampled_from(TEXTS))
    elif how <= 6:
        holder[key] = deepcopy(draw(st.sampled_from(VALUES)))
    elif how == 7:
        other, elsewhere = draw(st.sampled_from(PLACES))
        value: Any = LINES[other]
        for step in elsewhere:
            value = value[step]
        holder[key] = deepcopy(value)
    elif how == 8 and isinstance(holder, dict):
        value = holder.pop(key) if draw(st.booleans()) else holder[key]
        holder[draw(st.sampled_from(TEXTS))] = value
    elif how == 9:
        holder[key] = nested(draw(st.sampled_from([2, 20, 31, 32, 33, 100, 900])))
    else:
        holder[key] = draw(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8))


def _reorder(draw: st.DrawFn, lines: list[Any]) -> None:
    at, to = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
    how = draw(st.integers(0, 3))
    if how == 0:
        lines.insert(to, deepcopy(lines[at]))
    elif how == 1:
        lines[at], lines[to] = lines[to], lines[at]
    elif how == 2:
        del lines[at]
    else:
        lines[at] = deepcopy(draw(st.sampled_from(VALUES)))


def _bytes_changed(draw: st.DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, max(0, len(data) - 1)))
    how = draw(st.integers(0, 4))
    if how == 0 and data:
        return data[:at] + bytes([data[at] ^ (1 << draw(st.integers(0, 7)))]) + data[at + 1 :]
    if how == 1:
        return data[:at]
    if how == 2:
        return data[:at] + draw(st.sampled_from(BYTES)) + data[at:]
    if how == 3:
        return data[:at] + data[at + draw(st.integers(1, 200)) :]
    return data[:at] + draw(st.binary(max_size=8)) + data[at:]
