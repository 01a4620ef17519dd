"""From results to what every rendering needs: a matrix of clauses and backends, and what is known of each cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from rnn_conformance.reports.overview.cells import DTYPES, FIRST, Cell, Facet, counts, in_order
from rnn_conformance.reports.overview.verdicts import MISSING, NOT_RUN, PROBLEMS, SEVERITY, gravest, worst
from rnn_conformance.reports.records.records import USUAL_CELL, CheckRecord, Results, Worst

OVER_TIME = ("schema", "suite", "specification", "chapters", "clauses")
"""What the headers of results of one backend have in common, so that one can follow another in time."""

ALIKE = (*OVER_TIME, "digest")
"""What those of results have in common that stand side by side: one state of the suite asked all of them the same."""

_OTHER_DIGEST = "another state of the suite asked other questions; run one of them again, or report them apart"


@dataclass(frozen=True)
class Suite:
    """A state of the suite: its version, and the digest of what decides its verdicts."""

    version: str
    digest: str

    def __str__(self) -> str:
        return f"{self.version} {self.digest or 'of unknown digest'}"


@dataclass(frozen=True)
class Observation:
    """What a backend does where the specification is silent; `where` are the dtypes and modes that all say so."""

    question: str
    answer: str
    where: Sequence[str]


@dataclass(frozen=True)
class Backend:
    """One results file: `cells` by clause, and `others`, the checks that cite no clause and are no observations.

    `cells` are over all dtypes, `facets` tell them apart, in the order in which they are told. `reader` is the suite
    that tells of it, which need not be the one that made it; None if that does not matter.
    """

    results: Results
    cells: Mapping[str, Cell]
    others: Cell
    facets: Mapping[str, Facet]
    reader: Suite | None = None

    @property
    def name(self) -> str:
        """The adapter and, unless it is the simple RNN, the cell."""
        return self.results.header.name

    @property
    def cell(self) -> str:
        """The kind of cell that all checks were about."""
        return self.results.header.cell

    @property
    def truncated(self) -> bool:
        return truncated(self.results)

    def is_about(self, clause: str) -> bool:
        """Whether a clause says anything of the cell, or might, for all that is known."""
        return clause not in self.results.header.of_other_cells

    def about(self, clauses: Iterable[str]) -> Sequence[str]:
        """Those of the clauses that say anything of the cell."""
        return list(filter(self.is_about, clauses))

    @property
    def suite(self) -> Suite:
        """The suite that made the results."""
        return Suite(self.results.header.suite, self.results.header.digest)

    @cached_property
    def dtype(self) -> str:
        """The dtype to show first: float32, or, of a backend that does not offer it, the first that it does."""
        if _offers(self.results, FIRST):
            return FIRST
        return next((facet.dtype for facet in self.facets.values() if facet.offered), FIRST)

    def facet(self, dtype: str = "") -> Facet:
        """The clauses in one dtype, none of them run if nothing is known of it; over all dtypes without one."""
        if not dtype:
            return Facet("", self.cells)
        nothing = dict.fromkeys(self.cells, Cell(NOT_RUN))
        return self.facets.get(dtype) or Facet(dtype, nothing, _offers(self.results, dtype))

    @property
    def problems(self) -> Sequence[CheckRecord]:
        """The records that want attention, the gravest first."""
        found = [record for record in self.results.checks if record.verdict in PROBLEMS]
        return sorted(found, key=lambda record: SEVERITY.index(record.verdict))

    @property
    def observations(self) -> Sequence[Observation]:
        """What was observed, each answer once."""
        answers: dict[tuple[str, str], list[str]] = {}
        for record in self.of_verdict("observed"):
            where = ", ".join(filter(None, (record.dtype, record.mode)))
            answers.setdefault((record.title, record.message), []).append(where)
        return [Observation(question, answer, where) for (question, answer), where in answers.items()]

    @property
    def counts(self) -> Mapping[str, int]:
        """How many clauses there are of each verdict over all dtypes: those that conform, then the gravest first."""
        return counts(self.cells.values())

    def counts_of(self, clauses: Iterable[str], dtype: str = "") -> Mapping[str, int]:
        """The same for some of the clauses, in one dtype or over all."""
        cells = self.facet(dtype).cells
        return counts(cells[clause] for clause in clauses)

    @property
    def examples(self) -> int:
        return sum(record.examples for record in self.results.checks)

    @property
    def seconds(self) -> float:
        return sum(record.seconds for record in self.results.checks)

    @property
    def worst(self) -> Worst | None:
        """The largest error that is not a known deviation's."""
        return worst(record for record in self.results.checks if record.verdict != "deviation")

    def of_verdict(self, verdict: str) -> Sequence[CheckRecord]:
        return [record for record in self.results.checks if record.verdict == verdict]


