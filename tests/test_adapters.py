"""What every registered adapter has to do, on its real framework: what it offers is right, what it lacks is refused.

All numbers are small and whole, so that what is right is right to the last bit, whichever the framework.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adapting import (
    assert_exact,
    expected,
    expected_gradients,
    in_doubles,
    named,
    nested,
    prepared,
    run_script,
    skip_where_known,
    skip_where_there_are_no_scripts,
    skip_without,
    start_of,
)

from rnn_conformance.adapters.description import DTYPES, EXTRAS, FEATURES
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers import gradients, network
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import state_shapes
from rnn_conformance.reference.model.weights import in_float64, parameter_count

pytestmark = pytest.mark.filterwarnings("default")  # what frameworks warn of among themselves is no error of ours

LAYER = (Layer(2, 3, SimpleRnn("relu")),)
STACK = (Layer(2, 3, SimpleRnn("relu")), Layer(3, 2, SimpleRnn("relu")))
BOTH: dict[str, Any] = {"direction": "bidirectional"}
TURNED = (Layer(2, 3, SimpleRnn("relu"), direction="backward"), Layer(3, 2, SimpleRnn("relu"), direction="backward"))
TWO_WAYS = (Layer(2, 3, SimpleRnn("relu"), **BOTH), Layer(6, 2, SimpleRnn("relu"), **BOTH))
JOINED = tuple(Layer(2, 2, SimpleRnn("relu"), **BOTH, merge=merge) for merge in ("sum", "ave", "mul"))

MODELS = {
    "stack": Architecture(STACK, return_state=True),
    "no bias": Architecture((Layer(2, 3, SimpleRnn("relu"), use_bias=False),)),
    "linear, last output": Architecture((Layer(2, 3, SimpleRnn("linear")),), return_sequences=False, return_state=True),
    "single sequence": Architecture(LAYER, batched=False, return_state=True),
    "embedding, last output": Architecture(LAYER, Embedding(5, 2), return_sequences=False),
    "backward": Architecture(TURNED, return_state=True),
    "backward, last output": Architecture(TURNED, return_sequences=False),
    "two ways": Architecture(TWO_WAYS, return_state=True),
    "two ways, last output": Architecture(TWO_WAYS, return_sequences=False),
    "joined": Architecture(JOINED, dtype="float64"),
    "lengths": Architecture(TWO_WAYS, masking="lengths", return_state=True),
    "mask": Architecture((*TURNED, Layer(2, 2, SimpleRnn("relu"), **BOTH)), masking="mask", return_state=True),
    "mask_zero": Architecture(STACK, Embedding(5, 2, mask_zero=True), return_state=True),
    **{dtype: Architecture(LAYER, dtype=dtype, return_state=True) for dtype in ("float16", "bfloat16", "float64")},
    "mixed precision": Architecture(LAYER, dtype="bfloat16", weights_dtype="float32", return_state=True),
}
MODEL = pytest.mark.parametrize("model", MODELS)


@pytest.fixture
def jax_as_it_was() -> Iterator[None]:
    """A script that needs float64 switches JAX to it for the whole process."""
    yield
    if importlib.util.find_spec("jax"):
        import jax

        jax.config.update("jax_enable_x64", False)


def case_of(adapter: Any, model: str, **changes: Any) -> Case:
    """Two sequences of five timesteps, or one; more than four, which an unrolled turn of JAX holds."""
    architecture = replace(MODELS[model], **{"mode": adapter.describe().modes[0], **changes})
    pattern = {"none": "right", "lengths": "right", "mask": "gaps"}[architecture.masking]
    batch = 2 if architecture.batched else 1
    return Case(architecture, batch, 5, "integers", 1, pattern if architecture.is_masked else "")


def test_what_is_lacking_has_a_reason(adapter: Any) -> None:
    """For each feature, dtype and activation that is not offered, the description itself says why."""
    description = adapter.describe()
    for name in (*FEATURES, *EXTRAS, *DTYPES, *ACTIVATIONS):
        assert not description.lacks(name) or description.unsupported.get(name), name


@MODEL
def test_outputs_and_states(adapter: Any, model: str) -> None:
    """Every kind of model gives the outputs and final states of the reference, in its dtype, or is refused."""
    case = case_of(adapter, model)
    skip_where_known(adapter, case, "test_features_crossed")
    actual = named(prepared(adapter, case).run(case.inputs, initial_state=start_of(case), **case.given))
    assert_exact(actual, named(expected(adapter, case, start_of(case))))
    assert {array.dtype for array in actual.values()} == {dtype_of(case.architecture.dtype)}


@pytest.mark.parametrize("model", ["stack", "embedding, last output", "two ways", "lengths", "mask", "mixed precision"])
def test_gradients(adapter: Any, model: str) -> None:
    """Of weights, inputs and initial state, each in the dtype of what it is the gradient of."""
    skip_without(adapter, "gradients")
    case, start = case_of(adapter, model), start_of(case_of(adapter, model))
    found = prepared(adapter, case).gradients(case.inputs, case.cotangent, initial_state=start, **case.given)
    assert_exact(dict(found.arrays()), dict(expected_gradients(adapter, case, start).arrays()))
    kept = {array.dtype for _, array in found.weights.arrays()}
    assert kept == {dtype_of(case.architecture.weights_dtype or case.architecture.dtype)}


@pytest.mark.parametrize("model", ["stack", "embedding, last output", "two ways", "bfloat16", "mixed precision"])
def test_weights_are_read_back(adapter: Any, model: str) -> None:
    """What is loaded is read back bit for bit, in the dtype in which weights are kept; the framework counts as many."""
    case = case_of(adapter, model)
    subject = prepared(adapter, case)
    found, loaded = dict(subject.weights().arrays()), dict(case.weights.arrays())
    assert found.keys() == loaded.keys()
    for name, array in loaded.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array, err_msg=name)
    if adapter.describe().lacks("parameter count"):
        return
    biases = sum(layer.units * (1 + layer.is_bidirectional) for layer in case.architecture.layers)
    second = biases if "two" in adapter.describe().conventions["biases"] else 0
    assert subject.parameter_count() == parameter_count(case.architecture) + second


_KERAS = "predict unrolled reloaded layers cells without-cudnn implementation-1 masking-layer time-distributed"

WAYS_OF = {
    "numpy": "eager reloaded",
    "torch": "eager cells compiled reloaded exported exported-open-batch without-onednn vmapped functional "
    "parametrised weight-normed",
    "keras-torch": f"eager {_KERAS} stacked-cells",
    "keras-tensorflow": f"compiled eager {_KERAS} stacked-cells xla xla-unrolled",
    "keras-jax": f"compiled eager {_KERAS} stacked-cells closed-over",
    "keras-numpy": f"eager {_KERAS}",
    "keras-openvino": f"eager {_KERAS}",
    "tf-keras": f"compiled eager {_KERAS} stacked-cells xla xla-unrolled".replace(" without-cudnn", ""),
    "mlx": "eager vmapped reloaded",
    "jax+export": "open fixed",
    "jax+jax2tf": "open fixed",
    "keras-tensorflow+savedmodel": "open fixed unrolled",
    "keras-tensorflow+onnxruntime": "open fixed unrolled",
    "keras-tensorflow+litert": "fixed open unrolled",
    "keras-tensorflow+openvino": "unrolled open fixed",
    "torch+onnxruntime": "open-batch fixed",
    "torch+openvino": "open-batch fixed",
    "flax-nnx": "compiled eager unrolled vmapped reloaded nnx-jit gate-by-gate",
    "flax-linen": "compiled eager unrolled vmapped reloaded closed-over optimised",
    "jax-scan": "compiled eager unrolled vmapped closed-over",
    "equinox": "compiled eager unrolled vmapped reloaded closed-over",
    "haiku": "compiled eager unrolled static-unroll vmapped closed-over",
    "onnxruntime": "session weights-as-inputs unoptimised reloaded io-binding",
    "openvino": "compiled weights-as-inputs reloaded",
    "onnx-reference": "evaluator weights-as-inputs batch-first reloaded",
    "tensorflowjs": "apply predict",
}
"""The modes and ways of each adapter once more: one that it loses is not passed over."""

WAYS = sorted({way for ways in WAYS_OF.values() for way in ways.split()})


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", ["stack", "lengths"])
def test_ways_to_run(adapter: Any, way: str, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every mode and way gives the same, and so does the script that uses the framework alone."""
    description = adapter.describe()
    if way not in description.modes + description.ways:
        pytest.skip(f"{description.framework} has no mode {way}, as test_every_way_is_there has it")
    if way in description.rounding:
        pytest.skip("the weights are other ones, and so is what comes out: the tests of the adapter see to it")
    monkeypatch.chdir(tmp_path)  # a script may save a model
    case = case_of(adapter, model, mode=way)
    skip_where_known(adapter, case, "test_features_crossed")
    try:
        actual = prepared(adapter, case).run(case.inputs, initial_state=case.initial_state, **case.given)
    except Unsupported as refusal:  # of a combination, which no feature declares; clause 12.1 records it, too
        pytest.skip(f"refused: {refusal}")
    wanted = named(expected(adapter, case, case.initial_state))
    assert_exact(named(actual), wanted)
    variables = run_script(adapter, case, "outputs", case.initial_state)
    assert_exact(named(Output(variables["outputs"], nested(variables["final_state"]))), wanted)


