"""Mistakes that people make in an adapter: each is named with the place in their own file, and so it is by `run`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import Supervised
from programs import manifest

from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.conformance.inspecting.hints import hint
from rnn_conformance.conformance.inspecting.inspection import Inspection, Mistake

README = (files("rnn_conformance.adapters") / "README.md").read_text(encoding="utf-8")
RIGHT = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)[0]
"""The adapter of adapters/README.md."""

MISTAKES = {
    "axes swapped": (
        "outputs = x if self.architecture.return_sequences else x[:, -1]",
        "outputs = x.swapaxes(0, 1) if self.architecture.return_sequences else x[:, -1]",
        "it is (timesteps, batch, units), and should be (batch, timesteps, units)",
        "in MyNetwork.run: return Output(outputs",
    ),
    "an array in place of an Output": (
        "return Output(outputs, tuple(final) if self.architecture.return_state else None)",
        "return outputs",
        "should return an instance of Output: wrap it: return Output(outputs, final_state)",
        "in MyNetwork.run: return outputs",
    ),
    "a state without its tuple": (
        "tuple(final) if self",
        "final[0][0][0] if self",
        "final_state is a ndarray, but should be a tuple of layers: a state is nested in tuples, by layer",
        "in MyNetwork.run: return Output(outputs",
    ),
    "lists in place of tuples": (
        "final.append(((x[:, -1],),))",
        "final.append([[x[:, -1]]])",
        "final_state[0] is a list, but should be a tuple of directions: a state is nested in tuples",
        "in MyNetwork.run: return Output(outputs",
    ),
    "no return in prepare": (
        "        return MyNetwork(architecture)",
        "        MyNetwork(architecture)",
        "prepare returned None, but should return a network: is a `return` missing?",
        "in MyAdapter.prepare",
    ),
    "weights the other way round": (
        '"U": l.recurrent_kernel.T.copy()',
        '"U": l.recurrent_kernel.copy()',
        "weights returned another layers[0].U than was loaded",
        "in MyNetwork.weights: return Weights(tuple(layers))",
    ),
    "no description": (
        "        return DESCRIPTION\n",
        "        return {'framework': 'My layer'}\n",
        "describe returned a dict, but should return a Description",
        "in MyAdapter.describe: return {'framework': 'My layer'}",
    ),
}
"""What stands in the right adapter, what stands there in its place, and what is said of that and of its place."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of the user's, in which Python finds my_module."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("my_module", None)


def write(folder: Path, right: str = "", wrong: str = "") -> None:
    assert right in RIGHT
    (folder / "my_module.py").write_text(RIGHT.replace(right, wrong) if right else RIGHT, encoding="utf-8")


def first(name: str) -> Mistake:
    return next(iter(Inspection(name).mistakes()))


def test_nothing_is_wrong_with_the_right_one(folder: Path) -> None:
    """In the command as well, which runs it in a process of its own and says what comes next."""
    write(folder)
    done = CliRunner().invoke(cli, ["check-adapter", "my_module:adapter"])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("✓ My layer numpy ")
    assert "rnn-conformance run my_module:adapter --profile smoke\n" in done.output


def test_command_that_comes_next_is_about_the_adapters_cells() -> None:
    """Where nothing is said it would be about the simple RNN alone."""
    done = CliRunner().invoke(cli, ["check-adapter", "numpy"])
    assert done.output.endswith("rnn-conformance run numpy --profile smoke --cell simple_rnn --cell lstm --cell gru\n")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_named(folder: Path, mistake: str) -> None:
    """With file, line and what stands there."""
    right, wrong, what, where = MISTAKES[mistake]
    write(folder, right, wrong)
    found = first("my_module:adapter")
    assert what in found.what
    assert re.match(r"my_module\.py, line \d+, ", found.where)
    assert where in found.where
    line = int(re.findall(r"line (\d+)", found.where)[0])
    text = (folder / "my_module.py").read_text(encoding="utf-8").splitlines()[line - 1]
    assert text.strip() in found.where