@dataclass(frozen=True)
class Summary:
    """Several backends' results, held against the same specification by the same suite."""

    suite: str
    specification: str
    chapters: Mapping[str, str]
    clauses: Mapping[str, str]
    backends: Sequence[Backend]

    @property
    def dtypes(self) -> Sequence[str]:
        """The dtypes that any of the backends was asked in, float32 first."""
        return in_order(dtype for backend in self.backends for dtype in backend.facets)

    @cached_property
    def dtype(self) -> str:
        """The dtype to show first: float32, unless no backend offers it."""
        first = [backend.dtype for backend in self.backends]
        return FIRST if FIRST in first else first[0]

    @property
    def by_cell(self) -> Mapping[str, Sequence[Backend]]:
        """The backends by the kind of cell that they are about, the simple RNN first."""
        found: dict[str, list[Backend]] = {}
        for backend in sorted(self.backends, key=lambda backend: backend.cell != USUAL_CELL):
            found.setdefault(backend.cell, []).append(backend)
        return found

    @property
    def profiles(self) -> Sequence[str]:
        return list(dict.fromkeys(backend.results.header.profile for backend in self.backends))

    @property
    def seeds(self) -> Sequence[int]:
        return list(dict.fromkeys(backend.results.header.seed for backend in self.backends))

    @property
    def detection(self) -> str:
        """How many planted faults the suite notices, in words; empty if that is not known."""
        found = self.backends[0].results.header.detection
        if not all(isinstance(found.get(name), int) for name in ("killed", "of", "seeds")):
            return ""
        seeds = "" if found["seeds"] == 1 else f" with each of {found['seeds']} seeds"
        return f"{found['killed']} of {found['of']} planted faults noticed{seeds}"

    def clauses_of(self, chapter: str) -> Sequence[str]:
        """The numbers of a chapter's clauses."""
        return [number for number in self.clauses if _chapter(number) == chapter]


def summarise(results: Sequence[Results], reader: Suite | None = None) -> Summary:
    """Bring results together, in the order given; `reader` is the suite that tells of them, if that matters.

    Raises ValueError, naming the files, for none at all, for results that cannot be compared (of another schema, state
    of the suite or specification) and for an adapter that comes twice with the same cell.
    """
    if not results:
        raise ValueError("there are no results to report")
    check_comparable(results)
    _check_each_once(results)
    header = results[0].header
    # Every clause is shown, even one whose chapter the header forgot.
    chapters = {**header.chapters, **{_chapter(c): "" for c in header.clauses if _chapter(c) not in header.chapters}}
    return Summary(header.suite, header.specification, chapters, header.clauses, backends(results, reader))


def backends(results: Sequence[Results], reader: Suite | None = None) -> Sequence[Backend]:
    """Each results file by clauses; which clauses a missing check is about, the others may tell."""
    cited = _clauses_by_function(results)
    return [_backend(each, cited, reader) for each in results]


def alike_facets(backend: Backend) -> Sequence[tuple[Sequence[str], Facet]]:
    """What the backend offers and was asked, by dtype: the one to show first, then those that count the same together.

    Each facet is the first of its dtypes.
    """
    groups: dict[tuple[object, ...], list[Facet]] = {}
    for dtype, facet in backend.facets.items():
        if facet.offered and facet.asked:
            groups.setdefault((dtype == backend.dtype, *facet.counts.items()), []).append(facet)
    found = [([facet.dtype for facet in group], group[0]) for group in groups.values()]
    return sorted(found, key=lambda each: each[0][0] != backend.dtype)


def exit_status(results: Sequence[Results]) -> int:
    """0: everything conforms, apart from known deviations and what is unsupported. 1: something does not.

    3 outweighs 1: something is broken, or a run is truncated or empty, so that the results do not say.
    """
    records = [record for each in results for record in each.checks]
    if any(truncated(each) or not each.checks for each in results) or not results:
        return 3
    if any(record.verdict == "broken" for record in records):
        return 3
    return 1 if any(record.verdict in PROBLEMS for record in records) else 0


