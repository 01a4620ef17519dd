"""The atlas: what adapters declare of their weights, beside what the checks found, and the examples, run as scripts."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from example_results import check, results

from rnn_conformance.adapters import registry
from rnn_conformance.adapters.description import CONVENTIONS, Description
from rnn_conformance.adapters.inlining import example as example_of
from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.conformance.running.declarations import declared
from rnn_conformance.reference.arithmetic.rounding import Precision
from rnn_conformance.reference.bounds.layers import expected_layer
from rnn_conformance.reference.model.architecture import Choices, Layer
from rnn_conformance.reference.model.weights import LayerWeights
from rnn_conformance.reference.spec import specification
from rnn_conformance.reports.overview.summary import Summary, summarise
from rnn_conformance.reports.records.records import Header, Results
from rnn_conformance.reports.renderings.atlas import CHOICES, COMPARED, FACTS, atlas, atlas_markdown
from rnn_conformance.reports.site.site import render

HOSTILE = "<script>alert(1)</script> \"' & `x` | *b* [a](javascript:b) {{ 7 * 7 }}\n``` </pre> `"
SPECIFICATION = specification()
CLAUSES = {number: clause.text for number, clause in SPECIFICATION.clauses.items()}
DESCRIPTION = {
    "offers": ["mask", "backward"],
    "unsupported": {"dropout": "it has none"},
    "choices": {"padded_outputs": "repeat", "backward_outputs": "processing", "dropout_mask": "fixed"},
    "conventions": {"b": "`bias`, `(units,)`", "W": "`kernel`, `(features, units)`", "biases": "two, which are added"},
    "notes": {"training": "slowly"},
    "example": "outputs = x < W",
}


def example(*checks: Any, **changes: Any) -> Results:
    """Results of an adapter that declares something."""
    description = {**DESCRIPTION, **changes}
    return results(checks=list(checks), clauses=CLAUSES, chapters=SPECIFICATION.chapters, description=description)


# What is declared


def test_conventions_are_named() -> None:
    """A wrong name lists the right ones, and says where other words go."""
    with pytest.raises(ValueError, match=r"names \['w'\], but the conventions are W, U, b, .*stands in notes"):
        Description("mine", {}, conventions={"w": "kernel"})


@pytest.mark.parametrize(
    ("script", "message"),
    [("outputs = (", "example is no Python: line 1"), ("outputs, W_read = x, W", "does not set U_read, b_read")],
)
def test_example_is_a_script_that_reads_back(script: str, message: str) -> None:
    """What could not be run, or would leave nothing behind, is refused."""
    with pytest.raises(ValueError, match=message):
        Description("mine", {}, example=script)


def test_every_convention_has_its_clauses() -> None:
    """What an adapter declares is what the atlas shows, and each line of it names clauses that there are."""
    assert list(FACTS) == list(CONVENTIONS)
    assert set(CHOICES) == set(Choices.__dataclass_fields__)
    cited = {clause for clauses in FACTS.values() for clause in clauses} | {c.clause for c in CHOICES.values()}
    assert cited <= set(CLAUSES)
    assert set(COMPARED) <= {*FACTS, *(choice.label for choice in CHOICES.values())}


# What is shown


def test_section() -> None:
    """Facts come in the order of the atlas, choices in words, each with what the checks found of its clauses."""
    (section,) = atlas(summarise([example(check("6.1"), check("6.3", "fails"), check("1.1", "deviation"))]))
    facts = {fact.name: fact for fact in section.facts}
    assert list(facts) == [
        "W",
        "b",
        "biases",
        "outputs at padded timesteps",
        "outputs of a backward layer",
        "mask of dropout",
    ]
    assert facts["outputs at padded timesteps"].value == "repeat the output before"
    assert facts["mask of dropout"].value == "does not arise: it has none"
    assert [(held.clause, held.verdict) for held in facts["W"].held] == [("1.1", "deviation"), ("6.1", "conforms")]
    assert (facts["W"].verdict, facts["biases"].verdict) == ("deviation", "fails")
    assert section.fact("U").value == section.fact("U").verdict == ""
    assert [(note.name, note.value) for note in section.notes] == [("training", "slowly")]


def test_page_shows_a_fact_that_failed() -> None:
    """A declared fact whose clause fails is marked so, in words and by a symbol."""
    html = page(summarise([example(check("6.3", "fails"))]))
    row = re.search(r'<th scope="row">biases</th>.*?</tr>', html, re.DOTALL)
    assert row
    assert "two, which are added" in row[0]
    assert re.search(r'6\.3</a> <span class="verdict v-fails">.*✗.*fails', row[0])
    assert "outputs = x &lt; W" in html


def test_page_links_to_what_was_found() -> None:
    """Each clause leads to its cell."""
    html = page(summarise([example(check("6.3"))]))
    assert '<a href="cells/torch/6.3.html">6.3</a>' in html


def page(summary: Summary) -> str:
    """The HTML of the atlas in a site."""
    return next(html for name, html in render(summary) if name == "atlas.html")


class Page(HTMLParser):
    """Every element of a page, with its attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data


