"""An option of pytest: what `assert_conforms` and `assert_agree` judged in its tests becomes results files.

Registered through an entry point. What it needs is only imported where it is asked for.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import pytest

_RECORDED = pytest.StashKey[AbstractContextManager[None]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("rnn-conformance", "conformance of recurrent layers").addoption(
        "--conformance-assertions",
        type=Path,
        metavar="FOLDER",
        help="write what assert_conforms and assert_agree judged as results files, for `rnn-conformance report FOLDER`",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin to note them. Raises UsageError where they could not be written, or not by several processes."""
    folder = config.getoption("--conformance-assertions")
    if folder is None:
        return
    if any(config.getoption(option, None) for option in ("numprocesses", "tx")) or hasattr(config, "workerinput"):
        raise pytest.UsageError(
            "--conformance-assertions cannot be written by several processes at a time: leave out -n"
        )
    from rnn_conformance.conformance.porting.recording import recorded

    recording = recorded(folder)
    try:
        recording.__enter__()
    except FileExistsError as error:
        raise pytest.UsageError(str(error)) from None
    config.stash[_RECORDED] = recording


def pytest_unconfigure(config: pytest.Config) -> None:
    """Write them, however the tests ended."""
    if _RECORDED in config.stash:
        config.stash[_RECORDED].__exit__(None, None, None)
