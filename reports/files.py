"""The files beside results, and how a page leads to them: no text of a results file leads out of their folder."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from rnn_conformance.reports.harmless import safe_relative


def beside(results: Path, file: str) -> Path | None:
    """The file that a record names, if it is one in the folder of its results; None for anything else.

    A record may name whatever it likes: only a plain relative path counts, to a file that is there, and that no
    symbolic link takes out of the folder.
    """
    if safe_relative(file) is None:
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