def test_activation_that_is_not_there(folder: Path) -> None:
    """A layer that computes tanh whatever it is asked for is told by its bits."""
    write(folder, 'activations=("tanh",),', 'activations=("tanh", "relu"),')
    text = (folder / "my_module.py").read_text(encoding="utf-8").replace('"relu": "MyLayer is tanh only",', "")
    (folder / "my_module.py").write_text(text, encoding="utf-8")
    found = first("my_module:adapter")
    assert found.what.startswith("simple_rnn with relu gives what tanh gives. If there is no relu, name those")
    assert "in MyNetwork.run" in found.where


def test_activation_that_raises(folder: Path) -> None:
    """Where nothing is said of activations, all four are taken to be there."""
    only = '{"tanh": 1}[architecture.layers[0].cell.activation]'
    write(folder, "refuse_unsupported(DESCRIPTION, architecture)", only)
    text = (folder / "my_module.py").read_text(encoding="utf-8").replace('activations=("tanh",),', "")
    for name in ("relu", "linear", "sigmoid"):
        text = text.replace(f'"{name}": "MyLayer is tanh only",', "")
    (folder / "my_module.py").write_text(text, encoding="utf-8")
    found = first("my_module:adapter")
    assert found.what.startswith("prepare raised KeyError: 'relu'. If there is no relu, name those that there are in")
    assert only in found.traceback


@pytest.mark.parametrize(
    ("method", "body", "said"),
    [
        (
            "run_training",
            "return Output(np.ones((5, 4, 3, 1), self.dtype))",
            "outputs.shape = (5, 4, 3, 1), but should",
        ),
        ("train", "self._weights.no_such_name", "train raised AttributeError: "),
        ("second_gradient", "return 1.0", "second_gradient returned is a float, but should be a numpy.ndarray"),
        ("symbolic_state_shapes", "return [3]", "symbolic_state_shapes is a list, but should be a tuple of layers"),
        ("run_training", 'raise Unsupported("there is none")', "run_training says that dropout is unsupported"),
    ],
)
def test_what_is_called_in_training(folder: Path, method: str, body: str, said: str) -> None:
    """And what else is offered beside running the layer and its gradients: each is called once."""
    (folder / "my_module.py").write_text(
        "from dataclasses import replace\nimport numpy as np\n"
        "from rnn_conformance.adapters.numpy.adapter import NumpyAdapter\n"
        "from rnn_conformance.adapters.numpy.network import NumpyNetwork\n"
        "from rnn_conformance.adapters.protocol import Unsupported\n"
        "from rnn_conformance.reference.model.calls import Output\n\n"
        f"class MyNetwork(NumpyNetwork):\n    def {method}(self, *asked):\n        {body}\n\n"
        "class MyAdapter(NumpyAdapter):\n"
        "    def describe(self):\n"
        "        return replace(super().describe(), ways=(), cells=('simple_rnn',), variants=(), examples={})\n"
        "    def prepare(self, architecture):\n        return MyNetwork(architecture, self.choices)\n\n"
        "adapter = MyAdapter()\n",
        encoding="utf-8",
    )
    found = first("my_module:adapter")
    assert said in found.what
    assert re.match(rf"my_module\.py, line \d+, in MyNetwork\.{method}: ", found.where) or found.traceback


def test_class_in_place_of_an_instance(folder: Path) -> None:
    write(folder)
    found = first("my_module:MyAdapter")
    assert found.what == "my_module:MyAdapter is a class: name an instance of it"
    assert re.fullmatch(
        r"my_module\.py, line \d+, in MyAdapter: class MyAdapter:; an instance is made by adapter = MyAdapter\(\), and "
        "named my_module:adapter",
        found.where,
    )


def test_exception_in_prepare(folder: Path) -> None:
    """Their own lines, and none of this suite's or of pytest's."""
    write(folder, "np.zeros((features, units), dtype)", "np.zeros((features, missing), dtype)")
    found = first("my_module:adapter")
    assert found.what == "prepare raised NameError: name 'missing' is not defined"
    files_of_it = re.findall(r'File "(.*?)", line \d+, in (\S+)', found.traceback)
    assert files_of_it[0][1] == "prepare"
    assert files_of_it[-1][1] == "__init__"
    assert {file for file, _ in files_of_it} == {str(folder / "my_module.py")}
    assert found.traceback.endswith("NameError: name 'missing' is not defined")


