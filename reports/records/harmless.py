"""What came from a results file, made harmless: text without control characters, file names, paths that stay inside."""

from __future__ import annotations

import hashlib
import re

_PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}(?<!\.)")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # by Windows, whatever comes after the dot


def shown(text: str) -> str:
    """Text as it is, but for what a terminal would obey and XML forbids: an escape sequence is shown, not sent."""
    if text.isprintable():  # as nearly all is, of the much that a page has
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode("ascii") for c in text)


def safe(name: str) -> str:
    """A name that every file system takes, and that hides no file."""
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "_", name)
    return re.sub(r"^\.+", lambda dots: "_" * len(dots[0]), plain)


def file_name(text: str) -> str:
    """A file name, without its ending, that is safe on every system and that no other text has.

    A plain text, such as ``keras-jax`` or ``1.10``, is its own name. Any other keeps what is readable of it, with a
    digest after a ``~``, which no plain text has: so even names that differ in case only stay apart where a file system
    takes them for the same.
    """
    if _PLAIN.fullmatch(text) and not _RESERVED.fullmatch(text):
        return text
    readable = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")[:40]
    digest = hashlib.sha256(text.encode("utf-8", errors="surrogatepass")).hexdigest()[:16]
    return f"{readable or 'x'}~{digest}"


def safe_relative(text: str) -> str | None:
    """A path inside the folder that it is relative to, with slashes, as it is; None for any other text.

    The suite names its files with letters, digits and ``_.-`` only, so nothing else is taken: no absolute path, drive,
    scheme, backslash, ``..`` or empty part.
    """
    parts = text.split("/")
    return text if all(re.fullmatch(r"[A-Za-z0-9_.-]+", part) and part.strip(".") for part in parts) else None
