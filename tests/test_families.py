"""The families of mutants: each mutant has one, and a failure is said to be like faults of one family or of none."""

from __future__ import annotations

import pytest
from test_diagnosis import RECURRENCE, failed

from rnn_conformance.conformance.explaining import diagnosis
from rnn_conformance.conformance.mutants.catalogue import catalogue
from rnn_conformance.conformance.mutants.families import (
    Family,
    families,
    families_of,
    family_of_all,
    is_astray,
    told_of,
)

NAN = ("nan-reaches-other-rows", "nan-reaches-earlier-steps", "padding-multiplied-by-zero")


def test_every_mutant_has_a_family() -> None:
    """Of no more than a quarter of the catalogue: a family of everything would say nothing."""
    assert [name for name in catalogue() if not families_of(name)] == []
    assert max(len(family.names) for family in families()) < len(catalogue()) / 4


def test_each_family_is_told_once() -> None:
    """By a sentence of its own."""
    sentences = [family.sentence for family in families()]
    assert len(set(sentences)) == len(sentences)


def test_family_of_what_there_is_not() -> None:
    """A mutant that was renamed is missed."""
    with pytest.raises(ValueError, match="has no-such-fault, which is no mutant and no theme"):
        _ = Family("x", "bias-twice no-such-fault").names


def test_what_several_have_in_common() -> None:
    """The narrowest family counts; what has none in common is told of as nothing."""
    family = family_of_all(NAN)
    assert family is not None
    assert family.sentence == "NaN, or what stands in the padding, reaches what it should not"
    assert told_of(NAN) == NAN
    assert family_of_all(["bias-twice", "outputs-reversed"]) is None
    assert told_of(["bias-twice", "outputs-reversed"]) == []
    assert told_of([]) == []


def test_name_of_another_family_is_wrong() -> None:
    """As long as one of those that are told of is of no family of the fault; to tell of none is not wrong."""
    assert not is_astray(["bias-missing"], ["bias-twice"])
    assert is_astray(["bias-missing", "outputs-reversed"], ["bias-twice"])
    assert not is_astray([], ["bias-twice"])


@pytest.mark.parametrize(
    ("alike", "said"),
    [
        ([], ""),
        (["bias-negated"], 'matches "The bias is subtracted"'),
        (["bias-negated", "bias-missing"], 'matches "The bias is subtracted", or "The bias is left out"'),
        (["bias-negated", "outputs-reversed"], ""),
        (
            ["bias-twice", "bias-missing", "bias-negated", "bias-after-activation", "bias-stale"],
            "matches faults of a family: the bias is not added as it should be; such as "
            '"The bias is added twice", "The bias is left out", "The bias is subtracted", and 2 more',
        ),
    ],
)
def test_how_it_is_said(alike: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few are named; of many, it is said what they have in common."""
    monkeypatch.setattr(diagnosis, "recognise", lambda *_: alike)
    assert diagnosis.explain(*failed(catalogue()["bias-negated"].adapter(), RECURRENCE)) == said
