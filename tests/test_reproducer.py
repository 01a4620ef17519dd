"""Scripts of the framework alone: they run as they stand, and show what the check saw."""

from __future__ import annotations

import ast
import importlib.util
import os
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import planted
import pytest

from rnn_conformance.adapters import registry
from rnn_conformance.adapters.description import Description
from rnn_conformance.adapters.function import FunctionAdapter, from_function
from rnn_conformance.adapters.protocol import Adapter, Network, Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.failures import Pin
from rnn_conformance.conformance.engine.subject import Subject, SubjectRaised
from rnn_conformance.conformance.engine.verdicts import Outcome
from rnn_conformance.conformance.explaining.reproducer import reproducer
from rnn_conformance.conformance.explaining.showing import NoReproducer
from rnn_conformance.conformance.judging.comparing import NonConforming, same_bits
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.conformance.witnesses.witness import witness_of
from rnn_conformance.reference.arithmetic.rounding import standard_precision
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.architecture import Architecture, Embedding, Layer
from rnn_conformance.reference.model.calls import Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import Weights, widened
from rnn_conformance.reference.spec import specification

PLAIN = Case(Architecture((Layer(2, 3),)), 2, 4, "integers", 0)


def outcome(adapter: Adapter, case: Case | None, failure: NonConforming | None = None) -> Outcome:
    """What a check of this case gave."""
    architecture = case.architecture if case else PLAIN.architecture
    mode, profile = architecture.mode, PROFILES["smoke"]
    check = Check("test_recurrence", Subject(adapter), architecture.dtype, mode, profile, 0, 1, Journal(None))
    if failure is None and case is not None:
        with pytest.raises(NonConforming) as raised:
            check.judge(case, check.run(case))
        failure = raised.value
    return Outcome(check, "fails", str(failure), failure, Pin(0, case))


def script_of(adapter: Adapter, found: Outcome, *clauses: str) -> str:
    item = Item("test_values.py::test_recurrence[float32-eager]", "", clauses or ("1.1",), "float32", "eager")
    witness = witness_of(
        item,
        adapter="planted:transposed",
        versions={"planted": "1.0"},
        profile="smoke",
        seed=0,
        search=0,
        verdict="fails",
        message=found.message,
        case=found.case,
        details={},
    )
    return reproducer(adapter, found, witness, "rnn-conformance replay witnesses/w.json")


def run(script: str, folder: Path) -> str:
    """Run a script as its reader would, and return what it prints."""
    file = folder / "reproducer.py"
    file.write_text(script, encoding="utf-8")
    command = [sys.executable, "-W", "error::SyntaxWarning", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_here(script: str) -> str:
    """The same without what the start of a process takes; of a script that imports no framework."""
    with redirect_stdout(StringIO()) as printed:
        exec(compile(script, "reproducer.py", "exec"), {"__name__": "__main__"})
    return printed.getvalue()


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}


@pytest.mark.parametrize(
    "case",
    [
        PLAIN,
        PLAIN.returning(sequences=False, state=True),
        Case(Architecture((Layer(2, 3), Layer(3, 2, use_bias=False)), dtype="float64"), 1, 3, "unit", 1),
        Case(Architecture((Layer(2, 3),), dtype="float16"), 2, 4, "expanding", 1),
        Case(Architecture((Layer(2, 3),), dtype="bfloat16"), 2, 4, "expanding", 1),
    ],
    ids=str,
)
def test_script_shows_the_failure(case: Case) -> None:
    """It needs nothing but NumPy and the framework, and prints both values and the largest difference."""
    dtypes = ("float16", "bfloat16", "float32", "float64")
    description = replace(planted.DESCRIPTION, precision={dtype: standard_precision(dtype) for dtype in dtypes})
    adapter = replace(planted.transposed, description=description)
    script = script_of(adapter, found := outcome(adapter, case))
    names = {alias.name for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Import) for alias in node.names}
    assert names == ({"numpy", "ml_dtypes"} if case.architecture.dtype == "bfloat16" else {"numpy"})
    shown = run_here(script)
    assert "expected outputs:" in shown
    assert "actual outputs:" in shown
    differences = [float(line.split(": ")[1]) for line in shown.splitlines() if line.startswith("the largest")]
    assert len(differences) == 1 + len(case.architecture.layers) * case.architecture.return_state
    assert found.failure is not None
    assert found.failure.judgement is not None
    assert max(differences) == pytest.approx(largest_difference(adapter, case), rel=1e-2)


