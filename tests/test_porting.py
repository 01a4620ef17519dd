"""From one framework to another: the pages of the atlas in docs/, and their scripts, held to the proven bounds."""

from __future__ import annotations

import json
from importlib.util import find_spec
from itertools import permutations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from held import run_scripts, shares

from rnn_conformance.adapters.jax import shared as jax_shared
from rnn_conformance.adapters.porting.biases import STEPS
from rnn_conformance.adapters.porting.ends import PLACES, End, Place, pair
from rnn_conformance.adapters.porting.limits import limits
from rnn_conformance.adapters.porting.page import TITLES, markdown
from rnn_conformance.adapters.porting.script import script
from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.reference.arithmetic.rounding import Precision, standard_precision
from rnn_conformance.reference.bounds.layers import expected_layer
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm
from rnn_conformance.reference.model.architecture import Layer
from rnn_conformance.reference.model.weights import LayerWeights

DOCS = Path(__file__).parents[1] / "docs"
PAIRS = list(permutations(PLACES, 2))
PAIR = pytest.mark.parametrize(("source", "target"), PAIRS)

Arrays = dict[str, np.ndarray]


# What is told


def command(*arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(cli, ["atlas", *arguments])
    assert done.exit_code == status, done.output
    return done.output


@PAIR
def test_page_in_docs_is_what_the_command_prints(source: str, target: str) -> None:
    """There is one for each ordered pair, and the page of all frameworks links to it."""
    path = DOCS / "atlas" / f"{source}-to-{target}.md"
    printed = command(source, target, "--cell", "lstm", "--cell", "gru")
    message = f"run: rnn-conformance atlas {source} {target} --cell lstm --cell gru > docs/atlas/{path.name}"
    assert path.read_text(encoding="utf-8") == printed, message
    assert f"(atlas/{path.name})" in DOCS.joinpath("atlas.md").read_text(encoding="utf-8")


def test_no_other_pages_in_docs() -> None:
    """What is not a pair any more has no page."""
    assert {path.stem for path in (DOCS / "atlas").iterdir()} == {"-to-".join(each) for each in PAIRS}


def test_command_with_data() -> None:
    """The same as JSON, of one cell."""
    (told,) = json.loads(command("torch", "flax-nnx", "--cell", "gru", "--format", "json"))
    assert (told["from"], told["to"], told["cell"]) == ("PyTorch", "Flax NNX", "gru")
    assert {"part", "here", "there", "done"} == set(told["changes"][0])
    assert "the recurrent bias of n" in [limit["name"] for limit in told["limits"]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["torch"], "name two, such as rnn-conformance atlas torch keras --cell lstm"),
        (["torch", "numpy"], "no port from or to 'numpy', only between torch, keras, flax-nnx, flax-linen"),
        (["keras", "keras-jax"], "are the same framework"),
    ],
)
def test_command_without_a_pair(arguments: list[str], message: str) -> None:
    """It says which frameworks there are to choose from."""
    assert message in " ".join(command(*arguments, "--cell", "lstm", status=2).split())


def test_keras_shares_a_process_with_the_other_framework() -> None:
    """On its backend, so that nothing else has to be installed; another one can be asked for by name."""
    assert 'os.environ["KERAS_BACKEND"] = "torch"' in script("lstm", *pair("torch", "keras"))
    assert 'os.environ["KERAS_BACKEND"] = "jax"' in script("lstm", *pair("keras", "flax-nnx"))
    assert 'os.environ["KERAS_BACKEND"] = "tensorflow"' in script("gru", *pair("keras-tensorflow", "torch"))
    assert "KERAS" not in script("gru", *pair("torch", "flax-linen"))


@PAIR
def test_page_tells_what_changes(source: str, target: str) -> None:
    """Gates that stand in another order and states with another first part are told as such, and nothing else is."""
    here, there = pair(source, target)
    swapped = {here.ends["gru"].order, there.ends["gru"].order} == {"rzn", "zrn"}
    turned = here.ends["lstm"].parts != there.ends["lstm"].parts
    assert ("z and r change places" in markdown(["gru"], here, there)) == swapped
    assert (") becomes (" in markdown(["lstm"], here, there)) == turned


