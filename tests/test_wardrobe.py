"""The checks of a run share few models, each of which a framework has to compile once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from rnn_conformance.adapters import registry
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.lattice import Structure, lattice, wardrobe
from rnn_conformance.conformance.cases.profiles import DTYPES, FLOAT32, PROFILES
from rnn_conformance.conformance.checks.catalogue import checks, dtypes_of
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.selftest.trials import check_of
from rnn_conformance.conformance.witnesses.deviations import known_deviations
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn

ACTIVATIONS = ("tanh", "relu", "linear", "sigmoid")
CELLS = [SimpleRnn(activation) for activation in ACTIVATIONS]
BOTH = (True, False)


def test_what_a_check_takes_is_part_of_what_all_share() -> None:
    """Whatever it looks for, it makes no models of its own while some of the shared ones will do."""
    shared = lattice("layer", 8, 0, CELLS, BOTH)
    without_bias = wardrobe("layer", 8, 0, CELLS, BOTH, wanted=ACTIVATIONS, bias=False)
    exact = wardrobe("layer", 8, 0, CELLS, BOTH, wanted=("relu", "linear"))
    assert {*without_bias, *exact} <= set(shared)
    assert without_bias == [each for each in shared if not each.layers[0].use_bias]


def test_each_activation_meets_each_bias() -> None:
    pairs = {(each.layers[0].cell.activation, each.layers[0].use_bias) for each in lattice("layer", 8, 0, CELLS, BOTH)}
    assert len(pairs) == 8


def test_where_none_fits_some_are_made() -> None:
    """Of two structures, in tanh and relu, none is in linear."""
    (first, *_) = made = wardrobe("layer", 2, 0, CELLS, BOTH, wanted=("linear",))
    assert {each.layers[0].cell.activation for each in made} == {"linear"}
    assert first not in lattice("layer", 2, 0, CELLS, BOTH)


def test_there_may_be_none() -> None:
    assert wardrobe("layer", 2, 0, CELLS, BOTH, wanted=ACTIVATIONS, where=lambda structure: False) == []


def models(dtype: str, profile: str = "smoke", **how: Any) -> set[str]:
    """The models that a search runs on, in words."""
    check = check_of("a", Subject(registry.load("numpy")), dtype, profile, 0)
    found: set[str] = set()

    def examine(case: Case) -> bool:
        found.add(str(replace(case.architecture, dtype="float32")))
        return True

    check.for_all(("layer", "stack"), examine, **how)
    return found


def test_thrifty() -> None:
    """Several plain layers in float32, and elsewhere one model that others share."""
    plain = models("float32")
    assert len(plain) == 4
    assert len(models("float32", few=True)) == 1
    assert models("float32", few=True) < plain
    assert len(models("float64")) == 1
    assert models("float64") < plain
    assert len(models("float32", direction="backward")) == 2
    assert len(models("float32", "default")) > 10


def test_dtypes_of_a_thrifty_profile() -> None:
    """It leaves float64 out where a check does not ask for it, or for nothing else; other profiles do not."""
    smoke, default = PROFILES["smoke"], PROFILES["default"]
    assert tuple(smoke.dtypes({})) == FLOAT32
    assert smoke.dtypes({"dtypes": ("float64",)}) == ("float64",)
    assert smoke.dtypes({"thrifty": DTYPES}) == default.dtypes({}) == default.dtypes({"thrifty": FLOAT32}) == DTYPES
    assert smoke.dtypes({"thrifty": ()}) == ()


def test_known_deviations_are_seen_again_in_a_thrifty_profile() -> None:
    """It runs the check of each witness in the dtype of that, or not at all: else the entry would be broken there.

    Where an entry speaks of dtypes in which it runs none of its checks, nothing is left out.
    """
    for deviation in known_deviations():
        witness = deviation.witness
        dtypes = dtypes_of(checks()[witness.check], PROFILES["smoke"])
        is_alone = [f"{witness.check.partition('::')[0]}::{name}" for name in deviation.checks] == [witness.check]
        leaves_nothing_out = is_alone and deviation.cases.get("dtype") == witness.dtype
        assert not dtypes or witness.dtype in dtypes or leaves_nothing_out, deviation.name


@pytest.mark.parametrize(("profile", "wanted"), [("smoke", 2), ("default", 7)])
def test_some_of_many(profile: str, wanted: int) -> None:
    """One in four, say, in a thrifty profile; all of them come up with one seed or another."""

    def seeds(seed: int) -> Check:
        return check_of("a", Subject(registry.load("numpy")), "float32", profile, seed)

    items: Sequence[int] = range(7)
    assert len(seeds(0).some_of(items, every=4)) == wanted
    assert {item for seed in range(4) for item in seeds(seed).some_of(items, every=4)} == set(items)


def test_structures_say_which_they_are() -> None:
    """By their place before they were sorted, so that it does not depend on what a check leaves out."""
    found: list[Structure] = lattice("layer", 8, 0, CELLS, BOTH)
    assert sorted(each.number for each in found) == list(range(8))
