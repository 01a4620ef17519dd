"""The adapter of PyTorch, feature by feature, against the reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rnn_conformance.adapters.description import DTYPES, EXTRAS, FEATURES
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.adapters.torch.adapter import adapter
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.layers.gradients import gradients
from rnn_conformance.reference.model.architecture import Architecture, Choices, Embedding, Layer
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.states import State

torch = pytest.importorskip("torch")

BOTH = {"direction": "bidirectional"}
LAYER = (Layer(3, 4),)
NO_BIAS = (Layer(3, 4, "relu", use_bias=False),)
STACK = (Layer(3, 4), Layer(4, 4))
UNEQUAL = (Layer(3, 4, "relu"), Layer(4, 2))
TWO_WAYS = (Layer(3, 4, **BOTH), Layer(8, 4, **BOTH))
MIXED_WAYS = (Layer(3, 4, **BOTH), Layer(8, 2))

MODELS = {
    "layer": Architecture(LAYER),
    "no bias": Architecture(NO_BIAS),
    "stack": Architecture(STACK),
    "unequal stack": Architecture(UNEQUAL),
    "bidirectional": Architecture(TWO_WAYS[:1]),
    "bidirectional stack": Architecture(TWO_WAYS),
    "bidirectional, then forward": Architecture(MIXED_WAYS),
    "embedding": Architecture(STACK, Embedding(7, 3)),
    "lengths": Architecture(STACK, masking="lengths"),
    "lengths, unequal stack": Architecture(UNEQUAL, masking="lengths"),
    "lengths, bidirectional stack": Architecture(TWO_WAYS, masking="lengths"),
    "lengths, embedding": Architecture(LAYER, Embedding(7, 3), masking="lengths"),
    "single sequence": Architecture(STACK, batched=False),
    "cells": Architecture(UNEQUAL, mode="cells"),
    "cells, embedding": Architecture(LAYER, Embedding(7, 3), mode="cells"),
    "reloaded": Architecture(TWO_WAYS, Embedding(7, 3), mode="reloaded", masking="lengths"),
    "exported": Architecture(TWO_WAYS, Embedding(7, 3), mode="exported"),
    "exported, unequal stack": Architecture(UNEQUAL, mode="exported"),
}
MODEL = pytest.mark.parametrize("model", MODELS)
RETURNS = pytest.mark.parametrize("sequences", [True, False], ids=["all outputs", "last output"])
STARTS = pytest.mark.parametrize("started", [False, True], ids=["from zeros", "from a state"])


def case_of(architecture: Architecture, seed: int = 0, **changes: Any) -> Case:
    """Three sequences (or one) of six timesteps in float64, padded on the right where the model takes lengths."""
    architecture = replace(architecture, **{"dtype": "float64", **changes})
    pattern = "right" if architecture.is_masked else ""
    return Case(architecture, 3 if architecture.batched else 1, 6, "unit", seed, pattern)


def prepared(case: Case) -> Any:
    """The network of the case, with its weights."""
    prepared = adapter.prepare(case.architecture)
    prepared.load(case.weights)
    return prepared


def expected(case: Case, state: State | None = None) -> Output:
    """What the reference returns for the case."""
    choices = adapter.describe().choices
    return network.run(case.architecture, case.weights, case.inputs, state, mask=case.mask, choices=choices)


def arrays(output: Output) -> Iterator[np.ndarray]:
    yield output.outputs
    for state in output.final_state or ():
        yield from state


def assert_same(actual: Output, wanted: Output) -> None:
    """Both have the same arrays: as many, of the same shapes and dtypes, and equal but for rounding in float64."""
    for a, w in zip(arrays(actual), arrays(wanted), strict=True):
        assert a.shape == w.shape
        assert a.dtype == w.dtype
        np.testing.assert_allclose(a, w, rtol=0, atol=1e-12)


def assert_same_gradients(actual: dict[str, np.ndarray], wanted: Gradients) -> None:
    """The same names, and under each name the same array but for rounding in float64."""
    by_name = dict(wanted.arrays())
    assert list(actual) == list(by_name)
    for name, gradient in by_name.items():
        np.testing.assert_allclose(actual[name], gradient, rtol=0, atol=1e-11, err_msg=name)
        assert gradient.any() or name == "embedding"


@MODEL
@RETURNS
@STARTS
def test_values(model: str, sequences: bool, started: bool) -> None:
    """Every kind of model computes what the reference does: outputs, and the final state of each layer."""
    case = case_of(MODELS[model], return_sequences=sequences, return_state=True)
    state = case.initial_state if started else None
    actual = prepared(case).run(case.inputs, initial_state=state, **case.given)
    assert_same(actual, expected(case, state))


@MODEL
@RETURNS
@STARTS
def test_gradients(model: str, sequences: bool, started: bool) -> None:
    """The gradients of every kind of model are those of the reference, and the next call is as before."""
    case = case_of(MODELS[model], return_sequences=sequences, return_state=started)
    given: dict[str, Any] = {"initial_state": case.initial_state} if started else {}
    subject = prepared(case)
    before = subject.run(case.inputs, **case.given, **given)
    actual = subject.gradients(case.inputs, case.cotangent, **case.given, **given)
    choices = adapter.describe().choices
    wanted = gradients(
        case.architecture, case.weights, case.inputs, case.cotangent, **given, mask=case.mask, choices=choices
    )
    assert_same_gradients(dict(actual.arrays()), wanted)
    after = subject.run(case.inputs, **case.given, **given)
    assert all((a == b).all() for a, b in zip(arrays(after), arrays(before), strict=True))


@MODEL
def test_loading_and_reading(model: str) -> None:
    """Weights come back as they were loaded, bit for bit, and a second load takes effect on the next call."""
    case = case_of(MODELS[model])
    subject = prepared(case)
    subject.run(case.inputs, **case.given)
    other = case.next()
    subject.load(other.weights)
    for (name, read), (_, loaded) in zip(subject.weights().arrays(), other.weights.arrays(), strict=True):
        assert (read == loaded).all(), name
    assert_same(subject.run(other.inputs, **other.given), expected(other))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("model", ["layer", "lengths, bidirectional stack", "cells, embedding"])
def test_half_precision(model: str, dtype: str) -> None:
    """Half precisions come in and go out in their own dtype, and whole numbers are exact in them."""
    relu = tuple(replace(layer, activation="relu") for layer in MODELS[model].layers)
    case = replace(case_of(MODELS[model], dtype=dtype, layers=relu, return_state=True), regime="integers", timesteps=3)
    actual = prepared(case).run(case.inputs, **case.given)
    wanted = expected(case)
    for a, w in zip(arrays(actual), arrays(wanted), strict=True):
        assert a.dtype == dtype_of(dtype)
        assert np.abs(w).max() < 256  # up to there, whole numbers are numbers of bfloat16
        assert (a == w).all()
    found = dict(prepared(case).gradients(case.inputs, case.cotangent, **case.given).arrays())
    assert {array.dtype for array in found.values()} == {dtype_of(dtype)}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("model", ["layer", "lengths, bidirectional stack", "cells, embedding", "reloaded", "exported"])
def test_mixed_precision(model: str, dtype: str) -> None:
    """Under autocast the model gives the bits of one whose weights were rounded, and keeps its own in float32."""
    case = case_of(MODELS[model], dtype=dtype, weights_dtype="float32", return_state=True)
    mixed = prepared(case)
    assert {array.dtype for _, array in mixed.weights().arrays()} == {np.dtype("float32")}
    rounded = adapter.prepare(replace(case.architecture, weights_dtype=""))
    rounded.load(case.weights)  # load_state_dict rounds
    state = case.initial_state
    actual, wanted = (net.run(case.inputs, initial_state=state, **case.given) for net in (mixed, rounded))
    for a, w in zip(arrays(actual), arrays(wanted), strict=True):
        assert a.dtype == dtype_of(dtype)
        assert (a == w).all()


@pytest.mark.parametrize("model", ["no bias", "bidirectional stack", "embedding", "cells", "reloaded", "exported"])
def test_training_step(model: str) -> None:
    """A step moves each weight by -rate times its gradient, b by no more than that, and calls then see new weights."""
    case = case_of(MODELS[model], masking="none")
    subject = prepared(case)
    outputs = subject.run(case.inputs).outputs
    targets, rate = case.cotangent.outputs, 0.25
    error = Output(2 * (outputs - targets) / outputs.size)
    slopes = dict(gradients(case.architecture, case.weights, case.inputs, error).arrays())
    subject.train(case.inputs, targets, rate)
    trained = subject.weights()
    for (name, after), (_, before) in zip(trained.arrays(), case.weights.arrays(), strict=True):
        np.testing.assert_allclose(after, before - rate * slopes[name], rtol=0, atol=1e-12, err_msg=name)
    assert_same(subject.run(case.inputs), network.run(case.architecture, trained, case.inputs))


def dropping(*rates: float, units: int = 4) -> Architecture:
    """A stack of relu layers with these rates."""
    return Architecture(tuple(Layer(units, units, "relu", dropout=rate) for rate in rates))


def test_dropout_between_layers() -> None:
    """In training, half of what the second layer reads is zero and the rest is doubled, anew at each timestep."""
    case = case_of(dropping(0, 0.5, units=50))
    subject = adapter.prepare(case.architecture)
    identity, nothing, one = np.eye(50), np.zeros((50, 50)), np.ones(50)
    layers = (
        replace(case.weights.layers[0], W=nothing, U=nothing, b=one),
        replace(case.weights.layers[1], W=identity, U=nothing, b=one - 1),
    )
    subject.load(replace(case.weights, layers=layers))
    dropped = subject.run_training(case.inputs, 7).outputs
    assert set(dropped.ravel()) == {0, 2}
    assert 0.4 < (dropped == 0).mean() < 0.6  # of 900
    assert (dropped[:, 0] != dropped[:, 1]).any()
    assert (subject.run_training(case.inputs, 7).outputs == dropped).all()
    assert (subject.run_training(case.inputs, 8).outputs != dropped).any()
    assert set(subject.run(case.inputs).outputs.ravel()) == {1}


def test_no_dropout_without_training() -> None:
    """Outside training, and in training at rate 0, dropout changes no bit."""
    case = case_of(dropping(0, 0.5))
    plain = prepared(case_of(dropping(0, 0)))
    outputs = plain.run(case.inputs).outputs
    subject = prepared(case)
    subject.run_training(case.inputs, 1)
    assert (subject.run(case.inputs).outputs == outputs).all()
    assert (plain.run_training(case.inputs, 1).outputs == outputs).all()


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [
        (dropping(0.5), "all layers of a stack but the first"),
        (dropping(0.5, 0.5), "all layers of a stack but the first"),
        (dropping(0, 0.5, 0.25), "one rate"),
        (Architecture((Layer(3, 4), replace(Layer(4, 2), dropout=0.5))), "differ too much"),
        (replace(dropping(0, 0.5), mode="cells"), "no dropout"),
        (replace(dropping(0, 0.5), mode="exported"), "in training"),
        (replace(MODELS["bidirectional"], mode="cells"), "no directions"),
        (replace(MODELS["lengths"], mode="cells"), "no lengths"),
        (replace(MODELS["lengths"], mode="exported"), "pack_padded_sequence"),
        (replace(MODELS["lengths"], batched=False), "batches only"),
        (replace(MODELS["layer"], dtype="float32", weights_dtype="float64"), "float16 or bfloat16"),
        (Architecture((Layer(3, 4, direction="backward"),)), "in both directions"),
        (Architecture((Layer(3, 4, **BOTH, merge="sum"),)), "concatenation"),
        (Architecture(LAYER, stateful=True), "no state"),
        (Architecture(LAYER, masking="mask"), "no masks"),
        (Architecture(LAYER, Embedding(7, 3, mask_zero=True)), "padding_idx"),
    ],
    ids=str,
)
def test_what_torch_lacks(architecture: Architecture, reason: str) -> None:
    """What the layer cannot do is refused when it is prepared, with a reason."""
    with pytest.raises(Unsupported, match=reason):
        adapter.prepare(architecture)


def test_reasons() -> None:
    """Each feature, dtype and activation is offered or has a reason of its own."""
    description = adapter.describe()
    silent = {
        name
        for name in (*FEATURES, *EXTRAS, *DTYPES, *ACTIVATIONS)
        if description.lacks(name) and name not in description.unsupported
    }
    assert not silent
    assert description.choices == Choices("zero", "aligned", "fresh")


def test_padding_idx_masks_nothing() -> None:
    """The reason for having no mask_zero: with padding_idx, row 0 of the table still reaches the layer."""
    table = torch.nn.Embedding(3, 2, padding_idx=0)
    with torch.no_grad():
        table.weight.fill_(1)
        assert (table(torch.tensor([0])) == 1).all()


@pytest.mark.parametrize("mode", ["eager", "cells"])
@pytest.mark.parametrize("name", ["W", "U", "b"])
def test_wrong_weights_are_refused(mode: str, name: str) -> None:
    """Weights that could be broadcast to the right shape are refused by torch, as are all others."""
    case = case_of(MODELS["layer"], mode=mode)
    (layer,) = case.weights.layers
    subject = adapter.prepare(case.architecture)
    for rows in (1, 3):
        wrong = replace(case.weights, layers=(replace(layer, **{name: getattr(layer, name)[:rows]}),))
        with pytest.raises(RuntimeError, match="size mismatch"):
            subject.load(wrong)


@pytest.mark.parametrize("model", ["layer", "unequal stack", "bidirectional stack", "cells"])
def test_wrong_states_are_refused(model: str) -> None:
    """A state for one sequence is not broadcast to three, one for too few layers is not filled up."""
    case = case_of(MODELS[model])
    subject = prepared(case)
    one_row = tuple(tuple(h[:1] for h in layer) for layer in case.initial_state)
    for wrong in (one_row, case.initial_state * 2):
        with pytest.raises((RuntimeError, ValueError)):
            subject.run(case.inputs, initial_state=wrong)


@pytest.mark.parametrize("lengths", [(6, 7, 1), (1, 1, 7), (6, -1, 2), (6, 0, 2), (6, 6, 6, 6)])
def test_wrong_lengths_are_refused(lengths: tuple[int, ...]) -> None:
    """Lengths of less than one timestep, of more than there are, or for more sequences than there are."""
    case = case_of(MODELS["lengths"])
    with pytest.raises((RuntimeError, IndexError)):
        prepared(case).run(case.inputs, lengths=np.array(lengths, np.int32))


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_arrays_of_any_layout(dtype: str) -> None:
    """Inputs that are strided, reversed or may only be read give the bits that a plain copy gives."""
    case = case_of(MODELS["layer"], dtype=dtype)
    subject = prepared(case)
    read_only = case.inputs.copy()
    read_only.flags.writeable = False
    for view in (case.inputs[:, ::2], case.inputs[::-1, ::-1], np.asfortranarray(case.inputs), read_only):
        assert (subject.run(view).outputs == subject.run(np.array(view, order="C")).outputs).all()


def run_script(case: Case, wants: str, state: State | None) -> dict[str, Any]:
    """The names that the script of the case defines, given the arrays of the case and nothing else."""

    def layer(weights: Any) -> dict[str, Any]:
        backward = None if weights.backward is None else layer(weights.backward)
        return {"W": weights.W, "U": weights.U, "b": weights.b, "backward": backward}

    names: dict[str, Any] = {
        "layers": [layer(weights) for weights in case.weights.layers],
        "table": case.weights.embedding,
        "inputs": case.inputs,
        "initial_state": None if state is None else list(state),
        "lengths": case.given.get("lengths"),
        "mask": None,
        "cotangent": {"outputs": case.cotangent.outputs, "final_state": case.cotangent.final_state},
    }
    source = adapter.script(case.architecture, wants)
    assert "rnn_conformance" not in source
    exec(source, names)
    return names


def in_numpy(array: np.ndarray) -> np.ndarray:
    """In a script, bfloat16 comes out as float32."""
    return array.astype(np.float32) if array.dtype == dtype_of("bfloat16") else array


@pytest.mark.parametrize(
    ("model", "precision"),
    [(model, "float64") for model in MODELS]
    + [(model, "bfloat16") for model in ("layer", "lengths, embedding", "cells")]
    + [(model, "mixed") for model in ("layer", "reloaded", "lengths, unequal stack", "cells, embedding")],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # torch.export warns of what torch.nn.RNN does
def test_scripts(model: str, precision: str) -> None:
    """A script that knows nothing of this suite gives the bits that the adapter gives."""
    changes = {"dtype": "bfloat16", "weights_dtype": "float32"} if precision == "mixed" else {"dtype": precision}
    for sequences, started in ((True, True), (False, False)):
        case = case_of(MODELS[model], return_sequences=sequences, return_state=started, **changes)
        state = case.initial_state if started else None
        given: dict[str, Any] = {**case.given, **({"initial_state": state} if started else {})}
        wanted = prepared(case).run(case.inputs, **given)
        defined = run_script(case, "outputs", state)
        assert ("final_state" in defined) == started
        actual = Output(defined["outputs"], defined.get("final_state"))
        for a, w in zip(arrays(actual), arrays(wanted), strict=True):
            assert a.dtype == in_numpy(w).dtype
            assert (a == in_numpy(w)).all()
        slopes = prepared(case).gradients(case.inputs, case.cotangent, **given)
        found = run_script(case, "gradients", state)["gradients"]
        by_name = dict(slopes.arrays())
        assert set(found) == set(by_name)
        for name, slope in by_name.items():
            assert (found[name] == in_numpy(slope)).all(), name


def test_a_script_is_short() -> None:
    """A single layer takes no more lines than it has to, and names nothing that it does without."""
    source = adapter.script(Architecture(LAYER), "outputs")
    assert len(source.splitlines()) <= 17
    for needless in ("bidirectional", "pack", "embedding", "float", "final", "autocast", "num_layers"):
        assert needless not in source


def test_scripts_of_dropout_are_in_inference_mode() -> None:
    """Where there is dropout a script turns it off, as the adapter does."""
    case = case_of(dropping(0, 0.5))
    assert (run_script(case, "outputs", None)["outputs"] == prepared(case).run(case.inputs).outputs).all()