def largest_difference(adapter: Adapter, case: Case) -> float:
    """What the suite itself sees."""
    prepared = Subject(adapter).network(case.architecture)
    prepared.load(case.weights)
    right = network.run(
        case.architecture, widened(case.weights, case.architecture.dtype), case.inputs.astype(np.float64)
    )
    return float(np.abs(prepared.run(case.inputs).outputs.astype(np.float64) - right.outputs).max())


def test_script_says_what_it_is_about(tmp_path: Path) -> None:
    """Message, clause, versions and the command that replays it stand at its head; what is not needed is left out."""
    found = outcome(planted.transposed, PLAIN)
    script = script_of(planted.transposed, found)
    head = " ".join((ast.get_docstring(ast.parse(script)) or "").split())
    for text in (
        f"Planted: {found.message}",
        f"Clause 1.1: {specification().clauses['1.1'].text}",
        "planted 1.0",
        "rnn-conformance replay witnesses/w.json",
    ):
        assert text in head
    assert "cotangent" not in script
    assert "lengths" not in script
    assert '"W": np.array([' in script
    assert "            [1.0, 0.0],\n" in script


def test_any_message_can_be_quoted(tmp_path: Path) -> None:
    """Quotes and backslashes in a message do not end the script's text."""
    found = outcome(planted.transposed, PLAIN)
    hostile = 'C:\\new \\N{x} """ quoted "'
    script = script_of(planted.transposed, replace(found, message=hostile))
    assert hostile in " ".join((ast.get_docstring(ast.parse(script)) or "").split())
    run(script, tmp_path)


def test_initial_state_where_it_takes_one() -> None:
    """A fault that shows from a given state only is shown from that."""

    def ignores_state(a: Architecture, w: Weights, x: Any, h: State | None) -> Output:
        return network.run(a, w, x)

    class Ignoring(FunctionAdapter):
        def script(self, architecture: Architecture, wants: str) -> str:
            return "outputs = np.zeros_like(inputs) + 0 * initial_state[0][0].sum()"

    adapter = Ignoring(ignores_state, planted.DESCRIPTION)
    case = Case(Architecture((Layer(3, 3),)), 2, 4, "unit", 0)
    found = outcome(adapter, case, NonConforming("wrong", expected=np.ones(1)))
    script = script_of(adapter, found)
    assert "initial_state = [\n    (np.array([" in script
    assert "the largest difference in outputs" in run_here(script)


def refuses(a: Architecture, w: Weights, x: Any, h: State | None) -> Output:
    raise Unsupported("no model more is exported")


def exits(a: Architecture, w: Weights, x: Any, h: State | None) -> Output:
    sys.exit(3)


def several_calls(case: Case) -> NonConforming:
    with pytest.raises(NonConforming) as raised:
        same_bits("outputs", case.inputs, case.inputs + 1, "the call is the same")
    return raised.value