REFUSED = {
    "keras-tensorflow+litert": "open",
    "keras-tensorflow+openvino": "open",
}
"""Ways in which an exporter or a runtime refuses every layer, which is what a record of them says."""


def test_every_way_goes(adapter: Any, request: pytest.FixtureRequest) -> None:
    """Each way takes a layer of some kind by itself: one that refuses all of them would be tested by nothing else."""
    description = adapter.describe()
    ways = (*description.modes, *description.ways)
    refused = [way for way in ways if not any(goes(adapter, way, cell) for cell in description.cells)]
    assert sorted(refused) == sorted(REFUSED.get(request.node.callspec.params["adapter"], "").split())


def goes(adapter: Any, way: str, cell: str) -> bool:
    """Whether a way takes a layer of this kind by itself."""
    try:
        adapter.prepare(Architecture((Layer(2, 3, adapter.describe().variants_of(cell)[0]),), mode=way))
    except Unsupported:
        return False
    return True


def test_every_way_is_there(adapter: Any, request: pytest.FixtureRequest) -> None:
    """An adapter has the ways to run that are written down above, no more and no fewer."""
    description = adapter.describe()
    ways = WAYS_OF[request.node.callspec.params["adapter"]]
    assert sorted(ways.split()) == sorted({*description.modes, *description.ways})


