"""Right models in odd shapes: what the tests of reading them share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnn_conformance.adapters.reading import survey
from rnn_conformance.conformance.asserting import assert_conforms

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 7, 4)).astype(np.float32)
TOKENS = RNG.integers(1, 20, (3, 7)).astype(np.int32)


@dataclass(frozen=True)
class Odd:
    """A model, what it is called with, and what becomes of it: calls by path, and the fields of what is refused."""

    make: Callable[[], Any]
    calls: dict[str, int]
    refused: tuple[str, ...] = ()
    inputs: Any = None


def judge(odd: Odd) -> None:
    """It is read rightly, which judging it shows, or refused with a reason; nothing in between."""
    model, inputs = odd.make(), X if odd.inputs is None else odd.inputs
    found = survey(model, inputs)
    assert tuple(reason.field for reason in found.refused) == odd.refused, found.refused
    if not odd.calls:
        assert not found.layers
        return
    report = assert_conforms(model, inputs=inputs)
    assert {layer.path: layer.calls for layer in report.layers} == odd.calls, report
    assert all(not layer.not_proven for layer in report.layers), report
    assert report.judged == 1 or found.others or report.not_judged or found.refused
