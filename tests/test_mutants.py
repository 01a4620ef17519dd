"""The catalogue of mutants: it speaks of every clause, and what it stands on has no fault of its own."""

from __future__ import annotations

import ast
import inspect
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from rnn_conformance.adapters.numpy.adapter import NumpyAdapter
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.mutants.base import SOUND, MutantAdapter, Sound, mutant
from rnn_conformance.conformance.mutants.catalogue import THEMES, catalogue, digests
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Choices, Embedding, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import flat
from rnn_conformance.reference.model.weights import Array
from rnn_conformance.reference.spec import specification

LAYERS = (Layer(3, 4), Layer(4, 4, SimpleRnn("sigmoid")), Layer(4, 2, SimpleRnn("relu"), use_bias=False))

CHOICES = [Choices(padded, order) for padded in ("zero", "repeat", "continue") for order in ("aligned", "processing")]


def arrays(adapter: NumpyAdapter | MutantAdapter, case: Case) -> list[Array]:
    """Everything that a call and its gradient give back."""
    network = adapter.prepare(case.architecture)
    network.load(case.weights)
    output: Output = network.run(case.inputs, initial_state=case.initial_state, **case.given)
    found = network.gradients(case.inputs, case.cotangent, initial_state=case.initial_state, **case.given)
    return [output.outputs, *flat(output.final_state), *(array for _, array in found.arrays())]


@pytest.mark.parametrize(
    ("choices", "masking", "pattern"),
    [
        pytest.param(choices, masking, pattern, id=f"{choices}-{masking}")
        for choices in CHOICES
        for masking, pattern in (("none", ""), ("lengths", "right"), ("mask", "gaps"))
        if choices.padded_outputs != "continue" or masking != "mask"  # what goes on evolving has no gaps
    ],
)
@pytest.mark.parametrize(
    ("direction", "merge", "sequences"),
    [
        ("forward", "concat", True),
        ("backward", "concat", False),
        ("bidirectional", "mul", True),
        ("bidirectional", "mul", False),
    ],
)
def test_layer_in_small_steps_is_the_reference(
    choices: Choices, direction: str, merge: str, sequences: bool, masking: str, pattern: str
) -> None:
    """Without a fault, outputs, states and gradients are those of the reference, whatever the choices."""
    layers = tuple(replace(layer, direction=direction, merge=merge) for layer in LAYERS)
    how = {"return_sequences": sequences, "return_state": True, "dtype": "float64"}
    case = Case(Architecture(layers, masking=masking, **how), 3, 6, "unit", 2, pattern)  # type: ignore[arg-type]
    sound = MutantAdapter(Sound, replace(SOUND, choices=choices))
    for seen, expected in zip(arrays(sound, case), arrays(NumpyAdapter(choices), case), strict=True):
        np.testing.assert_allclose(seen, expected, rtol=1e-12, atol=1e-12)


def test_tokens_in_small_steps() -> None:
    """An embedding, its mask and the gradient of its table are those of the reference, too."""
    model = Architecture(LAYERS[:1], Embedding(5, 3, mask_zero=True), dtype="float64", return_state=True)
    case = Case(model, 3, 6, "unit", 2, "gaps")
    for seen, expected in zip(arrays(MutantAdapter(Sound), case), arrays(NumpyAdapter(), case), strict=True):
        np.testing.assert_allclose(seen, expected, rtol=1e-12, atol=1e-12)


def test_there_are_enough() -> None:
    """At least 80 faults, several of each theme, each with a sentence of its own."""
    mutants = catalogue().values()
    assert len(mutants) >= 80
    assert min(Counter(fault.theme for fault in mutants).values()) >= 5
    assert {fault.theme for fault in mutants} == set(THEMES)
    assert len({fault.sentence for fault in mutants}) == len(mutants)


def test_sentences() -> None:
    """Each is one sentence, fit to follow the words "matches", and names clauses that there are."""
    assert {name: fault.sentence for name, fault in catalogue().items() if not is_sentence(fault.sentence)} == {}
    clauses = set(specification().clauses)
    assert [name for name, fault in catalogue().items() if not fault.breaks or not set(fault.breaks) <= clauses] == []


def is_sentence(text: str) -> bool:
    begins = text[0].isupper() or text.startswith(("tanh", "relu", "linear", "h_"))
    return begins and not text.endswith(".") and ". " not in text and len(text) < 130


def test_mutants_are_short() -> None:
    """A fault is a few lines: who reads it must see what is wrong."""
    classes = {(fault.network.__module__, fault.network.__name__) for fault in catalogue().values()}
    lengths = {}
    for module in {module for module, _ in classes}:
        for node in ast.parse(inspect.getsource(sys.modules[module])).body:
            if isinstance(node, ast.ClassDef) and (module, node.name) in classes:
                lengths[module, node.name] = sum(isinstance(each, ast.stmt) for each in ast.walk(node))
    assert set(lengths) == classes
    assert {fault: length for fault, length in lengths.items() if length > 24} == {}


def test_every_clause_has_a_mutant() -> None:
    """No clause is left that nothing would break."""
    assert {clause for fault in catalogue().values() for clause in fault.breaks} == set(specification().clauses)


def test_mutant_without_a_sentence() -> None:
    """It is refused where it is written down."""

    class Nameless(Sound):
        pass

    with pytest.raises(ValueError, match="the mutant nameless needs a sentence and a name of its own"):
        mutant("1.1")(Nameless)


def test_digest_is_of_the_sources() -> None:
    """Eight hexadecimal digits for each mutant."""
    assert list(digests()) == list(catalogue())
    assert all(len(digest) == 8 and int(digest, 16) >= 0 for digest in digests().values())
    assert len(set(digests().values())) == len(digests())
