"""The files beside results, and where a site has them: no text of a results file leads out of either folder."""

from __future__ import annotations

from pathlib import Path

from rnn_conformance.reports.records.harmless import file_name, safe_relative


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


def place_in_site(site: Path, backend: str, results: Path, file: str) -> str:
    """Where in a site the file that a record names lies; empty for one that is not to be shown (see `beside`).

    What is not in the site's folder anyway has a copy there, so that the folder can be moved and published as it is.
    """
    path = beside(results, file)
    if path is None:
        return ""
    if path.is_relative_to(site.resolve()):
        return path.relative_to(site.resolve()).as_posix()
    return f"evidence/{file_name(backend)}/{file}"