@pytest.mark.parametrize("model", ["stack", "embedding, last output", "lengths", "mask", "mixed precision"])
def test_scripts_of_gradients(adapter: Any, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script for gradients gives those of the specification, by their names."""
    skip_without(adapter, "gradients")
    monkeypatch.chdir(tmp_path)  # a script may save a model
    case, start = case_of(adapter, model), start_of(case_of(adapter, model))
    prepared(adapter, case)
    found = run_script(adapter, case, "gradients", start)["gradients"]
    assert_exact(found, dict(expected_gradients(adapter, case, start).arrays()))


@pytest.mark.usefixtures("jax_as_it_was")
@pytest.mark.parametrize("model", ["joined", "mask_zero", "no bias", "two ways, last output", "single sequence"])
def test_scripts_of_outputs(adapter: Any, model: str) -> None:
    """And so does one for outputs, whatever the model."""
    case = case_of(adapter, model)
    prepared(adapter, case)
    variables = run_script(adapter, case, "outputs", None)
    actual = Output(variables["outputs"], nested(variables.get("final_state", ())))
    assert_exact(named(actual), named(expected(adapter, case)))


def test_a_script_is_short(adapter: Any, request: pytest.FixtureRequest) -> None:
    """A layer by itself takes no more lines than one reads in a bug report, and none of what it does without.

    An export takes more: it is made, and then run in another framework.
    """
    skip_where_there_are_no_scripts(adapter)
    architecture = Architecture((Layer(2, 3),), mode=adapter.describe().modes[0])
    source = adapter.script(architecture, "outputs")
    is_export = "+" in request.node.callspec.params["adapter"]
    assert len(source.splitlines()) <= (80 if is_export else 45)
    for needless in ("cotangent", "lengths", "mask", "table", "reload"):
        assert needless not in source


def test_scripts_of_nothing_else(adapter: Any) -> None:
    """There are outputs and gradients, and no third."""
    skip_where_there_are_no_scripts(adapter)
    with pytest.raises(ValueError, match="outputs or gradients"):
        adapter.script(case_of(adapter, "stack").architecture, "states")


def test_training_step(adapter: Any) -> None:
    """A step takes the rate times its gradient off each weight, and the next call has the new ones."""
    skip_without(adapter, "training step")
    case = replace(case_of(adapter, "stack"), timesteps=4)  # of sixteen outputs the mean is exact, too
    subject, targets = prepared(adapter, case), case.cotangent.outputs
    outputs, wide = expected(adapter, case).outputs, in_float64(case.weights)
    error = Output(2 * (outputs - targets) / outputs.size)
    slopes = gradients.gradients(case.architecture, wide, in_doubles(case.inputs), error).weights
    subject.train(case.inputs, targets, 0.25)
    after = subject.weights()
    assert_exact(dict(after.arrays()), dict(wide.map(lambda old, slope: old - 0.25 * slope, slopes).arrays()))
    now = network.run(case.architecture, in_float64(after), in_doubles(case.inputs)).outputs
    np.testing.assert_array_equal(subject.run(case.inputs).outputs, now)


def test_shapes_that_are_inferred(adapter: Any) -> None:
    """Without batch and timesteps; a bidirectional layer has two states."""
    case = case_of(adapter, "two ways")
    subject = prepared(adapter, case)
    if reason := adapter.describe().lacks("symbolic shapes"):
        with pytest.raises(NotImplementedError, match=re.escape(reason)):
            subject.symbolic_shape()
        return
    assert subject.symbolic_shape() == (None, None, 4)
    assert subject.symbolic_state_shapes() == state_shapes(case.architecture, (None,))


def test_inputs_of_other_features_are_refused(adapter: Any) -> None:
    """What does not fit reaches the framework, which refuses it, though it could be broadcast."""
    case = case_of(adapter, "stack")
    skip_where_known(adapter, case, "test_wrong_number_of_features")
    subject = prepared(adapter, case)
    with pytest.raises(Exception, match=r"(?i)shape|size|incompatible|dimension"):  # of a type of the framework's own
        subject.run(case.inputs[..., :1])
