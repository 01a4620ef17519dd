"""Known deviations of processors that lack something."""

from __future__ import annotations

from types import SimpleNamespace

import archspec.cpu
import pytest

from rnn_conformance.conformance.witnesses import deviations

ENTRY = """
[no-half]
adapters = ["planted"]
checks = ["test_half_precision"]
versions = { planted = ">=1" }
without = ["avx512f"]
cases = { dtype = "float16" }
cause = "half precision needs AVX-512"
means = "The call raises an error."
reason = "There is no other kernel."
"""


@pytest.mark.parametrize(("features", "applies"), [({"avx2"}, True), ({"avx2", "avx512f"}, False)])
def test_what_a_processor_has(monkeypatch: pytest.MonkeyPatch, features: set[str], applies: bool) -> None:
    """What goes wrong where the processor lacks something is not expected where it has that."""
    host = SimpleNamespace(features=features)
    monkeypatch.setattr(archspec.cpu, "host", lambda: host)
    (entry,) = deviations.parse(ENTRY)
    assert entry.applies("planted", "test_half_precision", {"planted": "1.0"}) == applies
