"""Three small models carried along every ordered pair of frameworks, and sixteen wrong ports: docs/ports.md.

    KERAS_BACKEND=jax python benchmarks/ports.py > docs/ports.md

Each model is trained for some steps in the first framework (trained.py) and called; each of its recurrent layers is
read, and built from that in the second framework; then both are held against each other as a user would, with
`assert_agree`, on what reached the layer in that call: under its mask, from the state that was carried. A wrong port is
the same with one mistake in it, and has to be noticed, and named.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import permutations
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")  # before Keras is imported: the one that shares a process with Flax

import numpy as np
from trained import STEPS, TRAINED, UNITS, texts

from rnn_conformance.adapters.canonical import Arguments, Call, Refused
from rnn_conformance.adapters.reading import build, porter, read
from rnn_conformance.conformance.asserting import NonConforming, assert_agree
from rnn_conformance.conformance.porting.mistakes import mistakes
from rnn_conformance.reference.model.calls import Output

FRAMEWORKS = {"torch": "PyTorch", "keras": "Keras", "flax-nnx": "Flax NNX"}
BATCH = 5
TOLD = {
    "classifier": "text classifier: embedding, mask, LSTM",
    "characters": "character model: two GRUs whose state is carried",
    "tagger": "tagger: LSTM in both directions",
}

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
    """A small model, and each call of a recurrent layer in it; wrong ports are tried on the `last` one."""

    name: str
    told: str
    calls: tuple[Call, ...]

    @property
    def last(self) -> Call:
        """The last call; that of the classifier from a state as well, so that it can get lost."""
        call = self.calls[-1]
        if self.name != "classifier":
            return call
        rng = np.random.default_rng(0)
        start = tuple(rng.normal(size=(len(call.inputs), UNITS)).astype(np.float32) for _ in range(2))
        return replace(call, initial_state=((start,),))


@cache
def models(source: str) -> tuple[Model, ...]:
    """The three, trained in that framework."""
    found = []
    for name, told in TOLD.items():
        model, ends = TRAINED[source](name), porter(source)
        tokens = texts(1, BATCH)
        calls, _ = ends.watch(model, ends.survey(model, None), Arguments(tokens))
        found.append(Model(name, told, tuple(calls)))
        print(f"trained: {name} in {FRAMEWORKS[source]}", file=sys.stderr)
    return tuple(found)


def given_to(call: Call) -> dict[str, Any]:
    """The arguments of an assertion on the layer by itself."""
    lengths = {} if call.mask is None else {"lengths": call.mask.sum(-1)}
    state = {} if call.initial_state is None else {"initial_state": call.initial_state}
    return {"inputs": call.inputs, **lengths, **state}


def agree(model: Model, source: str, target: str) -> str:
    """How near both ends of a right port are to their bounds."""
    worst = np.zeros(2)
    for call in model.calls:
        one = build(source, replace(call.canonical, path=""))
        other = build(target, read(one)[0])
        reports = assert_agree(one, other, **given_to(call))
        worst = np.maximum(worst, [report.worst for report in reports])
    return ", ".join(f"{each:.2f}" for each in worst)


def wrong_port(model: Model, source: str, target: str, word: str) -> str:
    """What is said of a port with the mistake of that name: that it is named so, or what else came of it."""
    last = model.last
    one = build(source, replace(last.canonical, path=""))
    (canonical,) = read(one)
    call = Call(canonical, last.inputs, Output(last.inputs), last.initial_state, last.mask)
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
        assert_agree(one, other, **given_to(last))
    except NonConforming as failure:
        is_named = f'"{mistake.sentence}"' in str(failure)
        return "named" if is_named else f"noticed only: {failure}"
    return "**missed**"


def told_so(sentence: str, word: str) -> bool:
    """Whether this is the mistake: the second bias of a layer that has two, or its only one."""
    return sentence == word or sentence in (f"the second {word}", f"the {word}")


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
    print("# Three small models along every pair of frameworks\n")
    print("Made by `python benchmarks/ports.py > docs/ports.md`, on a CPU, with the pinned versions.\n")
    print(f"Each model was trained for {STEPS} steps in the first framework, and called on texts of different lengths.")
    print("Every call of every recurrent layer of it is carried to the second, and judged on what reached it.\n")
    print("## Right ports\n\nThe largest error of either end, as a share of its proven bound: beyond 1 is a fault.\n")
    print(f"| from, to | {' | '.join(TOLD.values())} |\n|---|---|---|---|")
    for source, target in pairs:
        cells = [agree(model, source, target) for model in models(source)]
        print(f"| {FRAMEWORKS[source]} to {FRAMEWORKS[target]} | {' | '.join(cells)} |", flush=True)
        print(f"{source} to {target}", file=sys.stderr)
    print("\n## Wrong ports\n\n*named*: it was noticed, and what was said of it has that name.\n")
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
