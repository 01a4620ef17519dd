"""One line of JSON, read with suspicion: whatever cannot be shown, added up and written again is refused."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

LONGEST = 2**26
"""Bytes of a line; a witness with an embedding of ten thousand rows has some millions."""

DEEPEST = 32
"""Levels of lists and objects in one another; what the suite writes has less than ten."""

INTEGERS = range(-(2**63), 2**63)
"""Those that fit into 64 bits."""


def parse(line: bytes) -> Any:
    """The value of a line of JSON. Raises ValueError, saying why, for anything else.

    Refused are bytes that are not UTF-8, half of a surrogate pair, NaN and infinities, integers of more than 64 bits,
    names that come twice in an object, and lists and objects nested more than `DEEPEST` levels.
    """
    if len(line) > LONGEST:
        raise ValueError(f"longer than {LONGEST:,} bytes")
    try:
        data = json.loads(
            line.decode("utf-8"),
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_float,
            object_pairs_hook=_object,
        )
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 ({error.reason}, byte {error.start + 1})") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg}, column {error.colno})") from None
    except RecursionError:
        raise _too_deep() from None
    except MemoryError:
        raise ValueError(f"its {len(line):,} bytes are too many for the memory of this machine") from None
    _check_depth(data)
    if b"\\u" in line:
        _check_pairs(data)
    return data


def shortened(value: Any) -> str:
    """A value as Python writes it, in at most 41 characters."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _constant(name: str) -> None:
    raise ValueError(f"{name} is a string in a results file")


def _integer(text: str) -> int:
    # Python itself refuses to read, and to write, integers of some thousand digits.
    if len(text) > 20 or int(text) not in INTEGERS:
        raise ValueError(f"the integer {text[:20]}{'…' * (len(text) > 20)} is too large for 64 bits")
    return int(text)


def _float(text: str) -> float:
    if math.isinf(value := float(text)):
        raise ValueError(f"the number {text[:20]}{'…' * (len(text) > 20)} is too large; infinities are strings")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{shortened(name)} comes twice in an object")
    return data


def _check_depth(data: Any) -> None:
    level = [data]
    for _ in range(DEEPEST):
        level = [
            inner
            for item in level
            for inner in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else ())
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> ValueError:
    return ValueError(f"not JSON that is read here (nested in more than {DEEPEST} levels)")


def _check_pairs(data: Any) -> None:
    try:
        json.dumps(data, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"half of a surrogate pair: {error.object[error.start]!r}") from None
