"""The call that shows a failure which is no matter of one plain call of the case: what raises, what is accepted."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from typing import Any

import numpy as np
import planted
import pytest

from rnn_conformance.adapters import registry
from rnn_conformance.adapters.protocol import Adapter
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.checks.catalogue import clauses_of, every_check
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.engine.verdicts import Outcome
from rnn_conformance.conformance.explaining.listening import Asked, Call, Listening
from rnn_conformance.conformance.explaining.reproducer import reproducer
from rnn_conformance.conformance.explaining.right import right_of
from rnn_conformance.conformance.explaining.showing import NoReproducer, Shown, call_of, what_shows
from rnn_conformance.conformance.explaining.trying import try_script
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.conformance.witnesses.witness import witness_of
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State, each_state
from rnn_conformance.reference.model.weights import Weights

MOST = 2000
RECURRENCE = "test_values.py::test_recurrence"
PLAIN = Case(Architecture((Layer(2, 3),)), 2, 4, "integers", 0)
Run = Callable[[Architecture, Weights, Any, State | None], Output]


def failing(check: str, run: Run, dtype: str = "float32") -> tuple[Adapter, Outcome]:
    """An adapter of this function, and how a check of it fails."""
    adapter = planted.ScriptingAdapter(run, planted.DESCRIPTION)
    made = Check(check, Subject(adapter), dtype, "eager", PROFILES["smoke"], 0, 1, Journal(None))
    with pytest.raises(NonConforming):
        every_check()[check](made)
    failure = made.evidence.failures[0]
    assert isinstance(failure.error, NonConforming)
    return adapter, Outcome(made, "fails", str(failure.error), failure.error, failure.pin)


def shown(check: str, outcome: Outcome, most: int = MOST) -> Shown:
    function = every_check()[check]
    return what_shows(outcome, clauses_of(function), function, most)


def script_of(adapter: Adapter, check: str, outcome: Outcome, *, tries: bool = False) -> str:
    architecture = outcome.case.architecture if outcome.case else Architecture((Layer(1, 1),))
    item = Item(f"{check}[float32-eager]", "", clauses_of(every_check()[check]), architecture.dtype, "eager")
    about = {"adapter": "planted:x", "versions": {"planted": "1.0"}, "profile": "smoke", "seed": 0, "search": 0}
    seen = {"verdict": "fails", "message": outcome.message, "case": outcome.case, "details": {}}
    witness = witness_of(item, **about, **seen)  # type: ignore[arg-type]
    return reproducer(adapter, outcome, witness, "rnn-conformance replay w.json", tries=tries)


def run_here(script: str) -> str:
    """What a script prints that imports no framework."""
    with redirect_stdout(StringIO()) as printed:
        exec(compile(script, "script.py", "exec"), {"__name__": "__main__"})
    return printed.getvalue()


def raises(a: Architecture, w: Weights, x: Any, h: State | None) -> Output:
    raise OverflowError("too much for it")


def broadcasts(a: Architecture, w: Weights, x: Any, h: State | None) -> Output:
    """A layer that takes an initial state of one sequence for all of them."""
    if h is not None and h[0][0][0].ndim == 2 and len(h[0][0][0]) not in (1, len(x)):
        raise ValueError("another batch")
    shape = (len(x), a.layers[0].units)
    return network.run(a, w, x, each_state(lambda part: np.broadcast_to(part, shape), h))


def ends_early(a: Architecture, w: Weights, x: Any, h: State | None) -> Output:
    """A layer that leaves the last output out."""
    found = network.run(a, w, x, h)
    return replace(found, outputs=found.outputs[:, :-1])


def forgets_nan(a: Architecture, w: Weights, x: Any, h: State | None) -> Output:
    """A layer in which NaN and infinities are zero."""
    return network.run(a, w, np.where(np.isfinite(x), x, 0), h)


def clipped(a: Architecture, w: Weights, x: Any, h: State | None) -> Output:
    """A layer that is wrong for large inputs."""
    return network.run(a, w, np.clip(x, -3, 3), h)


def test_what_raises() -> None:
    """The call that raised is made, with nothing that there should be; the type of the exception is known."""
    adapter, outcome = failing(RECURRENCE, raises)
    found = shown(RECURRENCE, outcome)
    assert (found.wrong, found.raised) == ("raises", "OverflowError")
    assert outcome.case is not None
    np.testing.assert_array_equal(found.call.inputs, outcome.case.inputs)
    script = script_of(adapter, RECURRENCE, outcome)
    assert "run raised OverflowError: too much for it" in " ".join(script.split())
    assert "expected =" not in script
    with pytest.raises(NoReproducer, match="its script raises no exception"):  # planted.layer does not
        script_of(adapter, RECURRENCE, outcome, tries=True)


def test_what_is_accepted() -> None:
    """The call has the state that should be refused, and not the one of the case that is right."""
    check = "test_refusals.py::test_wrong_initial_state"
    adapter, outcome = failing(check, broadcasts)
    assert outcome.message.startswith("accepted an initial state of shape (1,")
    found = shown(check, outcome)
    assert found.wrong == "accepted"
    assert len(found.call.given["initial_state"][0][0][0]) == 1 < len(found.call.inputs)
    script = script_of(adapter, check, outcome)
    assert "there should have been an exception" in script
    assert "expected =" not in script


def test_another_shape() -> None:
    """What there should be is a dtype and a shape."""
    adapter, outcome = failing(RECURRENCE, ends_early)
    found = shown(RECURRENCE, outcome)
    assert found.wrong == "type"
    assert outcome.case is not None
    batch, timesteps, _ = outcome.case.inputs.shape
    assert found.call.should_be == ("float32", (batch, timesteps, outcome.case.architecture.layers[0].units))
    assert f'expected = "float32 {found.call.should_be[1]}"' in script_of(adapter, RECURRENCE, outcome)


def test_numbers_that_the_case_has_not() -> None:
    """Where the check changes what a case has, the script has what the check made of it, NaN too."""
    check = "test_nonfinite.py::test_inputs_that_are_not_finite"
    adapter, outcome = failing(check, forgets_nan)
    found = shown(check, outcome)
    assert outcome.case is not None
    assert np.isfinite(outcome.case.inputs).all()
    assert not np.isfinite(found.call.inputs).all()
    assert not np.isfinite(found.error)
    script = script_of(adapter, check, outcome)
    assert "same = (found == right)" in script  # expected values are not finite either
    run_here(script)


def test_sequence_that_shows_it() -> None:
    """Of a call with thousands of numbers, the script has the sequence with the one that is wrong."""
    check = "test_activations.py::test_standard_accuracy"
    adapter, outcome = failing(check, clipped)
    assert outcome.case is None
    whole, cut = (shown(check, outcome, most).call for most in (10**9, MOST))
    assert len(whole.inputs) > 1 == len(cut.inputs)
    assert outcome.failure is not None
    assert outcome.failure.judgement is not None
    z = float(outcome.failure.judgement.where.partition("(")[2].rstrip(")"))
    assert np.float32(z) in cut.inputs
    assert "the largest difference in outputs" in run_here(script_of(adapter, check, outcome))


def test_calls_before_it() -> None:
    """Of a stateful model it is known what it was given since its reset, and so what it should go on to."""
    case = Case(Architecture((Layer(2, 3),), stateful=True, batch=2), 2, 4, "unit", 0)
    asked: list[Asked] = []
    subject = Listening(Subject(registry.load("numpy")), asked)
    model = subject.network(case.architecture)
    model.load(case.weights)
    for _ in range(2):
        model.ask("reset")
        model.run(case.inputs)
    second = model.run(case.next().inputs)
    assert [each.method for each in asked] == ["prepare", "load", *["reset", "run"] * 2, "run"]
    call = asked[-1].call
    assert call is not None
    (before,) = call.earlier
    np.testing.assert_array_equal(before, case.inputs)
    right = right_of(call, subject.description.choices)
    assert isinstance(right, Output)
    np.testing.assert_allclose(second.outputs, right.outputs, atol=2**-20)
    alone = right_of(replace(call, earlier=()), subject.description.choices)
    assert isinstance(alone, Output)
    assert np.abs(second.outputs - alone.outputs).max() > 0.01


def test_several_calls_need_a_script_of_several() -> None:
    """An adapter's script that knows of no calls before is not taken for one that makes them."""
    shown_by = Shown(Call(*plain_call(), earlier=(PLAIN.inputs,)), "numbers")
    adapter, outcome = failing(RECURRENCE, planted.transposed.run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rnn_conformance.conformance.explaining.reproducer.what_shows", lambda *_: shown_by)
        with pytest.raises(NoReproducer, match="it takes several calls to see it, and the adapter's script makes one"):
            script_of(adapter, RECURRENCE, outcome)


def plain_call() -> tuple[Architecture, Weights, Any]:
    return PLAIN.architecture, PLAIN.weights, PLAIN.inputs


@pytest.mark.parametrize(
    ("script", "found", "reason"),
    [
        ("print('the largest difference in outputs: 0.4')", Shown(call_of(PLAIN), "numbers", 0.5), ""),
        ("print('the largest difference in outputs: nan')", Shown(call_of(PLAIN), "numbers", 0.5), ""),
        ("print('the largest difference in outputs: 1e-7')", Shown(call_of(PLAIN), "numbers", 0.5), "not show the dif"),
        ("import nothing_at_all", Shown(call_of(PLAIN), "numbers", 0.5), "does not run: ModuleNotFoundError"),
        ("raise KeyError('k')", Shown(call_of(PLAIN), "raises", raised="KeyError"), ""),
        ("raise KeyError('k')", Shown(call_of(PLAIN), "raises", raised="TypeError"), "another exception: KeyError"),
        ("", Shown(call_of(PLAIN), "raises", raised="TypeError"), "raises no exception"),
        ("", Shown(call_of(PLAIN), "accepted"), ""),
        ("raise ValueError('refused')", Shown(call_of(PLAIN), "accepted"), "does not run: ValueError: refused"),
        ("print('expected outputs: a\\nactual outputs: b')", Shown(call_of(PLAIN), "type"), ""),
        ("print('expected outputs: a\\nactual outputs: a')", Shown(call_of(PLAIN), "type"), "not show the other dtype"),
    ],
)
def test_script_is_tried(script: str, found: Shown, reason: str) -> None:
    """It has to show what was seen, by itself: what raises, what is accepted, and a difference that is no smaller."""
    if not reason:
        try_script(script, planted.transposed, found)
        return
    with pytest.raises(NoReproducer, match=reason):
        try_script(script, planted.transposed, found)