def truncated(results: Results) -> bool:
    """Whether the run ended before its end."""
    return results.footer is None or bool(results.missing)


def check_comparable(results: Sequence[Results], fields: Sequence[str] = ALIKE) -> None:
    """Raise ValueError, naming the files, for results whose headers differ from the first in one of these fields."""
    first = results[0]
    for each in results[1:]:
        for field in fields:
            ours, theirs = getattr(first.header, field), getattr(each.header, field)
            if ours == theirs:
                continue
            if isinstance(ours, str | int):
                helps = f": {_OTHER_DIGEST}" if field == "digest" else ""
                raise ValueError(
                    f"these results cannot be shown together: {first.path} is of {field} {ours or 'unknown'}, "
                    f"{each.path} of {field} {theirs or 'unknown'}{helps}"
                )
            key = next(key for key in {**ours, **theirs} if ours.get(key) != theirs.get(key))
            raise ValueError(
                f"these results cannot be shown together: in {field} of the specification, {key} is "
                f"{ours.get(key)!r} in {first.path} and {theirs.get(key)!r} in {each.path}"
            )


def _check_each_once(results: Sequence[Results]) -> None:
    files: dict[str, Results] = {}
    for each in results:
        if other := files.get(each.header.name):
            raise ValueError(f"adapter {each.header.name} comes twice: in {other.path} and in {each.path}")
        files[each.header.name] = each


def _backend(results: Results, cited: Mapping[str, frozenset[str]], reader: Suite | None) -> Backend:
    clauses, missing = results.header.clauses, results.missing
    seen = {record.dtype for record in results.checks if record.dtype and record.clauses}
    dtypes = in_order(seen | {dtype for check in missing if (dtype := dtype_of(check)) in DTYPES})
    facets = {}
    for dtype in dtypes:
        records = [record for record in results.checks if record.dtype in (dtype, "")]
        cells = _cells(clauses, records, [check for check in missing if dtype_of(check) == dtype], cited)
        facets[dtype] = Facet(dtype, cells, _offers(results, dtype))
    others = [
        record for record in results.checks if record.verdict != "observed" and not set(record.clauses) & set(clauses)
    ]
    everything = _cells(clauses, results.checks, missing, cited)
    return Backend(results, everything, Cell(_verdict(others, 0), others), facets, reader)


def _cells(
    clauses: Iterable[str], records: Sequence[CheckRecord], missing: Sequence[str], cited: Mapping[str, frozenset[str]]
) -> Mapping[str, Cell]:
    lacking = Counter(clause for check in missing for clause in cited.get(_function(check), ()))
    unknown = any(_function(check) not in cited for check in missing)
    cells = {}
    for clause in clauses:
        found = [record for record in records if clause in record.clauses]
        # A check that no file has a record of may be of any clause, so it accounts for those that have none.
        absent = lacking[clause] or int(unknown and not found)
        cells[clause] = Cell(_verdict(found, absent), found, lacking[clause])
    return cells


def _offers(results: Results, dtype: str) -> bool:
    """Whether the adapter declares the dtype; of one that declares none, whether any check of it was supported."""
    declared = results.header.description.get("precision")
    if isinstance(declared, dict) and declared:
        return dtype in declared
    return any(record.verdict != "unsupported" for record in results.checks if record.dtype == dtype)


def _verdict(records: Sequence[CheckRecord], missing: int) -> str:
    return gravest([MISSING] * missing + [record.verdict for record in records])


def _clauses_by_function(results: Sequence[Results]) -> Mapping[str, frozenset[str]]:
    """The clauses of each check function: whatever its parameters, it cites the same, so one record tells of all."""
    clauses: dict[str, frozenset[str]] = {}
    for each in results:
        for record in each.checks:
            name = _function(record.check)
            clauses[name] = clauses.get(name, frozenset()) | frozenset(record.clauses)
    return clauses


def dtype_of(check: str) -> str:
    """The dtype in a check's name, such as ``t.py::test_x[float32-eager]``; empty where there is none."""
    return check.partition("[")[2].partition("-")[0]


def _chapter(clause: str) -> str:
    return clause.partition(".")[0]


def _function(check: str) -> str:
    return check.partition("[")[0]