def test_what_cannot_be_carried_is_named() -> None:
    """With what to do, for exactly those who meet it."""
    told = {limit.name: limit.advice for limit in limits("gru", *pair("keras", "torch"))}
    assert "Train anew with `reset_after=True`" in told["`reset_after=False`"]
    assert "the recurrent bias of n" not in told
    assert "`reset_after=False`" not in {limit.name for limit in limits("lstm", *pair("keras", "torch"))}


# What the scripts do


def cell_of(kind: str, end: End) -> Cell:
    """The cell with the biases that this layer has."""
    return Gru(recurrent_bias=end.biases) if kind == "gru" else Lstm(recurrent_bias=_IN_LSTM[end.biases])


_IN_LSTM = {"one": "none", "two": "all"}


def precision_of(place: Place) -> Precision:
    """That of float32, as the adapter declares it."""
    on_jax = "jax" in (place.keras_on, place.backend)
    return jax_shared.PRECISION["float32"] if on_jax else standard_precision("float32")


def are_there(*places: Place) -> bool:
    """Whether the frameworks are installed."""
    packages = {"PyTorch": "torch", "Keras": "keras"}
    return all(find_spec(packages.get(place.framework, "flax")) for place in places)


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], dict[str, Any]]:
    """What the scripts leave behind by name, or the error that they end in; a process for each backend of Keras."""
    found = {}
    for on in ("torch", "jax"):
        folder, scripts = tmp_path_factory.mktemp(on), {}
        for (source, target), kind in product(PAIRS, TITLES):
            here, there = pair(source, target)
            if are_there(here, there) and (here.backend or there.backend or "torch") == on:
                parts = "h=h, c=c" if kind == "lstm" else "h=h"
                name = f"{source}-{target}-{kind}"
                last = f"np.savez('{name}.npz', given=dict(x=x, {parts}), weights=weights, here=here, there=there)\n"
                scripts[name] = script(kind, here, there) + last
        wrong = run_scripts(folder, scripts) if scripts else {}
        for source, target, kind in product(PLACES, PLACES, TITLES):
            if (name := f"{source}-{target}-{kind}") in scripts:
                found[source, target, kind] = {"wrong": wrong[name]} if wrong[name] else read(folder / f"{name}.npz")
    return found


def read(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=True) as file:
        return {name: file[name].item() for name in file}


@PAIR
@pytest.mark.parametrize("kind", TITLES)
def test_script_carries_the_layer(left: Any, source: str, target: str, kind: str) -> None:
    """Outputs and states of both layers are within the bounds of the weights that the first one has."""
    here, there = pair(source, target)
    if not are_there(here, there):
        pytest.skip("a framework is not installed")
    found = left[source, target, kind]
    assert "wrong" not in found, found["wrong"]
    cell = cell_of(kind, here.ends[kind])
    for place, outputs in ((here, found["here"]), (there, found["there"])):
        told = shares(cell, found["weights"], found["given"], outputs, precision_of(place))
        assert max(told.values()) <= 1, (place.framework, told)
    for name, array in found["weights"].items():
        assert np.unique(array).size > array.size / 2, f"{name} is so even that a fault might not show"


def test_bounds_tell_a_wrong_port() -> None:
    """Each step of the biases matters: without it, the layer is thousands of bounds away from the right one."""
    rng = np.random.default_rng(0)
    weights = {"W": rng.normal(size=(12, 3)), "U": rng.normal(size=(12, 4)), "b": rng.normal(size=12)}
    weights |= {"c": rng.normal(size=12)}
    given = {"x": rng.normal(size=(2, 6, 3)), "h": rng.normal(size=(2, 4))}
    moved = STEPS["gru"]["all", "candidate"](weights)
    wrong = {**moved, "b": weights["b"]}
    for arrays, is_right in ((moved, True), (wrong, False)):
        found = reference(Gru(recurrent_bias="candidate"), arrays, given)
        told = shares(Gru(), weights, given, found, standard_precision("float64"))
        assert (max(told.values()) <= 1) == is_right
        assert is_right or min(told.values()) > 1000


def reference(cell: Cell, weights: Any, given: Arrays) -> Arrays:
    """What the specification says."""
    layer = Layer(3, 4, cell)
    expected = expected_layer(layer, LayerWeights(weights), given["x"], ((given["h"],),), standard_precision("float64"))
    return {"outputs": expected.outputs.value, "h": expected.final[0][0].value}
