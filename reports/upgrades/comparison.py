"""Two results files of one backend: what appeared, vanished or changed from the older to the newer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rnn_conformance.reports.overview.rows import changes_of_rows
from rnn_conformance.reports.overview.summary import summarise, truncated
from rnn_conformance.reports.overview.verdicts import PROBLEMS, SEVERITY
from rnn_conformance.reports.overview.wording import asked_for, count, title, truncation
from rnn_conformance.reports.records.records import CheckRecord, Header, Results
from rnn_conformance.reports.upgrades.capabilities import capability_changes, rejudged
from rnn_conformance.reports.upgrades.causes import CauseChange, by_cause, causes_between
from rnn_conformance.reports.upgrades.change import BETTER, KINDS, OTHER, WORSE, Change, tally
from rnn_conformance.reports.upgrades.drift import accuracy, bits, frozen, pooled
from rnn_conformance.reports.upgrades.dtypes import in_dtypes
from rnn_conformance.reports.upgrades.failures import other_failures

SAME = {
    "adapter": "these are two backends, not two versions of one",
    "schema": "their records mean different things",
    "suite": "another release of the suite may draw other cases and judge them by other bounds",
    "digest": "another state of the suite may draw other cases, judge them by other bounds, or ask other things",
    "specification": "they are held against different clauses",
    "profile": "the numbers of examples differ, and with them what was seen",
    "seed": "another seed draws other cases",
    "cell": "they are about different layers",
    "shard": "they are about other checks",
    "parts": "they are brought together of other seeds or processors",
}
"""What must be the same of two headers, and why."""

_OF_SUITES = ("suite", "digest")
"""What may be another where runs of different suites are compared all the same."""

_CASES = ("numpy", "hypothesis")
"""The same seed draws the same cases only with the same versions of these."""


class NotComparable(ValueError):
    """Two results that cannot be compared; the message says why."""


@dataclass(frozen=True)
class Version:
    """A version, or another part of the environment, that differs; empty where there was or is none."""

    name: str
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.name} {self.old or 'absent'} → {self.new or 'absent'}"


@dataclass(frozen=True)
class ClauseChange:
    """A clause about which something changed: its verdict in both runs, and how many changes of each kind."""

    clause: str
    text: str
    old: str
    new: str
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Comparison:
    """What changed between two runs of one adapter.

    `old` and `new` are the backends with their versions, in words. `versions` are the packages that differ,
    `environment` is what else does. `changes` holds every change, in the order of KINDS; `clauses` rolls them up.
    `checks` and `examples` count the checks that both runs have, and the frozen examples that could be compared.
    `causes` brings together the verdicts that changed for the same cause. `dtypes` are those that were compared, none
    for all. `notes` say what could not be.
    """

    adapter: str
    old: str
    new: str
    versions: Sequence[Version]
    environment: Sequence[Version]
    changes: Sequence[Change]
    causes: Sequence[CauseChange]
    clauses: Sequence[ClauseChange]
    dtypes: Sequence[str]
    checks: int
    examples: int
    notes: Sequence[str]

    def of_kind(self, kind: str) -> Sequence[Change]:
        return [change for change in self.changes if change.kind == kind]

    def got_worse(self, kind: str) -> Sequence[Change]:
        """The changes of a kind that somebody would want to be stopped by; of bits these are all."""
        return [change for change in self.of_kind(kind) if change.trend == WORSE or kind == "bits"]

    @property
    def step(self) -> str:
        """From which versions to which, such as ``keras-jax, keras 3.14.0 → 3.15.1``."""
        return ", ".join([self.adapter, *map(str, self.versions)]) if self.versions else self.new

    @property
    def outcome(self) -> str:
        """How many changes there are of each kind, in how many checks."""
        counts = [f"{kind} {words}" for kind in KINDS if (words := tally(self.changes, kind))]
        seen = count(self.checks, "check") + (f" in {' and '.join(self.dtypes)} only" if self.dtypes else "")
        seen += f", {count(self.examples, 'frozen example')}" if self.examples else ""
        return f"{'; '.join(counts) or 'nothing changed'} ({seen})"


def compare(old: Results, new: Results, *, across_suites: bool = False, dtypes: Sequence[str] = ()) -> Comparison:
    """What changed from the old run to the new one, in these dtypes, or in all.

    `across_suites` compares also what two states of the suite made. Raises NotComparable, with every reason, for runs
    that differ in more than their environment, are truncated, or have no check in these dtypes.
    """
    if dtypes:
        old, new = in_dtypes(old, dtypes), in_dtypes(new, dtypes)
    _refuse(old, new, across_suites)
    if dtypes:
        for each in (old, new):
            if not any(record.dtype for record in each.checks):
                raise NotComparable(f"{each.path} has no check in {' or '.join(dtypes)}")
    changes = sorted(_changes(old, new), key=lambda change: list(KINDS).index(change.kind))
    after = {record.check: record for record in new.checks}
    both = [(record, after[record.check]) for record in old.checks if record.check in after]
    return Comparison(
        adapter=new.header.name,
        old=title(old.header),
        new=title(new.header),
        versions=list(_versions(old.header.versions, new.header.versions)),
        environment=list(_versions(old.header.environment, new.header.environment)),
        changes=changes,
        causes=by_cause(changes, [*old.checks, *new.checks], list(new.header.clauses)),
        clauses=list(_clauses(old, new, changes)),
        dtypes=list(dtypes),
        checks=len(both),
        examples=sum(len(frozen(*pair).pairs) for pair in both),
        notes=list(_notes(old, new, both, changes)),
    )


def _refuse(old: Results, new: Results, across_suites: bool) -> None:
    reasons = []
    for field, why in SAME.items():
        ours, theirs = getattr(old.header, field), getattr(new.header, field)
        if ours != theirs and not (across_suites and field in _OF_SUITES):
            told = ["unknown" if value in ("", []) else value for value in (ours, theirs)]
            differ = f"{old.path} is of {field} {told[0]}, {new.path} of {field} {told[1]}: {why}"
            reasons.append(differ + ("; --across-suites compares them all the same" if field in _OF_SUITES else ""))
    if not reasons and old.header.clauses != new.header.clauses:
        differing = [n for n, _, _ in _different(old.header.clauses, new.header.clauses)]
        reasons.append(f"they have other words for {count(len(differing), 'clause')}: {', '.join(differing)}")
    for each in (old, new):
        if truncated(each):
            broken = [record.message.strip() for record in each.checks if record.verdict == "broken"]
            reasons.append(f"{each.path} is {truncation(each)}" + "".join(f"\n{message}" for message in broken[:1]))
    if old.header.only_dtypes != new.header.only_dtypes:
        some = next(each for each in (old, new) if each.header.only_dtypes)
        options = " ".join(f"--dtype {dtype}" for dtype in some.header.only_dtypes)
        reasons.append(f"{some.path} was asked for {asked_for(some.header)} only: compare both with {options}")
    if not reasons and not across_suites and old.header.description and new.header.description:
        for one, other in ((old, new), (new, old)):
            if more := sorted(_functions(one) - _functions(other)):
                reasons.append(
                    f"only {one.path} has {count(len(more), 'check')} such as {more[0]}: the runs were asked for other "
                    "clauses or checks (--only, --check), or by another state of the suite"
                )
    if reasons:
        raise NotComparable("; ".join(reasons))


def _functions(results: Results) -> set[str]:
    """The functions of the checks: modes and dtypes come and go with a version, these do not."""
    return {check.partition("[")[0] for check in results.header.planned if "::" in check}


def _changes(old: Results, new: Results) -> Iterator[Change]:
    before = {record.check: record for record in old.checks}
    after = {record.check: record for record in new.checks}
    told: set[tuple[str, str]] = set()
    if described := bool(old.header.description and new.header.description):
        for change in capability_changes(old.header, new.header):
            told.add((change.old, change.new))
            yield change
    same_cases = _same_cases(old.header, new.header)
    other_bounds = rejudged(old.header, new.header)
    within_noise: list[tuple[CheckRecord, CheckRecord]] = []
    for name, was in before.items():
        if now := after.get(name):
            # A reason that a capability was given above explains any number of checks.
            explained = was.verdict == now.verdict == "unsupported" and (was.message, now.message) in told
            found = [] if explained else list(_changed(was, now, same_cases, was.dtype not in other_bounds))
            if all(change.kind == "bits" for change in found):
                within_noise.append((was, now))
            yield from found
        elif described or not old.header.description:
            yield _gone(was)
    for dtype in dict.fromkeys(was.dtype for was, _ in within_noise if was.dtype not in other_bounds):
        together = accuracy(*(pooled(each, dtype) for each in zip(*within_noise, strict=True)), same_cases=same_cases)
        if together:
            yield together
    for name, now in after.items():
        if name not in before and (described or not new.header.description):
            yield _come(now)


def _changed(was: CheckRecord, now: CheckRecord, same_cases: bool, same_bounds: bool) -> Iterator[Change]:
    """What changed about one check, if anything: the first kind that applies, and no other."""
    if was.verdict != now.verdict:
        yield _verdict(was, now)
    elif was.deviation != now.deviation:
        yield _deviation(was, now)
    elif change := other_failures(was, now):
        yield change
    elif now.verdict in ("observed", "unsupported") and was.message != now.message:
        yield Change("support", OTHER, now.check, was.message, now.message, now.clauses, now.title)
    else:
        change = accuracy(was, now, same_cases=same_cases) if same_bounds else None
        if change := change or bits(was, now, same_cases=same_cases and same_bounds):
            yield change


def _verdict(was: CheckRecord, now: CheckRecord) -> Change:
    kind, trend = "meaning", BETTER
    if now.verdict == "unsupported":
        kind, trend = "support", WORSE
    elif was.verdict == "unsupported":
        # What was not there and is now wrong hurts nobody who did without it, but nothing was won either.
        kind, trend = "support", OTHER if now.verdict in PROBLEMS else BETTER
    elif _is_as_before(was, now):
        trend = OTHER
    elif _gravity(now.verdict) < _gravity(was.verdict):
        trend = WORSE
    elif now.verdict == "deviation":
        trend = OTHER  # it departs from the specification as before, even if it is known now
    causes = causes_between(was, now) if kind == "meaning" else ()
    detail = _with_rows(was, now, now.reason or now.message or was.message)
    return _of_check(kind, trend, now, _said(was), _said(now), detail, causes)


def _is_as_before(was: CheckRecord, now: CheckRecord) -> bool:
    """Whether a failure may be the deviation that the other run knows, and was not looked at in the versions of one."""
    failed, known = (was, now) if was.verdict == "fails" else (now, was)
    names = {cause.deviation for cause in failed.not_looked_at}
    return failed.verdict == "fails" and known.verdict == "deviation" and bool(names & set(known.deviation.split(", ")))


def _gravity(verdict: str) -> int:
    """The gravest first; what is observed is as good as what conforms."""
    return SEVERITY.index("conforms" if verdict == "observed" else verdict)


def _deviation(was: CheckRecord, now: CheckRecord) -> Change:
    """Other known deviations: better only if none is new."""
    old, new = was.deviation.split(", "), now.deviation.split(", ")
    trend = WORSE if set(new) - set(old) else BETTER
    detail = _with_rows(was, now, now.reason or now.message)
    return _of_check("meaning", trend, now, _said(was), _said(now), detail, causes_between(was, now))


def _with_rows(was: CheckRecord, now: CheckRecord, detail: str) -> str:
    """The detail of a change, and what became of the rows of features, if both runs have crossed some."""
    rows = changes_of_rows(was.rows, now.rows).told if was.rows and now.rows else []
    return "\n".join([*rows, detail])


def _said(record: CheckRecord) -> str:
    """The verdict, with the name of a known deviation, or that one was not looked at in this version."""
    unlooked = ", not looked at in this version" if record.not_looked_at else ""
    return f"{record.verdict} {record.deviation}".strip() + unlooked


def _gone(was: CheckRecord) -> Change:
    """A check that is planned no more, as its mode or dtype is gone."""
    if was.verdict in PROBLEMS and not was.clauses:
        return _of_check("meaning", BETTER, was, was.verdict, "not there", was.message)
    trend = OTHER if was.verdict in ("unsupported", *PROBLEMS) else WORSE
    return _of_check("support", trend, was, was.verdict, "not there", "")


def _come(now: CheckRecord) -> Change:
    """A check that was not planned before, as its mode or dtype is new."""
    if now.verdict in PROBLEMS:
        return _of_check("meaning", WORSE, now, "not there", now.verdict, now.message)
    trend = OTHER if now.verdict == "unsupported" else BETTER
    return _of_check("support", trend, now, "not there", now.verdict, now.message)


def _of_check(
    kind: str, trend: str, record: CheckRecord, old: str, new: str, detail: str, causes: Sequence[str] = ()
) -> Change:
    return Change(
        kind, trend, record.check, old, new, record.clauses, record.title, detail, dtype=record.dtype, causes=causes
    )


def _clauses(old: Results, new: Results, changes: Sequence[Change]) -> Iterator[ClauseChange]:
    """The clauses that a change is about, in the order of the specification."""
    before, after = summarise([old]).backends[0].cells, summarise([new]).backends[0].cells
    for clause, text in new.header.clauses.items():
        kinds = [change.kind for change in changes if clause in change.clauses]
        if kinds:
            counts = {kind: kinds.count(kind) for kind in KINDS}
            yield ClauseChange(clause, text, before[clause].verdict, after[clause].verdict, counts)


def _versions(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Version]:
    for name, was, now in _different(old, new):
        yield Version(name, was, now)


def _different(old: Mapping[str, str], new: Mapping[str, str]) -> list[tuple[str, str, str]]:
    names = [*old, *(name for name in new if name not in old)]
    return [(name, old.get(name, ""), new.get(name, "")) for name in names if old.get(name) != new.get(name)]


def _same_cases(old: Header, new: Header) -> bool:
    return all(old.environment.get(name) == new.environment.get(name) for name in _CASES)


def _notes(
    old: Results, new: Results, both: Sequence[tuple[CheckRecord, CheckRecord]], changes: Sequence[Change]
) -> Iterator[str]:
    for each, which in ((old, "old"), (new, "new")):
        if not each.header.description:
            yield f"the adapter did not work in the {which} run, so that there is nothing to compare with"
    if suites := [field for field in _OF_SUITES if getattr(old.header, field) != getattr(new.header, field)]:
        was, now = (" ".join(getattr(each.header, field) or "unknown" for field in suites) for each in (old, new))
        yield f"two states of the suite ({was} → {now}) made these runs: what changed may be the suite, not the backend"
    if not _same_cases(old.header, new.header):
        names = " and ".join(n for n in _CASES if old.header.environment.get(n) != new.header.environment.get(n))
        yield f"another {names} draws other cases from the same seed: a difference may be one of the cases"
    before, after = (each.header.environment.get("processor") for each in (old, new))
    if changes and before and after and before != after:
        yield "another processor may run other code of the same packages: bits may differ for that alone"
    if dtypes := rejudged(old.header, new.header):
        yield f"errors in {' and '.join(dtypes)} are judged by other bounds, so their shares are not compared"
    lost = [frozen(*pair).other for pair in both]
    if any(lost):
        checks = count(sum(each > 0 for each in lost), "check")
        yield (
            f"{count(sum(lost), 'frozen example')} of {checks} cannot be compared: they are in one run only, or were "
            "given other inputs"
        )
