"""What is special to the adapters of Keras: masks that it does not join, states that it keeps, dropout and unrolling.

A process has one backend of Keras: that of KERAS_BACKEND, or else the first that is installed.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adapting import assert_exact, expected, expected_gradients, named, run_script

from rnn_conformance.adapters.keras import adapter as keras_adapters
from rnn_conformance.adapters.keras.network import KerasNetwork
from rnn_conformance.adapters.keras.ways import GATED, MASKED_BY, WAYS, seldom_on
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.adapters.room import Recent
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.explaining.reproducer import variables_of
from rnn_conformance.conformance.explaining.right import right_of
from rnn_conformance.conformance.explaining.showing import call_of
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer
from rnn_conformance.reference.model.calls import Output

INSTALLED = [name for name in ("torch", "jax", "tensorflow") if importlib.util.find_spec(name)]
BACKEND = os.environ.get("KERAS_BACKEND") or (INSTALLED or [""])[0]
if not importlib.util.find_spec("keras") or BACKEND not in INSTALLED:  # to import Keras would choose its backend
    pytest.skip("Keras is not installed, or has no backend here", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of among themselves is no error of ours

ADAPTER: keras_adapters.KerasAdapter = getattr(keras_adapters, BACKEND)
MAIN = ADAPTER.modes[0]
STACK = Architecture(
    (Layer(2, 3, SimpleRnn("relu")), Layer(3, 2, SimpleRnn("linear"), use_bias=False)), return_state=True
)
BACKWARD: dict[str, Any] = {"direction": "backward"}
TURNED = Architecture(
    (Layer(2, 3, SimpleRnn("relu"), **BACKWARD), Layer(3, 2, SimpleRnn("linear"), **BACKWARD)), return_state=True
)
MASKED = replace(STACK, masking="mask")
MASK_ZERO = replace(STACK, embedding=Embedding(5, 2, mask_zero=True))


def case_of(architecture: Architecture, **changes: Any) -> Case:
    """Two sequences of four timesteps of whole numbers, with gaps where the model takes a mask."""
    architecture = replace(architecture, **{"mode": MAIN, **changes})
    return Case(architecture, 2, 4, "integers", 1, "gaps" if architecture.is_masked else "")


def prepared(case: Case) -> KerasNetwork:
    """The network of a case, with its weights."""
    network = ADAPTER.prepare(case.architecture)
    network.load(case.weights)
    return network


@pytest.mark.parametrize("mode", [mode for mode in (*ADAPTER.modes, "reloaded") if mode != "eager"])
def test_what_was_compiled_for_others_is_dropped(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And compiled again, to the same bits, when a network that was not used for long is used again."""
    monkeypatch.setattr("rnn_conformance.adapters.keras.network._RECENT", Recent(1))
    case = case_of(replace(STACK, return_state=False), mode=mode)
    network = prepared(case)
    before = network.run(case.inputs)
    assert network._functions
    prepared(case_of(STACK))
    assert not network._functions
    assert network.run(case.inputs).outputs.tobytes() == before.outputs.tobytes()
    stateful = case_of(replace(STACK, stateful=True, batch=2))
    keeping = prepared(stateful)
    keeping.run(stateful.inputs)
    prepared(case)
    assert keeping._functions


