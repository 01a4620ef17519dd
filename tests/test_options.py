"""Clause 14.10: what is declared lacking and yet accepted is noticed where it is ignored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from concluding import concluded

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.numpy.adapter import adapter as numpy_adapter
from rnn_conformance.adapters.numpy.network import NumpyNetwork
from rnn_conformance.adapters.protocol import Inputs, Network
from rnn_conformance.reference.model.architecture import Architecture
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State

CHECK = "test_options.py::test_what_is_asked_for"


class _Deaf(NumpyNetwork):
    """Starts from zeros, whatever state it is given."""

    def run(self, inputs: Inputs, *, initial_state: State | None = None, **given: Any) -> Output:
        return super().run(inputs, **given)


@dataclass(frozen=True)
class _Lenient:
    """It says that it takes no initial state, and takes one all the same."""

    def describe(self) -> Description:
        return replace(numpy_adapter.describe(), unsupported={"initial state": "nobody asked"})

    def prepare(self, architecture: Architecture) -> Network:
        return _Deaf(architecture, self.describe().choices)


def test_ignored_though_lacking() -> None:
    record = concluded(_Lenient(), CHECK, profile="default")
    assert record.verdict == "fails"
    assert record.message.startswith(
        "accepted an initial state, which it is said to lack (nobody asked), and ignored it"
    )


def test_right_adapter_conforms() -> None:
    assert concluded(numpy_adapter, CHECK, profile="default").verdict == "conforms"