def hostile() -> Results:
    """Results of which every text is hostile."""
    words = {HOSTILE: HOSTILE, "W": HOSTILE, "biases": [HOSTILE], "U": {HOSTILE: 7}}
    choices = {"padded_outputs": HOSTILE, "dropout_mask": HOSTILE, HOSTILE: HOSTILE}
    return results(
        HOSTILE,
        checks=[check("1.1", "fails", dtype=HOSTILE), check("1.1", dtype="x")],
        clauses={"1.1": HOSTILE},
        framework=HOSTILE,
        versions={HOSTILE: HOSTILE},
        suite=HOSTILE,
        description={
            "conventions": words,
            "notes": words,
            "choices": choices,
            "example": HOSTILE,
            "offers": [HOSTILE],
            "unsupported": {"dropout": HOSTILE},
        },
    )


def test_hostile_text_is_text() -> None:
    """Nothing in results becomes an element, an attribute or a piece of template of the page."""
    plain, hurt = Page(page(summarise([example()]))), Page(page(summarise([hostile()])))
    assert {tag for tag, _ in hurt.found} <= {tag for tag, _ in plain.found} | {"li"}
    known = {name for _, attributes in plain.found for name in attributes}
    assert {name for _, attributes in hurt.found for name in attributes} <= known | {"title"}
    links = [attributes["href"] for tag, attributes in hurt.found if tag == "a"]
    assert all(re.fullmatch(r"#[\w~.-]+|index.html|cells/[\w~-]+/[\w~.-]+", link) for link in links), links
    assert "<script>alert(1)</script>" in hurt.text
    assert "{{ 7 * 7 }}" in hurt.text


def test_hostile_text_is_text_in_markdown() -> None:
    """Each table keeps its columns, and outside code there is neither markup nor a link."""
    lines = atlas_markdown(summarise([hostile()])).splitlines()
    fence = next(i for i, line in enumerate(lines) if line.startswith("````python"))
    outside = [*lines[:fence], *lines[lines.index("````", fence) + 1 :]]
    for line in outside:
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (len(COMPARED) + 2, 4), line
        assert "<" not in line
        assert not re.search(r"(?<!\\)\[", line)


@pytest.mark.parametrize("value", [None, 7, "text", ["a"], {"W": None}, {"W": {"x": [1]}}], ids=str)
def test_declarations_of_any_shape(value: Any) -> None:
    """Results may hold anything where a description should be."""
    names = ("conventions", "notes", "choices", "example", "offers", "unsupported")
    summary = summarise([example(**dict.fromkeys(names, value))])
    assert "torch" in page(summary)
    assert "torch" in atlas_markdown(summary)


