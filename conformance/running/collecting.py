"""How pytest runs the checks: one item for each check, dtype and mode of the adapter, and a record for each item.

A plugin that options.py registers when pytest comes to a file of this package. It touches no other item of the run.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from types import ModuleType
from typing import cast

import pytest

from rnn_conformance.adapters import registry
from rnn_conformance.conformance import checks
from rnn_conformance.conformance.engine.verdicts import conclude
from rnn_conformance.conformance.explaining.diagnosis import explain
from rnn_conformance.conformance.inspecting.inspection import broken
from rnn_conformance.conformance.running import room
from rnn_conformance.conformance.running.selection import asked_of
from rnn_conformance.conformance.running.session import Session
from rnn_conformance.conformance.running.telling import as_block
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.conformance.witnesses.witness import read_witness
from rnn_conformance.reference.cells.kinds import CELLS
from rnn_conformance.reference.spec import specification

_SESSION = pytest.StashKey[Session]()
_BROKEN = pytest.StashKey[str]()


class CheckFile(pytest.Module):
    """A file of checks, imported by its full name. Other files of this package have nothing to collect.

    pytest would import it by its path: under a name of its own, so that there were two of each check, and with the
    folder of the package's rooms put first on `sys.path`, where they hide a user's `adapters` or `reports`.
    """

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        session = _session(self.config)
        if self.path.parent.name != "checks" or not self.path.name.startswith("test_"):
            return []
        if session.witness and self.path.name != session.witness.check.split("::")[0]:
            return []
        return super().collect()

    def _getobj(self) -> ModuleType:
        return importlib.import_module(f"{checks.__name__}.{self.path.stem}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make an item for each dtype and mode, or for each dtype in the adapter's main mode."""
    if not _is_check(metafunc.definition):
        return
    session = _session(metafunc.config)
    clause = metafunc.definition.get_closest_marker("clause")
    assert clause is not None, f"{metafunc.function.__name__} cites no clause"
    pairs = session.pairs(session.profile.dtypes(clause.kwargs), main_only=_in_main_mode_only(metafunc.definition))
    metafunc.parametrize("check", pairs, ids=[f"{dtype}-{mode}" for dtype, mode in pairs])


