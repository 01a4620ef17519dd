"""Plain modules as parts of scripts: what is used is there, in the module's order, and reads as a script does."""

from __future__ import annotations

import ast

import pytest

from rnn_conformance.adapters import inlining
from rnn_conformance.adapters.inlining import example, functions, joined

EXAMPLES = ["numpy/example.py", "torch/example.py", "keras/example.py", "jax/example.py"]
EXAMPLES += ["flax/linen_example.py", "flax/nnx_example.py"]


def test_functions_that_are_used_and_those_that_they_use() -> None:
    """Loading takes `tensor`; nothing else is there, and nothing at all where nothing is used."""
    code = functions("torch/example.py", "model.load_state_dict(state_of(layers[0]))")
    assert [node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)] == ["tensor", "state_of"]
    assert functions("torch/example.py", "model(x)") == ""


def test_annotations_go_and_comments_stay() -> None:
    """Nested functions too; a long list of parameters becomes one line."""
    code = functions("jax/example.py", "masked_layer")
    head = "def masked_layer(cell, f, weights, x, valid, state=None, reverse=False, unroll=1):"
    assert f'\n{head}\n    """' in code
    assert "\n    def step(before, now):\n" in code
    assert "        # Twice, because" in code
    assert "Any" not in code
    assert functions("flax/nnx_example.py", "load").endswith(".T)  # b.T is b")


@pytest.mark.parametrize("file", EXAMPLES)
def test_an_example_is_a_script(file: str) -> None:
    """It reads W, U, b and x, defines every other name that it uses, and imports no more than that."""
    tree = ast.parse(example(file))
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    aliases = [alias for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names]
    imported = {alias.asname or alias.name for alias in aliases}
    loaded = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    assert imported <= loaded
    assert not any(isinstance(node, ast.arg) and node.annotation for node in ast.walk(tree))
    assert {"outputs", "W_read", "U_read", "b_read"} <= {node.id for node in names if isinstance(node.ctx, ast.Store)}


def test_functions_of_other_plain_modules_come_along() -> None:
    """What a module imports of another one is inlined before its own functions, and the import is not in the script."""
    code = functions("torch/example.py", "gru_state_of(layers[0])")
    names = [node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]
    assert names == ["z_and_r_swapped", "tensor", "state_of", "gru_state_of"]
    assert "rnn_conformance" not in example("torch/example.py", "gru_example")


def test_bodies_are_joined() -> None:
    """In their order, under the imports of all and each function once."""
    code = joined([("torch/porting.py", "gru_source"), ("flax/nnx_porting.py", "gru_target")])
    tree = ast.parse(code)
    assert [ast.unparse(node) for node in tree.body if isinstance(node, ast.Import)] == [
        "import numpy as np",
        "import torch",
    ]
    assert code.count("def z_and_r_swapped(") == 1
    assert code.index("torch_gru = torch.nn.GRU") < code.index("nnx_gru = nnx.RNN")
    assert "return weights" not in code


def test_functions_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A script can have one of them only: they are named with their modules."""
    body = 'def helper():\n    return {}\n\n\ndef {}():\n    """x"""\n    {} = helper()\n    return {}\n'
    texts = {f"clash/{name}.py": body.format(i, name, name, name) for i, name in enumerate("ab")}
    monkeypatch.setattr(inlining, "_text", texts.__getitem__)
    assert joined([("clash/a.py", "a")]).endswith("a = helper()\n")
    with pytest.raises(ValueError, match=r"helper is a function of clash/[ab]\.py, and another one of clash/[ab]\.py"):
        joined([("clash/a.py", "a"), ("clash/b.py", "b")])
