"""What came from a results file, made harmless: text without control characters, file names, paths that stay inside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import count

_LONGEST_NAME = 100  # of the 255 bytes that file systems take: endings and folders come on top


def shown(text: str) -> str:
    """Text as it is, but for what a terminal would obey and XML forbids: an escape sequence is shown, not sent."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode("ascii") for c in text)


def safe(name: str) -> str:
    """A name that every file system takes."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name)


def file_names(names: Iterable[str]) -> Sequence[str]:
    """A file name without its ending for each of these: safe, not hidden, not too long, and no two the same."""
    found: list[str] = []
    taken: set[str] = set()  # without regard to case, as some file systems are
    for name in names:
        plain = safe(name).lstrip(".")[:_LONGEST_NAME] or "_"
        candidates = (plain if number == 1 else f"{plain}-{number}" for number in count(1))
        found.append(next(each for each in candidates if each.casefold() not in taken))
        taken.add(found[-1].casefold())
    return found


def safe_relative(text: str) -> str | None:
    """A path inside the folder that it is relative to, with slashes, as it is; None for any other text.

    The suite names its files with letters, digits and ``_.-`` only, so nothing else is taken: no absolute path, drive,
    scheme, backslash, ``..`` or empty part.
    """
    parts = text.split("/")
    return text if all(re.fullmatch(r"[A-Za-z0-9_.-]+", part) and part.strip(".") for part in parts) else None
