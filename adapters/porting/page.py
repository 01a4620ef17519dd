"""A page of the atlas: how a layer gets from one framework to another, as Markdown or as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rnn_conformance.adapters.porting.changes import changes
from rnn_conformance.adapters.porting.ends import Place
from rnn_conformance.adapters.porting.limits import limits
from rnn_conformance.adapters.porting.script import script

TITLES = {"lstm": "LSTM", "gru": "GRU"}
"""The cells that can be taken along, with their names in headings."""


def port(cell: str, source: Place, target: Place) -> dict[str, Any]:
    """All that is known of the way of one cell, as it can be written in JSON."""
    return {
        "cell": cell,
        "from": source.framework,
        "to": target.framework,
        "changes": [asdict(change) for change in changes(cell, source, target)],
        "limits": [{"name": limit.name, "advice": limit.advice} for limit in limits(cell, source, target)],
        "script": script(cell, source, target),
    }


def markdown(cells: Sequence[str], source: Place, target: Place) -> str:
    """The page on these cells."""
    return "\n".join(_lines(cells, source, target)) + "\n"


def _lines(cells: Sequence[str], source: Place, target: Place) -> Iterator[str]:
    yield f"# From {source.framework} to {target.framework}"
    for cell in cells:
        yield ""
        yield f"## {TITLES[cell]}"
        yield ""
        yield f"| | {source.framework} | {target.framework} | on the way |"
        yield "| --- | --- | --- | --- |"
        for change in changes(cell, source, target):
            yield f"| {change.part} | {change.here} | {change.there} | {change.done} |"
        yield ""
        yield "Activations are sigmoid of the gates and tanh of the rest, which is the default of both."
        yield ""
        if found := list(limits(cell, source, target)):
            yield "What else a layer may have:"
            yield ""
            yield from (f"- {limit.name}: {limit.advice}" for limit in found)
            yield ""
        yield "```python"
        yield script(cell, source, target).rstrip("\n")
        yield "```"
    yield ""
    yield "## Read, built and proved"
    yield ""
    yield (
        f"With this suite beside both frameworks, for a layer of your own, `{_own(source)}`, in one direction or two, "
        "with whatever of the above it has; what cannot be carried is refused by its name:"
    )
    yield ""
    yield "```python"
    yield call(source, target)
    yield "```"


def call(source: Place, target: Place) -> str:
    """The lines that port a layer and hold it to the proven bounds, on inputs `x` (batch, timesteps, features)."""
    return "\n".join(
        (
            "from rnn_conformance.adapters.reading import build, read",
            "from rnn_conformance.conformance.asserting import assert_agree",
            "",
            f'ported = build("{target.name}", read({_own(source)})[0])',
            f"assert_agree({_own(source)}, ported, inputs=x)",
        )
    )


def _own(source: Place) -> str:
    return "(module, variables)" if source.name == "flax-linen" else "layer"
