"""Chapter 12 of SPEC.md: every way to run a model, crossed with everything else; saving and training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from itertools import islice, product
from typing import Any

import pytest

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.adapters.support import needs
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import KINDS, in_direction
from rnn_conformance.conformance.cases.magnitudes import largest_sum
from rnn_conformance.conformance.cases.pairs import Cover, Factors, Row, covering_rows, summary
from rnn_conformance.conformance.cases.patterns import PATTERNS, PATTERNS_OF_LENGTHS
from rnn_conformance.conformance.cases.profiles import FLOAT32
from rnn_conformance.conformance.checks.few import few_cases
from rnn_conformance.conformance.checks.refusals import attempt
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import same_bits
from rnn_conformance.reference.arithmetic.rounding import dtype_of
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import MASKINGS, MERGES, Architecture, Embedding, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.weights import in_float64

_RELOADED = "reloaded"
_UNROLLED = "unrolled"
"""The way that has to know the number of timesteps."""

_DIRECTIONS = ("forward", "backward", *MERGES)
"""A merge stands for a bidirectional layer with it."""

_STACKS: Mapping[str, tuple[int, ...]] = {"one layer": (4,), "two alike": (4, 4), "two of other widths": (4, 3)}
_EMBEDDINGS: Mapping[str, Embedding | None] = {
    "none": None,
    "plain": Embedding(5, 3),
    "mask_zero": Embedding(5, 3, mask_zero=True),
}
_NEEDED = {"initial state": "initial state", "gradient": "gradients"}
"""What a call needs that is no matter of the model, by the factor that asks for it."""

_FEATURES, _BATCH, _TIMESTEPS = 3, 3, 5
_REGIMES = ("integers", "unit", "saturating")
_SMOKE_ROWS = 3
_PARTS = 10


@pytest.mark.clause("12.1", modes="main", dtypes=("float32",))
def test_features_crossed(check: Check) -> None:
    """Each two features meet at least once, in each way to run a model, and what comes out is right."""
    rows = [] if check.pin else _rows(check)  # with a pin the example is given, and to find what is refused takes long
    cases: dict[tuple[bool, bool], list[Case]] = {}
    for row in rows:
        cases.setdefault((row["initial state"], row["gradient"]), []).extend(_cases(check, row))
    # A search for each: what a case does not say follows from the number of its search.
    for given, gradient in product((False, True), (False, True)):
        check.every(cases.get((given, gradient), []), partial(_examine, check, given, gradient), initial_state=given)


def _rows(check: Check) -> list[Row]:
    """What to cross with what, as far as the subject offers it. Which pairs that covers is left in the evidence."""
    factors = _factors(check.subject.description)
    if check.profile.thrifty:
        cover = covering_rows(factors, partial(_allowed, _lacking(check.subject.description)), check.seed)
        offered = (row for row in _in_turn(cover.rows) if not _refused(check, row))
        rows = list(islice(offered, max(_SMOKE_ROWS, len(factors["way"]))))
    else:
        cover = _offered_cover(check, check.shapes_seed)
        rows = _in_turn(cover.rows)
    if check.profile.repeats:  # other numbers each time for a part of the cover: some ways to run a model take long
        return rows[check.seed % _PARTS :: _PARTS]
    check.evidence.measured["pairs"] = summary(factors, cover, rows)
    return rows


@lru_cache(maxsize=1)
def _offered_cover(check: Check, shapes_seed: int) -> Cover:
    """Rows that the subject offers; in a soak, the seeds that have shapes in common share them."""
    description = check.subject.description
    allowed = partial(_allowed, _lacking(description))
    return covering_rows(_factors(description), allowed, shapes_seed, partial(_refused, check))


def _factors(description: Description) -> Factors:
    return {
        "way": description.modes + description.ways,
        "masking": MASKINGS,
        "pattern": ("none", *PATTERNS),
        "direction": _DIRECTIONS,
        "stack": tuple(_STACKS),
        "embedding": tuple(_EMBEDDINGS),
        "stateful": (False, True),
        "sequences": (True, False),
        "final state": (False, True),
        "initial state": (False, True),
        "gradient": (False, True),
        "bias": (True, False),
        "activation": description.activations,
        "batched": (True, False),
    }


def _refused(check: Check, row: Row) -> str:
    """Why the subject does not offer what a row asks for; empty if it does, and where it breaks: a case shows that."""
    case = next(_cases(check, row))
    try:
        attempt(partial(check.subject.network, case.architecture))
        if row["gradient"]:  # only the call can say that there is none in this way
            attempt(partial(check.gradients, case, from_given_state=row["initial state"]))
    except Unsupported as reason:
        return str(reason) or "unsupported"
    return ""


def _cases(check: Check, row: Row) -> Iterator[Case]:
    """The cases of a row."""
    architecture = _architecture(row, check.dtype)
    batch = _BATCH if architecture.batched else 1
    pattern = "" if row["pattern"] == "none" else row["pattern"]
    for regime in _REGIMES:
        yield Case(architecture, batch, _TIMESTEPS, regime, check.seed, pattern)


def _in_turn(rows: Sequence[Row]) -> list[Row]:
    """The rows so that every way to run a model comes up before one comes up again."""
    seen: Counter[str] = Counter()
    rounds: list[tuple[int, Row]] = []
    for row in rows:
        rounds.append((seen[row["way"]], row))
        seen[row["way"]] += 1
    return [row for _, row in sorted(rounds, key=lambda pair: pair[0])]


def _allowed(lacking: Container[tuple[str, Any]], row: Row) -> bool:
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
    return not any(item in lacking for item in row.items())


def _lacking(description: Description) -> set[tuple[str, Any]]:
    """The values of factors, each with its factor, of which the subject has declared something lacking."""
    factors = _factors(description)
    defaults = {name: values[0] for name, values in factors.items()}

    def needed(name: str, value: Any) -> Iterator[str]:
        yield from filter(None, needs(_architecture({**defaults, name: value}, "")))
        if value is True and name in _NEEDED:
            yield _NEEDED[name]

    items = [(name, value) for name, values in factors.items() for value in values]
    return {item for item in items if any(map(description.lacks, needed(*item)))}


def _architecture(row: Row, dtype: str) -> Architecture:
    """The model of a row."""
    embedding, units = _EMBEDDINGS[row["embedding"]], _STACKS[row["stack"]]
    merge = row["direction"] if row["direction"] in MERGES else "concat"
    direction = "bidirectional" if row["direction"] in MERGES else row["direction"]
    reads = (_FEATURES, *units[:-1])
    layers = [Layer(f, u, row["activation"], row["bias"]) for f, u in zip(reads, units, strict=True)]
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
        batch=_BATCH if row["stateful"] else None,
        timesteps=_TIMESTEPS if row["way"] == _UNROLLED else None,
    )


def _examine(check: Check, given: bool, gradient: bool, case: Case) -> bool:
    """Judge a call, from an initial state if one is `given`, and if asked for a gradient; of a stateful model two."""
    if not case.architecture.stateful:
        discriminates = check.judge(case, check.run(case, **_state(case, given)), from_given_state=given)
    else:
        subject = check.network(case)
        subject.ask("reset")
        discriminates = check.judge(case, subject.run(case.inputs, **case.given))
        second = case.next()
        _judge_second_call(check, case, second, subject.run(second.inputs, **second.given))
        subject.ask("reset")
    if gradient:
        found = check.gradients(case, from_given_state=given)
        discriminates |= check.judge_gradients(case, found, from_given_state=given)
    return discriminates


def _state(case: Case, given: bool) -> dict[str, Any]:
    return {"initial_state": case.initial_state} if given else {}


def _judge_second_call(check: Check, first: Case, second: Case, output: Output) -> None:
    """Judge the call after the first of a stateful model, to the bit, if its numbers leave no room for rounding."""
    architecture = replace(first.architecture, return_state=True)
    exact = first.regime == "integers" and {layer.activation for layer in architecture.layers} <= {"relu", "linear"}
    # Where outputs of two directions are multiplied, what the second call starts from may be squared.
    if not exact or largest_sum(first) + largest_sum(second) >= 2.0**10:
        return
    right = partial(network.run, architecture, in_float64(first.weights), choices=check.subject.description.choices)
    state = right(first.inputs, mask=first.mask).final_state
    expected = right(second.inputs, state, mask=second.mask).outputs.astype(dtype_of(check.dtype))
    same_bits("outputs of the second call", output.outputs, expected, "it goes on from the first")


@pytest.mark.clause("12.1", modes="main", dtypes=("float64",))
def test_double_in_every_way(check: Check) -> None:
    """In float64, each way to run a model keeps the digits that float32 has not."""
    description = check.subject.description
    cases = []
    for k, way in enumerate(description.modes + description.ways):
        activations = description.activations
        for activation in [activations[k % len(activations)]] if check.profile.thrifty else activations:
            layer, timesteps = Layer(_FEATURES, 4, activation), _TIMESTEPS if way == _UNROLLED else None
            architecture = Architecture((layer,), dtype=check.dtype, mode=way, timesteps=timesteps)
            cases.append(Case(architecture, _BATCH, _TIMESTEPS, "unit", check.seed))
    check.every(cases, lambda case: check.judge(case, check.run(case)))


@pytest.mark.clause("12.2", modes="main", thrifty=FLOAT32)
def test_saved_and_loaded_again(check: Check) -> None:
    """A model that was saved and loaded again has the weights and outputs that it had, bit for bit."""
    description = check.subject.description
    if _RELOADED not in description.modes + description.ways:
        raise Unsupported("the adapter offers no way to save a model and load it again")

    def examine(case: Case) -> bool:
        reloaded = replace(case, architecture=replace(case.architecture, mode=_RELOADED))
        outputs = check.run(case).outputs
        again = check.network(reloaded)
        for (name, array), (_, loaded) in zip(again.weights().arrays(), case.weights.arrays(), strict=True):
            same_bits(name, array, loaded, "it was saved")
        same_bits("outputs of the model loaded again", again.run(case.inputs).outputs, outputs, "the model is the same")
        return bool(outputs.any())

    check.every(few_cases(check, ("layer",) if check.profile.thrifty else KINDS), examine)