@pytest.mark.parametrize("way", [way for way in (*WAYS, *seldom_on(BACKEND)) if way not in GATED])
@pytest.mark.parametrize("architecture", [MASKED, MASK_ZERO], ids=["mask", "mask_zero"])
def test_masks_in_every_way(
    way: str, architecture: Architecture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Masked models have to be right in each way by itself: Keras runs other code for them."""
    if (way, BACKEND) == ("time-distributed", "tensorflow"):
        pytest.skip(
            "known to be wrong, as the witness of keras-tensorflow-time-distributed shows in every run of `default`"
        )
    monkeypatch.chdir(tmp_path)  # a script may save a model
    case = case_of(architecture, mode=way)
    if way == "masking-layer" and architecture.embedding:
        with pytest.raises(Unsupported, match="masked by their embedding"):
            prepared(case)
        return
    wanted = named(expected(ADAPTER, case))
    assert_exact(named(prepared(case).run(case.inputs, **case.given)), wanted)
    np.testing.assert_array_equal(run_script(ADAPTER, case, "outputs", None)["outputs"], wanted["outputs"])


@pytest.mark.parametrize("mode", ["eager", "predict"])
def test_script_of_a_second_call(mode: str) -> None:
    """That of a stateful model makes the calls before, so that it goes on from where these ended."""
    case = case_of(replace(STACK, return_state=False, stateful=True, batch=2), mode=mode)
    if (mode, BACKEND) == ("predict", "jax"):
        pytest.skip("known to lose its state, as the witness of keras-jax-stateful shows")
    second = replace(call_of(case), earlier=(case.next().inputs,))
    variables = variables_of(second)
    exec(compile(ADAPTER.script(case.architecture, "outputs"), "script.py", "exec"), variables)
    right = right_of(second, ADAPTER.describe().choices)
    assert isinstance(right, Output)
    np.testing.assert_array_equal(variables["outputs"], right.outputs)
    assert (run_script(ADAPTER, case, "outputs", None)["outputs"] != right.outputs).any()


@pytest.mark.parametrize("way", seldom_on(BACKEND))
def test_gradients_in_seldom_ways(way: str) -> None:
    """They are right there as well, and so is the script; or the way has none, and says so."""
    if (way, BACKEND) == ("time-distributed", "tensorflow"):
        pytest.skip(
            "known to be wrong, as the witness of keras-tensorflow-time-distributed shows in every run of `default`"
        )
    case = case_of(STACK if way == "time-distributed" else MASKED, mode=way)
    network = prepared(case)
    if way == "closed-over":
        with pytest.raises(Unsupported, match="constants"):
            network.gradients(case.inputs, case.cotangent, **case.given)
        return
    wanted = dict(expected_gradients(ADAPTER, case, None).arrays())
    assert_exact(dict(network.gradients(case.inputs, case.cotangent, **case.given).arrays()), wanted)
    assert_exact(run_script(ADAPTER, case, "gradients", None)["gradients"], wanted)


def test_what_stands_for_padding_is_not_valid() -> None:
    """A Masking layer could not tell such a timestep from padding."""
    case = case_of(MASKED, mode="masking-layer")
    network = prepared(case)
    with pytest.raises(ValueError, match="cannot be valid"):
        network.run(np.full_like(case.inputs, MASKED_BY), mask=np.ones_like(case.mask))


def test_unrolled_models_take_any_number_of_timesteps() -> None:
    """An unrolled model whose timesteps are not told takes those of each call."""
    case = case_of(STACK, mode="unrolled")
    network = prepared(case)
    for timesteps in (1, 3):
        shorter = replace(case, timesteps=timesteps)
        network.load(shorter.weights)
        assert_exact(named(network.run(shorter.inputs)), named(expected(ADAPTER, shorter)))


@pytest.mark.parametrize("architecture", [STACK, TURNED], ids=["forward", "backward"])
def test_stateful(architecture: Architecture) -> None:
    """A stateful model goes on from the call before, until it is reset."""
    case = case_of(architecture, mode="eager", stateful=True, batch=2)
    network = prepared(case)
    first = expected(ADAPTER, case)
    assert_exact(named(network.run(case.inputs)), named(first))
    assert_exact(named(network.run(case.inputs)), named(expected(ADAPTER, case, first.final_state)))
    network.reset()
    assert_exact(named(network.run(case.inputs)), named(first))


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_dropout(direction: str) -> None:
    """Dropout follows its seed in training, and changes nothing outside it."""
    layer = Layer(2, 3, SimpleRnn("linear"), direction=direction, dropout=0.5, recurrent_dropout=0.5)
    case = Case(Architecture((layer,), mode=MAIN), 8, 4, "integers", 1)
    network, wanted = prepared(case), named(expected(ADAPTER, case))
    assert_exact(named(network.run(case.inputs)), wanted)
    once, again, other = (network.run_training(case.inputs, seed).outputs for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert (once != other).any()
    assert_exact(named(network.run(case.inputs)), wanted)


def test_one_mask_is_enough() -> None:
    """A mask beside that of the tokens is refused: Keras would let the one replace the other."""
    with pytest.raises(Unsupported, match="takes the place of"):
        ADAPTER.prepare(replace(MASK_ZERO, mode=MAIN, masking="mask"))


@pytest.mark.parametrize("name", ["W", "U", "b"])
def test_wrong_weights_are_refused(name: str) -> None:
    """Weights of a wrong shape reach Keras, which refuses them."""
    case = case_of(STACK)
    first, *others = case.weights.layers
    wrong = replace(case.weights, layers=(first.with_arrays(**{name: first.named[name][:1]}), *others))
    with pytest.raises((ValueError, TypeError, RuntimeError)):
        prepared(case).load(wrong)
