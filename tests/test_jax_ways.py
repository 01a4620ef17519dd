"""What is special to ways of running JAX's layers: nnx.jit of modules, what closes over parameters, cells of Flax."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import pytest
from adapting import assert_exact, expected, expected_gradients, named, run_script

from rnn_conformance.adapters import registry
from rnn_conformance.adapters.jax import room
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.judging.gradients import judge_gradients
from rnn_conformance.conformance.judging.outputs import judge
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Gradients
from rnn_conformance.reference.model.states import state_of
from rnn_conformance.reference.model.weights import Weights, parameter_count

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


OTHER_CLASS = {
    "flax-nnx": ("flax.nnx", "gate-by-gate", "LSTMCell", "OptimizedLSTMCell"),
    "flax-linen": ("flax.linen", "optimised", "OptimizedLSTMCell", "LSTMCell"),
}
"""Of each adapter its module in Flax, the way in which an LSTM has the other class, that class and the usual one."""


@pytest.mark.parametrize("name", OTHER_CLASS)
def test_other_class_of_an_lstm(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In both directions, under lengths and from a given state, and so is the script of it; a GRU stays as it is."""
    module, way, other, usual = OTHER_CLASS[name]
    monkeypatch.delattr(importlib.import_module(module), usual)  # none of it is there to be called
    adapter = registry.load(name)
    gru = adapter.describe().variants_of("gru")[0]
    layers = (Layer(3, 4, Lstm(), **BOTH), Layer(8, 3, gru), Layer(3, 2, Lstm(), direction="backward"))
    case = Case(Architecture(layers, mode=way, masking="lengths", return_state=True), 2, 5, "unit", 1, "right")
    network: Any = adapter.prepare(case.architecture)
    network.load(case.next().weights)
    network.load(case.weights)
    assert_exact(dict(network.weights().arrays()), dict(case.weights.arrays()))
    assert network.parameter_count() == parameter_count(case.architecture)

    start, of_dtype = case.initial_state, (adapter.describe().precision["float32"], adapter.describe().choices)
    output = network.run(case.inputs, initial_state=start, **case.given)
    assert judge(case, output, *of_dtype, from_given_state=True).discriminates
    found = network.gradients(case.inputs, case.cotangent, initial_state=start, **case.given)
    assert judge_gradients(case, found, *of_dtype, from_given_state=True).discriminates

    assert f"{module.rpartition('.')[2]}.{other}(" in adapter.script(case.architecture, "outputs")
    arrays = run_script(adapter, case, "gradients", start)["gradients"]
    found = Gradients(Weights.of(arrays), arrays["inputs"], state_of("initial_state", arrays))
    assert judge_gradients(case, found, *of_dtype, from_given_state=True).discriminates

    with pytest.raises(AttributeError, match=usual):
        adapter.prepare(Architecture((Layer(3, 2, Lstm()),)))


@pytest.mark.parametrize("name", OTHER_CLASS)
@pytest.mark.parametrize("cell", ["simple_rnn", "gru"])
def test_cells_of_one_class(name: str, cell: str) -> None:
    """A model without an LSTM is refused where an LSTM would have its other class."""
    module, way, other, _ = OTHER_CLASS[name]
    adapter = registry.load(name)
    with pytest.raises(Unsupported, match=rf"{module}\.{other} is another class of an LSTM"):
        adapter.prepare(Architecture((Layer(3, 2, adapter.describe().variants_of(cell)[0]),), mode=way))
