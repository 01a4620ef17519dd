"""Judging: right answers of every kind of model pass, wrong ones do not, and the message says where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.patterns import PATTERNS
from rnn_conformance.conformance.judging.comparing import NonConforming, compare
from rnn_conformance.conformance.judging.gradients import judge_gradients
from rnn_conformance.conformance.judging.outputs import judge, reach_of
from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.arithmetic.rounding import standard_precision
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.layers.gradients import gradients
from rnn_conformance.reference.model.architecture import DIRECTIONS, MERGES, Architecture, Choices, Embedding, Layer
from rnn_conformance.reference.model.calls import Gradients, Mask, Output
from rnn_conformance.reference.model.weights import Weights

FLOAT32 = standard_precision("float32")
REGIMES = ["unit", "small", "contractive", "expanding", "saturating", "sparse"]


@st.composite
def cases(draw: st.DrawFn, dtypes: tuple[str, ...] = ("float32", "float64")) -> Case:
    """A case of any model: one or two layers of any kind, with or without embedding, mask and final states."""
    layers: list[Layer] = []
    features = width = draw(st.integers(1, 5))
    for _ in range(draw(st.integers(1, 2))):
        activation, use_bias = draw(st.sampled_from(sorted(ACTIVATIONS))), draw(st.booleans())
        direction, merge = draw(st.sampled_from(DIRECTIONS)), draw(st.sampled_from(MERGES))
        layers.append(
            Layer(width, draw(st.integers(1, 5)), SimpleRnn(activation), use_bias, direction=direction, merge=merge)
        )
        width = layers[-1].width
    architecture = Architecture(
        tuple(layers),
        Embedding(5, features, draw(st.booleans())) if draw(st.booleans()) else None,
        dtype=draw(st.sampled_from(dtypes)),
        return_sequences=draw(st.booleans()),
        return_state=draw(st.booleans()),
        batched=draw(st.booleans()),
        masking=draw(st.sampled_from(["none", "mask"])),
    )
    return Case(
        architecture,
        draw(st.integers(1, 3)) if architecture.batched else 1,
        draw(st.integers(1, 8)),
        draw(st.sampled_from(REGIMES)),
        draw(st.integers(0, 2**20)),
        draw(st.sampled_from(PATTERNS)) if architecture.is_masked else "",
    )


choices = st.builds(
    Choices,
    padded_outputs=st.sampled_from(["zero", "repeat", "continue"]),
    bidirectional_padded_outputs=st.sampled_from(["", "zero", "repeat"]),
    backward_outputs=st.sampled_from(["aligned", "processing"]),
)


def given_mask(case: Case) -> Mask | None:
    return case.mask if case.architecture.is_masked else None


def run(case: Case, how: Choices, with_state: bool = False, weights: Weights | None = None) -> Output:
    """What the reference returns, computed in the dtype of the case: a right subject."""
    state = case.initial_state if with_state else None
    return network.run(
        case.architecture, weights or case.weights, case.inputs, state, mask=given_mask(case), choices=how
    )


def gradients_of(case: Case, how: Choices, with_state: bool = False, weights: Weights | None = None) -> Gradients:
    """The gradients of the reference, computed in the dtype of the case."""
    state, mask = case.initial_state if with_state else None, given_mask(case)
    held = weights or case.weights
    return gradients(case.architecture, held, case.inputs, case.cotangent, state, mask=mask, choices=how)


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=120)
@given(cases(("float16", "float32", "float64")), choices, st.booleans())
def test_right_layers_conform(case: Case, how: Choices, with_state: bool) -> None:
    """Outputs and final states of every kind of model, computed in the subject's own dtype, are within their bounds."""
    findings = judge(
        case, run(case, how, with_state), standard_precision(case.architecture.dtype), how, from_given_state=with_state
    )
    assert max(judgement.ratio for judgement in findings.judgements) <= 1


@pytest.mark.slow
@settings(derandomize=True, deadline=None, max_examples=120)
@given(cases(("float16", "float32", "float64")), choices, st.booleans())
def test_right_gradients_conform(case: Case, how: Choices, with_state: bool) -> None:
    """Gradients of every kind of model, computed in the subject's own dtype, are within their bounds."""
    found = gradients_of(case, how, with_state)
    precision = standard_precision(case.architecture.dtype)
    findings = judge_gradients(case, found, precision, how, from_given_state=with_state)
    assert len(findings.judgements) == len(list(found.arrays()))


# Faults, each in a case that shows it

MASKED = Architecture((Layer(3, 4, direction="bidirectional"),), return_state=True, masking="mask")


