"""A stand-alone script for a failure: NumPy and the framework alone, to paste into a bug report.

The framework's part is the adapter's: its optional method `script`. The rest is the call that shows the failure, as
literals, and what the reference computes for it.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from rnn_conformance.adapters.protocol import Adapter
from rnn_conformance.conformance.checks.catalogue import every_check
from rnn_conformance.conformance.engine.verdicts import Outcome
from rnn_conformance.conformance.explaining.listening import Call
from rnn_conformance.conformance.explaining.right import right_of
from rnn_conformance.conformance.explaining.showing import NoReproducer, Shown, what_shows
from rnn_conformance.conformance.explaining.trying import try_script
from rnn_conformance.conformance.witnesses.encoding import array_as_data
from rnn_conformance.conformance.witnesses.witness import Witness
from rnn_conformance.reference.model.calls import Gradients, Output
from rnn_conformance.reference.model.states import State
from rnn_conformance.reference.model.weights import LayerWeights
from rnn_conformance.reference.spec import specification

_MOST_NUMBERS = 2000
"""A script with more than these is not one to read."""

_MOST_TO_ATTACH = 20_000
"""One that is asked for by itself may be attached to a report in place of being pasted into it."""

_WIDTH = 110

_END = """\
for name, right in expected.items():
    found = np.asarray(actual[name], dtype=np.float64)
    print(f"expected {name}:", right, f"actual {name}:", found, sep="\\n")
    print(f"the largest difference in {name}: {np.abs(found - right).max():.3g}\\n")
"""

_END_WITH_NAN = """\
for name, right in expected.items():
    found = np.asarray(actual[name], dtype=np.float64)
    print(f"expected {name}:", right, f"actual {name}:", found, sep="\\n")
    same = (found == right) | (np.isnan(found) & np.isnan(right))
    with np.errstate(invalid="ignore"):
        print(f"the largest difference in {name}: {np.where(same, 0, np.abs(found - right)).max():.3g}\\n")
"""

_END_OF_A_TYPE = """\
print("expected outputs:", expected)
print("actual outputs:", outputs.dtype, outputs.shape)
"""

_END_WHERE_ACCEPTED = """\
# As the specification says, there should have been an exception
print("expected: an exception", "actual outputs:", outputs, sep="\\n")
"""

_END_WHERE_RAISED = """\
print("expected: no exception, and there was none")
"""


def reproducer(adapter: Adapter, outcome: Outcome, witness: Witness, replay: str, *, tries: bool = False) -> str:
    """The text of the script. Raises NoReproducer, with the reason, where one call would not show what failed.

    With `tries`, it is run once, and has to show it: what was compiled before may have a part in what is seen here. It
    may then be larger.
    """
    write = getattr(adapter, "script", None)
    if write is None:
        raise NoReproducer("the adapter writes no scripts")
    shown = what_shows(outcome, witness.clauses, every_check().get(witness.check), _MOST_NUMBERS)
    call = shown.call
    if not tries and not call.inputs.dtype.isnative:  # by what was compiled before, such an array is misread or refused
        raise NoReproducer("it takes several calls to see that arrays in the other byte order are misread")
    variables = variables_of(call)
    try:
        code = write(call.architecture, call.wants)
        names = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    except Exception as error:  # the finding is worth more than its script
        raise NoReproducer(f"the adapter's script did not work: {type(error).__name__}: {error}") from error
    if call.earlier and "earlier" not in names:
        raise NoReproducer("it takes several calls to see it, and the adapter's script makes one")
    literals = [f"{name} = {_literal(value)}" for name, value in variables.items() if name in names]
    numbers = sum(_size(value) for name, value in variables.items() if name in names)
    if numbers > (_MOST_TO_ATTACH if tries else _MOST_NUMBERS):
        raise NoReproducer(f"the case has {numbers:,} numbers: too many to read")
    imports = ["import numpy as np"]
    if any("ml_dtypes" in literal for literal in literals):
        imports.insert(0, "import ml_dtypes  # bfloat16, which NumPy lacks")
    parts = [
        _docstring(outcome, witness, replay),
        "\n".join(imports),
        "\n".join(literals),
        f"# {outcome.check.subject.description.framework}\n{code.strip()}",
        *_ending(outcome, shown),
    ]
    script = "\n\n".join(parts)
    if tries:
        try_script(script, adapter, shown)
    return script


def _ending(outcome: Outcome, shown: Shown) -> Iterator[str]:
    """The parts of the script that say what there should be, and show what there is."""
    call = shown.call
    if shown.wrong == "raises":
        yield _END_WHERE_RAISED
    elif shown.wrong == "accepted":
        yield _END_WHERE_ACCEPTED
    elif shown.wrong == "type":
        dtype, shape = call.should_be
        yield f'# As the specification says\nexpected = "{dtype} {shape}"\n\n{_END_OF_A_TYPE}'
    else:
        right = right_of(call, outcome.check.subject.description.choices)
        expected = dict(_named(right, call.architecture.dtype))
        yield f"# As the specification says, computed in float64\nexpected = {_literal(expected)}"
        is_finite = all(np.isfinite(array).all() for array in expected.values())
        yield f"actual = {_actual(expected, call.wants)}\n\n{_END if is_finite else _END_WITH_NAN}"


def variables_of(call: Call) -> dict[str, Any]:
    """What an adapter's script may read, by name."""
    cotangent = call.cotangent
    return {
        "layers": [_layer(layer) for layer in call.weights.layers],
        "table": call.weights.embedding,
        "inputs": call.inputs,
        "earlier": list(call.earlier),
        "initial_state": _state(call.given.get("initial_state")),
        "lengths": call.given.get("lengths"),
        "mask": call.given.get("mask"),
        "cotangent": cotangent
        and {
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


def _named(right: Output | Gradients, dtype: str) -> Iterator[tuple[str, Any]]:
    """What there should be, each by what it is in a script."""
    if isinstance(right, Gradients):
        for name, array in right.arrays():
            yield name, _rounded(array, dtype)
        return
    yield "outputs", _rounded(right.outputs, dtype)
    for k, layer_state in enumerate(right.final_state or ()):
        for d, parts in enumerate(layer_state):
            for i, array in enumerate(parts):
                part = f"[{i}]" if len(parts) > 1 else ""
                yield f"final_state[{k}][{d}]{part}", _rounded(array, dtype)


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
    whole = textwrap.TextWrapper(_WIDTH, break_on_hyphens=False, break_long_words=False)  # a command stays one to copy
    text = "\n\n".join(map(whole.fill, paragraphs))
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


def _rounded(array: Any, dtype: str) -> Any:
    """To more digits than `dtype` has, and no more than are worth reading."""
    if dtype == "float64":
        return array
    return np.reshape([float(f"{value:.10g}") for value in array.ravel()], array.shape)
