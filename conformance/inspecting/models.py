"""The models that an adapter is tried with: a plain one, and one more for each thing that it says it has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from rnn_conformance.adapters.description import Description
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import MERGES, Architecture, Embedding, Layer

SIZES: Mapping[str, int] = {"batch": 5, "timesteps": 4, "features": 2, "units": 3}
"""All differ, so that no axis is taken for another."""

PLAIN = "a plain layer"
"""What is said of the first model, in which nothing is particular."""

_TOKENS = 7
_RATE = 0.5


@dataclass(frozen=True)
class Trial:
    """One model, what is particular about it in words, and the cell in whose place the usual one is known to work."""

    what: str
    case: Case
    from_state: bool = False
    usual: Cell | None = None


def trials(description: Description) -> Iterator[Trial]:
    """All of them, the plainest first."""
    usual = description.variants_of(description.cells[0])[0]
    layer = Layer(SIZES["features"], SIZES["units"], usual)
    plain = Architecture((layer,), dtype=next(iter(description.precision)), mode=description.modes[0])

    def trial(what: str, architecture: Architecture, pattern: str = "", from_state: bool = False) -> Trial:
        return Trial(what, Case(architecture, SIZES["batch"], SIZES["timesteps"], "unit", 0, pattern), from_state)

    def has(feature: str) -> bool:
        return not description.lacks(feature)

    yield trial(PLAIN, plain)
    yield trial("the last output alone", replace(plain, return_sequences=False))
    if has("final state"):
        yield trial("a final state", replace(plain, return_state=True))
    if has("initial state"):
        yield trial("an initial state", plain, from_state=True)
    for dtype in list(description.precision)[1:]:
        yield trial(dtype, replace(plain, dtype=dtype))
    for mode in (*description.modes[1:], *description.ways):
        yield trial(f"the mode {mode}", replace(plain, mode=mode))
    for name in description.cells:
        for cell in description.variants_of(name):
            if cell != usual:
                told = trial(f"{cell.name} with {cell}", replace(plain, layers=(replace(layer, cell=cell),)))
                yield replace(told, usual=usual if cell.name == usual.name else None)
    if has("no bias"):
        yield trial("no bias", replace(plain, layers=(replace(layer, use_bias=False),)))
    if has("single sequence"):
        yield trial("a single sequence", replace(plain, batched=False))
    if has("stack"):
        yield trial("two layers", replace(plain, layers=(layer, Layer(SIZES["units"], SIZES["units"], usual))))
    if has("embedding"):
        yield trial("an embedding", replace(plain, embedding=Embedding(_TOKENS, SIZES["features"])))
    for masking, pattern in (("lengths", "right"), ("mask", "gaps")):
        if has(masking):
            yield trial(masking, replace(plain, masking=masking), pattern)
    if has("embedding") and has("mask_zero"):
        table = Embedding(_TOKENS, SIZES["features"], mask_zero=True)
        yield trial("mask_zero", replace(plain, embedding=table), "right")
    for direction in ("backward", "bidirectional"):
        if has(direction):
            turned = replace(plain, layers=(replace(layer, direction=direction),))
            yield trial(f"a {direction} layer", replace(turned, return_state=has("final state")))
    if has("bidirectional") and has("merge modes"):
        for merge in MERGES[1:]:
            both = replace(layer, direction="bidirectional", merge=merge)
            yield trial(f"two directions, merged by {merge}", replace(plain, layers=(both,)))
    if has("stateful"):
        yield trial("a stateful layer", replace(plain, stateful=True, batch=SIZES["batch"]))
    if has("projection"):
        projecting = [replace(cell, projection=2) for cell in description.variants_of("lstm") if isinstance(cell, Lstm)]
        for cell in projecting[:1]:
            yield trial("a projection", replace(plain, layers=(replace(layer, cell=cell),)))
    # In a stack, since that of PyTorch drops the inputs of all layers but the first.
    below = (layer,) if has("stack") else ()
    above = replace(layer, features=layer.width) if below else layer
    if has("dropout"):
        yield trial("dropout", replace(plain, layers=(*below, replace(above, dropout=_RATE))))
    if has("recurrent dropout"):
        yield trial("recurrent dropout", replace(plain, layers=(*below, replace(above, recurrent_dropout=_RATE))))
