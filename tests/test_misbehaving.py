"""Whatever a framework does, it costs one check and not the run."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Supervised

from rnn_conformance.adapters import registry
from rnn_conformance.conformance.running import supervisor
from rnn_conformance.reports.records.records import Results

pytestmark = pytest.mark.slow

VICTIM = "test_values.py::test_single_sequence[float32-eager]"


def verdicts(results: Results) -> dict[str, str]:
    return {record.check: record.verdict for record in results.checks}


@pytest.mark.parametrize(
    ("adapter", "verdict", "message"),
    [
        ("segfaults", "crashed", "killed by SIGSEGV"),
        ("leaves", "crashed", "the process ended with status 7"),
        ("hangs", "timed out", "did not return within 5 seconds"),
    ],
)
def test_end_of_a_process_costs_one_check(supervised: Supervised, adapter: str, verdict: str, message: str) -> None:
    """The check has its verdict with the case that was running; all others conform, and the run is complete."""
    results = supervised(f"misbehaving:{adapter}", "1.10", "6.2", timeout=5 if adapter == "hangs" else 60)
    costs_one_check(results, verdict, message)


@pytest.mark.parametrize(
    ("adapter", "verdict", "message"),
    [
        ("exits", "crashed", "called sys.exit('good bye') in run"),
        ("raises", "fails", "run raised MemoryError: no room for one more sequence"),
    ],
)
def test_what_is_raised_costs_one_check(run_here: Supervised, adapter: str, verdict: str, message: str) -> None:
    """So it is without the end of a process."""
    costs_one_check(run_here(f"misbehaving:{adapter}", "1.10", "6.2"), verdict, message)


def test_slow_framework_has_the_time_for_each_example(supervised: Supervised) -> None:
    """Only one that does not return at all is killed: a check as a whole may take longer."""
    results = supervised("misbehaving:dawdles", "1.10", timeout=3)
    assert set(verdicts(results).values()) == {"conforms"}
    (record,) = (record for record in results.checks if record.check == VICTIM)
    assert record.seconds > 3


def costs_one_check(results: Results, verdict: str, message: str) -> None:
    assert results.footer is not None
    assert {name: v for name, v in verdicts(results).items() if v != "conforms"} == {VICTIM: verdict}
    assert len(results.checks) == len(results.header.planned) > 1
    (record,) = (record for record in results.checks if record.check == VICTIM)
    assert record.message == message
    assert record.clauses == ["1.10", "2.3"]
    assert "single sequence" in record.case
    assert "float32" in record.case


def test_wrong_answer_is_no_broken_adapter(run_here: Supervised) -> None:
    """An adapter that returns what it should not fails, from the smallest model on."""
    (record,) = (record for record in run_here("misbehaving:returns_a_list", "1.2").checks if "32" in record.check)
    assert record.verdict == "fails"
    assert "run returned a list, but should return an instance of Output" in record.message


def test_noise_on_standard_output_is_no_result(supervised: Supervised, tmp_path: Path) -> None:
    """What a framework prints goes to the log, and the results stay whole."""
    results = supervised("misbehaving:prints", "1.10")
    assert set(verdicts(results).values()) == {"conforms"}
    assert results.footer is not None
    assert b"not even text" in (tmp_path / "misbehaving_prints.log").read_bytes()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="this system does not tell what a process maps")
def test_framework_that_hoards_memory(supervised: Supervised, tmp_path: Path) -> None:
    """Before a process comes to the limit on memory mappings, a fresh one goes on, and no check is lost."""
    results = supervised("misbehaving:hoards", "1.10", "6.2")
    assert set(verdicts(results).values()) == {"conforms"}
    assert results.footer is not None
    log = (tmp_path / "misbehaving_hoards.log").read_text(encoding="utf-8")
    assert log.count("this process holds as much as it may") == 1  # after the single sequence


def test_framework_that_always_dies_is_given_up(supervised: Supervised, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some checks in a row that killed the process the run ends, marked as cut short, with what was found."""
    monkeypatch.setattr(supervisor, "_DEATHS_IN_A_ROW", 2)
    results = supervised("misbehaving:always_dies", "1", "8")
    assert set(verdicts(results).values()) == {"crashed"}
    assert len(results.checks) == 2
    assert results.footer is None
    assert results.missing


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        ("misbehaving:undescribed", "libframework.so.3 is missing"),
        ("no_such_module:adapter", "No module named 'no_such_module'"),
    ],
)
def test_broken_adapter_is_told_from_a_framework_that_does_not_conform(
    supervised: Supervised, adapter: str, message: str
) -> None:
    """An adapter that cannot run the smallest model is broken, and its last words are in the record."""
    results = supervised(adapter, "1.1")
    (record,) = results.checks
    assert record.verdict == "broken"
    assert message in record.message


def test_module_without_the_adapter() -> None:
    """It is loaded, and what it lacks is named."""
    with pytest.raises(ValueError, match="module misbehaving has no attribute 'nothing'; it has "):
        registry.load("misbehaving:nothing")
