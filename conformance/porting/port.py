"""A user's model in another framework: written, loaded and proved, into a folder of its own."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from rnn_conformance.adapters.canonical import Target
from rnn_conformance.adapters.graph import Graph
from rnn_conformance.adapters.reading import build, porter
from rnn_conformance.conformance.porting.agree import agree
from rnn_conformance.conformance.porting.report import Report
from rnn_conformance.conformance.porting.words import WORDS
from rnn_conformance.conformance.porting.writing import Layer, Written, write
from rnn_conformance.reference.arithmetic.rounding import dtype_of

BATCH, TIMESTEPS = 4, 12
"""What the proof draws: so many sequences of so many timesteps."""


@dataclass(frozen=True)
class Ported:
    """What came of it: where it lies, its holes, and what was proved of it."""

    folder: Path
    holes: tuple[tuple[str, str], ...]
    reports: tuple[Report, ...]
    is_whole: bool

    @property
    def proved(self) -> str:
        """What, in words."""
        if self.is_whole:
            return "whole model"
        count = len(self.reports)
        if not count:
            return "nothing, since no recurrent layer of it was ported"
        return f"{count} recurrent layer{'s, each' if count > 1 else ','} by itself"


def port(
    model: Any, graph: Graph, source: str, target: str, out: Path, title: str, tell: Callable[[str], None] = print
) -> Ported:
    """Write the model of the framework `source` in `target` into the folder `out`, with its weights and its proof.

    Raises FileExistsError for a folder that is there; NonConforming where the port is not what the model was.
    """
    if out.exists():
        raise FileExistsError(f"{out} is there already, and nothing is overwritten: name another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".port-") as folder:
        made = Path(folder, out.name)
        made.mkdir()
        ends = porter(target)
        assert isinstance(ends, Target)  # each that there are words for is one
        written = write(graph, WORDS[target], ends.held, title)
        (made / "model.py").write_text(written.source, encoding="utf-8")
        (made / "load.py").write_text(written.loader, encoding="utf-8")
        tell(f"written: {len(written.layers)} layers, {len(written.holes)} holes")
        parts = {layer.attribute: layer.step.arrays if layer.kept is None else layer.kept for layer in written.layers}
        ported = ends.fill(module_of(made / "model.py").Ported(), parts)
        ends.save(ported, list(parts), made / "weights.safetensors")
        tell("weights: written to weights.safetensors")
        reports = _prove(model, ported, graph, written, source, ends)
        result = Ported(out, written.holes, reports, not written.holes)
        (made / "PROOF.md").write_text(page(result, written, graph, title, WORDS[target].name), encoding="utf-8")
        documents = json.dumps([report.document() for report in reports], indent=2)
        (made / "proof.json").write_text(documents + "\n", encoding="utf-8")
        shutil.move(made, out)
    return result


def module_of(path: Path) -> Any:
    """The module in a file that was just written."""
    spec = importlib.util.spec_from_file_location(f"ported_{path.parent.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # Keras and torch look a class up by its module
    spec.loader.exec_module(module)
    return module


def _prove(model: Any, ported: Any, graph: Graph, written: Written, source: str, ends: Target) -> tuple[Report, ...]:
    """The whole model, where it has no hole; or else each recurrent layer by itself."""
    rng = np.random.default_rng(0)
    if not written.holes:
        inputs = tuple(_drawn(graph, k, rng) for k in range(len(graph.inputs)))
        return (agree(model, ported, inputs if len(inputs) > 1 else inputs[0])[1],)
    found = []
    for layer in written.layers:
        if layer.kept is not None:
            found.append(_prove_layer(layer, ends.part(ported, layer.attribute), source, rng))
    return tuple(found)


def _prove_layer(layer: Layer, there: Any, source: str, rng: np.random.Generator) -> Report:
    assert layer.step.canonical is not None
    assert layer.kept is not None
    parts = [layer.step.canonical.layer(k) for k in range(len(layer.step.canonical.architecture.layers))]
    (mine,) = (part for part in parts if part.path == layer.kept.path)
    features = mine.architecture.layers[0].features
    x = rng.normal(size=(BATCH, TIMESTEPS, features)).astype(dtype_of(mine.architecture.dtype))
    report = agree(build(source, mine), there, x)[1]
    told = tuple(replace(one, path=mine.path) for one in report.layers)
    return replace(report, title=f"{mine.path}, as self.{layer.attribute}", layers=told)


def _drawn(graph: Graph, k: int, rng: np.random.Generator) -> Any:
    """Tokens, padded on the right where zero is padding, or normal numbers."""
    timesteps, kind = graph.timesteps or TIMESTEPS, graph.inputs[k]
    if isinstance(kind, int):
        readers = [step for step in graph.steps if k in step.reads]
        dtypes = [step.canonical.architecture.dtype for step in readers if step.canonical is not None]
        dtypes += [str(step.arrays["kernel"].dtype) for step in readers if step.kind == "dense"]
        return rng.normal(size=(BATCH, timesteps, kind)).astype(dtype_of([*dtypes, "float32"][0]))
    embeddings = [step for step in graph.steps if step.kind == "embedding" and k in step.reads]
    most = min(len(step.arrays["table"]) for step in embeddings) if embeddings else 2
    tokens = rng.integers(1, most, (BATCH, timesteps)).astype(np.int32)
    if any(step.options["mask_zero"] for step in embeddings):
        lengths = np.linspace(timesteps, max(1, timesteps // 3), BATCH).astype(int)
        tokens[np.arange(timesteps) >= lengths[:, np.newaxis]] = 0
    return tokens


def page(ported: Ported, written: Written, graph: Graph, title: str, target: str) -> str:
    """The proof, as Markdown."""
    lines = [f"# {title} in {target}", "", f"Proved: {ported.proved}.", ""]
    if ported.is_whole:
        lines += [
            "Each recurrent layer was judged on the inputs that reached it, with the weights of the original.",
            "",
        ]
    for report in ported.reports:
        lines += [report.markdown().replace("# ", "## ", 1)]
    if ported.holes:
        lines += ["## Holes", "", "What is left to write by hand; each raises an error that names it:", ""]
        lines += [f"* `{path}`: {what}" for path, what in ported.holes] + [""]
    plain = [layer.step for layer in written.layers if layer.kept is None]
    if plain:
        told = ", ".join(f"`{step.path}` ({step.kind})" for step in plain)
        lines += ["## Carried, and not judged", "", f"The arrays of these were carried as they are: {told}.", ""]
    if graph.dropped:
        lines += ["## Left out", "", f"Out of training these change nothing: {', '.join(graph.dropped)}.", ""]
    return "\n".join(lines)
