"""A stand-alone script for a failure: NumPy and the framework alone, to paste into a bug report.

The framework's part is the adapter's: its optional method `script`. The rest is the case as literals, and what the
reference computes for it.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from rnn_conformance.adapters.protocol import Adapter, Unsupported
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.evidence import Evidence
from rnn_conformance.conformance.engine.verdicts import Outcome
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.witnesses.deviations import facts_of
from rnn_conformance.conformance.witnesses.encoding import array_as_data
from rnn_conformance.conformance.witnesses.witness import Witness
from rnn_conformance.reference.layers import gradients as reference_gradients
from rnn_conformance.reference.layers import network
from rnn_conformance.reference.model.states import State, each_state
from rnn_conformance.reference.model.weights import Array, LayerWeights, widened
from rnn_conformance.reference.spec import specification

_MOST_NUMBERS = 2000
"""A script with more than these is not one to read."""

_WIDTH = 110

_NO_VALUES = "it is no matter of values: the message says what happened"

_END = """\
for name, right in expected.items():
    found = np.asarray(actual[name], dtype=np.float64)
    print(f"expected {name}:", right, f"actual {name}:", found, sep="\\n")
    print(f"the largest difference in {name}: {np.abs(found - right).max():.3g}\\n")
"""


class NoReproducer(Exception):
    """There can be no script; the message says why."""


def reproducer(adapter: Adapter, outcome: Outcome, witness: Witness, replay: str) -> str:
    """The text of the script. Raises NoReproducer, with the reason, where one call would not show what failed."""
    write = getattr(adapter, "script", None)
    if write is None:
        raise NoReproducer("the adapter writes no scripts")
    failure = outcome.failure
    if failure is None or (failure.judgement is None and "expected" not in failure.details):
        raise NoReproducer(_NO_VALUES)
    case = outcome.case
    if case is None:
        raise NoReproducer("the example is none of the drawn cases")
    wants, given = _what_shows_it(outcome.check, case, witness.clauses)
    variables = variables_of(case, given)
    try:
        code = write(case.architecture, wants)
        names = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    except Exception as error:  # the finding is worth more than its script
        raise NoReproducer(f"the adapter's script did not work: {type(error).__name__}: {error}") from error
    expected = dict(_expected(outcome.check, case, wants, given))
    literals = [f"{name} = {_literal(value)}" for name, value in variables.items() if name in names]
    numbers = sum(_size(value) for name, value in variables.items() if name in names)
    if numbers > _MOST_NUMBERS:
        raise NoReproducer(f"the case has {numbers:,} numbers: too many to read")
    imports = ["import numpy as np"]
    if any("ml_dtypes" in literal for literal in literals):
        imports.insert(0, "import ml_dtypes  # bfloat16, which NumPy lacks")
    parts = [
        _docstring(outcome, witness, replay),
        "\n".join(imports),
        "\n".join(literals),
        f"# {outcome.check.subject.description.framework}\n{code.strip()}",
        "# As the specification says, computed in float64\n" + f"expected = {_literal(expected)}",
        f"actual = {_actual(expected, wants)}\n\n{_END}",
    ]
    return "\n\n".join(parts)


def _what_shows_it(check: Check, case: Case, clauses: Sequence[str]) -> tuple[str, bool]:
    """Whether outputs or gradients are to be shown, and whether the initial state is to be given: the first that fails.

    The check itself may do more than one call; a script does one.
    """
    trial = replace(check, evidence=Evidence())
    starts = (False, True) if check.offers("initial state") else (False,)
    for given in starts:
        state = case.initial_state if given else None
        try:
            trial.judged(partial(_judge, trial, case, state), partial(facts_of, case))
        except NonConforming as failure:
            if failure.judgement is None:
                raise NoReproducer(_NO_VALUES) from None
            return "outputs", given
        except Unsupported as reason:  # an export may have had its share of models
            raise NoReproducer(f"the one call that might show it is refused: {reason}") from None
    if check.offers("gradients") and any(number.startswith("11.") for number in clauses):
        return "gradients", starts[-1]
    raise NoReproducer("one call alone gives what the specification says: it takes several to see the difference")


def _judge(trial: Check, case: Case, state: State | None) -> bool:
    return trial.judge(case, trial.run(case, initial_state=state), from_given_state=state is not None)


def variables_of(case: Case, given: bool) -> dict[str, Any]:
    """What an adapter's script may read, by name."""
    cotangent = case.cotangent
    return {
        "layers": [_layer(layer) for layer in case.weights.layers],
        "table": case.weights.embedding,
        "inputs": case.inputs,
        "initial_state": _state(case.initial_state if given else None),
        "lengths": case.given.get("lengths"),
        "mask": case.given.get("mask"),
        "cotangent": {
            "outputs": cotangent.outputs,
            "final_state": _state(cotangent.final_state),
        },
    }


