"""Which budget meets what: docs/budgets.md says what is in the code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest

from rnn_conformance.adapters import registry
from rnn_conformance.conformance.cases.lattice import AWKWARD, KINDS, Structure, lattice
from rnn_conformance.conformance.cases.profiles import PROFILES, SEEDS_OF_A_SHAPE
from rnn_conformance.conformance.cases.regimes import RARE
from rnn_conformance.conformance.checks import test_every_number, test_rare, test_sizes
from rnn_conformance.conformance.checks.catalogue import checks, dtypes_of
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.selftest.trials import check_of
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn

PAGE = Path(__file__).parents[1] / "docs" / "budgets.md"
CELLS = [SimpleRnn(activation) for activation in ("tanh", "relu", "linear", "sigmoid")]
NAMES = ("smoke", "default", "thorough", "soak")


@cache
def shapes(name: str) -> list[Structure]:
    """The structures of a profile with seeds 0 to 19, or, of a soak, with the first of each of its first 20 shapes."""
    profile, found = PROFILES[name], list[Structure]()
    for seed in range(20):
        for kind in KINDS:
            count = profile.structures_of(kind)
            first = seed * count % AWKWARD if profile.repeats else 0
            found += lattice(kind, count, seed, CELLS, (True, False), first)
    return found


def most(of: Callable[[Structure], int]) -> Sequence[str]:
    return [f"{max(map(of, shapes(name))):,}" for name in NAMES]


def where(check: str, told: str) -> Sequence[str]:
    """`told` for the profiles that run the check."""
    function = next(function for name, function in checks().items() if name.endswith(f"::{check}"))
    return [told if dtypes_of(function, PROFILES[name]) else "-" for name in NAMES]


def rows() -> list[tuple[str, Sequence[str]]]:
    profiles = [PROFILES[name] for name in NAMES]
    _, units, batch, timesteps = (max(sizes[k] for sizes in test_rare._SIZES) for k in range(4))
    return [
        (
            "structures of a layer, of a stack, with an embedding",
            [", ".join(str(p.structures_of(kind)) for kind in KINDS) for p in profiles],
        ),
        ("drawn of these in a search, times sets of numbers", [f"{p.examples} x {p.draws}" for p in profiles]),
        ("modes beside the main one", ["yes" if p.other_dtypes else "-" for p in profiles]),
        ("most units, of a seed's structures", most(lambda s: max(layer.units for layer in s.layers))),
        ("most timesteps", most(lambda s: s.timesteps)),
        ("most sequences", most(lambda s: s.batch)),
        ("most tokens", most(lambda s: s.embedding.tokens if s.embedding else 0)),
        ("most layers", most(lambda s: len(s.layers))),
        ("2.10: most units", where("test_sizes", str(max(map(max, test_sizes._AROUND))))),
        ("2.10: most timesteps", where("test_sizes", f"{test_sizes._LONG:,}")),
        ("calls of one model, and gradients", where("test_many_calls", f"{test_rare._CALLS}, {test_rare._GRADIENTS}")),
        (
            "units (a multiple of 16), sequences, timesteps",
            where("test_late_and_large", f"{units}, {batch}, {timesteps}"),
        ),
        ("timesteps under a mask", where("test_late_and_large", str(test_rare._LONG))),
        ("tokens", where("test_late_and_large", f"{test_rare._TOKENS:,}")),
        (
            "numbers through an activation, forward and back",
            where("test_activations_and_slopes", f"{test_every_number._DENSE:,}"),
        ),
        ("regimes seldom met: " + ", ".join(RARE), where("test_numbers_seldom_met", "yes")),
    ]


@pytest.mark.parametrize(("what", "told"), rows())
def test_what_the_page_says(what: str, told: Sequence[str]) -> None:
    """Each line of the table follows from the code."""
    assert f"| {what} | {' | '.join(told)} |" in PAGE.read_text(encoding="utf-8").splitlines()


def test_soak_goes_through_the_awkward_structures() -> None:
    """In some hundreds of seeds it meets what a larger budget meets at once."""
    subject = Subject(registry.load("numpy"))
    found: set[int] = set()
    for shape in range(AWKWARD):
        check = check_of("a", subject, "float32", "soak", shape * SEEDS_OF_A_SHAPE)
        check.for_all("layer", lambda case: bool(found.add(case.timesteps)) or True)
    assert {1, 4} < found
    assert max(found) >= 32
