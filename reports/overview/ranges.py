"""Clauses as a person lists them: by chapter, and those that follow each other as a range."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def ranges(clauses: Iterable[str], order: Iterable[str]) -> Sequence[tuple[str, Sequence[tuple[str, str]]]]:
    """The chapters of these clauses, each with its ranges as their first and last clause, such as ``("1.2", "1.5")``.

    `order` are all clauses of the specification; those that it does not have come last, each by itself.
    """
    place = {clause: i for i, clause in enumerate(order)}
    found: dict[str, list[list[str]]] = {}
    for clause in sorted(set(clauses), key=lambda clause: (place.get(clause, len(place)), clause)):
        runs = found.setdefault(clause.partition(".")[0], [])
        if runs and clause in place and place.get(runs[-1][-1]) == place[clause] - 1:
            runs[-1].append(clause)
        else:
            runs.append([clause])
    return [(chapter, [(run[0], run[-1]) for run in runs]) for chapter, runs in found.items()]
