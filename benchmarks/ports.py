"""Three small trained models carried along every ordered pair of frameworks: docs/ports.md.

    KERAS_BACKEND=jax python benchmarks/ports.py > docs/ports.md

Each model is trained for some steps in the first framework (trained.py). What is read from it is put into the model as
people write it in the second one, and both are held against each other as a user would, with `assert_agree`. So is what
comes back of it when it is saved, and what it becomes when it is exported. It takes the extras
`frameworks` and `exports`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import fill
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")  # before Keras is imported: the one that shares a process with Flax

import numpy as np
import torch
from trained import NAMES, STEPS, Framework, texts
from trained_flax import flax_models
from trained_keras import keras_models
from trained_torch import onnx_file, torch_models

from rnn_conformance.adapters.canonical import Arguments, Call
from rnn_conformance.adapters.reading import porter, read
from rnn_conformance.conformance.asserting import Report, assert_agree

FRAMEWORKS: dict[str, Framework] = {"torch": torch_models, "keras": keras_models, "flax-nnx": flax_models}
BATCH = 5
TOLD = {
    "classifier": "text classifier: embedding, mask, LSTM",
    "characters": "character model: two GRUs, state carried",
    "tagger": "tagger: LSTM in both directions",
}


@dataclass(frozen=True)
class Trained:
    """A model, and each call of a recurrent layer in it when it reads some texts."""

    model: Any
    calls: tuple[Call, ...]


@cache
def trained(source: str, name: str) -> Trained:
    """The model of that name, trained in that framework."""
    framework, ends = FRAMEWORKS[source], porter(source)
    model = framework.made(name)
    framework.train(model, name)
    calls, _ = ends.watch(model, ends.survey(model, None), Arguments(texts(1, BATCH)))
    print(f"trained: {name} in {framework.name}", file=sys.stderr)
    return Trained(model, tuple(calls))


def carried(source: str, target: str, name: str) -> Any:
    """The model as people write it in the second framework, with what it learnt in the first."""
    there, model = FRAMEWORKS[target], FRAMEWORKS[target].made(name)
    one = trained(source, name).model
    for canonical in read(one):
        there.put(model, canonical)
    for part in ("embed", "out"):
        there.put_arrays(there.layer(model, part), FRAMEWORKS[source].arrays(FRAMEWORKS[source].layer(one, part)))
    return model


def right_port(source: str, target: str, name: str) -> tuple[str, str, str]:
    """How near a port is to its bounds, once it was saved and loaded as well, and once it was exported."""
    one, tokens = trained(source, name).model, texts(1, BATCH)
    there, other = FRAMEWORKS[target], carried(source, target, name)
    reports = assert_agree(one, other, inputs=tokens)
    with TemporaryDirectory() as folder:
        again = there.again(other, name, Path(folder))
        saved = assert_agree(one, again, inputs=tokens)[1]
    same = np.array_equal(there.run(again, tokens), there.run(other, tokens))
    told = f"{share(saved)}, {'the same bits' if same else 'other bits'}"
    return f"{share(reports[0])}, {share(reports[1])}", told, exported(source, target, name, other)


def share(report: Report) -> str:
    """The largest error as a share of its bound."""
    return f"{report.worst:.2f}"


def exported(source: str, target: str, name: str, other: Any) -> str:
    """How near each recurrent layer is to its bounds as a program of its own, and a model of PyTorch's in ONNX."""
    mine, there = trained(source, name), FRAMEWORKS[target]
    try:
        told = f"{share(worst_program(source, target, mine.model, other, mine.calls))} ({there.exported})"
    except ValueError as reason:
        told = f"{there.exported}: {reason}"
    return told if target != "torch" else f"{told}; {in_onnx(mine.model, other)}"


def worst_program(source: str, target: str, one: Any, other: Any, calls: Sequence[Call]) -> Report:
    """What was judged of the layers of a port, each exported, and held against that of the first model."""
    found = []
    for call in calls:
        path, there = call.canonical.path, FRAMEWORKS[target]
        with TemporaryDirectory() as folder:
            program = there.program(there.layer(other, path), call, Path(folder))
            found.append(assert_agree(FRAMEWORKS[source].layer(one, path), program, **given_to(call))[1])
    return max(found, key=lambda report: report.worst)


def in_onnx(one: Any, other: Any) -> str:
    """How near a whole model of PyTorch's is in ONNX Runtime, or why it was not exported."""
    with TemporaryDirectory() as folder:
        try:
            file = onnx_file(other, texts(1, BATCH), Path(folder))
        except torch.onnx.OnnxExporterError:
            return "ONNX: refused for the same reason"
        return f"{share(assert_agree(one, str(file), inputs=texts(1, BATCH))[1])} (ONNX)"


def given_to(call: Call) -> dict[str, Any]:
    """The arguments of an assertion on the layer by itself."""
    lengths = {} if call.mask is None else {"lengths": call.mask.sum(-1)}
    state = {} if call.initial_state is None else {"initial_state": call.initial_state}
    return {"inputs": call.inputs, **lengths, **state}


COLUMNS = """The largest error of any recurrent layer, as a share of its proven bound: beyond 1 is a fault. *agree* has
that of the first model and that of the second, which is written as people write it there; *saved* that of what comes
back from {saved}; and *exported* that of each recurrent layer as a program of its own, by {exported}, and, of models
of PyTorch, that of all of them in ONNX Runtime. All are held against the first model, on the same texts."""


def columns() -> str:
    """What the columns of the table are."""
    each = FRAMEWORKS.values()
    saved, exported = (
        ", ".join(f"{getattr(one, what)} ({one.name})" for one in each) for what in ("saved", "exported")
    )
    return fill(COLUMNS.format(saved=saved, exported=exported), 120)


def main() -> None:
    """Print the page."""
    pairs = list(permutations(FRAMEWORKS, 2))
    print("# Three small models along every pair of PyTorch, Keras and Flax NNX\n")
    print("Made by `python benchmarks/ports.py > docs/ports.md`, on a CPU, with the pinned versions.\n")
    print(
        f"Each model was trained for {STEPS} steps in the first framework. {BATCH} texts of different lengths are read."
    )
    print(f"\n{columns()}\n")
    print("| from, to | model | agree | saved | exported |\n|---|---|---|---|---|")
    for source, target in pairs:
        for name in NAMES:
            between = f"{FRAMEWORKS[source].name} to {FRAMEWORKS[target].name}"
            print(f"| {between} | {TOLD[name]} | {' | '.join(right_port(source, target, name))} |", flush=True)
            print(f"{between}: {name}", file=sys.stderr)


if __name__ == "__main__":
    main()