def _layer(weights: LayerWeights) -> dict[str, Any]:
    backward = weights.backward and _layer(weights.backward)
    return {**dict.fromkeys(("W", "U", "b")), **weights.named, "backward": backward}


def _state(state: State | None) -> list[tuple[Any, ...]] | None:
    """For each layer the state of each direction; a part that stands alone is an array by itself."""
    if state is None:
        return None
    return [tuple(parts[0] if len(parts) == 1 else parts for parts in layer) for layer in state]


def _expected(check: Check, case: Case, wants: str, given: bool) -> Iterator[tuple[str, Any]]:
    """What there should be, by name, in float64."""
    architecture, choices = case.architecture, check.subject.description.choices
    weights = widened(case.weights, architecture.dtype)
    inputs = case.inputs if architecture.embedding else case.inputs.astype(np.float64)
    state = each_state(_wide, case.initial_state) if given else None
    if wants == "gradients":
        cotangent = replace(
            case.cotangent,
            outputs=_wide(case.cotangent.outputs),
            final_state=each_state(_wide, case.cotangent.final_state),
        )
        found = reference_gradients.gradients(
            architecture, weights, inputs, cotangent, state, mask=case.mask, choices=choices
        )
        for name, array in found.arrays():
            yield name, _rounded(array, architecture.dtype)
        return
    output = network.run(architecture, weights, inputs, state, mask=case.mask, choices=choices)
    yield "outputs", _rounded(output.outputs, architecture.dtype)
    for k, layer_state in enumerate(output.final_state or ()):
        for d, parts in enumerate(layer_state):
            for i, array in enumerate(parts):
                part = f"[{i}]" if len(parts) > 1 else ""
                yield f"final_state[{k}][{d}]{part}", _rounded(array, architecture.dtype)


def _actual(expected: Mapping[str, Any], wants: str) -> str:
    """The source of what there is, under the same names."""
    if wants == "gradients":
        return "gradients"
    return "{" + ", ".join(f'"{name}": {name}' for name in expected) + "}"


def _docstring(outcome: Outcome, witness: Witness, replay: str) -> str:
    """What is wrong, which clauses say so, and where it was seen, as the docstring of the script."""
    description, clauses = outcome.check.subject.description, specification().clauses
    paragraphs = [
        f"{description.framework}: {outcome.message}",
        *(f"Clause {number}: {clauses[number].text}" for number in witness.clauses if number in clauses),
        f"Seen with {', '.join(f'{package} {version}' for package, version in witness.versions.items())} "
        f"by rnn-conformance {witness.suite} in {witness.check} ({witness.dtype}, mode {witness.mode}); to run that "
        f"again: {replay}",
    ]
    text = "\n\n".join(textwrap.fill(paragraph, _WIDTH) for paragraph in paragraphs)
    escaped = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""{escaped}\n"""'


def _literal(value: Any, indent: str = "") -> str:
    """Source of None, of an array, and of lists, tuples and dicts of these."""
    inner = indent + "    "
    if isinstance(value, dict):
        rows = [f'{inner}"{name}": {_literal(item, inner)},' for name, item in value.items()]
        return "\n".join(["{", *rows, f"{indent}}}"])
    if isinstance(value, list):
        return "\n".join(["[", *(f"{inner}{_literal(item, inner)}," for item in value), f"{indent}]"])
    if isinstance(value, tuple):
        return f"({' '.join(f'{_literal(item, indent)},' for item in value)})"
    if not isinstance(value, np.ndarray):
        return repr(value)
    values = _rows(array_as_data(value)["values"], indent)
    if str(value.dtype) == "bfloat16":
        return f'np.array({values}, dtype="float32").astype(ml_dtypes.bfloat16)'
    return f'np.array({values}, dtype="{value.dtype}")'


def _rows(values: Any, indent: str) -> str:
    """Nested lists, a line for each innermost one."""
    if not isinstance(values, list):
        return f"np.{values}".replace("np.-", "-np.") if isinstance(values, str) else repr(values)
    if not any(isinstance(value, list) for value in values):
        line = ", ".join(_rows(value, indent) for value in values)
        return "[" + textwrap.fill(line, _WIDTH, subsequent_indent=indent) + "]"
    inner = indent + "    "
    return "[\n" + "".join(f"{inner}{_rows(value, inner)},\n" for value in values) + f"{indent}]"


def _size(value: Any) -> int:
    """How many numbers there are in it."""
    if isinstance(value, np.ndarray):
        return value.size
    items = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return sum(map(_size, items))


def _wide(array: Array) -> Array:
    return array.astype(np.float64)


def _rounded(array: Any, dtype: str) -> Any:
    """To more digits than `dtype` has, and no more than are worth reading."""
    if dtype == "float64":
        return array
    return np.reshape([float(f"{value:.10g}") for value in array.ravel()], array.shape)
