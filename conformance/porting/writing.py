"""A ported model as source: one class of the target's own layers, what loads its weights, and holes that raise."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from rnn_conformance.adapters.canonical import Canonical, Refused
from rnn_conformance.adapters.graph import Graph, Step

RESERVED = (
    *("name", "parent", "scope", "path", "variables", "params", "setup", "init", "bind", "clone", "copy", "what"),
    *("layers", "weights", "input", "inputs", "output", "outputs", "state", "states", "losses", "loss", "metrics"),
    *("build", "built", "call", "functional", "compile", "fit", "predict", "evaluate", "save", "export", "summary"),
    *("train", "training", "eval", "forward", "modules", "children", "parameters", "buffers", "apply", "to", "type"),
    *("dtype", "half", "float", "double", "bfloat16", "cpu", "cuda", "optimizer", "trainable"),
)
"""What attributes are not called, since models of some target have them for something of their own."""


class Words(Protocol):
    """How a target says what a model is made of."""

    name: str
    before: str
    """Imports and helpers."""

    begins: str
    """The class, up to what its layers are set to."""

    forward: str
    """The line in which its forward begins, with the names of the inputs in braces."""

    loads: str
    """The script that loads the weights."""

    def recurrent(self, kept: Canonical, wants_final: bool) -> str:
        """The expression that makes the layer."""

    def embedding(self, tokens: int, features: int, mask_zero: bool, dtype: str) -> str: ...

    def dense(self, features: int, units: int, bias: bool, dtype: str) -> str: ...

    def run(self, layer: str, x: str, tokens: str, kept: Canonical, wants_final: bool) -> str:
        """The expression that runs a recurrent layer, masked where `tokens` are zero."""

    def activation(self, name: str, x: str) -> str: ...

    def after(self, graph: Graph) -> list[str]:
        """What a model without holes can do beside its forward."""


@dataclass(frozen=True)
class Layer:
    """A layer of the ported model: the attribute that it is, and the step that it came from."""

    attribute: str
    step: Step
    kept: Canonical | None = None


@dataclass(frozen=True)
class Written:
    """The source of a model, its layers that have weights, and its holes by path."""

    source: str
    loader: str
    layers: tuple[Layer, ...]
    holes: tuple[tuple[str, str], ...]


def write(graph: Graph, words: Words, held: Any, source: str) -> Written:
    """The ported model; `held` gives what a layer becomes in the target, or raises Refused: then it is a hole."""
    taken = set(RESERVED)
    layers: list[Layer] = []
    makes: list[str] = []
    runs: list[str] = []
    holes: list[tuple[str, str]] = []
    inputs = [f"x{k}" for k in range(len(graph.inputs))] or ["x0"]
    names = dict(enumerate(inputs)) if graph.inputs else {}
    finals = {step.reads[0] for step in graph.steps if step.kind == "final"}
    for number, step in enumerate(graph.steps, len(graph.inputs)):
        attribute, value = _attribute(step.path, taken), f"x{number}"
        reads = [names[k] for k in step.reads]
        for each in _parts(step, attribute, held, words, number in finals):
            if isinstance(each, str):
                holes.append((step.path, each))
                makes.append(f"self.{attribute} = Hole({f'{step.path}: {each}'!r})")
                line = f"{value} = self.{attribute}({', '.join(reads)})"
                runs.append(line)
            else:
                layers.append(each)
                makes.append(f"self.{each.attribute} = {_made(words, each, number in finals)}")
                runs += _run(words, each, value, reads, names, number in finals)
        if step.kind in ("final", "timestep", "activation"):
            runs.append(f"{value} = {_plain(words, step, reads[0])}")
        names[number] = value
    if graph.untold:
        holes.append(("forward", graph.untold))
        runs = [f"raise NotImplementedError({f'write what calls what: {graph.untold}'!r})"]
    else:
        runs.append(f"return {', '.join(names[k] for k in graph.returns)}")
    lines = [f'"""Ported from {source}: its layers in {words.name}, with the weights of weights.safetensors."""', ""]
    lines += [words.before.strip("\n"), "", ""]
    lines += [words.begins.strip("\n"), *(f"        {line}" for line in makes), ""]
    lines += [words.forward.format(", ".join(inputs)), *(f"        {line}" for line in runs), ""]
    if not holes:
        lines += words.after(graph)
    return Written("\n".join(lines), words.loads.strip("\n") + "\n", tuple(layers), tuple(holes))


def _parts(step: Step, attribute: str, held: Any, words: Words, wants_final: bool) -> Iterator[Layer | str]:
    """The layer that a step becomes, or why it is a hole."""
    if step.kind == "hole":
        yield step.name
    elif step.kind == "recurrent":
        assert step.canonical is not None
        layers = step.canonical.architecture.layers
        try:
            kept = [held(step.canonical.layer(k)) for k in range(len(layers))]
            for one in kept:
                words.recurrent(one, wants_final)
            yield from (
                Layer(attribute if len(kept) == 1 else f"{attribute}_{k}", step, one) for k, one in enumerate(kept)
            )
        except Refused as reason:
            yield f"{reason.field}: {reason.reason}"
    elif step.kind in ("embedding", "dense"):
        yield Layer(attribute, step)


def _made(words: Words, layer: Layer, wants_final: bool) -> str:
    step = layer.step
    if layer.kept is not None:
        return words.recurrent(layer.kept, wants_final)
    if step.kind == "embedding":
        tokens, features = step.arrays["table"].shape
        return words.embedding(tokens, features, step.options["mask_zero"], str(step.arrays["table"].dtype))
    features, units = step.arrays["kernel"].shape
    return words.dense(features, units, "bias" in step.arrays, str(step.arrays["kernel"].dtype))


def _run(
    words: Words, layer: Layer, value: str, reads: list[str], names: dict[int, str], wants_final: bool
) -> list[str]:
    if not reads:
        return []
    if layer.kept is None:
        return [f"{value} = self.{layer.attribute}({reads[0]})"]
    tokens = "" if layer.step.masked_by is None else names[layer.step.masked_by]
    x = reads[0] if not _is_above(layer) else value
    return [f"{value} = {words.run(f'self.{layer.attribute}', x, tokens, layer.kept, wants_final)}"]


def _is_above(layer: Layer) -> bool:
    """Whether it reads what a layer of the same stack put out."""
    return layer.kept is not None and layer.kept.path.endswith("]") and not layer.kept.path.endswith("[0]")


def _plain(words: Words, step: Step, x: str) -> str:
    if step.kind == "activation":
        return words.activation(step.name, x)
    return x if step.kind == "final" else f"{x}[:, -1]"


def _attribute(path: str, taken: set[str]) -> str:
    """A name for an attribute that no other has."""
    name = re.sub(r"\W", "_", path).strip("_") or "layer"
    name = f"layer_{name}" if name[0].isdigit() or keyword.iskeyword(name) else name
    while name in taken:
        name += "_"
    taken.add(name)
    return name
