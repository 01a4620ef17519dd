"""What was judged of a user's model, and what was not: in words, as Markdown and as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rnn_conformance.adapters.canonical import Survey
from rnn_conformance.conformance.porting.judge import Judged
from rnn_conformance.reference.model.weights import parameter_count


@dataclass(frozen=True)
class LayerReport:
    """One recurrent layer: how often it was called, and its largest error as a share of the proven bound.

    `not_proven` has the reasons why something of it is not, or is, but by a bound that is wider.
    """

    path: str
    layer: str
    calls: int
    share: float
    where: str
    not_proven: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """What came of judging a model. `not_judged` has the recurrent layers that were not, with the reason.

    `others` are the layers that are not recurrent, which stay out; `parameters` counts what was judged and all there
    is, and `weights` says how the weights of a second model were found.
    """

    title: str
    layers: tuple[LayerReport, ...]
    not_judged: tuple[tuple[str, str], ...]
    others: tuple[str, ...]
    parameters: tuple[int, int]
    weights: str = ""

    @property
    def worst(self) -> float:
        """The largest error as a share of its bound; 0 where nothing was judged."""
        return max((layer.share for layer in self.layers), default=0.0)

    @property
    def judged(self) -> float:
        """The share of the model's parameters that are in layers that were judged."""
        mine, every = self.parameters
        return mine / every if every else 1.0

    def __str__(self) -> str:
        lines = [self.title]
        for layer in self.layers:
            calls = f", {layer.calls} calls" if layer.calls > 1 else ""
            told = f"at most {layer.share:.2g} of its bound ({layer.where}{calls})"
            lines += [f"  {layer.path or layer.layer}: {told}"]
            lines += [f"    not proven: {reason}" for reason in layer.not_proven]
        lines += [f"  {path}: not judged: {reason}" for path, reason in self.not_judged]
        lines += [self.weights] if self.weights else []
        out = f"; out of it stay {', '.join(self.others)}" if self.others else ""
        lines.append(f"Judged: {self.judged:.0%} of the parameters{out}")
        return "\n".join(lines)

    def markdown(self) -> str:
        """The same as a page for a pull request."""
        rows = ["| layer | what it is | error, as a share of its bound | where |", "|---|---|---|---|"]
        for layer in self.layers:
            rows.append(f"| `{layer.path or '-'}` | {layer.layer} | {layer.share:.2g} | `{layer.where}` |")
        rest = [f"* `{layer.path}`: not proven: {reason}" for layer in self.layers for reason in layer.not_proven]
        rest += [f"* `{path}`: not judged: {reason}" for path, reason in self.not_judged]
        rest += [f"* {self.weights}"] if self.weights else []
        rest.append(f"* {self.judged:.0%} of the parameters are in layers that were judged.")
        rest += (
            [f"* Not judged, since not recurrent: {', '.join(f'`{each}`' for each in self.others)}"]
            if self.others
            else []
        )
        return "\n".join([f"# {self.title}", "", *rows, "", *rest, ""])

    def document(self) -> dict[str, Any]:
        """The same as what JSON holds."""
        return {**asdict(self), "worst": self.worst, "judged": self.judged}


def report_of(
    title: str, survey: Survey, judged: dict[str, list[list[Judged]]], notes: dict[str, list[str]], weights: str = ""
) -> Report:
    """The report of a model, from what was judged of each call of each layer, by path."""
    layers, not_judged, mine = [], [(r.path, f"{r.field}: {r.reason}") for r in survey.refused], 0
    for canonical in survey.layers:
        size = parameter_count(canonical.architecture)
        paths = [path for path in judged if path == canonical.path or path.startswith(f"{canonical.path}[")]
        if not paths:
            not_judged.append((canonical.path, "it was not called, or only within what is compiled"))
            continue
        mine += size
        for path in paths:
            found = [one for call in judged[path] for one in call]
            worst = max(found, key=lambda one: one.judgement.ratio)
            reasons = [f"{one.named} has no bound that says anything" for one in found if not one.is_proven]
            kind = (
                ", then ".join(map(str, canonical.architecture.layers))
                if len(paths) == 1
                else str(canonical.architecture.layers[0])
            )
            layers.append(
                LayerReport(
                    path,
                    kind,
                    len(judged[path]),
                    worst.judgement.ratio,
                    worst.judgement.where,
                    (*dict.fromkeys(reasons + notes.get(path, [])),),
                )
            )
    others = tuple(f"{other.path} ({other.kind})" for other in survey.others)
    every = sum(parameter_count(c.architecture) for c in survey.layers) + sum(o.parameters for o in survey.others)
    return Report(title, tuple(layers), tuple(not_judged), others, (mine, every), weights)
