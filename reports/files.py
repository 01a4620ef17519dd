"""The names of a site's files, and the files beside results: no text of a results file leads out of either folder."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import quote

_PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}(?<!\.)")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # by Windows, whatever comes after the dot


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


def beside(results: Path, file: str) -> Path | None:
    """The file that a record names, if it is one in the folder of its results; None for anything else.

    A record may name whatever it likes: only a plain relative path counts, to a file that is there, and that no
    symbolic link takes out of the folder.
    """
    parts = file.split("/")
    if not file.isprintable() or re.search(r"[\\:]", file) or not {"", ".", ".."}.isdisjoint(parts):
        return None
    folder = results.parent.resolve()
    try:
        path = (folder / file).resolve(strict=True)
    except (OSError, RuntimeError):  # not there, a name that is too long, a loop of links
        return None
    return path if path.is_file() and path.is_relative_to(folder) else None


def link(path: Path, folder: Path) -> str:
    """The address of a file, for a page in this folder."""
    try:
        return quote(Path(os.path.relpath(path, folder.resolve())).as_posix())
    except ValueError:  # on another drive of Windows
        return path.as_uri()
