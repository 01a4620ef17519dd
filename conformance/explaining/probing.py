"""What else is known of a subject that failed: plain checks that it passes, as a fault like its own has to."""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks.catalogue import checks, dtypes_of
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import Subject, SubjectExited
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.witnesses.journal import Journal

_PROBES = (
    "test_values.py::test_recurrence",
    "test_values.py::test_rows_are_independent",
    "test_state.py::test_initial_state",
    "test_state.py::test_final_state",
    "test_masks.py::test_valid_outputs",
    "test_directions.py::test_bidirectional",
    "test_gradients.py::test_gradients_of_weights",
    "test_calls.py::test_arguments_are_left_alone",
)
"""One check for each of the things that most faults disturb."""

_known: WeakKeyDictionary[Subject, dict[tuple[str, str, str], list[str]]] = WeakKeyDictionary()


def passed(check: Check) -> Sequence[str]:
    """The probes that the subject of a check passes, in the check's dtype, mode and cell; run once for each subject."""
    known = _known.setdefault(check.subject, {})
    key = (check.dtype, check.mode, check.cell)
    if key not in known:
        subject = check.subject.anew()
        known[key] = [probe for probe in _PROBES if _passes(probe, check, subject)]
    return known[key]


def is_contradicted(mutant: Subject, check: Check, probes: Sequence[str]) -> bool:
    """Whether a mutant fails one of the probes that the subject of the check passes: then it is another fault."""
    return any(_passes(probe, check, mutant) is False for probe in probes)


def _passes(name: str, check: Check, subject: Subject) -> bool | None:
    """Whether a subject passes a probe in the place of the check; None where it cannot be run, or could not tell."""
    function, profile = checks()[name], PROFILES["smoke"]
    if check.dtype not in dtypes_of(function, profile, check.cell):
        return None
    probe = Check(name, subject, check.dtype, check.mode, profile, 0, 1, Journal(None), shrinks=False, cell=check.cell)
    try:
        probe.requires(check.dtype)
        function(probe)
    except Unsupported:
        return None
    except (NonConforming, SubjectExited):
        return False
    except Exception:  # a mutant may upset a check: it is no evidence, and a diagnosis must never end a run
        return None
    if probe.evidence.failures:
        return False
    return True if probe.evidence.discriminating else None
