"""Which checks of a run are asked for: of which clauses, of which names and in which dtypes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from rnn_conformance.adapters.description import DTYPES
from rnn_conformance.conformance.cases.profiles import Profile
from rnn_conformance.reference.cells.kinds import CELLS
from rnn_conformance.reference.spec import specification

_NEAR = 5
"""So many names are suggested for one that there is not."""


@dataclass(frozen=True)
class Selection:
    """What was asked for; of each, nothing means all. A check is run if all three hold of it.

    `clauses` are clauses and chapters. `checks` are names: ``test_recurrence``, the same with its file,
    ``test_values.py::test_recurrence``, or as a report has it, ``test_values.py::test_recurrence[float32-eager]``.
    `shard` is one part of all that, such as ``3/8``: parts that are run apart, wherever, make one report.
    """

    clauses: Sequence[str] = ()
    checks: Sequence[str] = ()
    dtypes: Sequence[str] = ()
    shard: str = ""

    def takes(self, check: str, cited: Sequence[str], dtype: str) -> bool:
        """Whether the check of this whole name, which cites these clauses, is asked for in that dtype."""
        if self.dtypes and dtype not in self.dtypes:
            return False
        return self.takes_function(check, cited) and (not self.checks or any(_means(n, check) for n in self.checks))

    def takes_function(self, check: str, cited: Sequence[str]) -> bool:
        """Whether a check is asked for in some dtype and mode."""
        wanted = set(specification().select(list(self.clauses)))
        named = not self.checks or any(_means(_function(name), check) for name in self.checks)
        return named and (not wanted or not wanted.isdisjoint(cited))

    def part_of(self, checks: Sequence[str]) -> list[str]:
        """The whole names of the checks that are of the shard, out of all; all, if there is none.

        Checks of one function stay together, in all their dtypes and modes, since they share what a framework compiles.
        """
        if not self.shard:
            return list(checks)
        number, of = numbers_of(self.shard)
        functions = list(dict.fromkeys(map(_function, checks)))
        mine = set(functions[number - 1 :: of])
        return [check for check in checks if _function(check) in mine]

    def options(self) -> list[str]:
        """The same for the worker's command line."""
        asked = (("only", self.clauses), ("check", self.checks), ("dtype", self.dtypes))
        words = [word for option, names in asked for name in names for word in (f"--conformance-{option}", name)]
        return [*words, *(("--conformance-shard", self.shard) if self.shard else ())]


EVERYTHING = Selection()


def asked_of(option: Callable[[str], Any]) -> Selection:
    """What the worker's options ask for."""
    return Selection(*(option(f"--conformance-{name}") for name in ("only", "check", "dtype", "shard")))


def numbers_of(shard: str) -> tuple[int, int]:
    """Which part of how many a shard is. Raises ValueError for what is none."""
    number, _, of = shard.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise ValueError(f"{shard!r} is no shard: say 3/8 for the third of eight")
    return int(number), int(of)


def refuse_wrong(selection: Selection, profile: Profile, cell: str) -> None:
    """Raise ValueError for a clause or check that there is not, with what is near, and where nothing would be run."""
    if selection.shard:
        numbers_of(selection.shard)
    wanted, elsewhere = specification().select(list(selection.clauses)), specification().of_other_cells(cell)
    if wanted and set(wanted) <= set(elsewhere):
        cells = [kind for kind in CELLS if not set(wanted) & set(specification().of_other_cells(kind))]
        told = f"say --cell {cells[0]}" if cells else "ask for less at a time"
        raise ValueError(f"{', '.join(selection.clauses)} of the specification says nothing of {cell}: {told}")
    if not selection.checks and not selection.dtypes:
        return
    from rnn_conformance.conformance.checks import catalogue  # only here, since pytest imports this file in each run

    known = catalogue.every_check()
    for name in selection.checks:
        function = _function(name)
        if not any(_means(function, check) for check in known):
            raise ValueError(f"there is no check {name!r}; {_near(function, list(known))}")
    asked = {name: each for name, each in known.items() if selection.takes_function(name, catalogue.clauses_of(each))}
    dtypes = {dtype for each in asked.values() for dtype in catalogue.dtypes_of(each, profile, cell)}
    if not dtypes:
        raise ValueError(
            f"no check of {cell} in profile {profile.name} is all that was asked for: ask for less at a time"
        )
    if selection.dtypes and dtypes.isdisjoint(selection.dtypes):
        have = ", ".join(dtype for dtype in DTYPES if dtype in dtypes)
        raise ValueError(
            f"what was asked for is not run in {' or '.join(selection.dtypes)} in profile {profile.name}, but in {have}"
        )


def _near(function: str, known: Sequence[str]) -> str:
    """What is said of the checks whose names are like one that there is not."""
    names = known if "::" in function else [check.partition("::")[2] for check in known]
    near = [name for name in names if function in name] or get_close_matches(function, names, _NEAR, cutoff=0.4)
    return f"near it are {', '.join(near[:_NEAR])}" if near else "a report has the names of all checks"


def _means(name: str, check: str) -> bool:
    """Whether a name that was asked for is that of this check, or a part of it that says which."""
    function = _function(check)
    return name in (check, function, function.partition("::")[2])


def _function(check: str) -> str:
    return check.partition("[")[0]