def transposed_backward(case: Case, how: Choices) -> Output:
    """The backward direction reads its U the other way round."""
    (layer,) = case.weights.layers
    assert layer.backward is not None
    turned = layer.backward.with_arrays(U=layer.backward.U.T)
    return run(case, how, weights=Weights((replace(layer, backward=turned),)))


def ignores_the_mask(case: Case, how: Choices) -> Output:
    """Every timestep is taken for valid."""
    return network.run(case.architecture, case.weights, case.inputs, choices=how)


def another_choice(case: Case, how: Choices) -> Output:
    """Outputs at timesteps that are not valid repeat instead of being zero, or are zero instead of repeating."""
    return run(case, replace(how, padded_outputs="zero" if how.padded_outputs == "repeat" else "repeat"))


def final_states_swapped(case: Case, how: Choices) -> Output:
    """The backward direction's final state comes first."""
    output = run(case, how)
    assert output.final_state is not None
    ((one, other),) = output.final_state
    return replace(output, final_state=((other, one),))


def final_state_before_the_end(case: Case, how: Choices) -> Output:
    """The final states are those of a sequence without its last valid timestep."""
    assert case.mask is not None
    mask = case.mask.copy()
    for row in mask:
        row[np.flatnonzero(row)[-1]] = False
    shorter = network.run(case.architecture, case.weights, case.inputs, mask=mask, choices=how)
    return replace(run(case, how), final_state=shorter.final_state)


def halves_swapped(case: Case, how: Choices) -> Output:
    """The backward direction's outputs come first."""
    output = run(case, how)
    return replace(output, outputs=np.roll(output.outputs, 4, axis=-1))


def not_aligned(case: Case, how: Choices) -> Output:
    """The outputs of the backward direction are in the order of processing."""
    output = run(case, how)
    outputs = output.outputs.copy()
    outputs[..., 4:] = outputs[:, ::-1, 4:]
    return replace(output, outputs=outputs)