def _in_main_mode_only(item: pytest.Item | pytest.Function) -> bool:
    marker = item.get_closest_marker("clause")
    return marker is not None and marker.kwargs.get("modes") == "main"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not asked for, and what the results file already has; the rest in the order of what it says.

    That is the order of SPEC.md: values first, so that a layer that is wrong shows in seconds; observations at the end.
    """
    session = _session(config)
    asked = asked_of(config.getoption)
    about = [item for item in items if _is_check(item) and _is_about(item, session.cell)]
    ours = sorted(filter(_is_run, about), key=_turn)
    possible = [item for item in ours if asked.takes_function(_name(item), _clauses(item))]
    chosen = [item for item in possible if asked.takes(_name(item), _clauses(item), _dtype(item))]
    if session.witness:
        possible = chosen = [item for item in ours if _name(item).split("[")[0] == session.witness.check]
        if not chosen:
            pytest.exit(f"this version of the suite has no check {session.witness.check}", 4)
    elif not chosen:
        pytest.exit(f"none of the checks that were asked for is run in profile {session.profile.name} there", 4)
    planned = asked.part_of([_name(item) for item in chosen])
    if chosen and not planned:
        pytest.exit(f"there are not so many checks that shard {asked.shard} had any", 4)
    remaining = session.begin(planned, asked, [_name(item) for item in possible])
    others = [item for item in items if not _is_check(item)]
    kept = [*others, *(item for item in chosen if _name(item) in remaining)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _turn(item: pytest.Item) -> int:
    """The place of the first clause that a check cites in SPEC.md; after all of them for a check that cites none."""
    order = list(specification().clauses)
    return min((order.index(clause) for clause in _clauses(item)[:1]), default=len(order))


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run the check, append its record, and tell pytest in its own terms."""
    if not _is_check(pyfuncitem):
        return None
    session = _session(pyfuncitem.config)
    dtype, mode = cast(tuple[str, str], pyfuncitem.funcargs["check"])
    current = session.check(_name(pyfuncitem), dtype, mode, main_only=_in_main_mode_only(pyfuncitem))
    title = (pyfuncitem.obj.__doc__ or "").strip().split("\n")[0]
    item = Item(current.name, title, _clauses(pyfuncitem), current.dtype, current.mode)
    session.journal.begin(item)
    record = conclude(
        current, pyfuncitem.obj, item, session.deviations(item), explain, session.keep, session.elsewhere(item)
    )
    if _has_frozen_examples(pyfuncitem):
        record = session.with_fingerprints(record, current, pyfuncitem.obj)
    session.add(record)
    # The verdict and its reason are in the record, by which runs are judged; here pytest is told the same in its words.
    if record.verdict == "unsupported":
        pytest.skip(record.message)
    if record.verdict == "deviation":
        pytest.xfail(f"{record.deviation}: {record.message}")
    if record.verdict not in ("conforms", "observed"):
        clauses = specification().clauses
        lines = [f"clause {n}: {clauses[n].text}" for n in record.clauses if n in clauses]
        lines += [f"case: {record.case}"] if record.case else []
        lines += [f"to run it again: {record.replay}"] if record.replay else []
        pytest.fail("\n  ".join([f"{record.verdict}: {record.message}", *lines]), pytrace=False)
    return True


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Stop between two checks where room is short: the supervisor goes on in a fresh process."""
    if _is_check(item) and _session(item.config).is_supervised and room.is_short():
        item.session.shouldstop = "this process holds as much as it may"


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _SESSION in session.config.stash:
        session.config.stash[_SESSION].finish()


def _session(config: pytest.Config) -> Session:
    """The one session of this run; the adapter's framework is imported here."""
    if broken_already := config.stash.get(_BROKEN, ""):
        pytest.exit(broken_already, 4)  # pytest asks for each file again
    if _SESSION not in config.stash:
        name = config.getoption("--adapter")
        if not name:
            pytest.exit(f"which adapter? Say --adapter NAME; the names are {', '.join(registry.registered())}", 4)
        witness = config.getoption("--conformance-witness")
        try:
            config.stash[_SESSION] = Session(
                adapter=name,
                profile=config.getoption("--conformance-profile"),
                seed=config.getoption("--conformance-seed"),
                seeds=config.getoption("--conformance-seeds"),
                results=config.getoption("--conformance-results"),
                witness=witness and read_witness(witness),
                cell=config.getoption("--conformance-cell"),
                script_of=config.getoption("--conformance-script-of"),
            )
        except Exception as error:
            mistake = broken(name, error)
            print(as_block(name, mistake), flush=True)  # into the log, whose end may be pytest's own
            config.stash[_BROKEN] = f"adapter {name} does not work: {mistake.what}"
            pytest.exit(config.stash[_BROKEN], 4)
    return config.stash[_SESSION]


def _is_check(item: pytest.Item) -> bool:
    return isinstance(item.parent, CheckFile)


def _is_run(item: pytest.Item) -> bool:
    """Not so for a check that this profile runs in no dtype: pytest makes one item of it, by another name in each
    version, and skips it.
    """
    return isinstance(cast(pytest.Function, item).callspec.params["check"], tuple)


def _dtype(item: pytest.Item) -> str:
    dtype, _ = cast(tuple[str, str], cast(pytest.Function, item).callspec.params["check"])
    return dtype


def _clauses(item: pytest.Item) -> tuple[str, ...]:
    marker = item.get_closest_marker("clause")
    return marker.args if marker else ()


def _is_about(item: pytest.Item, cell: str) -> bool:
    """Whether a check is run for this kind of cell."""
    marker = item.get_closest_marker("clause")
    return marker is not None and cell in marker.kwargs.get("cells", CELLS)


def _has_frozen_examples(item: pytest.Item) -> bool:
    """Whether frozen examples tell more than its verdict and other checks: where every bit is judged, they do not."""
    marker = item.get_closest_marker("clause")
    return marker is not None and bool(marker.kwargs.get("frozen", True))


def _name(item: pytest.Item) -> str:
    return f"{item.path.name}::{item.name}"
