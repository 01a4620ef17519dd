"""How pytest runs the checks: one item for each check, dtype and mode of the adapter, and a record for each item."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnn_conformance.adapters import registry
from rnn_conformance.conformance.cases.profiles import DTYPES
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.verdicts import conclude
from rnn_conformance.conformance.explaining.diagnosis import diagnose
from rnn_conformance.conformance.running import room
from rnn_conformance.conformance.running.session import Session
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.conformance.witnesses.witness import read_witness
from rnn_conformance.reference.spec import specification

_SESSION = pytest.StashKey[Session]()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """For a witness, look into the file of its check only."""
    witness, name = _session(config).witness, collection_path.name
    return True if witness and name.startswith("test_") and name != witness.check.split("::")[0] else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make an item for each dtype and mode, or for each dtype in the adapter's main mode."""
    session = _session(metafunc.config)
    clause = metafunc.definition.get_closest_marker("clause")
    assert clause is not None, f"{metafunc.function.__name__} cites no clause"
    pairs = session.pairs(clause.kwargs.get("dtypes", DTYPES), main_only=clause.kwargs.get("modes") == "main")
    metafunc.parametrize("check", pairs, ids=[f"{dtype}-{mode}" for dtype, mode in pairs], indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not asked for, and what the results file already has."""
    session = _session(config)
    wanted = set(specification().select(config.getoption("--conformance-only")))
    chosen = [item for item in items if not wanted or wanted & set(_clauses(item))]
    if session.witness:
        chosen = [item for item in items if _name(item).split("[")[0] == session.witness.check]
        if not chosen:
            pytest.exit(f"this version of the suite has no check {session.witness.check}", 4)
    remaining = session.begin([_name(item) for item in chosen])
    kept = [item for item in chosen if _name(item) in remaining]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.fixture
def check(request: pytest.FixtureRequest) -> Check:
    """The check that is running: its subject, dtype, mode and budget."""
    dtype, mode = request.param
    return _session(request.config).check(_name(request.node), dtype, mode)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Run the check, append its record, and tell pytest in its own terms."""
    session = _session(pyfuncitem.config)
    current = pyfuncitem.funcargs["check"]
    assert isinstance(current, Check)
    title = (pyfuncitem.obj.__doc__ or "").strip().split("\n")[0]
    item = Item(current.name, title, _clauses(pyfuncitem), current.dtype, current.mode)
    session.journal.begin(item)
    record = conclude(current, pyfuncitem.obj, item, session.deviations(item), diagnose, session.keep)
    session.add(session.with_fingerprints(record, current, pyfuncitem.obj))
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
    if _session(item.config).is_supervised and room.is_short():
        item.session.shouldstop = "this process holds as much as it may"


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _SESSION in session.config.stash:
        session.config.stash[_SESSION].finish()


def _session(config: pytest.Config) -> Session:
    """The one session of this run; the adapter's framework is imported here."""
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
            )
        except Exception as error:
            pytest.exit(f"adapter {name} does not work: {type(error).__name__}: {error}", 4)
    return config.stash[_SESSION]


def _clauses(item: pytest.Item) -> tuple[str, ...]:
    marker = item.get_closest_marker("clause")
    return marker.args if marker else ()


def _name(item: pytest.Item) -> str:
    return f"{item.path.name}::{item.name}"
