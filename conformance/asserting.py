"""Assertions for your own tests: `assert_conforms` a layer or a model, and `assert_agree` two of them.

>>> from rnn_conformance.conformance.asserting import assert_agree, assert_conforms
>>> report = assert_conforms(model, inputs=batch)  # doctest: +SKIP
>>> assert_agree(model, ported, inputs=batch)  # doctest: +SKIP

What they judge becomes results files, from which ``rnn-conformance report`` makes a report, JUnit XML and JSON: under
``pytest --conformance-assertions FOLDER``, and with ``recorded(FOLDER)`` around them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.porting.agree import agree
from rnn_conformance.conformance.porting.conform import conform
from rnn_conformance.conformance.porting.own import SuiteReport, run_suite
from rnn_conformance.conformance.porting.recording import note, note_failure, recorded
from rnn_conformance.conformance.porting.report import Report
from rnn_conformance.reference.cells.cell import Cell

Judged = TypeVar("Judged", Report, SuiteReport, tuple[Report, Report])
"""What an assertion gives."""


@overload
def assert_conforms(
    layer: Any,
    *,
    inputs: Any,
    mask: Any = None,
    lengths: Any = None,
    initial_state: Any = None,
    gradients: bool = False,
) -> Report: ...
@overload
def assert_conforms(layer: Any, *, cell: str | Cell, examples: int = 200) -> SuiteReport: ...
def assert_conforms(
    layer: Any,
    *,
    inputs: Any = None,
    mask: Any = None,
    lengths: Any = None,
    initial_state: Any = None,
    gradients: bool = False,
    cell: str | Cell = "",
    examples: int = 200,
) -> Report | SuiteReport:
    """Every recurrent layer of a layer or model, on these inputs, within the proven bounds of its own equations.

    `layer` is a torch module, a Keras layer or model, a Flax NNX module, or ``(module, variables)`` of Flax Linen. It
    is called in inference, and nothing of it is changed. A single recurrent layer takes `inputs` (batch, timesteps,
    features), in whatever order its own axes are, and may be given a `mask` (batch, timesteps), `lengths` (batch,) and
    an `initial_state`: h (batch, units), the two (h, c), or nested by layer, direction and part. A model is called with
    `inputs`, or with a tuple of them, as they are.

    With `gradients`, each of these layers is differentiated as well, on the inputs that reached it, by what its
    framework has for that: the gradients of all its weights, of its inputs and, where one is given, of its initial
    state, for a cotangent of all that it returns. Those whose bound is not below their own size are told as not judged,
    and so is what share that is.

    With a `cell` in the place of inputs, `layer` is a class, a function or an adapter of your own, and the whole drawn
    suite is run on it, with so many `examples` for each check: a class is made as ``layer(features, units)``, loaded by
    ``load({"W": ..., "U": ..., "b": ...})`` and called with what it takes by the names initial_state, lengths and mask;
    its outputs at padded timesteps are zero, unless it has an attribute `padded_outputs` that is ``repeat``, for the
    output before, or ``continue``, as if nothing were padded. A function is one for `from_function`. `cell` is
    simple_rnn, lstm or gru, or one such as ``Gru(reset="before", recurrent_bias="none")``.

    Returns what was judged and which share of the model that is. Raises NonConforming, an AssertionError, where a
    number is beyond its bound: which layer, timestep, unit, how many bounds, and what it looks like. Raises ValueError
    where nothing could be judged.
    """
    if cell:
        if gradients or any(given is not None for given in (inputs, mask, lengths, initial_state)):
            raise ValueError(
                "with a cell, examples are drawn, of gradients as well if there is a method for them: inputs, mask, "
                "lengths, initial_state and gradients are not given"
            )
        return _noted(lambda: run_suite(layer, cell, examples))
    if inputs is None:
        raise ValueError("there is nothing to judge a layer on: give it inputs, or a cell, whose examples are drawn")
    return _noted(lambda: conform(layer, inputs, mask, lengths, initial_state, gradients))


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
    ``other(inputs)``, and by name with what else is given. So are a compiled model of OpenVINO and an interpreter of
    LiteRT, whose inputs are those of the layer and then its initial state, and whose outputs the layer's, and then its
    final state. `other_inputs` are there for a model that wants them in
    another form. What else the arguments are, and what is raised, `assert_conforms` says.
    """
    return _noted(lambda: agree(one, other, inputs, other_inputs, mask, lengths, initial_state))


def _noted(judge: Callable[[], Judged]) -> Judged:
    """What is judged, noted for whoever records it."""
    try:
        report = judge()
    except NonConforming as failure:
        note_failure(failure)
        raise
    for each in report if isinstance(report, tuple) else (report,):
        note(each)
    return report


__all__ = ["NonConforming", "Report", "SuiteReport", "assert_agree", "assert_conforms", "recorded"]
