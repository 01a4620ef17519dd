"""What is special to the adapter of PyTorch: stacks of its own, packed sequences, cells, autocast and dropout."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from adapting import assert_exact, expected, expected_gradients, named, run_script

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.adapters.torch.adapter import adapter
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.judging.rounded import judge_rounded
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer
from rnn_conformance.reference.model.states import each_state

torch = pytest.importorskip("torch")

BOTH: dict[str, Any] = {"direction": "bidirectional"}
LAYER = (Layer(3, 4, SimpleRnn("relu")),)
STACK = (Layer(4, 4, SimpleRnn("relu")), Layer(4, 4, SimpleRnn("relu")))
TWO_WAYS = (Layer(3, 4, SimpleRnn("relu"), **BOTH), Layer(8, 4, SimpleRnn("relu"), **BOTH))

MODELS = {
    "one module for a stack": Architecture(STACK),
    "one module in both directions": Architecture(TWO_WAYS),
    "both directions, then one": Architecture((Layer(3, 4, SimpleRnn("relu"), **BOTH), Layer(8, 2, SimpleRnn("relu")))),
    "lengths, embedding": Architecture(TWO_WAYS, Embedding(7, 3), masking="lengths"),
    "cells, embedding": Architecture(LAYER, Embedding(7, 3), mode="cells"),
    "cells": Architecture(STACK, mode="cells"),
    "reloaded": Architecture(TWO_WAYS, Embedding(7, 3), mode="reloaded", masking="lengths"),
    "exported": Architecture(TWO_WAYS, Embedding(7, 3), mode="exported"),
    "exported with an open batch": Architecture(TWO_WAYS, Embedding(7, 3), mode="exported-open-batch"),
    "vmapped": Architecture(STACK, mode="vmapped"),
    "functional": Architecture(TWO_WAYS, Embedding(7, 3), mode="functional", masking="lengths"),
    "functional, of two modules": Architecture((*LAYER, Layer(4, 2, SimpleRnn("relu"))), mode="functional"),
    "parametrised": Architecture(TWO_WAYS, Embedding(7, 3), mode="parametrised", masking="lengths"),
}


def case_of(architecture: Architecture, **changes: Any) -> Case:
    """Three sequences (or one) of four timesteps, padded on the right where the model takes lengths."""
    architecture = replace(architecture, **changes)
    pattern = "right" if architecture.is_masked else ""
    return Case(architecture, 3 if architecture.batched else 1, 4, "integers", 0, pattern)


def prepared(case: Case) -> Any:
    """The network of the case, with its weights."""
    prepared = adapter.prepare(case.architecture)
    prepared.load(case.weights)
    return prepared


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.filterwarnings("ignore::UserWarning")  # torch.export warns of what torch.nn.RNN does
def test_models_and_their_scripts(model: str) -> None:
    """Outputs, states and gradients of every kind of module are right, and a script gives the same."""
    for sequences in (True, False):
        case = case_of(MODELS[model], return_sequences=sequences, return_state=True)
        start, subject = case.initial_state, prepared(case)
        wanted = named(expected(adapter, case, start))
        assert_exact(named(subject.run(case.inputs, initial_state=start, **case.given)), wanted)
        found = subject.gradients(case.inputs, case.cotangent, initial_state=start, **case.given)
        slopes = dict(expected_gradients(adapter, case, start).arrays())
        assert_exact(dict(found.arrays()), slopes)
        assert_exact(run_script(adapter, case, "gradients", start)["gradients"], slopes)
        np.testing.assert_array_equal(run_script(adapter, case, "outputs", start)["outputs"], wanted["outputs"])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("model", ["cells, embedding", "reloaded", "exported"])
def test_mixed_precision(model: str, dtype: str) -> None:
    """Under autocast the model gives the bits of one whose weights were rounded, and keeps its own in float32."""
    case = replace(case_of(MODELS[model], dtype=dtype, weights_dtype="float32", return_state=True), regime="unit")
    mixed = prepared(case)
    assert {array.dtype for _, array in mixed.weights().arrays()} == {np.dtype("float32")}
    rounded = adapter.prepare(replace(case.architecture, weights_dtype=""))
    rounded.load(case.weights)  # load_state_dict rounds
    actual, wanted = (
        named(subject.run(case.inputs, initial_state=case.initial_state, **case.given)) for subject in (mixed, rounded)
    )
    assert_exact(actual, {name: array.astype(np.float64) for name, array in wanted.items()})
    assert {array.dtype for array in actual.values()} == {dtype_of(dtype)}


def dropping(*rates: float, units: int = 4) -> Architecture:
    """A stack of relu layers with these rates."""
    return Architecture(tuple(Layer(units, units, SimpleRnn("relu"), dropout=rate) for rate in rates))


def test_dropout_between_layers() -> None:
    """In training, half of what the second layer reads is zero and the rest is doubled, anew at each timestep."""
    case = case_of(dropping(0, 0.5, units=50), dtype="float64")
    subject = adapter.prepare(case.architecture)
    identity, nothing, one = np.eye(50), np.zeros((50, 50)), np.ones(50)
    layers = (
        case.weights.layers[0].with_arrays(W=nothing, U=nothing, b=one),
        case.weights.layers[1].with_arrays(W=identity, U=nothing, b=one - 1),
    )
    subject.load(replace(case.weights, layers=layers))
    dropped = subject.run_training(case.inputs, 7).outputs
    assert set(dropped.ravel()) == {0, 2}
    assert 0.4 < (dropped == 0).mean() < 0.6  # of 600
    assert (dropped[:, 0] != dropped[:, 1]).any()
    assert (subject.run_training(case.inputs, 7).outputs == dropped).all()
    assert (subject.run_training(case.inputs, 8).outputs != dropped).any()
    assert set(subject.run(case.inputs).outputs.ravel()) == {1}


def test_no_dropout_without_training() -> None:
    """Outside training, in a script too, and in training at rate 0, dropout changes no bit."""
    case = case_of(dropping(0, 0.5))
    plain, subject = prepared(case_of(dropping(0, 0))), prepared(case)
    outputs = plain.run(case.inputs).outputs
    subject.run_training(case.inputs, 1)
    assert (subject.run(case.inputs).outputs == outputs).all()
    assert (plain.run_training(case.inputs, 1).outputs == outputs).all()
    assert (run_script(adapter, case, "outputs", None)["outputs"] == outputs).all()


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [
        (dropping(0.5), "all layers of a stack but the first"),
        (dropping(0.5, 0.5), "all layers of a stack but the first"),
        (dropping(0, 0.5, 0.25), "one rate"),
        (Architecture((Layer(3, 4), replace(Layer(4, 2), dropout=0.5))), "differ too much"),
        (replace(dropping(0, 0.5), mode="cells"), "no dropout"),
        (replace(dropping(0, 0.5), mode="exported"), "in training"),
        (Architecture(TWO_WAYS, mode="cells"), "no directions"),
        (Architecture(LAYER, masking="lengths", mode="cells"), "no lengths"),
        (Architecture(LAYER, masking="lengths", mode="exported"), "pack_padded_sequence"),
        (Architecture(LAYER, masking="lengths", batched=False), "batches only"),
        (Architecture(LAYER, batched=False, mode="exported-open-batch"), "no batch"),
        (Architecture((Layer(3, 4, Lstm(recurrent_bias="all")),), mode="vmapped"), "no batching rule"),
        (Architecture(LAYER, dtype="float32", weights_dtype="float64"), "float16 or bfloat16"),
    ],
    ids=str,
)
def test_what_goes_not_together(architecture: Architecture, reason: str) -> None:
    """What each is offered but not together is refused when it is prepared, with a reason."""
    with pytest.raises(Unsupported, match=reason):
        adapter.prepare(architecture)


def test_why_there_is_no_way_to_vmap_layers() -> None:
    """The reason for that refusal: torch.vmap says itself that it does not know these."""
    for module, size in ((torch.nn.LSTMCell, (2, 3)), (torch.nn.RNN, (2, 5, 3)), (torch.nn.GRU, (2, 5, 3))):
        with pytest.raises(RuntimeError, match="Batching rule not implemented"):
            torch.vmap(module(3, 4))(torch.zeros(size))


def test_an_exported_program_has_any_batch() -> None:
    """One program is called for batches of several sizes, none of which it was exported for."""
    case = case_of(Architecture(STACK, mode="exported-open-batch"))
    subject = prepared(case)
    for batch in (3, 2, 1):
        other = replace(case, batch=batch)
        subject.load(other.weights)
        assert_exact(named(subject.run(other.inputs)), named(expected(adapter, other)))
    assert len(subject._programs) == 1


def test_weight_normed() -> None:
    """Weights come back rounded, and what comes out of the layer, and of the script, is that of these weights."""
    case = replace(case_of(Architecture(TWO_WAYS, masking="lengths", mode="weight-normed")), regime="unit")
    subject, start = prepared(case), case.initial_state
    kept = subject.weights()
    judge_rounded(case.weights, kept)
    plain = adapter.prepare(replace(case.architecture, mode="eager"))
    plain.load(kept)
    given = {"initial_state": start, **case.given}
    wanted = plain.run(case.inputs, **given).outputs
    np.testing.assert_array_equal(subject.run(case.inputs, **given).outputs, wanted)
    np.testing.assert_array_equal(run_script(adapter, case, "outputs", start)["outputs"], wanted)
    slopes = dict(plain.gradients(case.inputs, case.cotangent, **given).arrays())
    found = dict(subject.gradients(case.inputs, case.cotangent, **given).arrays())
    script = run_script(adapter, case, "gradients", start)["gradients"]
    for name, slope in slopes.items():
        np.testing.assert_array_equal(found[name], slope, err_msg=name)
        np.testing.assert_array_equal(script[name], slope, err_msg=name)


def test_weight_norm_of_zeros() -> None:
    """A row of zeros has no direction, and comes back as NaN: no case that is judged may have one."""
    case = replace(case_of(Architecture(LAYER, mode="weight-normed")), regime="unit")
    (layer,) = case.weights.layers
    zeros = replace(case.weights, layers=(layer.with_arrays(U=layer.U * 0),))
    subject = prepared(case)
    subject.load(zeros)
    with pytest.raises(NonConforming, match="kept as nan"):
        judge_rounded(zeros, subject.weights())


def test_padding_idx_masks_nothing() -> None:
    """The reason for having no mask_zero: with padding_idx, row 0 of the table still reaches the layer."""
    table = torch.nn.Embedding(3, 2, padding_idx=0)
    with torch.no_grad():
        table.weight.fill_(1)
        assert (table(torch.tensor([0])) == 1).all()


@pytest.mark.parametrize("model", ["one module for a stack", "both directions, then one", "cells"])
def test_wrong_states_are_refused(model: str) -> None:
    """A state for one sequence is not broadcast to three, one for too few layers is not filled up."""
    case = case_of(MODELS[model])
    subject = prepared(case)
    for wrong in (each_state(lambda h: h[:1], case.initial_state), case.initial_state * 2):
        with pytest.raises((RuntimeError, ValueError)):
            subject.run(case.inputs, initial_state=wrong)


@pytest.mark.parametrize("mode", ["eager", "cells"])
@pytest.mark.parametrize("name", ["W", "U", "b"])
def test_wrong_weights_are_refused(mode: str, name: str) -> None:
    """Weights that could be broadcast to the right shape are refused by torch, as are all others."""
    case = case_of(Architecture(LAYER), mode=mode)
    (layer,) = case.weights.layers
    for rows in (1, 3):
        wrong = replace(case.weights, layers=(layer.with_arrays(**{name: layer.named[name][:rows]}),))
        with pytest.raises(RuntimeError, match="size mismatch"):
            prepared(case).load(wrong)


@pytest.mark.parametrize("lengths", [(4, 5, 1), (1, 1, 5), (4, -1, 2), (4, 0, 2), (4, 4, 4, 4)])
def test_wrong_lengths_are_refused(lengths: tuple[int, ...]) -> None:
    """Lengths of less than one timestep, of more than there are, or for more sequences than there are."""
    case = case_of(Architecture(LAYER, masking="lengths"))
    with pytest.raises((RuntimeError, IndexError)):
        prepared(case).run(case.inputs, lengths=np.array(lengths, np.int32))


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_arrays_of_any_layout(dtype: str) -> None:
    """Inputs and weights that are strided, reversed or may only be read give the bits that a plain copy gives."""
    case = replace(case_of(Architecture(LAYER), dtype=dtype), regime="unit")
    subject = prepared(case)
    read_only = case.inputs.copy()
    read_only.flags.writeable = False
    for view in (case.inputs[:, ::2], case.inputs[::-1, ::-1], np.asfortranarray(case.inputs), read_only):
        assert (subject.run(view).outputs == subject.run(np.array(view, order="C")).outputs).all()
    reversed_ = case.weights.map(lambda array: array[::-1])
    subject.load(reversed_)
    for (name, kept), (_, given) in zip(subject.weights().arrays(), reversed_.arrays(), strict=True):
        assert (kept == given).all(), name
