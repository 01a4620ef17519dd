"""An adapter out of a function: what it takes by name it is given, and what cannot be called so is refused at once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from in_this_process import workers_in_this_process

from rnn_conformance.adapters import registry
from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.function import FunctionAdapter, from_function
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.layers.gradients import gradients
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reports.records.records import read

ARCHITECTURE = Architecture((Layer(1, 1),))


def plain(architecture: Any, weights: Any, x: Any, start: Any) -> Any:
    return network.run(architecture, weights, x, start)


def masked(architecture: Any, weights: Any, x: Any, start: Any, *, mask: Any) -> Any:
    return network.run(architecture, weights, x, start, mask=mask)


def anything(architecture: Any, weights: Any, x: Any, start: Any, **given: Any) -> Any:
    return Output(np.array([sorted(given)]))


def misspelt(architecture: Any, weights: Any, x: Any, start: Any, lenghts: Any = None) -> Any: ...


def needy(architecture: Any, weights: Any, x: Any, start: Any, training: bool) -> Any: ...


def short(weights: Any, x: Any) -> Any: ...


@pytest.mark.parametrize(
    ("run", "offers"),
    [(plain, ()), (masked, ("mask",)), (anything, ("lengths", "mask")), (network.run, ("mask",))],
)
def test_what_it_takes_is_offered(run: Callable[..., Any], offers: tuple[str, ...]) -> None:
    """By the names of its parameters; of others with a default, nothing is said."""
    assert from_function(run).describe().offers == offers


def test_what_it_takes_is_given() -> None:
    """Always, and None where a call has no such thing; what it does not take is refused."""
    prepared: Any = from_function(anything).prepare(ARCHITECTURE)
    prepared.load(network_weights())
    assert prepared.run(np.zeros((1, 1, 1))).outputs.tolist() == [["lengths", "mask"]]
    prepared = from_function(plain).prepare(ARCHITECTURE)
    prepared.load(network_weights())
    with pytest.raises(ValueError, match=r"plain\(\) takes no lengths"):
        prepared.run(np.zeros((1, 1, 1)), lengths=np.ones(1, np.int32))


def test_gradients_are_those_of_the_function() -> None:
    """They are offered, and get the mask."""
    adapter = from_function(masked, gradients=gradients)
    assert adapter.describe().offers == ("mask", "gradients")
    prepared: Any = adapter.prepare(ARCHITECTURE)
    prepared.load(network_weights())
    x, none = np.ones((1, 2, 1)), np.array([[False, False]])
    assert prepared.gradients(x, Output(np.ones((1, 2, 1))), mask=none).inputs.tolist() == [[[0.0], [0.0]]]
    assert prepared.gradients(x, Output(np.ones((1, 2, 1)))).inputs.all()


def network_weights() -> Any:
    from rnn_conformance.reference.model.weights import LayerWeights, Weights

    return Weights((LayerWeights({"W": np.ones((1, 1)), "U": np.ones((1, 1)), "b": np.zeros(1)}),))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: from_function(misspelt), "is never given 'lenghts': is lengths meant?"),
        (lambda: from_function(needy), "is never given 'training'; there are lengths and mask"),
        (
            lambda: from_function(short),
            r"it is called as short\(architecture, weights, inputs, initial_state\), but short",
        ),
        (lambda: from_function(plain, gradients=gradients), r"only one of plain\(\) and gradients\(\) takes mask"),
        (lambda: from_function(plain, Description("x", {}, offers=("lengths",))), "offers lengths, but plain"),
        (
            lambda: from_function(plain, Description("x", {}, offers=("gradients",))),
            "there is no function for gradients",
        ),
    ],
)
def test_what_cannot_be_called_so_is_refused(make: Callable[[], FunctionAdapter], said: str) -> None:
    """When the adapter is made, and not in the middle of a run."""
    with pytest.raises(ValueError, match=said):
        make()


def test_what_is_declared_unsupported_is_not_offered() -> None:
    """A reason in the description counts for more than a parameter; and a cell that it lacks is refused with it."""
    adapter = from_function(masked, Description("x", {}, unsupported={"mask": "not yet"}))
    assert adapter.describe().offers == ()
    with pytest.raises(Unsupported, match="not yet"):
        adapter.prepare(Architecture((Layer(1, 1),), masking="mask"))
    with pytest.raises(Unsupported, match="does not offer lstm"):
        adapter.prepare(Architecture((Layer(1, 1, Lstm()),)))


@pytest.mark.parametrize(
    ("attribute", "said"), [("FunctionAdapter", "is a class: name an instance of it"), ("ARCHITECTURE", "is neither")]
)
def test_what_is_no_adapter(attribute: str, said: str) -> None:
    """It is said what it is, before a check stumbles over it."""
    with pytest.raises(ValueError, match=said):
        registry.load(f"{__name__}:{attribute}")


@pytest.mark.slow
def test_function_is_run_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``package.module:function`` needs no adapter."""
    monkeypatch.setitem(sys.modules, "my_module", sys.modules[__name__])
    options = ["--profile", "smoke", "--check", "test_final_state_under_a_mask", "--dtype", "float32"]
    with workers_in_this_process():
        result = CliRunner().invoke(cli, ["run", "my_module:masked", *options, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    (found,) = read(tmp_path / "my_module_masked.jsonl").checks
    assert found.verdict == "conforms"
    assert found.examples