def test_module_that_cannot_be_imported(folder: Path) -> None:
    """A syntax error has its line; so has what is not installed."""
    (folder / "my_module.py").write_text("import numpy\n\ndef run(:\n", encoding="utf-8")
    found = first("my_module:adapter")
    assert "SyntaxError" in found.what
    assert "my_module.py" in found.traceback
    assert "line 3" in found.traceback
    (folder / "my_module.py").write_text("import numpy\nimport no_such_framework\n", encoding="utf-8")
    found = first("my_module:adapter")
    assert "No module named 'no_such_framework'" in found.what
    assert "line 2" in found.traceback
    assert "importlib" not in found.traceback


def test_what_the_command_prints(folder: Path) -> None:
    """A mistake is told in a few lines, and the status is 1."""
    write(folder, *MISTAKES["axes swapped"][:2])
    done = CliRunner().invoke(cli, ["check-adapter", "my_module:adapter"])
    assert done.exit_code == 1
    place, what, model, *_ = done.output.splitlines()
    assert place.startswith("✗ my_module.py, line ")
    assert what.startswith("  outputs.shape = (4, 5, 3), but should be (5, 4, 3): its axes are in another order")
    assert model.startswith("  with a plain layer: simple_rnn(2 -> 3, tanh)")
    assert done.output.splitlines()[-1].startswith("my_module:adapter: 1 mistake in ")


def test_end_of_the_process(folder: Path) -> None:
    """A layer that kills its process is told with the call that it was in."""
    write(folder, "        return MyNetwork(architecture)", "        import os; os.abort()")
    done = CliRunner().invoke(cli, ["check-adapter", "my_module:adapter"])
    assert done.exit_code == 1
    assert "✗ prepare, for a plain layer: killed by SIGABRT" in done.output


def test_mistakes_of_a_program(tmp_path: Path) -> None:
    """The place is the answer to a request; a program that cannot be spoken with is told as what it is."""
    swapped = manifest(tmp_path, "swapped")
    found = first(swapped)
    assert "it is (timesteps, batch, units), and should be (batch, timesteps, units)" in found.what
    assert found.where == f"{swapped}: the answer to run"
    assert first(manifest(tmp_path, "newer")).what.endswith("speaks protocol 2, and this suite protocol 1")
    assert "'Hi there! This framework" in first(manifest(tmp_path, "banner")).what
    assert list(Inspection(manifest(tmp_path, "right")).mistakes()) == []


@pytest.mark.slow
def test_run_names_them_too(folder: Path, run_here: Supervised) -> None:
    """What does not work at all has its reason and its own lines, and none of pytest's."""
    write(folder, "np.zeros((features, units), dtype)", "np.zeros((features, missing), dtype)")
    (record,) = run_here("my_module:adapter", "6.1").checks
    assert record.verdict == "broken"
    assert record.message.startswith("prepare raised NameError: name 'missing' is not defined\n")
    assert 'my_module.py", line' in record.message
    assert "_pytest" not in record.message
    assert record.message.endswith("`rnn-conformance check-adapter my_module:adapter` tries each of its methods")


def test_run_says_what_to_do(folder: Path, run_here: Supervised) -> None:
    """Of an answer that is not what the protocol says."""
    write(folder, *MISTAKES["an array in place of an Output"][:2])
    messages = {record.message for record in run_here("my_module:adapter", "1.4").checks if record.verdict == "fails"}
    assert messages
    for message in messages:
        assert "(wrap it: return Output(outputs, final_state), of rnn_conformance.reference.model.calls)" in message


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("outputs.shape = (2, 3), but should be (3, 2)", "numpy.transpose(array, (1, 0)) has the right one"),
        ("outputs.shape = (2, 3), but should be (2, 4)", ""),
        ("run returned a Tensor, but should return an instance of Output", "wrap it"),
        ("outputs is a Tensor, but should be a numpy.ndarray", "make it an array"),
        ("gradients returned a tuple, but should return an instance of Gradients", "wrap it: return Gradients"),
        ("outputs[0] = 1, but should be exactly 2", ""),
    ],
)
def test_hints(message: str, told: str) -> None:
    found = hint(message)
    assert told in found
    assert bool(told) == bool(found)
