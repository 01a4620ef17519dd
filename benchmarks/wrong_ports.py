"""Sixteen wrong ports along every ordered pair of frameworks, each noticed and named: docs/wrong-ports.md.

    KERAS_BACKEND=jax python benchmarks/wrong_ports.py > docs/wrong-ports.md

A recurrent layer is built in the first framework, read, and built from that in the second, with one mistake in it; then
both are held against each other as a user would, with `assert_agree`. It has to be noticed, and named. The layers are
those of three small models (trained.py), with drawn weights, none of which is zero.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")  # before Keras is imported: the one that shares a process with Flax

import numpy as np

from rnn_conformance.adapters.canonical import Arguments, Call, Canonical, Refused
from rnn_conformance.adapters.reading import build, porter, read
from rnn_conformance.conformance.asserting import NonConforming, assert_agree
from rnn_conformance.conformance.porting.mistakes import mistakes
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.weights import Weights, weight_shapes

FRAMEWORKS = {"torch": "PyTorch", "keras": "Keras", "flax-nnx": "Flax NNX"}
BATCH, TIMESTEPS, UNITS = 5, 20, 8

WRONG: dict[str, tuple[str, ...]] = {
    "classifier": (
        "the gates are in the order i f o g",
        "the gates are in the order i f o g in the recurrent kernel alone",
        "the gates are in the order f i g o",
        "bias is lost",
        "the bias is added twice",
        "the recurrent kernel is transposed",
        "the recurrent kernel was reshaped and not transposed",
        "1 is added to the bias of the forget gate",
        "the weights were rounded to float16",
        "the mask did not arrive",
        "the initial state did not arrive",
        "h and c of the initial state are exchanged",
    ),
    "characters": (
        "the gates are in the order r z n",
        "the two biases are exchanged",
        "the two biases are added, that of n as well",
    ),
    "tagger": ("the weights of the two directions are exchanged",),
}
"""The wrong ports of each model, by a word of their name."""


@dataclass(frozen=True)
class Model:
    """A recurrent layer of a small model, and what it is given."""

    name: str
    told: str
    canonical: Canonical
    given: dict[str, Any]


def models(source: str) -> Iterator[Model]:
    """The three, with the biases that a layer of the framework has."""
    rng = np.random.default_rng(0)
    lstm: Cell = Lstm(recurrent_bias="all") if source == "torch" else Lstm()
    start = tuple(rng.normal(size=(BATCH, UNITS)).astype(np.float32) for _ in range(2))
    masked = {"lengths": np.array([20, 13, 7, 16, 4]), "initial_state": start}
    yield Model("classifier", "text classifier: LSTM under a mask", drawn(Layer(UNITS, UNITS, lstm)), masked)
    carried = {"initial_state": start[0]}
    yield Model("characters", "character model: GRU whose state is carried", drawn(Layer(6, UNITS, Gru())), carried)
    both = Layer(6, UNITS, lstm, direction="bidirectional")
    yield Model("tagger", "tagger: LSTM in both directions", drawn(both), {})


def drawn(layer: Layer) -> Canonical:
    """Weights as of a trained layer: none of them zero, biases least of all."""
    architecture = Architecture((layer,), return_state=True)
    rng = np.random.default_rng(1)
    shapes = weight_shapes(architecture).items()
    arrays = {name: (0.6 * rng.normal(size=shape)).astype(np.float32) for name, shape in shapes}
    return Canonical(architecture, Weights.of(arrays))


def inputs_of(model: Model) -> np.ndarray:
    """What the layer reads."""
    features = model.canonical.architecture.layers[0].features
    return np.random.default_rng(2).normal(size=(BATCH, TIMESTEPS, features)).astype(np.float32)


def wrong_port(model: Model, source: str, target: str, word: str) -> str:
    """What is said of a port with the mistake of that name: that it is named so, or what else came of it."""
    one, x = build(source, model.canonical), inputs_of(model)
    (canonical,) = read(one)
    call = Call(canonical, x, Output(x), state_of(model, canonical), mask_of(model))
    found = [mistake for mistake in mistakes(canonical, call) if told_so(mistake.sentence, word)]
    if not found:
        return "none there"
    (mistake,) = found
    try:
        if mistake.call is call:
            other: Any = build(target, replace(mistake.canonical, path=""))
        else:
            other = running(build(target, canonical), target, mistake.call)
    except Refused as reason:
        return f"cannot be made: {reason.field}"
    try:
        assert_agree(one, other, inputs=x, **model.given)
    except NonConforming as failure:
        is_named = f'"{mistake.sentence}"' in str(failure)
        return "named" if is_named else f"noticed only: {failure}"
    return "**missed**"


def told_so(sentence: str, word: str) -> bool:
    """Whether this is the mistake: the second bias of a layer that has two, or its only one."""
    return sentence == word or sentence in (f"the second {word}", f"the {word}")


def state_of(model: Model, canonical: Canonical) -> Any:
    given = model.given.get("initial_state")
    if given is None:
        return None
    return ((given if isinstance(given, tuple) else (given,),),)


def mask_of(model: Model) -> Any:
    lengths = model.given.get("lengths")
    return None if lengths is None else np.arange(TIMESTEPS) < lengths[:, np.newaxis]


def running(layer: Any, target: str, wrong: Call) -> Callable[..., Any]:
    """The layer as a function which hands it what the mistake leaves of the arguments."""
    ends = porter(target)
    survey = ends.survey(layer, None)

    def run(x: Any, **given: Any) -> Any:
        lengths = None if wrong.mask is None else given.get("lengths")
        (call,), _ = ends.watch(layer, survey, Arguments(x, wrong.initial_state, lengths))
        final = call.output.final_state
        assert final is not None
        return call.output.outputs, final

    return run


def main() -> None:
    """Print the page."""
    pairs = list(permutations(FRAMEWORKS, 2))
    print("# Wrong ports along every pair of PyTorch, Keras and Flax NNX\n")
    print("Made by `python benchmarks/wrong_ports.py > docs/wrong-ports.md`, on a CPU, with the pinned versions.\n")
    print("*named*: it was noticed, and what was said of it has that name.\n")
    print(f"| mistake | {' | '.join(f'{FRAMEWORKS[a]} to {FRAMEWORKS[b]}' for a, b in pairs)} |")
    print("|---" * (1 + len(pairs)) + "|")
    for name, words in WRONG.items():
        for word in words:
            cells = []
            for source, target in pairs:
                (model,) = (model for model in models(source) if model.name == name)
                cells.append(wrong_port(model, source, target, word))
            print(f"| {word} ({name}) | {' | '.join(cells)} |", flush=True)
            print(word, file=sys.stderr)


if __name__ == "__main__":
    main()