@pytest.mark.parametrize("padded_outputs", ["zero", "repeat", "continue"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "fault",
    [
        transposed_backward,
        ignores_the_mask,
        another_choice,
        final_states_swapped,
        final_state_before_the_end,
        halves_swapped,
        not_aligned,
    ],
)
def test_faults_do_not_conform(fault: object, dtype: str, padded_outputs: str) -> None:
    """What a wrong bidirectional layer under a mask returns is noticed."""
    case = Case(replace(MASKED, dtype=dtype), 2, 6, "contractive", 1, "gaps")
    how = Choices(padded_outputs)
    assert judge(case, run(case, how), standard_precision(dtype), how).discriminates
    with pytest.raises(NonConforming):
        judge(case, fault(case, how), standard_precision(dtype), how)  # type: ignore[operator]


@pytest.mark.parametrize("merge", ["sum", "mul", "ave"])
@pytest.mark.parametrize("return_sequences", [True, False])
def test_wrong_merges_do_not_conform(merge: str, return_sequences: bool) -> None:
    """Each way of joining is told from the others, in all outputs and in the last."""
    for other in {"sum", "mul", "ave"} - {merge}:
        right, wrong = (
            Case(
                Architecture((Layer(3, 4, direction="bidirectional", merge=how),), return_sequences=return_sequences),
                2,
                5,
                "contractive",
                1,
            )
            for how in (merge, other)
        )
        judge(right, run(right, Choices()), FLOAT32, Choices())
        with pytest.raises(NonConforming):
            judge(right, run(wrong, Choices()), FLOAT32, Choices())


def test_a_mask_that_the_call_is_not_given() -> None:
    """Where the architecture has no masking, the pattern of a case plays no part."""
    case = Case(Architecture((Layer(2, 3),)), 2, 5, "unit", 0, "gaps")
    judge(case, network.run(case.architecture, case.weights, case.inputs), FLOAT32, Choices())


# Messages


def test_a_message_says_where() -> None:
    """It names the element, layer, timestep and unit, and has what was returned, expected and allowed."""
    case = Case(Architecture((Layer(3, 4), Layer(4, 2))), 3, 6, "contractive", 1)
    outputs = run(case, Choices()).outputs.copy()
    outputs[2, 5, 1] += 0.1
    with pytest.raises(NonConforming) as caught:
        judge(case, Output(outputs), FLOAT32, Choices())
    message = str(caught.value)
    assert message.startswith(f"outputs[2, 5, 1] = {outputs[2, 5, 1]:.9g}, but should be within ")
    assert message.endswith(" times the bound) \u2014 layer 1, timestep 5, unit 1")
    assert caught.value.judgement is not None
    assert caught.value.judgement.where == "outputs[2, 5, 1]"
    assert sorted(caught.value.details) == ["actual", "bound", "expected"]
    assert caught.value.details["actual"] is outputs


@pytest.mark.parametrize(
    ("layer", "how", "at", "words"),
    [
        (
            Layer(2, 3, direction="bidirectional"),
            Choices(),
            (0, 2, 4),
            "layer 0, timestep 2, unit 1, backward direction",
        ),
        (
            Layer(2, 3, direction="backward"),
            Choices(backward_outputs="processing"),
            (0, 2, 1),
            "layer 0, place in the order of processing 2, unit 1",
        ),
    ],
)
def test_places_of_directions(layer: Layer, how: Choices, at: tuple[int, ...], words: str) -> None:
    """A unit of the backward direction is called so, and a place in another order than that of time."""
    case = Case(Architecture((layer,)), 1, 4, "contractive", 1)
    outputs = run(case, how).outputs.copy()
    outputs[at] += 1
    with pytest.raises(NonConforming, match=f"{words}$"):
        judge(case, Output(outputs), FLOAT32, how)


def test_places_of_states() -> None:
    """Final states are called by layer, direction and unit."""
    case = Case(Architecture((Layer(2, 3), Layer(3, 2, direction="bidirectional")), return_state=True), 1, 4, "unit", 1)
    output = run(case, Choices())
    assert output.final_state is not None
    output.final_state[1][1][0][0, 1] += 1
    with pytest.raises(NonConforming) as caught:
        judge(case, output, FLOAT32, Choices())
    assert str(caught.value).startswith("final_state[1].backward[0, 1] = ")
    assert str(caught.value).endswith("layer 1, unit 1, backward direction")


def test_final_states_of_both_directions() -> None:
    """A bidirectional layer has two final states."""
    case = Case(Architecture((Layer(2, 3, direction="bidirectional"),), return_state=True), 1, 4, "unit", 1)
    output = run(case, Choices())
    assert output.final_state is not None
    with pytest.raises(
        NonConforming, match=r"final_state\[0\], but should be final_state\[0\], final_state\[0\]\.backward$"
    ):
        judge(case, replace(output, final_state=(output.final_state[0][:1],)), FLOAT32, Choices())


@pytest.mark.parametrize("batched", [True, False])
def test_nan_is_told_where_it_stands(batched: bool) -> None:
    """NaN is never right, and does not make the output after it wrong."""
    case = Case(Architecture((Layer(2, 3),), batched=batched), 1, 4, "unit", 1)
    outputs = run(case, Choices()).outputs.copy()
    outputs[..., 1, 2] = np.nan
    with pytest.raises(NonConforming, match="timestep 1, unit 2"):
        judge(case, Output(outputs), FLOAT32, Choices())


def test_an_infinite_bound_says_nothing() -> None:
    """Where a bound is infinite every number passes, and is not called exact; elsewhere only what is within it."""
    nothing, something, wanted = np.full(2, np.inf), np.array([np.inf, 1]), np.array([0.0, 2.0])
    judgement = compare("x", np.array([3, np.inf]), wanted, nothing, "float32")
    assert (judgement.ratio, judgement.unbounded) == (0, True)
    judgement = compare("x", np.array([7, 1.5]), wanted, something, "float32")
    assert (judgement.ratio, judgement.unbounded) == (0.5, False)
    with pytest.raises(NonConforming, match=r"x\[1\] = nan"):
        compare("x", np.array([0, np.nan]), wanted, something, "float32")


def test_nan_is_wrong_where_nothing_overflowed() -> None:
    """Under an infinite bound, too, if no infinity is there that it may come from."""
    nothing = np.full(2, np.inf)
    with pytest.raises(NonConforming, match=r"x\[0\] = nan, but should be a number near 1$"):
        compare("x", np.array([np.nan, 1]), np.ones(2), nothing, "float32")
    assert compare("x", np.array([np.nan, np.inf]), np.ones(2), nothing, "float32").unbounded


@pytest.mark.parametrize(
    ("bounds", "reach", "unbounded"),
    [
        ((3, 3, 3), None, True),  # the largest number that is expected is 2
        ((3, 3, 1), None, True),
        ((3, 1, 1), None, False),
        ((3, 3, 3), 4.0, False),
        ((3, 3, 3), 2.0, True),
    ],
)
def test_bounds_beyond_anything(bounds: tuple[float, ...], reach: float | None, unbounded: bool) -> None:
    """An array most of whose bounds are larger than what could come out is not judged, though it must be within."""
    wanted, bound = np.array([2.0, -1.0, 1.0]), np.array(bounds, np.float64)
    assert compare("x", wanted + 0.5, wanted, bound, "float32", reach=reach).unbounded is unbounded
    with pytest.raises(NonConforming, match=r"x\[0\] = 9"):
        compare("x", np.array([9.0, -1.0, 1.0]), wanted, bound, "float32", reach=reach)


def test_little_beside_zeros_is_judged() -> None:
    """Where zero alone is expected, nothing says what would be large."""
    assert not compare("x", np.zeros(2), np.zeros(2), np.full(2, 1e-9), "float32").unbounded


@pytest.mark.parametrize(
    ("layer", "name", "reach"),
    [
        (Layer(1, 1, SimpleRnn("tanh")), "outputs", 2),
        (Layer(1, 1, SimpleRnn("sigmoid")), "final_state[0]", 1),
        (Layer(1, 1, SimpleRnn("relu")), "outputs", None),
        (Layer(1, 1, SimpleRnn("sigmoid"), direction="bidirectional"), "outputs", 1),
        (Layer(1, 1, Lstm()), "outputs", 2),
        (Layer(1, 1, Lstm()), "final_state[0].h", 2),
        (Layer(1, 1, Lstm()), "final_state[0].c", None),
        (Layer(1, 1, Lstm(recurrent_activation="tanh")), "outputs", None),
        (Layer(1, 1, Gru()), "final_state[0]", None),
        (Layer(1, 1, SimpleRnn("sigmoid"), direction="bidirectional", merge="sum"), "outputs", 2),
        (Layer(1, 1, SimpleRnn("sigmoid"), direction="bidirectional", merge="sum"), "final_state[0].backward", 1),
    ],
)
def test_reach_of_an_activation(layer: Layer, name: str, reach: float | None) -> None:
    """Two outputs of tanh are at most 2 apart, of sigmoid 1; of two directions that are added, twice as far."""
    assert reach_of(Architecture((layer,)), name) == reach


# Gradients


def test_a_message_says_which_gradient() -> None:
    """A wrong gradient is called by the name of what it is the gradient of."""
    case = Case(Architecture((Layer(3, 4), Layer(4, 4))), 2, 6, "contractive", 1)
    found = gradients_of(case, Choices())
    found.weights.layers[0].U[3, 1] += 1
    with pytest.raises(NonConforming, match=r"^gradient of layers\[0\]\.U\[3, 1\] = .* times the bound\)$"):
        judge_gradients(case, found, FLOAT32, Choices())
    judge_gradients(case, found, FLOAT32, Choices(), only=lambda name: name == "inputs")
    assert found.inputs is not None
    found.inputs[1, 2, 0] += 1
    with pytest.raises(NonConforming, match=r"gradient of inputs\[1, 2, 0\] = .* timestep 2, feature 0$"):
        judge_gradients(case, found, FLOAT32, Choices(), only=lambda name: name == "inputs")


def test_gradients_with_another_cotangent() -> None:
    """A cotangent other than the case's own is judged by what it gives."""
    case = Case(Architecture((Layer(3, 4),)), 2, 6, "contractive", 1)
    cotangent = replace(case.cotangent, outputs=2 * case.cotangent.outputs)
    found = gradients(case.architecture, case.weights, case.inputs, cotangent)
    judge_gradients(case, found, FLOAT32, Choices(), cotangent=cotangent)
    with pytest.raises(NonConforming):
        judge_gradients(case, found, FLOAT32, Choices())


def test_all_gradients_have_to_be_there() -> None:
    """A gradient that is missing, one too many, and one of another shape are noticed."""
    case = Case(Architecture((Layer(3, 4),)), 2, 6, "contractive", 1)
    found = gradients_of(case, Choices(), with_state=True)
    with pytest.raises(NonConforming, match="gradients of initial_state"):
        judge_gradients(case, found, FLOAT32, Choices())
    with pytest.raises(NonConforming, match=r"but should be of initial_state\[0\]"):
        judge_gradients(case, replace(found, initial_state=None), FLOAT32, Choices(), from_given_state=True)
    (layer,) = found.weights.layers
    turned = replace(found, weights=Weights((layer.with_arrays(W=layer.W.T),)))
    with pytest.raises(NonConforming, match=r"gradient of layers\[0\]\.W\.shape"):
        judge_gradients(case, turned, FLOAT32, Choices(), from_given_state=True)
