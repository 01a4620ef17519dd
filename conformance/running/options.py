"""The command line options of the checks, as a pytest plugin: ``pytest --pyargs rnn_conformance.conformance``.

Registered through an entry point, since pytest reads options before it looks at an installed package. Everything else
is in collecting.py, which is only loaded where checks are collected: a pytest run of something else is not touched.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from rnn_conformance.adapters.description import DTYPES
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.running.selection import asked_of, refuse_wrong
from rnn_conformance.reference.cells.kinds import CELLS

_FILE = Path(__file__)
_OURS = {_FILE.parents[1], _FILE.resolve().parents[1]}
"""This package: where it is installed and, if that is a tree of links, where its files are."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("rnn-conformance", "conformance of recurrent layers")
    group.addoption(
        "--adapter",
        metavar="NAME",
        help="the adapter to check: a registered name such as torch, or package.module:attribute",
    )
    group.addoption(
        "--conformance-profile",
        choices=sorted(PROFILES),
        default="default",
        help="how much to check (default: %(default)s)",
    )
    group.addoption(
        "--conformance-seed",
        type=int,
        default=0,
        metavar="N",
        help="changes shapes and numbers; the same seed gives the same cases (default: %(default)s)",
    )
    group.addoption(
        "--conformance-only",
        action="append",
        default=[],
        metavar="CLAUSE",
        help="check this clause (1.3) or chapter (1) only; may be given several times",
    )
    group.addoption(
        "--conformance-check",
        action="append",
        default=[],
        metavar="NAME",
        help="run this check only, such as test_recurrence; may be given several times",
    )
    group.addoption(
        "--conformance-dtype",
        action="append",
        default=[],
        choices=DTYPES,
        help="check in this dtype only; may be given several times",
    )
    group.addoption(
        "--conformance-shard",
        default="",
        metavar="N/OF",
        help="check this part only, such as 3/8; the other parts are run elsewhere",
    )
    group.addoption(
        "--conformance-cell",
        choices=list(CELLS),
        default="simple_rnn",
        help="the kind of cell to check (default: %(default)s)",
    )
    group.addoption(
        "--conformance-seeds",
        type=int,
        default=1,
        metavar="N",
        help="with how many seeds the profile soak runs each check (default: %(default)s)",
    )
    group.addoption(
        "--conformance-results",
        type=Path,
        metavar="FILE",
        help="append records to this results file, and leave out the checks that it already has",
    )
    group.addoption(
        "--conformance-witness",
        type=Path,
        metavar="FILE",
        help="run the example of this witness only",
    )
    group.addoption(
        "--conformance-script-of",
        default="",
        metavar="COMMAND",
        help="with a witness: write a script of it, which says that this command runs it again",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Explain a wrong name at once; raises UsageError, listing the right ones."""
    config.addinivalue_line(
        "markers",
        "clause(*numbers, modes='all', dtypes=('float32', 'float64'), thrifty=None, cells=all, frozen=True): the "
        "clauses of SPEC.md that a check is about, none for an observation, and where it is run; `thrifty` are the "
        "dtypes of a thrifty profile (of itself all but float64), `cells` the kinds of cells, where these are not all; "
        "whether it is `frozen`, too",
    )
    if config.getoption("--conformance-results") and _is_distributed(config):
        raise pytest.UsageError(
            "--conformance-results cannot be written by several processes at a time: leave out -n, or the results "
            "(`rnn-conformance run` checks several adapters at a time, each into a file of its own)"
        )
    if config.getoption("--adapter"):
        from rnn_conformance.adapters import registry

        try:
            registry.resolve(config.getoption("--adapter"))
            profile = PROFILES[config.getoption("--conformance-profile")]
            refuse_wrong(asked_of(config.getoption), profile, config.getoption("--conformance-cell"))
        except ValueError as error:
            raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(tryfirst=True, optionalhook=True)  # since pytest 8
def pytest_collect_directory(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """A folder of ours is no package to pytest, which would import that by its path (collecting.py has why not)."""
    return pytest.Dir.from_parent(parent, path=path) if _is_ours(path) else None


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Leave every file of ours to collecting.py."""
    if not _is_ours(module_path):
        return None
    from rnn_conformance.conformance.running import collecting

    if not parent.config.pluginmanager.is_registered(collecting):
        parent.config.pluginmanager.register(collecting)
    return collecting.CheckFile.from_parent(parent, path=module_path)


def _is_distributed(config: pytest.Config) -> bool:
    """Whether pytest-xdist, if it is installed, runs the checks in processes of its own; also within one of those."""
    asked = (config.getoption(option, None) for option in ("numprocesses", "tx"))
    return any(asked) or hasattr(config, "workerinput")


def _is_ours(path: Path) -> bool:
    return any(path == ours or ours in path.parents for ours in _OURS)
