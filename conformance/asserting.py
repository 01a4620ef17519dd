"""Assertions for your own tests: `assert_conforms` a layer or a model, and `assert_agree` two of them.

>>> from rnn_conformance.conformance.asserting import assert_agree, assert_conforms
>>> report = assert_conforms(model, inputs=batch)  # doctest: +SKIP
>>> assert_agree(model, ported, inputs=batch)  # doctest: +SKIP
"""

from __future__ import annotations

from typing import Any

from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.porting.agree import agree
from rnn_conformance.conformance.porting.conform import conform
from rnn_conformance.conformance.porting.report import Report


def assert_conforms(
    layer: Any, *, inputs: Any = None, mask: Any = None, lengths: Any = None, initial_state: Any = None
) -> Report:
    """Every recurrent layer of a layer or model, on these inputs, within the proven bounds of its own equations.

    `layer` is a torch module, a Keras layer or model, a Flax NNX module, or ``(module, variables)`` of Flax Linen. It
    is called in inference, and nothing of it is changed. A single recurrent layer takes `inputs` (batch, timesteps,
    features), in whatever order its own axes are, and may be given a `mask` (batch, timesteps), `lengths` (batch,) and
    an `initial_state`: h (batch, units), the two (h, c), or nested by layer, direction and part. A model is called with
    `inputs`, or with a tuple of them, as they are.

    Returns what was judged and which share of the model that is. Raises NonConforming, an AssertionError, where a
    number is beyond its bound: which layer, timestep, unit, how many bounds, and what it looks like. Raises ValueError
    where nothing could be judged.
    """
    if inputs is None:
        raise ValueError("there is nothing to judge a layer on: give it inputs")
    return conform(layer, inputs, mask, lengths, initial_state)


def assert_agree(
    one: Any,
    other: Any,
    *,
    inputs: Any,
    other_inputs: Any = None,
    mask: Any = None,
    lengths: Any = None,
    initial_state: Any = None,
) -> tuple[Report, Report]:
    """Two models agree: each is within its own bound on its own inputs, both with the weights of `one`.

    The weights of `other` have to be those of `one`, but for biases that are merged or shifted; a function, such as one
    that runs an exported layer, has none to read, and is judged with those of `one`. It is called as
    ``other(inputs)``, and by name with what else is given. `other_inputs` are there for a model that wants them in
    another form. What else the arguments are, and what is raised, `assert_conforms` says.
    """
    return agree(one, other, inputs, other_inputs, mask, lengths, initial_state)


__all__ = ["NonConforming", "Report", "assert_agree", "assert_conforms"]
