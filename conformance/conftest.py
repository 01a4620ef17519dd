"""How pytest runs the checks: one item for each check, dtype and mode of the adapter, and a record for each item."""

from __future__ import annotations

import pytest

from rnn_conformance.adapters import registry
from rnn_conformance.conformance.check import Check
from rnn_conformance.conformance.journal import Item
from rnn_conformance.conformance.session import DTYPES, Session
from rnn_conformance.conformance.verdicts import conclude
from rnn_conformance.reference.spec import specification

_SESSION = pytest.StashKey[Session]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make an item for each dtype and mode, or for each dtype in the adapter's main mode."""
    session = _session(metafunc.config)
    main, *others = session.subject.description.modes
    clause = metafunc.definition.get_closest_marker("clause")
    assert clause is not None, f"{metafunc.function.__name__} cites no clause"
    pairs = [(dtype, main) for dtype in DTYPES]
    if clause.kwargs.get("modes") != "main":
        pairs += [(dtype, mode) for dtype in session.profile.other_dtypes for mode in others]
    metafunc.parametrize("check", pairs, ids=[f"{dtype}-{mode}" for dtype, mode in pairs], indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not asked for, and what the results file already has."""
    session = _session(config)
    wanted = set(specification().select(config.getoption("--conformance-only")) or specification().clauses)
    chosen = [item for item in items if wanted & set(_clauses(item))]
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
    record = conclude(current, pyfuncitem.obj, item, session.deviation(item))
    session.add(record)
    if record.verdict == "unsupported":
        pytest.skip(record.message)
    if record.verdict == "deviation":
        pytest.xfail(f"{record.deviation}: {record.message}")
    if record.verdict != "conforms":
        texts = "\n".join(f"  clause {n}: {specification().clauses[n].text}" for n in record.clauses)
        case = f"\n  case: {record.case}" if record.case else ""
        pytest.fail(f"{record.verdict}: {record.message}\n{texts}{case}", pytrace=False)
    return True


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _SESSION in session.config.stash:
        session.config.stash[_SESSION].finish()


def _session(config: pytest.Config) -> Session:
    """The one session of this run; the adapter's framework is imported here."""
    if _SESSION not in config.stash:
        name = config.getoption("--adapter")
        if not name:
            pytest.exit(f"which adapter? Say --adapter NAME; the names are {', '.join(registry.registered())}", 4)
        try:
            config.stash[_SESSION] = Session(
                adapter=name,
                profile=config.getoption("--conformance-profile"),
                seed=config.getoption("--conformance-seed"),
                minutes=config.getoption("--conformance-minutes"),
                results=config.getoption("--conformance-results"),
            )
        except Exception as error:
            pytest.exit(f"adapter {name} does not work: {type(error).__name__}: {error}", 4)
    return config.stash[_SESSION]


def _clauses(item: pytest.Item) -> tuple[str, ...]:
    marker = item.get_closest_marker("clause")
    return marker.args if marker else ()


def _name(item: pytest.Item) -> str:
    return f"{item.path.name}::{item.name}"
