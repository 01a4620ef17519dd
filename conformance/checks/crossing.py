"""Which features are crossed with which: rows of them, the models that they make, and what is known of these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.support import needs
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import in_direction
from rnn_conformance.conformance.cases.pairs import Factors, Row
from rnn_conformance.conformance.cases.patterns import PATTERNS, PATTERNS_OF_LENGTHS
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.witnesses.deviations import Deviation, Facts, facts_of_cells
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import MASKINGS, MERGES, Architecture, Embedding, Layer

_DIRECTIONS = ("forward", "backward", *MERGES)
"""A merge stands for a bidirectional layer with it."""

_STACKS: Mapping[str, tuple[int, ...]] = {"one layer": (4,), "two alike": (4, 4), "two of other widths": (4, 3)}
_MIXED = ("lstm", "gru", "simple_rnn")
"""The kinds of cells of a stack that has several, from below; in a run about the simple RNN there is none."""
_EMBEDDINGS: Mapping[str, Embedding | None] = {
    "none": None,
    "plain": Embedding(5, 3),
    "mask_zero": Embedding(5, 3, mask_zero=True),
}
DEAR = {("gradient", True)}
"""What takes longest: compiling one takes as long as compiling three calls."""

_NEEDED = {"initial state": "initial state", "gradient": "gradients"}
"""What a call needs that is no matter of the model, by the factor that asks for it."""

UNROLLED = "unrolled"
"""The way that has to know the number of timesteps."""

FEATURES, BATCH, TIMESTEPS = 3, 3, 5
_REGIMES = ("integers", "unit", "saturating")
_GENTLE = ("small", "contractive")
"""Where others leave a coarse type no bound to speak of: a gated cell multiplies more numbers that were rounded."""

_GENTLEST = ("small", "small")
"""The same for gradients of a stack."""


@dataclass(frozen=True)
class Stack:
    """The layers of a model: their units and, where it is no stack of one cell, what stands in for the row's own.

    With a `projection`, each of its layers is an LSTM that has one.
    """

    name: str
    units: tuple[int, ...]
    others: tuple[Cell | None, ...] = ()
    projection: int = 0

    def __str__(self) -> str:
        return self.name

    def cells(self, variant: Cell) -> tuple[Cell, ...]:
        """The cell of each layer; the variant is that of the row."""
        if self.projection and isinstance(variant, Lstm):
            variant = replace(variant, projection=self.projection)
        return tuple(other or variant for other in self.others) or (variant,) * len(self.units)


def _stacks(description: Description, kind: str) -> Iterator[Stack]:
    yield from (Stack(name, units) for name, units in _STACKS.items())
    if kind == "lstm" and not description.lacks("projection"):
        yield Stack("of projected outputs", (4, 3), projection=2)
    kinds = [each for each in _MIXED if each in description.cells]
    if kind in kinds[:-1]:
        others = tuple(None if each == kind else description.variants_of(each)[0] for each in kinds)
        yield Stack("of several cells", (4, 3, 4)[: len(kinds)], others)


def description_of(check: Check) -> Description:
    """What the subject says of itself; in a thrifty profile of its main mode alone."""
    description = check.subject.description
    if not check.profile.thrifty:
        return description
    return replace(description, modes=description.modes[:1], ways=(), rounding=())


def factors_of(description: Description, kind: str) -> Factors:
    """What is crossed, by name, each with its values, for a kind of cell; the first of each is the plainest."""
    return {
        "way": description.modes + description.ways,
        "masking": MASKINGS,
        "pattern": ("none", *PATTERNS),
        "direction": _DIRECTIONS,
        "stack": tuple(_stacks(description, kind)),
        "embedding": tuple(_EMBEDDINGS),
        "stateful": (False, True),
        "sequences": (True, False),
        "final state": (False, True),
        "initial state": (False, True),
        "gradient": (False, True),
        "bias": (True, False),
        "variant": description.variants_of(kind),
        "batched": (True, False),
    }


def cases_of(check: Check, row: Row) -> Iterator[Case]:
    """The cases of a row."""
    architecture = architecture_of(row, check.dtype)
    batch = BATCH if architecture.batched else 1
    pattern = _pattern(row["pattern"])
    gated = any("gate" in layer.cell.activations for layer in architecture.layers)
    regimes: Sequence[str] = _REGIMES
    if gated and check.dtype == "bfloat16":
        regimes = _GENTLE if len(architecture.layers) == 1 else _GENTLEST
    if row["way"] in check.subject.description.rounding:  # of whole numbers, a row may be of zeros, and have no length
        regimes = regimes[1:]
    for k, regime in enumerate(regimes):
        yield Case(architecture, batch, TIMESTEPS, regime, check.seed + regimes[:k].count(regime), pattern)


def _pattern(value: str) -> str:
    """The pattern of a case for a value of the factor."""
    return "" if value == "none" else value


def in_turn(rows: Sequence[Row]) -> list[Row]:
    """The rows so that every way to run a model comes up before one comes up again."""
    seen: Counter[str] = Counter()
    rounds: list[tuple[int, Row]] = []
    for row in rows:
        rounds.append((seen[row["way"]], row))
        seen[row["way"]] += 1
    return [row for _, row in sorted(rounds, key=lambda pair: pair[0])]


def mixed_first(rows: Sequence[Row]) -> list[Row]:
    """The rows, one with a stack of several cells before all others, if there is one: a few rows shall meet it."""
    k = next((k for k, row in enumerate(rows) if row["stack"].others), 0)
    return [*rows[k : k + 1], *rows[:k], *rows[k + 1 :]]


def up_to(number: int, rows: Iterable[Row], known: Callable[[Row], str]) -> list[Row]:
    """The rows until there are so many of which nothing is known to be wrong."""
    found = []
    for row in rows:
        number -= not known(row)
        found.append(row)
        if not number:
            break
    return found


def is_allowed(lacking: Set[tuple[str, Any]], row: Row) -> bool:
    """Whether these values go together, and none of them is lacking."""
    masking, pattern, embedding = row.get("masking"), row.get("pattern"), row.get("embedding")
    masked = masking not in (None, "none") or embedding == "mask_zero"
    if masking not in (None, "none") and embedding == "mask_zero":
        return False  # one mask is enough
    if masked and pattern == "none":
        return False
    if masking == "none" and embedding not in (None, "mask_zero") and pattern not in (None, "none"):
        return False  # nothing says which timesteps are valid
    if masking == "lengths" and pattern not in (None, *PATTERNS_OF_LENGTHS):
        return False
    if row.get("stateful") and (row.get("initial state") or row.get("batched") is False):
        return False  # its initial state is that of the call before, and its batch is known
    return lacking.isdisjoint(row.items())


def lacking(description: Description, factors: Factors) -> set[tuple[str, Any]]:
    """The values of factors, each with its factor, of which the subject has declared something lacking."""
    defaults = {name: values[0] for name, values in factors.items()}

    def needed(name: str, value: Any) -> Iterator[str]:
        yield from filter(None, needs(architecture_of({**defaults, name: value}, "")))
        if value is True and name in _NEEDED:
            yield _NEEDED[name]

    items = [(name, value) for name, values in factors.items() for value in values]
    return {item for item in items if any(map(description.lacks, needed(*item)))}


def known_of(deviations: Sequence[Deviation], row: Row, dtype: str = "float32") -> str:
    """The names of the known deviations that carve out a row, or whatever has this part of one, in this dtype."""
    said: dict[str, set[Any]] = {"dtype": {dtype}, "weights_dtype": {row.get("weights") or dtype}}
    for item in row.items():
        for word, values in _facts(*item).items():
            said.setdefault(word, set()).update(values)
    return ", ".join(each.name for each in deviations if not each.precision and each.covers({**_ALIKE, **said}))


@cache
def _facts(factor: str, value: Any) -> Facts:
    """What a value of a factor says in the words of known deviations."""
    match factor:
        case "masking":
            return {"masking": {value}}
        case "pattern":
            return {"pattern": {_pattern(value)}}
        case "direction":
            merges = {"merge": {value}} if value in MERGES else {}
            return {"direction": {"bidirectional" if value in MERGES else value}, **merges}
        case "stack":
            others = [cell for cell in value.others if cell is not None]
            return {"layers": {len(value.units)}, "units": set(value.units), **facts_of_cells(others)}
        case "variant":
            return facts_of_cells([value])
        case "embedding":
            table = _EMBEDDINGS[value]
            makes_mask = table is not None and table.mask_zero
            masking = {"masking": {"mask"}} if makes_mask else {}
            return {"embedding": {table is not None}, "mask_zero": {makes_mask}, **masking}
        case "batched":
            return {"batched": {value}, "batch": {BATCH if value else 1}}
        case "weights":
            return {}
    return {_WORDS.get(factor, factor): {value}}


_WORDS = {
    "way": "mode",
    "sequences": "return_sequences",
    "final state": "return_state",
    "initial state": "initial_state",
    "bias": "use_bias",
}
"""The words of known deviations for the factors of which a value says nothing but itself."""

_ALIKE: Facts = {
    "dropout": {False},
    "recurrent_dropout": {False},
    "timesteps": {TIMESTEPS},
}
"""What is the same in every row."""


def architecture_of(row: Row, dtype: str) -> Architecture:
    """The model of a row."""
    embedding, units = _EMBEDDINGS[row["embedding"]], row["stack"].units
    merge = row["direction"] if row["direction"] in MERGES else "concat"
    direction = "bidirectional" if row["direction"] in MERGES else row["direction"]
    reads = (FEATURES, *units[:-1])
    cells = row["stack"].cells(row["variant"])
    layers = [Layer(f, u, cell, row["bias"]) for f, u, cell in zip(reads, units, cells, strict=True)]
    return Architecture(
        in_direction(layers, direction, merge),
        embedding,
        dtype,
        return_sequences=row["sequences"],
        return_state=row["final state"],
        batched=row["batched"],
        mode=row["way"],
        masking=row["masking"],
        stateful=row["stateful"],
        weights_dtype=row.get("weights", ""),
        batch=BATCH if row["stateful"] else None,
        timesteps=TIMESTEPS if row["way"] == UNROLLED else None,
    )
