"""Nothing depends on floating-point flags, which a BLAS sets for numbers that nobody reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from rnn_conformance.adapters.numpy.adapter import adapter
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import Subject
from rnn_conformance.conformance.engine.verdicts import conclude
from rnn_conformance.conformance.judging.comparing import compare, same_bits
from rnn_conformance.conformance.judging.gradients import judge_gradients
from rnn_conformance.conformance.judging.outputs import judge
from rnn_conformance.conformance.mutants.base import SOUND, Sound
from rnn_conformance.conformance.selftest.trials import check_of, failure_of
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.reference.arithmetic.rounding import standard_precision, ulp
from rnn_conformance.reference.bounds.gradients import expected_gradients
from rnn_conformance.reference.bounds.jacobians import expected_jacobian_norm, jacobian_norms
from rnn_conformance.reference.bounds.layers import expected_layer
from rnn_conformance.reference.bounds.steps import propagated_bound, step_residual
from rnn_conformance.reference.cells.simple_rnn import simple_rnn
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.layers.gradients import gradients, second_gradient
from rnn_conformance.reference.layers.layer import run_layer
from rnn_conformance.reference.model.architecture import Architecture, Choices, Layer
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights

INFINITY = np.full(1, np.inf)
PRECISION = standard_precision("float64")


class Flagging(np.ndarray[Any, Any]):
    """An array each of whose operations raises the flag for an invalid value, and gives the right numbers."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **how: Any) -> Any:
        np.subtract(INFINITY, INFINITY)
        plain = [x.view(np.ndarray) if isinstance(x, Flagging) else x for x in inputs]
        if out is not None:
            how["out"] = tuple(x.view(np.ndarray) if isinstance(x, Flagging) else x for x in out)
        result = getattr(ufunc, method)(*plain, **how)
        return flagging(result) if isinstance(result, np.ndarray) else result


def flagging(array: Array) -> Any:
    return np.asarray(array).view(Flagging)


CASE = Case(Architecture((Layer(2, 3),), dtype="float64", return_state=True), 2, 4, "unit", 0)
(LAYER,) = CASE.architecture.layers
PLAIN = CASE.weights.layers[0]
ONE = LayerWeights({"W": flagging(PLAIN.W), "U": flagging(PLAIN.U), "b": flagging(PLAIN.b)})
X, OUTPUTS = flagging(CASE.inputs), flagging(simple_rnn(CASE.inputs, PLAIN.named))
MODEL = Weights((ONE,))


def output() -> Output:
    return Output(OUTPUTS, (((OUTPUTS[:, -1],),),))


def found() -> Gradients:
    right = gradients(CASE.architecture, CASE.weights, CASE.inputs, CASE.cotangent)
    (layer,) = right.weights.layers
    return Gradients(Weights((layer.with_arrays(W=flagging(layer.W)),)), right.inputs, None)


DOORS: dict[str, Callable[[], Any]] = {
    "simple_rnn": lambda: simple_rnn(X, ONE.named),
    "run_layer": lambda: run_layer(LAYER, ONE, X),
    "network.run": lambda: network.run(CASE.architecture, MODEL, X),
    "gradients": lambda: gradients(CASE.architecture, MODEL, X, CASE.cotangent),
    "second_gradient": lambda: second_gradient(CASE.architecture, MODEL, X, CASE.cotangent),
    "propagated_bound": lambda: propagated_bound(LAYER, ONE, X, None, PRECISION),
    "step_residual": lambda: step_residual(LAYER, ONE, X, OUTPUTS, None, PRECISION),
    "expected_layer": lambda: expected_layer(LAYER, ONE, X, None, PRECISION),
    "expected_gradients": lambda: expected_gradients(CASE.architecture, MODEL, X, CASE.cotangent, None, PRECISION),
    "jacobian_norms": lambda: jacobian_norms(LAYER, ONE, X[0], [1]),
    "expected_jacobian_norm": lambda: expected_jacobian_norm(LAYER, ONE, X[0], [X[0, 0, :1].repeat(3)], PRECISION),
    "ulp": lambda: ulp(X, "float64"),
    "compare": lambda: compare("x", X, CASE.inputs, np.ones_like(CASE.inputs), "float64"),
    "same_bits": lambda: same_bits("x", X, CASE.inputs, "they are the same"),
    "judge": lambda: judge(CASE, output(), PRECISION, Choices()),
    "judge_gradients": lambda: judge_gradients(CASE, found(), PRECISION, Choices()),
}


@pytest.mark.parametrize("door", DOORS)
def test_a_flag_changes_nothing(door: str) -> None:
    """The reference and the judging come to an end, also for a caller who has flags raise errors."""
    with np.errstate(all="raise"):
        DOORS[door]()


def test_the_flag_is_raised() -> None:
    """Without the mechanism the very same product is an error: the tests above could fail."""
    with np.errstate(all="raise"), pytest.raises(FloatingPointError, match="invalid value"):
        X @ ONE.W.T


@pytest.mark.parametrize("subject", [adapter.prepare(CASE.architecture), Sound(CASE.architecture, SOUND.choices)])
def test_subjects_of_numpy_compute_whatever_the_flags(subject: Any) -> None:
    """Infinite inputs are cut to what the formula makes of them, without a warning."""
    subject.load(CASE.weights)
    with np.errstate(all="raise"):
        outputs = subject.run(np.full_like(CASE.inputs, np.inf)).outputs
        subject.gradients(np.full_like(CASE.inputs, np.inf), CASE.cotangent)
    assert outputs.shape == (2, 4, 3)


def test_checks_run_whatever_the_flags() -> None:
    """A check may compute, draw and encode what it likes: a flag is neither a failure nor an error of the suite."""

    def check_with_a_flag(check: Check) -> None:
        np.subtract(INFINITY, INFINITY)
        check.example(lambda: True)

    check = check_of("a check", Subject(adapter), "float32", "smoke", 0)
    with np.errstate(all="raise"):
        assert failure_of(check, check_with_a_flag) is None
        item = Item("test_x.py::test_y[float32-eager]", "Title", ("1.1",), "float32", check.mode)
        assert conclude(check, check_with_a_flag, item).verdict == "conforms"
