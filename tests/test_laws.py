"""What the checks of masks, directions and gradients share: parts of an output, and ways that are left out."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.numpy.adapter import NumpyAdapter
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks import laws
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer


@dataclass(frozen=True)
class Lacking(NumpyAdapter):
    """The reference without some of its features."""

    without: tuple[str, ...] = ()

    def describe(self) -> Description:
        full = super().describe()
        return replace(full, offers=[feature for feature in full.offers if feature not in self.without])


def check_of(*without: str, profile: str = "default", seed: int = 0) -> Check:
    return Check(
        "a check", Subject(Lacking(without=without)), "float32", "eager", PROFILES[profile], seed, 1, Journal(None)
    )


def case_of(direction: str = "forward", pattern: str = "gaps", **how: object) -> Case:
    architecture = Architecture((Layer(2, 3, direction=direction),), return_state=True, masking="mask")
    return Case(replace(architecture, **how), 3, 6, "unit", 4, pattern)  # type: ignore[arg-type]


def maskings_seen(check: Check) -> list[str]:
    """The kinds of masking that a search looks at, in order."""
    seen: dict[str, None] = {}

    def look(case: Case) -> bool:
        seen[case.architecture.masking] = None
        return True

    laws.for_each(check, ["layer"], laws.maskings(), look)
    return list(seen)


def test_what_is_lacking_is_left_out() -> None:
    """Each way that is offered is searched; without any, the declared reason is told."""
    assert maskings_seen(check_of()) == ["lengths", "mask"]
    assert maskings_seen(check_of("lengths")) == ["mask"]
    with pytest.raises(Unsupported, match="does not offer lengths"):
        maskings_seen(check_of("lengths", "mask"))


def test_smoke_takes_one_way() -> None:
    """The smallest profile takes one way, and another with the next seed, if it is offered."""
    assert maskings_seen(check_of(profile="smoke")) == ["lengths"]
    assert maskings_seen(check_of(profile="smoke", seed=1)) == ["mask"]
    assert maskings_seen(check_of("mask", profile="smoke", seed=1)) == ["lengths"]


@pytest.mark.parametrize("profile", ["smoke", "default"])
def test_searches_keep_their_numbers(profile: str) -> None:
    """What is left out counts as a search, so that a pinned example is the same for every adapter."""
    numbers = set()
    for without in ((), ("lengths",), ("mask",)):
        check = check_of(*without, profile=profile)
        maskings_seen(check)
        numbers.add(check._searches)
    assert numbers == {2}


def test_lengths_say_less_than_masks() -> None:
    """Padding before or within a sequence is nothing that lengths can say."""
    lengths, mask = laws.maskings()
    assert lengths["patterns"] == ["right"]
    assert set(mask["patterns"]) == {"right", "left", "gaps", "ends"}


def test_a_wrong_part_fails_alone() -> None:
    """Padded outputs that are not as declared say nothing against valid outputs and states."""
    check, case = check_of(), case_of()
    repeated = laws.reference_run(case, Choices(padded_outputs="repeat"))
    assert laws.judge_parts(check, case, repeated, "valid outputs", "states")
    assert laws.tells(check, case, repeated, "padded outputs")
    with pytest.raises(NonConforming, match=r"outputs\["):
        laws.judge_parts(check, case, repeated, "padded outputs")


def test_last_output_is_valid() -> None:
    """A last output belongs to the valid ones; a layer that ignores the mask is found out by it."""
    check, case = check_of(), case_of(return_sequences=False, return_state=False)
    assert laws.tells(check, case, laws.without_mask(check, case), "valid outputs")
    assert not laws.tells(check, case, laws.without_mask(check, case), "padded outputs", "states")


@pytest.mark.parametrize("padded", ["zero", "repeat"])
@pytest.mark.parametrize("direction", ["forward", "backward", "bidirectional"])
@pytest.mark.parametrize("order", ["aligned", "processing"])
def test_where_valid_outputs_are(direction: str, order: str, padded: str) -> None:
    """They stand where the mask is true, which a backward layer in the order of processing turns round."""
    case = case_of(direction)
    assert case.mask is not None
    turned = direction == "backward" and order == "processing"
    shown = laws.shows_valid(case, Choices(padded_outputs=padded, backward_outputs=order))
    np.testing.assert_array_equal(shown, case.mask[:, ::-1] if turned else case.mask)