@pytest.mark.parametrize(
    ("adapter", "found", "reason"),
    [
        (planted.without_script, outcome(planted.without_script, PLAIN), "the adapter writes no scripts"),
        (planted.transposed, outcome(planted.transposed, PLAIN, SubjectRaised("run raised")), "no matter of values"),
        (planted.transposed, outcome(planted.transposed, PLAIN, NonConforming("a wrong count")), "no matter of values"),
        (planted.transposed, replace(outcome(planted.transposed, PLAIN), failure=None), "no matter of values"),
        (planted.transposed, outcome(planted.transposed, None, several_calls(PLAIN)), "none of the drawn cases"),
        (
            planted.transposed,
            outcome(planted.transposed, Case(Architecture((Layer(40, 40),)), 5, 9, "unit", 0)),
            "the case has 5,040 numbers: too many to read",
        ),
        (
            planted.ScriptingAdapter(network.run, planted.DESCRIPTION),
            outcome(from_function(network.run, planted.DESCRIPTION), PLAIN, several_calls(PLAIN)),
            "one call alone gives what the specification says",
        ),
        (
            planted.ScriptingAdapter(refuses, planted.DESCRIPTION),
            outcome(planted.transposed, PLAIN, several_calls(PLAIN)),
            "one call alone does not go: no model more is exported",
        ),
        (
            planted.ScriptingAdapter(exits, planted.DESCRIPTION),
            outcome(planted.transposed, PLAIN, several_calls(PLAIN)),
            "one call alone does not go: called sys.exit",
        ),
    ],
)
def test_no_script(adapter: Adapter, found: Outcome, reason: str) -> None:
    """Where a script would not help, the reason is said in a line."""
    found.check.subject = Subject(adapter)
    with pytest.raises(NoReproducer, match=reason):
        script_of(adapter, found)


def test_script_of_an_adapter_that_does_not_work() -> None:
    """An adapter whose script raises, or is no Python, costs the script and not the finding."""

    class Broken(FunctionAdapter):
        def script(self, architecture: Architecture, wants: str) -> str:
            return "outputs = ("

    adapter = Broken(planted.transposed.run, planted.DESCRIPTION)
    with pytest.raises(NoReproducer, match="the adapter's script did not work: SyntaxError"):
        script_of(adapter, outcome(adapter, PLAIN))


@dataclass(frozen=True)
class Claims:
    """An adapter that is described and scripted as a real one, but computes with U transposed."""

    real: Any
    mode: str

    def describe(self) -> Description:
        return replace(planted.DESCRIPTION, modes=(self.mode,))

    def prepare(self, architecture: Architecture) -> Network:
        return planted.transposed.prepare(replace(architecture, mode=planted.DESCRIPTION.modes[0]))

    def script(self, architecture: Architecture, wants: str) -> str:
        return str(self.real.script(architecture, wants))


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("torch", "eager"),
        ("keras-torch", "eager"),
        ("keras-tensorflow", "compiled"),
        ("keras-jax", "compiled"),
        ("flax-linen", "compiled"),
        ("flax-nnx", "compiled"),
        ("jax-scan", "compiled"),
    ],
)
def test_scripts_of_real_frameworks(tmp_path: Path, name: str, mode: str) -> None:
    """The framework's part computes what the specification says: the script prints a difference of rounding."""
    real: Any = registry.load(name)
    for module in real.requires:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    case = Case(Architecture((Layer(2, 3), Layer(3, 2)), mode=mode, return_state=True), 2, 4, "unit", 1)
    adapter = Claims(real, mode)
    shown = run(script_of(adapter, outcome(adapter, case)), tmp_path)
    differences = [float(line.split(": ")[1]) for line in shown.splitlines() if line.startswith("the largest")]
    assert len(differences) == 3
    assert max(differences) < 2**-20  # rounding, where the planted fault is off by more than a tenth
    assert largest_difference(adapter, case) > 0.1


def test_embedding_is_a_table() -> None:
    """A model with an embedding reads its table and its tokens."""

    class Scripting(FunctionAdapter):
        def script(self, architecture: Architecture, wants: str) -> str:
            return "outputs = table[inputs]"

    def off_by_one(a: Architecture, w: Weights, x: Any, h: State | None) -> Output:
        return replace(network.run(a, w, x, h), outputs=network.run(a, w, x, h).outputs + 1)

    adapter = Scripting(off_by_one, from_function(off_by_one).description)
    case = Case(Architecture((Layer(3, 3),), Embedding(4, 3)), 1, 2, "integers", 0)
    script = script_of(adapter, outcome(adapter, case))
    assert "table = np.array([\n    [" in script
    assert 'dtype="int32")' in script