def test_adapter_that_declares_nothing() -> None:
    """It is said, instead of an empty table."""
    summary = summarise([results(description={})])
    assert "declares nothing of its weights" in page(summary)
    assert "declares nothing of its weights" in atlas_markdown(summary)


# The examples


def installed(name: str) -> str:
    """The name of an adapter; skips the test where its framework is not installed."""
    if missing := registry.registered()[name].missing:
        pytest.skip(f"{', '.join(missing)} is not installed")
    return name


@cache
def header_of(name: str) -> Header:
    """What an adapter says of itself in a process of its own."""
    return declared([name])[0].header


@pytest.fixture(params=sorted(registry.registered()))
def header(request: pytest.FixtureRequest) -> Header:
    """Each adapter's, where its framework is installed."""
    return header_of(installed(request.param))


WITHOUT_TANH = ("equinox", "haiku")
"""Adapters that have no example of a simple RNN, since they have no such cell with tanh."""


def skip_without_tanh(header: Header) -> None:
    """End the test for an adapter without an example, which only these may be."""
    if header.adapter in WITHOUT_TANH:
        assert not header.description["example"]
        pytest.skip(f"{header.framework} has no simple RNN with tanh")


@cache
def arrays() -> dict[str, np.ndarray]:
    """Weights and an input whose every number is different, so that nothing can change places unnoticed."""
    rng = np.random.default_rng(0)
    shapes = {"W": (4, 3), "U": (4, 4), "b": (4,), "x": (2, 6, 3)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def run(folder: Path, script: str) -> dict[str, np.ndarray]:
    """What a script leaves behind, run in a process of its own as its reader would, from arrays that a file gives."""
    np.savez(folder / "given.npz", **arrays())
    before = "import numpy\n_given = dict(numpy.load('given.npz'))\nW, U, b, x = (_given[name] for name in 'WUbx')\n"
    after = "numpy.savez('left.npz', outputs=outputs, W=W_read, U=U_read, b=b_read)\n"
    (folder / "script.py").write_text(f"{before}\n{script}\n{after}", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    command = [sys.executable, "script.py"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(np.load(folder / "left.npz"))


def assert_right(left: dict[str, np.ndarray], header: Header) -> None:
    """The weights are those that were given, to the bit, and each output follows from the one before it."""
    given = arrays()
    for name in ("W", "U", "b"):
        assert left[name].dtype == np.float32
        assert left[name].tobytes() == given[name].tobytes(), name
    assert left["outputs"].dtype == np.float32
    wide = {name: array.astype(np.float64) for name, array in {**given, "seen": left["outputs"]}.items()}
    weights = LayerWeights({"W": wide["W"], "U": wide["U"], "b": wide["b"]})
    precision = Precision(**header.description["precision"]["float32"])
    expected = expected_layer(Layer(3, 4), weights, wide["x"], None, precision, seen=wide["seen"]).outputs
    assert left["outputs"].shape == expected.value.shape
    assert (np.abs(wide["seen"] - expected.value) <= expected.bound).all()
    assert (np.abs(expected.without_recurrence - expected.value)[:, 1:] > expected.bound[:, 1:]).any()


def test_example_runs_as_it_stands(header: Header, tmp_path: Path) -> None:
    """The script of the atlas loads, runs and reads the framework's layer, and needs no more than the framework."""
    skip_without_tanh(header)
    script = header.description["example"]
    if not script and header.adapter == "tensorflowjs":
        pytest.skip("a program in another language has no example in Python")
    assert_right(run(tmp_path, script), header)
    imported = {node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in imports(script)}
    assert not {name for name in imported if name and name.startswith("rnn_conformance")}


def imports(script: str) -> Iterator[ast.Import | ast.ImportFrom]:
    return (node for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Import | ast.ImportFrom))


def test_declared_conventions_fit_the_example(header: Header) -> None:
    """An adapter that declares kernels transposed transposes them in its example, and one that does not does not."""
    skip_without_tanh(header)
    conventions, script = header.description["conventions"], header.description["example"]
    assert {"W", "U", "b", "orientation", "biases", "load", "read", "time axis", "state"} <= set(conventions)
    is_transposed = conventions["orientation"].startswith("transposed")
    assert conventions["orientation"].startswith(("transposed", "as they are"))
    assert ("(features, units)" in conventions["W"]) == is_transposed
    if not script and header.adapter == "tensorflowjs":
        return  # a program in another language has no example in Python
    load, _, _ = script.partition("# Run.")
    # In a product, x @ W.T, it is the equation that transposes.
    assert bool(re.search(r'(?<!@ )\b(W|weights\["W"\]|weights\[name\])\.T\b', load)) == is_transposed


# The page in docs/


def docs() -> str:
    return Path(__file__).parents[1].joinpath("docs", "atlas.md").read_text(encoding="utf-8")


def test_page_in_docs_is_what_adapters_declare(header: Header) -> None:
    """Each adapter's section and its line in the table of all are those that it declares now."""
    whole = atlas_markdown(summarise([Results(Path("declared"), header, [], None)]))
    table, section = whole.split(f"\n## {header.adapter}\n")
    columns, _, line = (line for line in table.splitlines() if line.startswith("|"))
    assert {columns, line} <= set(docs().splitlines()), "run: rnn-conformance atlas"
    assert f"\n## {header.adapter}\n{section}\n## " in f"{docs()}\n## ", "run: rnn-conformance atlas"


def test_page_in_docs_has_every_adapter() -> None:
    """No more sections than there are adapters, and no fewer."""
    names = [name for name in re.findall(r"^## (.*)$", docs(), re.MULTILINE) if name in registry.registered()]
    assert names == sorted(registry.registered())


@pytest.mark.parametrize(
    "framework", ["torch/", "flax/nnx_", "flax/linen_", "jax/", "numpy/", "keras/", "onnx/runtime_", "onnx/reference_"]
)
def test_page_in_docs_has_the_examples(framework: str) -> None:
    """Told without any framework: the scripts in docs/ are those of the adapters."""
    assert f"{example_of(f'{framework}example.py')}```\n" in docs(), "run: rnn-conformance atlas"


def test_port_in_docs(tmp_path: Path) -> None:
    """The scripts that take a layer from Keras to PyTorch and back do so, and PyTorch computes the recurrence."""
    header = header_of(installed("keras-torch"))
    there, back = re.findall(r"^```python\n(# From .*?)^```", docs(), re.DOTALL | re.MULTILINE)
    load, _, rest = header.description["example"].partition("# Run.")
    outputs = "with torch.no_grad():\n    outputs = rnn(torch.tensor(x))[0].numpy()\n"
    forget = "layer.set_weights([0 * array for array in layer.get_weights()])\n"
    left = run(tmp_path, "\n".join([load, there, outputs, forget, back, rest.partition("# Read.")[2]]))
    assert_right(left, header_of("torch"))


# The command


@pytest.mark.slow
def test_command_prints_the_atlas() -> None:
    """Of the adapters named, as Markdown or as data."""
    markdown = command("numpy")
    assert markdown.startswith("## All frameworks\n")
    assert "\n## numpy\n" in markdown
    assert '"backend": "numpy"' in command("numpy", "--format", "json")


def command(*arguments: str) -> str:
    done = CliRunner().invoke(cli, ["atlas", *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.parametrize(
    ("adapter", "message"),
    [
        ("tensorflow-2", "there is no adapter 'tensorflow-2'; registered are"),
        pytest.param(
            "no_such_module:adapter",
            "no_such_module:adapter does not describe itself: ModuleNotFoundError",
            marks=pytest.mark.slow,  # a process is started
        ),
    ],
)
def test_command_with_a_wrong_name(adapter: str, message: str) -> None:
    """It says what is wrong in a line, and exits with 2."""
    done = CliRunner().invoke(cli, ["atlas", adapter])
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
    assert "Traceback" not in done.output
