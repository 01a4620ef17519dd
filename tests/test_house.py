"""The rules of the house: which room may import which, and what the worker may need."""

from __future__ import annotations

import ast
import importlib.resources
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

MAY_IMPORT = {
    "reference": {"reference"},
    "adapters": {"adapters", "reference"},
    "reports": {"reports"},
    "conformance": {"conformance", "adapters", "reference", "reports"},
}
FRAMEWORKS = {"torch", "keras", "tensorflow", "jax", "flax"}
DESK = {"click", "filelock", "rich", "jinja2", "markupsafe", "jsonschema", "matplotlib", "platformdirs"}


def modules(room: str) -> list[Path]:
    """Every Python file of a room."""
    return sorted(Path(str(importlib.resources.files(f"rnn_conformance.{room}"))).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """The full name of everything that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports by a relative name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_imports_run_one_way(room: str) -> None:
    """conformance -> adapters -> reference, and conformance -> reports; nothing runs against that."""
    assert modules(room)
    for path in modules(room):
        rooms = {name.split(".")[1] for name in imports(path) if name.startswith("rnn_conformance.")}
        assert rooms <= MAY_IMPORT[room], f"{room}/{path.name}"


def test_reference_needs_numpy_only() -> None:
    """The specification can be read and run with nothing but NumPy, and ml_dtypes for the bfloat16 that it lacks."""
    tops = {name.split(".")[0] for path in modules("reference") for name in imports(path)}
    assert tops - sys.stdlib_module_names == {"ml_dtypes", "numpy", "rnn_conformance"}


@pytest.mark.parametrize(
    "module", ["rnn_conformance.conformance.running.worker", "rnn_conformance.conformance.running.collecting"]
)
def test_worker_imports_neither_desk_nor_framework(module: str) -> None:
    """The worker runs beside an old framework, where the desk's libraries are not installed."""
    code = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert not set(printed.split()) & (DESK | FRAMEWORKS)


def test_adapters_can_be_listed_without_importing_frameworks() -> None:
    """Listing what is registered takes no time and cannot crash."""
    code = (
        "import sys; from rnn_conformance.adapters.registry import registered; names = set(registered());"
        "print(*sorted({name.split('.')[0] for name in sys.modules})); assert 'torch' in names"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert not set(printed.split()) & FRAMEWORKS
