"""Finding where a history changes, with few looks at it: halving between two ends, or going back in longer steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

Look = Callable[[int], str | None]
"""What there is at a place of the history, in words; None where nothing can be seen."""


@dataclass(frozen=True)
class Change:
    """A change between two places, `last` and `first`, each with its outcome in `seen`; nothing between them was seen.

    `hidden` are the places between that cannot be seen. `seen` has all that was looked at, by place.
    """

    last: int
    first: int
    hidden: Sequence[int]
    seen: Mapping[int, str]

    @property
    def is_exact(self) -> bool:
        """Whether the two are neighbours."""
        return not self.hidden

    @property
    def turns(self) -> Sequence[int]:
        """Every place at which something else was seen than at the place seen before it: one, if it is monotonic."""
        places = sorted(self.seen)
        return [b for a, b in pairwise(places) if self.seen[a] != self.seen[b]]


class NoChange(Exception):
    """The history is the same at both ends, or wherever it was looked at; the message says so."""


class History:
    """A history of so many places, the oldest first, of which each is looked at once.

    `known` are places of which it is known already what is there, such as from an earlier look.
    """

    def __init__(self, length: int, look: Look, known: Mapping[int, str] | None = None) -> None:
        self.length = length
        self.seen: dict[int, str] = dict(known or {})
        self.hidden: set[int] = set()
        self._look = look

    def at(self, place: int) -> str | None:
        """What is there; None where nothing can be seen."""
        if place not in self.seen and place not in self.hidden:
            found = self._look(place)
            if found is None:
                self.hidden.add(place)
            else:
                self.seen[place] = found
        return self.seen.get(place)

    def between(self, good: int, bad: int) -> Change:
        """The change between two places, in at most log2 of their distance looks, but for what cannot be seen.

        Raises NoChange where both are the same, and where one of them cannot be seen.
        """
        was, now = self.at(good), self.at(bad)
        if was is None or now is None:
            raise NoChange("one of the two ends cannot be run")
        if was == now:
            raise NoChange(f"both ends are the same: {was}")
        while left := [place for place in range(good + 1, bad) if place not in self.hidden]:
            place = left[len(left) // 2]
            found = self.at(place)
            if found == was:
                good = place
            elif found is not None:
                bad = place
        return Change(good, bad, list(range(good + 1, bad)), self.seen)

    def back_from(self, newest: int) -> int:
        """The first place that is other than the newest, going back in steps of 1, 2, 4 and so on.

        Raises NoChange where there is none down to the oldest.
        """
        now = self.at(newest)
        if now is None:
            raise NoChange("the newest cannot be run")
        place, step = newest, 1
        while place > 0:
            place = max(place - step, 0)
            step *= 2
            if self.at(place) not in (now, None):
                return place
        raise NoChange(f"it is the same wherever it was looked at: {now}")

    def look_once_more(self, good: int, bad: int) -> None:
        """Look in the middle of the longest stretch outside of the change of which nothing is known."""
        stretches = [range(good), range(bad + 1, self.length)]
        unknown = [
            run for stretch in stretches for run in _runs([p for p in stretch if p not in {*self.seen, *self.hidden}])
        ]
        if unknown:
            longest = max(unknown, key=len)
            self.at(longest[len(longest) // 2])


def _runs(places: Sequence[int]) -> list[list[int]]:
    """Places that follow one another, together."""
    runs: list[list[int]] = []
    for place in places:
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs
