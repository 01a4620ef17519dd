"""What is special to ways of running JAX's layers: nnx.jit of modules, and functions that close over parameters."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from adapting import assert_exact, expected, expected_gradients, named, run_script

from rnn_conformance.adapters import registry
from rnn_conformance.adapters.jax import room
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Layer

pytestmark = [
    pytest.mark.filterwarnings("default"),  # what frameworks warn of among themselves is no error of ours
    pytest.mark.skipif(not importlib.util.find_spec("flax"), reason="Flax is not installed"),
]

if importlib.util.find_spec("jax"):
    import jax

BOTH: dict[str, Any] = {"direction": "bidirectional"}
TWO_WAYS = (Layer(3, 2, SimpleRnn("relu"), **BOTH),)


def prepared(name: str, mode: str, **changes: Any) -> tuple[Any, Any, Case]:
    """An adapter, its network with the weights of a case, and the case: two sequences of which one is shorter."""
    adapter = registry.load(name)
    case = Case(Architecture(TWO_WAYS, mode=mode, masking="lengths", **changes), 2, 4, "integers", 1, "right")
    network: Any = adapter.prepare(case.architecture)
    network.load(case.weights)
    return adapter, network, case


def test_what_was_compiled_is_dropped_where_little_room_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """And compiled again when it is called again, to the same bits."""
    _, network, case = prepared("jax-scan", "compiled")
    before = network.run(case.inputs, **case.given).outputs
    dropped: list[bool] = []
    clear = jax.clear_caches
    monkeypatch.setattr(jax, "clear_caches", lambda: (dropped.append(True), clear()))
    prepared("jax-scan", "compiled", return_state=True)
    assert dropped == []
    monkeypatch.setattr(room, "mapped", lambda: 0.9)
    prepared("jax-scan", "compiled", return_state=True)
    assert dropped == [True]
    assert network.run(case.inputs, **case.given).outputs.tobytes() == before.tobytes()


@pytest.mark.parametrize("sequences", [True, False])
def test_gradients_of_modules(sequences: bool) -> None:
    """nnx.jit of nnx.grad gives those of the weights, the inputs and the initial state, and a script does."""
    adapter, network, case = prepared("flax-nnx", "nnx-jit", return_sequences=sequences, return_state=True)
    start = case.initial_state
    wanted = dict(expected_gradients(adapter, case, start).arrays())
    found = network.gradients(case.inputs, case.cotangent, initial_state=start, **case.given)
    assert_exact(dict(found.arrays()), wanted)
    assert_exact(run_script(adapter, case, "gradients", start)["gradients"], wanted)


def test_other_weights_of_the_same_modules() -> None:
    """What nnx.jit compiled sees the weights that are loaded later: modules are arguments."""
    adapter, network, case = prepared("flax-nnx", "nnx-jit")
    network.run(case.inputs, **case.given)
    later = case.next()
    network.load(later.weights)
    assert_exact(named(network.run(later.inputs, **later.given)), named(expected(adapter, later)))


def test_modules_that_are_closed_over() -> None:
    """The reason why NNX has no such way: it raises, since a call counts the random numbers that it asked for."""
    jax, nnx = pytest.importorskip("jax"), pytest.importorskip("flax.nnx")
    rnn = nnx.RNN(nnx.SimpleCell(3, 2, rngs=nnx.Rngs(0)), rngs=nnx.Rngs(0))
    with pytest.raises(Exception, match="from a different trace level"):
        jax.jit(lambda x: rnn(x))(jax.numpy.zeros((2, 4, 3)))


@pytest.mark.parametrize("name", ["flax-linen", "jax-scan"])
def test_parameters_that_are_closed_over(name: str) -> None:
    """Each load makes another function, whose parameters are constants, and so have no gradients."""
    adapter, network, case = prepared(name, "closed-over")
    for each in (case, case.next()):
        network.load(each.weights)
        assert_exact(named(network.run(each.inputs, **each.given)), named(expected(adapter, each)))
    with pytest.raises(Unsupported, match="constants"):
        network.gradients(case.inputs, case.cotangent, **case.given)
