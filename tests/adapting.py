"""An adapter on its real framework held against the reference, exactly: what the tests of adapters share."""

from __future__ import annotations

import importlib.util
import os
import re
from typing import Any

import numpy as np
import pytest

from rnn_conformance.adapters import registry
from rnn_conformance.adapters.numpy.adapter import NumpyAdapter
from rnn_conformance.adapters.pipe.adapter import ProcessAdapter
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.adapters.support import needs
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.explaining.reproducer import variables_of
from rnn_conformance.conformance.explaining.showing import call_of
from rnn_conformance.conformance.witnesses.deviations import facts_of, known_deviations
from rnn_conformance.reference.layers import gradients, network
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.states import State, each_state, state_arrays
from rnn_conformance.reference.model.weights import in_float64

BACKENDS = [name for name in ("torch", "jax", "tensorflow") if importlib.util.find_spec(name)]
BACKEND = os.environ.get("KERAS_BACKEND") or (BACKENDS or [""])[0]
"""The one that Keras has in this process."""


def is_there(found: registry.Registered) -> bool:
    """Whether an adapter can be tested in this process: its framework is installed, and Keras on its backend."""
    return not found.missing and (not found.name.startswith("keras-") or found.name.split("+")[0] == f"keras-{BACKEND}")


PRESENT = [found.name for found in registry.registered().values() if is_there(found)]
ABSENT = sorted({*registry.registered()} - {*PRESENT})
_REASON = f"{', '.join(ABSENT)}: not installed, or Keras is on another backend in this process (KERAS_BACKEND)"
_SKIPPED = [pytest.param("", id="others", marks=pytest.mark.skip(_REASON))] if ABSENT else []
"""One test in place of all of those that would be skipped one by one."""


@pytest.fixture(params=[*PRESENT, *_SKIPPED], scope="module")
def adapter(request: pytest.FixtureRequest) -> Any:
    """Each of them whose framework is installed and, of those of Keras, the one on the backend of this process."""
    return registry.load(request.param)


def expected(adapter: Any, case: Case, start: State | None = None) -> Output:
    """What the specification says, with the adapter's choices, in float64."""
    x, choices = in_doubles(case.inputs), adapter.describe().choices
    start = each_state(in_doubles, start)
    return network.run(case.architecture, in_float64(case.weights), x, start, mask=case.mask, choices=choices)


def expected_gradients(adapter: Any, case: Case, start: State | None) -> Gradients:
    """The same of gradients."""
    cotangent = Output(in_doubles(case.cotangent.outputs), each_state(in_doubles, case.cotangent.final_state))
    return gradients.gradients(
        case.architecture,
        in_float64(case.weights),
        in_doubles(case.inputs),
        cotangent,
        each_state(in_doubles, start),
        mask=case.mask,
        choices=adapter.describe().choices,
    )


def in_doubles(array: Any) -> Any:
    """Floats in float64; tokens as they are."""
    return array if array.dtype.kind in "iu" else array.astype(np.float64)


def named(output: Output) -> dict[str, np.ndarray]:
    """The arrays of an output by name."""
    return {"outputs": output.outputs, **dict(state_arrays("final_state", output.final_state))}


def nested(state: Any) -> State:
    """A state as a script has it, in which a part that stands alone is an array by itself."""
    return tuple(tuple(h if isinstance(h, tuple) else (h,) for h in layer) for layer in state)


def start_of(case: Case) -> State | None:
    """The initial state, but none with a mask: what Keras does with it there differs between its backends."""
    lengths = case.architecture.masking == "lengths"
    return case.initial_state if lengths or not case.architecture.is_masked else None


def prepared(adapter: Any, case: Case) -> Any:
    """The network of a case, loaded with other weights first; the test ends here where it has to be refused."""
    description = adapter.describe()
    reasons = [reason for need in needs(case.architecture) if (reason := description.lacks(need))]
    if reasons:
        with pytest.raises(Unsupported, match="|".join(map(re.escape, reasons))):
            adapter.prepare(case.architecture)
        pytest.skip(f"refused, as declared: {reasons[0]}")
    skip_where_known(adapter, case, "*")
    found = adapter.prepare(case.architecture)
    found.load(case.next().weights)
    found.load(case.weights)
    return found


def skip_where_known(adapter: Any, case: Case, check: str) -> None:
    """The test ends here where a known deviation leaves the case out of this check (of every one: ``*``)."""
    name = next(name for name in PRESENT if registry.load(name) is adapter)
    facts, cells = facts_of(case), {layer.cell.name for layer in case.architecture.layers}
    for entry in known_deviations():
        about = check in entry.checks and name in entry.adapters and not entry.precision
        if about and entry.witness.cell in cells and entry.covers(facts):
            pytest.skip(f"left out of {check} by the known deviation {entry.name}: {entry.cause}")


def assert_exact(actual: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> None:
    """The same arrays by the same names, to the last bit; their dtypes are another matter."""
    assert actual.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(in_doubles(actual[name]), array, err_msg=name)


def skip_without(adapter: Any, feature: str) -> None:
    """End the test for an adapter that says it lacks the feature."""
    if reason := adapter.describe().lacks(feature):
        pytest.skip(f"no {feature}: {reason}")


def skip_where_there_are_no_scripts(adapter: Any) -> None:
    """End the test for NumPy's adapter, and for no other: all that have a framework write scripts."""
    if isinstance(adapter, NumpyAdapter):
        pytest.skip("NumPy's adapter is the reference itself, of which no script could be free of this suite")


def run_script(adapter: Any, case: Case, wants: str, start: State | None) -> dict[str, Any]:
    """What a script defines that is given the arrays of the case, and nothing else of this suite."""
    skip_where_there_are_no_scripts(adapter)
    source = adapter.script(case.architecture, wants)
    assert "rnn_conformance" not in source
    call = call_of(case, from_given_state=start is not None, gradients=wants == "gradients")
    variables = variables_of(call)
    with pytest.MonkeyPatch.context() as patch:
        if isinstance(adapter, ProcessAdapter):  # a script of its own is run where its packages are
            patch.setenv("NODE_PATH", str(adapter.manifest.folder / "node_modules"))
        exec(compile(source, "script.py", "exec"), variables)
    return variables
