"""Known deviations of several cells: an entry and its twins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rnn_conformance.adapters.numpy.adapter import adapter as numpy
from rnn_conformance.conformance.engine.pinning import offered
from rnn_conformance.conformance.witnesses.deviations import known_deviations, parse
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn

PLAIN = """
[no-mask]
adapters = ["planted"]
checks = ["test_masks"]
versions = { planted = ">=1" }
absent = { planted = "<1" }
cases = { masking = "mask" }
cause = "a mask is ignored"
means = "Padding is computed, too."
reason = "Nothing reads the mask."
"""


def test_twin_of_another_cell() -> None:
    """It has a name of its own, and all that it does not say itself but where it was seen, and where not."""
    plain, of_lstm, of_gru = parse(
        PLAIN
        + """
[no-mask.gru]
versions = { planted = ">=3" }
cases = { masking = "mask", pattern = "left" }
[no-mask.lstm]
versions = { planted = ">=2" }
"""
    )
    assert [each.name for each in (plain, of_lstm, of_gru)] == ["no-mask", "no-mask-lstm", "no-mask-gru"]
    assert [each.versions["planted"] for each in (plain, of_lstm, of_gru)] == [">=1", ">=2", ">=3"]
    assert plain.absent
    assert not of_lstm.absent
    assert of_lstm.cases == plain.cases
    assert of_gru.cases == {"masking": "mask", "pattern": "left"}
    assert of_lstm.reason == of_gru.reason == plain.reason


def test_twin_that_was_not_seen_anywhere() -> None:
    """It says itself in which versions it was seen, or it is refused by its name."""
    with pytest.raises(ValueError, match="deviation no-mask-lstm: versions should be given"):
        parse(PLAIN + '[no-mask.lstm]\ncases = { masking = "mask" }')


def test_twins_have_witnesses_of_their_cell() -> None:
    """NAME-lstm is known of the LSTM, and NAME-gru of the GRU: a run looks at those of its own cell."""
    for entry in known_deviations():
        for cell in ("lstm", "gru"):
            assert entry.witness.cell == cell or not entry.name.endswith(f"-{cell}"), entry.name


def test_witness_of_a_variant_that_another_adapter_lacks() -> None:
    """It is run again in the usual variant that is there, if it can be with the same activation."""
    usual, lacking = Gru(), Gru(recurrent_bias="none")
    description = replace(numpy.describe(), variants=(SimpleRnn(), usual, Gru("relu")))
    assert offered(lacking, description) == usual
    assert offered(Gru("relu", recurrent_bias="none"), description) == Gru("relu")
    assert offered(usual, description) == usual
    assert offered(Gru("sigmoid"), description) == usual
