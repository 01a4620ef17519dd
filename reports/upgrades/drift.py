"""Two records of one check, of the same verdict: whether its errors grew beyond noise, and whether its bits differ."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rnn_conformance.reports.overview.wording import count, figure
from rnn_conformance.reports.records.records import EXACT, UNBOUNDED, CheckRecord, Fingerprint
from rnn_conformance.reports.upgrades.change import BETTER, OTHER, WORSE, Change

SIGNIFICANCE = 1e-6
"""How rarely two equally accurate runs may be told apart: there are some hundred checks in a run."""

MOVED = 0.1
"""So many of the errors must have moved: with enough errors, any difference at all is significant."""

RAISED = "raised"
"""How a fingerprint begins whose example raised an exception."""

_FORMATS = {"float16": (11, -14), "bfloat16": (8, -126), "float32": (24, -126), "float64": (53, -1022)}
"""For each dtype the bits of its significand and its least normal exponent."""


def accuracy(old: CheckRecord, new: CheckRecord, *, same_cases: bool) -> Change | None:
    """The change of the errors as shares of their bounds, if it is beyond noise.

    Rounding has a say in every error, so other bits are other errors: what is asked is whether they still look like
    drawn from the same distribution. Two tests answer:

    * The Kolmogorov-Smirnov distance D of the two histograms, which is the largest difference between the parts of the
      errors above one size. By the inequality of Dvoretzky, Kiefer, Wolfowitz and Massart, two samples of n and m from
      one distribution are further apart than D with probability 2 exp(-2 D**2 n m / (n + m)) at most; bins of a factor
      of two can only bring them closer. This must be below SIGNIFICANCE, and D above MOVED.
    * The worst error, since D says little of the tail. Of n errors that are spread evenly, the largest is below 1/r of
      the usual with probability r**-n; errors are rather spread like a bell, whose largest is up to twice as far out.
      So the worst must have changed by more than 2 SIGNIFICANCE**(-1/n): 2.3 for 100 errors, 3.6 for 24, 20 for 6.

    n and m count errors where both runs had the same cases, and so as many errors: what the errors of one example have
    in common is then the same in both and cancels out. With other cases it does not: examples are counted instead, and
    the worst error, which a single hard case decides, says nothing.

    Measured in profile smoke: of the checks of torch and numpy in float32, two implementations of the same accuracy, no
    one is told to differ (43 checks, the same cases); and none of either between two seeds (186 checks, other cases),
    where counting errors 6 would be, and by the worst error 4.
    """
    same_cases = same_cases and _errors(old) == _errors(new)
    n, m = _size(old, same_cases), _size(new, same_cases)
    moved, above = _distance(old, new)
    beyond = abs(moved) > MOVED and 2 * math.exp(-2 * moved**2 * n * m / (n + m)) < SIGNIFICANCE
    before, after = _worst(old), _worst(new)
    factor = _factor(before, after)
    tail = same_cases and max(factor, 1 / factor if factor else math.inf) > 2 * SIGNIFICANCE ** (-1 / min(n, m))
    if not (beyond or tail):
        return None
    grew = moved > 0 if beyond else factor > 1
    detail = "the worst error alone"
    if beyond and above is not None:
        size = "other than zero" if math.isinf(above) else f"above {figure(2.0 ** (above + 1))} of the bound"
        parts = (f"{_above(_judged(record), above):.0%} {when}" for record, when in ((old, "before"), (new, "now")))
        detail = f"errors {size}: {', '.join(parts)}"
    return Change(
        kind="accuracy",
        trend=WORSE if grew else BETTER,
        subject=new.check,
        old=f"{figure(old.worst.ratio)} of the bound" if old.worst else "",
        new=f"{figure(new.worst.ratio)} of the bound" if new.worst else "",
        clauses=new.clauses,
        title=new.title,
        detail=detail,
        measured={
            "worst": [_plain(record.worst.ratio if record.worst else 0.0) for record in (old, new)],
            "distance": round(abs(moved), 6),
            "errors": [_errors(record) for record in (old, new)],
        },
    )


@dataclass(frozen=True)
class Frozen:
    """The frozen examples of a check that both runs have: those that can be compared, and how many cannot."""

    pairs: Sequence[tuple[Fingerprint, Fingerprint]]
    other: int

    @property
    def differing(self) -> Sequence[tuple[Fingerprint, Fingerprint]]:
        return [(old, new) for old, new in self.pairs if old.got != new.got]


def frozen(old: CheckRecord, new: CheckRecord) -> Frozen:
    """Bring fingerprints together; those to which other bits were given, or that one run lacks, tell nothing."""
    before, after = _by_example(old.fingerprints), _by_example(new.fingerprints)
    both = [(before[name], after[name]) for name in before if name in after]
    pairs = [(a, b) for a, b in both if a.given == b.given]
    return Frozen(pairs, len({**before, **after}) - len(pairs))


def _by_example(fingerprints: Sequence[Fingerprint]) -> Mapping[tuple[str, int], Fingerprint]:
    """By name and number: a check may run the same example more than once, in other ways."""
    found: dict[tuple[str, int], Fingerprint] = {}
    seen: Counter[str] = Counter()
    for each in fingerprints:
        found[each.example, seen[each.example]] = each
        seen[each.example] += 1
    return found


def bits(old: CheckRecord, new: CheckRecord, *, same_cases: bool) -> Change | None:
    """How the bits differ: in how many frozen examples, and by how many ULP, or, if in none, that other examples do."""
    examples = frozen(old, new)
    differing = examples.differing
    measured: dict[str, Any] = {"examples": len(examples.pairs), "differing": len(differing)}
    if not differing:
        if not same_cases or (old.shares == new.shares and old.worst == new.worst):
            return None
        none = f"none of {count(len(examples.pairs), 'frozen example')} differs" if examples.pairs else "none is frozen"
        return _bits(old, new, [f"the errors of other examples differ; {none}"], measured)
    said = [f"{len(differing)} of {count(len(examples.pairs), 'frozen example')} differ"]
    for a, b in differing:
        if a.got.startswith(RAISED) or b.got.startswith(RAISED):
            was, now = (each.got if each.got.startswith(RAISED) else "returned" for each in (a, b))
            said.append(f"{a.example}: {was} before, {now} now")
        elif len(a.values) != len(b.values):
            said.append(f"{a.example}: {len(a.values)} numbers before, {len(b.values)} now")
    if largest := _largest(differing, new.dtype):
        said.append(
            f"by up to {figure(largest.ulps)} ULP: number {largest.index} of {largest.example} was {largest.old:.9g}, "
            f"is {largest.new:.9g}"
        )
        measured |= {name: _plain(value) for name, value in vars(largest).items()}
    return _bits(old, new, said, measured)


@dataclass(frozen=True)
class Difference:
    """The largest difference in the numbers of frozen examples: in ULP, and where, counted from 0."""

    ulps: float
    example: str
    index: int
    old: float
    new: float


def ulps_apart(a: float, b: float, dtype: str) -> float:
    """How far apart two numbers are, in ULP of the larger; infinite for NaN or infinity against anything else."""
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 0.0
    if not (math.isfinite(a) and math.isfinite(b)):
        return math.inf
    digits, least = _FORMATS[dtype]
    exponent = max(math.frexp(max(abs(a), abs(b)))[1] - 1, least)
    spacing = exponent - digits + 1
    return abs(math.ldexp(a, -spacing) - math.ldexp(b, -spacing))


def _bits(old: CheckRecord, new: CheckRecord, said: Sequence[str], measured: Mapping[str, Any]) -> Change:
    before, after = _worst(old), _worst(new)
    worst = [f"worst error {figure(before)} → {figure(after)} of the bound"] if before != after else []
    return Change("bits", OTHER, new.check, "", "", new.clauses, new.title, "; ".join([*said, *worst]), measured)


def _largest(pairs: Sequence[tuple[Fingerprint, Fingerprint]], dtype: str) -> Difference | None:
    """None where no numbers were kept, and for a dtype whose ULP is not known."""
    if dtype not in _FORMATS:
        return None
    differences = [
        Difference(ulps_apart(was, now, dtype), a.example, index, was, now)
        for a, b in pairs
        if len(a.values) == len(b.values)
        for index, (was, now) in enumerate(zip(a.values, b.values, strict=True))
    ]
    largest = max(differences, key=lambda each: each.ulps, default=None)
    return largest if largest and largest.ulps else None  # no more than the sign of a zero differs


def pooled(records: Sequence[CheckRecord], dtype: str) -> CheckRecord:
    """The errors of all these checks in a dtype: many small changes, each within noise, may together be beyond it."""
    shares: Counter[str] = Counter()
    for record in records:
        if record.dtype == dtype:
            shares.update(record.shares)
    examples = sum(record.examples for record in records if record.dtype == dtype)
    return CheckRecord(f"all checks in {dtype}", "", (), "conforms", 0.0, dtype, examples=examples, shares=shares)


def _worst(record: CheckRecord) -> float:
    """The worst error as a share of its bound; NaN is as bad as can be."""
    ratio = record.worst.ratio if record.worst else 0.0
    return math.inf if math.isnan(ratio) else ratio


def _size(record: CheckRecord, same_cases: bool) -> int:
    """How many independent errors there are, so far as that is known."""
    errors = _errors(record) or record.examples
    return max(errors if same_cases else min(errors, record.examples), 1)


def _errors(record: CheckRecord) -> int:
    return sum(_judged(record).values())


def _judged(record: CheckRecord) -> Mapping[str, int]:
    """The errors that have a bound: of the others nothing can be said."""
    return {share: number for share, number in record.shares.items() if share != UNBOUNDED}


def _distance(old: CheckRecord, new: CheckRecord) -> tuple[float, float | None]:
    """The signed distance of two histograms, positive if the errors grew, and the bin above which it shows."""
    before, after = _judged(old), _judged(new)
    if not (before and after):
        return 0.0, None
    bins = sorted({_bin(key) for key in (*before, *after)})
    moved = {each: _above(after, each) - _above(before, each) for each in bins}
    above = max(moved, key=lambda each: abs(moved[each]))
    return moved[above], above


def _above(shares: Mapping[str, int], above: float | None) -> float:
    """The part of the errors that are in higher bins."""
    larger = sum(number for key, number in shares.items() if above is not None and _bin(key) > above)
    return larger / max(sum(shares.values()), 1)


def _bin(key: str) -> float:
    """The exponent of a bin; "exact" comes before all."""
    return -math.inf if key == EXACT else float(key)


def _factor(before: float, after: float) -> float:
    """By what factor the worst error grew; from zero or to it by none, which the histograms tell better."""
    if before == after or (0 in (before, after) and math.inf not in (before, after)):
        return 1.0
    if math.isinf(after):
        return math.inf
    return after / before


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
