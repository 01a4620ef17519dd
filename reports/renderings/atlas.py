"""The weight-convention atlas: where each framework keeps W, U and b, as its adapter declares and the checks found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rnn_conformance.reports.overview.summary import Backend, Summary
from rnn_conformance.reports.overview.verdicts import NOT_RUN, SEVERITY, SYMBOLS
from rnn_conformance.reports.overview.wording import plain
from rnn_conformance.reports.renderings import markdown
from rnn_conformance.reports.renderings.markdown import escape, fenced

FACTS = {
    "W": ("1.1", "6.1"),
    "U": ("1.1", "6.1"),
    "b": ("1.1", "6.1"),
    "orientation": ("1.1", "6.1"),
    "gates": ("1.1", "6.1"),
    "biases": ("6.3",),
    "load": ("6.2",),
    "read": ("6.1",),
    "time axis": ("1.3", "2.1"),
    "state": ("2.5", "3.2", "3.3"),
    "padding": ("9.1", "9.6"),
    "backward": ("10.1",),
    "both directions": ("10.3",),
    "embedding": ("5.1",),
}
"""The conventions that an adapter declares, with the clauses that hold it to each: the checks of these would fail."""


@dataclass(frozen=True)
class Choice:
    """A choice that the specification leaves: the clause that holds an adapter to what it declares, what each answer
    means, and the features of which a framework needs one for the choice to arise."""

    label: str
    clause: str
    meanings: Mapping[str, str]
    features: Sequence[str]


_PADDED = {
    "zero": "zero",
    "repeat": "repeat the output before",
    "continue": "go on as if they were valid",
}

CHOICES = {
    "padded_outputs": Choice("outputs at padded timesteps", "9.4", _PADDED, ("lengths", "mask", "mask_zero")),
    "bidirectional_padded_outputs": Choice(
        "outputs at padded timesteps, bidirectional", "9.4", _PADDED, ("lengths", "mask", "mask_zero")
    ),
    "backward_outputs": Choice(
        "outputs of a backward layer",
        "10.2",
        {"aligned": "aligned with the input", "processing": "in the order of processing, the last timestep first"},
        ("backward",),
    ),
    "dropout_mask": Choice(
        "mask of dropout",
        "13.5",
        {"fixed": "the same at all timesteps of a call", "fresh": "drawn anew at each timestep"},
        ("dropout", "recurrent dropout"),
    ),
    "dropout_gates": Choice(
        "masks of dropout, of a cell with gates",
        "13.8",
        {
            "shared": "one for all gates",
            "own": "one for each gate",
            "own beside recurrent dropout": "one for all gates; beside recurrent dropout one for each",
        },
        ("dropout",),
    ),
    "recurrent_dropout_gates": Choice(
        "masks of recurrent dropout, of a cell with gates",
        "13.8",
        {"shared": "one for all gates", "own": "one for each gate"},
        ("recurrent dropout",),
    ),
}
"""The choices that an adapter declares, by the names of the description."""

COMPARED = ("W", "U", "b", "orientation", "biases", "time axis", "outputs at padded timesteps")
"""The facts that the table of all frameworks has."""


@dataclass(frozen=True)
class Held:
    """A clause that holds an adapter to a fact, and what the checks said of it: "fails", and "float64 only".

    `backend` is the one of whose checks that is.
    """

    clause: str
    text: str
    verdict: str
    scope: str = ""
    backend: str = ""


@dataclass(frozen=True)
class Fact:
    """Something that an adapter declares, in words with `code` in backticks, and the clauses that hold it to that."""

    name: str
    value: str
    held: Sequence[Held] = ()

    @property
    def verdict(self) -> str:
        """The gravest verdict of its clauses; empty if there are none."""
        return min((held.verdict for held in self.held), key=SEVERITY.index, default="")


@dataclass(frozen=True)
class Section:
    """What the atlas has of one backend; everything in it may be empty, where the adapter declares nothing."""

    backend: str
    versions: Sequence[str]
    framework: str
    facts: Sequence[Fact]
    notes: Sequence[Fact]
    example: str
    examples: Mapping[str, str]

    def fact(self, name: str) -> Fact:
        """The fact of this name; one without a value if it is not declared."""
        return next((fact for fact in self.facts if fact.name == name), Fact(name, ""))


def atlas(summary: Summary) -> Sequence[Section]:
    """What each adapter declares of its weights, with the verdicts of the clauses that hold it to that.

    An adapter whose results are of several cells has one section, in which a clause has the gravest of its verdicts.
    """
    found: dict[str, list[Backend]] = {}
    for backend in summary.backends:
        found.setdefault(backend.results.header.adapter, []).append(backend)
    return [_section(summary, backends) for backends in found.values()]


def atlas_markdown(summary: Summary) -> str:
    """The atlas as Markdown; a clause that was not checked is named without a verdict."""
    return "\n".join(_lines(atlas(summary))) + "\n"


def _section(summary: Summary, backends: Sequence[Backend]) -> Section:
    header = backends[0].results.header
    description = header.description
    declared, choices = _words(description.get("conventions")), _words(description.get("choices"))
    held = {**FACTS, **{choice.label: (choice.clause,) for choice in CHOICES.values()}}
    values = {name: declared[name] for name in (*FACTS, *declared) if name in declared}
    for name, choice in CHOICES.items():
        if answer := choices.get(name):
            values[choice.label] = _missing(description, choice) or choice.meanings.get(answer, answer)
    return Section(
        header.adapter,
        [f"{name} {version}" for name, version in header.versions.items()],
        header.framework,
        [Fact(name, value, _held(summary, backends, held.get(name, ()))) for name, value in values.items()],
        [Fact(name, value) for name, value in _words(description.get("notes")).items()],
        plain(description.get("example", "")),
        _words(description.get("examples")),
    )


def _words(value: Any) -> Mapping[str, str]:
    """What should be words by name; nothing of anything else, since results may hold whatever they like."""
    return {name: plain(words) for name, words in value.items()} if isinstance(value, dict) else {}


def _missing(description: Mapping[str, Any], choice: Choice) -> str:
    """Why the choice does not arise; empty if it does."""
    offers, unsupported = description.get("offers"), _words(description.get("unsupported"))
    if not isinstance(offers, list) or any(feature in offers for feature in choice.features):
        return ""
    reason = next((unsupported[feature] for feature in choice.features if feature in unsupported), "")
    return "does not arise" + (f": {reason}" if reason else "")


def _held(summary: Summary, backends: Sequence[Backend], clauses: Sequence[str]) -> Sequence[Held]:
    found = []
    for clause in (clause for clause in clauses if clause in summary.clauses):
        gravest = min(backends, key=lambda backend: SEVERITY.index(backend.cells[clause].verdict))
        cell = gravest.cells[clause]
        found.append(Held(clause, summary.clauses[clause], cell.verdict, cell.scope, gravest.name))
    return found


def _lines(sections: Sequence[Section]) -> Iterator[str]:
    yield "## All frameworks"
    yield ""
    yield "| | " + " | ".join(COMPARED) + " |"
    yield "| --- " * (1 + len(COMPARED)) + "|"
    for section in sections:
        cells = [markdown.code_spans(section.fact(name).value) for name in COMPARED]
        yield f"| {escape(section.backend)} | " + " | ".join(cells) + " |"
    for section in sections:
        yield ""
        yield f"## {escape(section.backend)}"
        yield ""
        if not section.facts:
            yield "The adapter declares nothing of its weights."
        else:
            yield f"| {escape(section.framework)} | | held to it by |"
            yield "| --- | --- | --- |"
        for fact in section.facts:
            yield f"| {escape(fact.name)} | {markdown.code_spans(fact.value)} | {', '.join(map(_clause, fact.held))} |"
        if section.notes:
            yield ""
        for note in section.notes:
            yield f"- {escape(note.name)}: {markdown.code_spans(note.value)}"
        if section.example:
            yield ""
            yield fenced(section.example.strip("\n"), "python")
        for cell, example in section.examples.items():
            yield ""
            yield f"{escape(cell)}:"
            yield ""
            yield fenced(example.strip("\n"), "python")


def _clause(held: Held) -> str:
    found = "" if held.verdict == NOT_RUN else f" {SYMBOLS[held.verdict]} {held.verdict}"
    return escape(held.clause) + found + (f" ({escape(held.scope)})" if found and held.scope else "")
