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

    `not_proven` has the reasons why something of it is not, or is, but by a bound that is wider; `proven` counts the
    calls of which nothing is not. `clauses` are those of SPEC.md that speak of what was judged, and `ulps` is that
    error in ULP.
    """

    path: str
    layer: str
    calls: int
    share: float
    where: str
    not_proven: tuple[str, ...] = ()
    cell: str = ""
    dtype: str = ""
    proven: int = 0
    clauses: tuple[str, ...] = ()
    ulps: float = 0.0


@dataclass(frozen=True)
class GradientReport:
    """One gradient: its largest error as a share of the bound, where, and of how many `numbers` it is.

    `judged` is the share of its numbers whose bound is below the gradient's own size, the largest number that it should
    have: a bound that is above says nothing. `clauses` are those of SPEC.md that speak of it.
    """

    named: str
    share: float
    where: str
    numbers: int
    judged: float
    clauses: tuple[str, ...] = ()

    @property
    def is_judged(self) -> bool:
        """Whether most of its numbers are."""
        return 2 * self.judged > 1


@dataclass(frozen=True)
class LayerGradients:
    """The gradients of one layer, of all its calls the worst; `reasons` say why some, or all, were not judged."""

    path: str
    each: tuple[GradientReport, ...]
    reasons: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """The largest error as a share of its bound, of those that are judged."""
        return max((one.share for one in self.each if one.is_judged), default=0.0)

    @property
    def not_judged(self) -> tuple[str, ...]:
        """What is not, with the share of its numbers, and why."""
        lacking = (one for one in self.each if not one.is_judged)
        told = (f"of {one.named} {1 - one.judged:.0%} have a bound above its own size" for one in lacking)
        return (*told, *self.reasons)

    def __str__(self) -> str:
        worst = max((one for one in self.each if one.is_judged), key=lambda one: one.share, default=None)
        told = "none judged" if worst is None else f"at most {worst.share:.2g} of their bounds ({worst.where})"
        return f"{self.path or 'the layer'}: gradients: {told}"


@dataclass(frozen=True)
class Report:
    """What came of judging a model. `not_judged` has the recurrent layers that were not, with the reason.

    `others` are the layers that are not recurrent, which stay out; `parameters` counts what was judged and all there
    is, and `weights` says how the weights of a second model were found. `gradients` are there if they were asked for.
    `framework` is the name of what reads and builds its layers, or of the function that was judged.
    """

    title: str
    layers: tuple[LayerReport, ...]
    not_judged: tuple[tuple[str, str], ...]
    others: tuple[str, ...]
    parameters: tuple[int, int]
    weights: str = ""
    gradients: tuple[LayerGradients, ...] = ()
    framework: str = ""

    @property
    def worst(self) -> float:
        """The largest error as a share of its bound; 0 where nothing was judged."""
        return max((layer.share for layer in self.layers), default=0.0)

    @property
    def judged(self) -> float:
        """The share of the model's parameters that are in layers that were judged."""
        mine, every = self.parameters
        return mine / every if every else 1.0

    @property
    def gradients_judged(self) -> float:
        """The share of the numbers of all gradients whose bound is below the gradient's own size; 0 of none."""
        each = [one for layer in self.gradients for one in layer.each]
        every = sum(one.numbers for one in each)
        return sum(one.judged * one.numbers for one in each) / every if every else 0.0

    def __str__(self) -> str:
        lines = [self.title]
        for layer in self.layers:
            calls = f", {layer.calls} calls" if layer.calls > 1 else ""
            told = f"at most {layer.share:.2g} of its bound ({layer.where}{calls})"
            lines += [f"  {layer.path or layer.layer}: {told}"]
            lines += [f"    not proven: {reason}" for reason in layer.not_proven]
        lines += [f"  {path}: not judged: {reason}" for path, reason in self.not_judged]
        for layer_gradients in self.gradients:
            lines += [f"  {layer_gradients}"]
            lines += [f"    not judged: {reason}" for reason in layer_gradients.not_judged]
        lines += [self.weights] if self.weights else []
        if self.gradients:
            lines.append(f"Gradients: {self.gradients_judged:.0%} of their numbers judged")
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
        for layer_gradients in self.gradients:
            rest.append(f"* {layer_gradients}")
            rest += [f"* `{layer_gradients.path}`: gradient not judged: {r}" for r in layer_gradients.not_judged]
        if self.gradients:
            rest.append(f"* Of the numbers of all gradients {self.gradients_judged:.0%} were judged.")
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
        shares = {"worst": self.worst, "judged": self.judged, "gradients_judged": self.gradients_judged}
        return {**asdict(self), **shares}


def report_of(
    title: str,
    framework: str,
    survey: Survey,
    judged: dict[str, list[list[Judged]]],
    notes: dict[str, list[str]],
    weights: str = "",
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
                    canonical.architecture.layers[0].cell.name,
                    canonical.architecture.dtype,
                    sum(all(one.is_proven for one in call) for call in judged[path]),
                    tuple(dict.fromkeys(clause for one in found for clause in one.clauses)),
                    worst.judgement.ulps,
                )
            )
    others = tuple(f"{other.path} ({other.kind})" for other in survey.others)
    every = sum(parameter_count(c.architecture) for c in survey.layers) + sum(o.parameters for o in survey.others)
    return Report(title, tuple(layers), tuple(not_judged), others, (mine, every), weights, (), framework)
