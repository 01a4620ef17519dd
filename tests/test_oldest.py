"""The oldest version that each adapter says it works with is one with which it does: what that lacks is no failure."""

from __future__ import annotations

import json
import sys
from datetime import date

import pytest

pytest.importorskip("unearth")
pytest.importorskip("uv")

from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.conformance.sweeping.environments import Wanted, lock, with_suite
from rnn_conformance.conformance.sweeping.indexes import set_up
from rnn_conformance.conformance.sweeping.job import RESULTS, Job, Made, run_job
from rnn_conformance.conformance.sweeping.plan import own_packages

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.version_info >= (3, 12), reason="there are no such wheels")]

OLDEST = {
    "flax-linen": (["flax==0.8.0", "jax==0.4.30", "numpy==1.26.4"], date(2024, 7, 1)),
    "flax-nnx": (["flax==0.10.4", "jax==0.4.36", "numpy==1.26.4"], date(2025, 3, 1)),
    "jax-scan": (["jax==0.4.30", "numpy==1.26.4"], date(2024, 7, 1)),
    "keras-jax": (["keras==3.0.0", "jax==0.4.30", "numpy==1.26.4"], date(2024, 7, 1)),
}
"""Of each adapter the oldest versions, and a day on which what they need was there."""


def verdicts(adapter: str, cell: str) -> dict[str, str]:
    """What the first clauses come to, in the environment of the oldest versions."""
    requirements, day = OLDEST[adapter]
    indexes = set_up()
    locked = lock(with_suite(Wanted(requirements, day, sys.executable)), indexes)
    asked = Selection(["1.1", "6.2"], (), ["float32"])
    outcome = run_job(Job(adapter, cell, "smoke", 0, asked, 3000, locked, sys.executable, indexes))
    assert isinstance(outcome, Made), outcome
    lines = [json.loads(line) for line in outcome.files[RESULTS].splitlines()]
    return {line["check"]: line["verdict"] for line in lines if line["record"] == "check"}


@pytest.mark.parametrize("adapter", OLDEST)
def test_oldest_versions(adapter: str) -> None:
    """The declared versions are those of the list, and an LSTM of them conforms."""
    listed = dict(each.split("==") for each in OLDEST[adapter][0])
    for package, oldest in own_packages(adapter).items():
        assert listed[package] in (oldest, f"{oldest}.0"), package
    assert set(verdicts(adapter, "lstm").values()) == {"conforms"}


def test_what_an_old_version_lacks_is_support() -> None:
    """flax.linen has a simple cell since 0.8.2 only."""
    assert set(verdicts("flax-linen", "simple_rnn").values()) == {"unsupported"}
