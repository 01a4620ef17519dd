"""The rules of the house: which room may import which, what the worker may need, and how long a file may be."""

from __future__ import annotations

import ast
import importlib.resources
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = Path(__file__).parents[1]
MAY_IMPORT = {
    "reference": {"reference"},
    "adapters": {"adapters", "reference"},
    "reports": {"reports"},
    "conformance": {"conformance", "adapters", "reference", "reports"},
}
# Within a room, each part may import from those before it, and from itself.
ORDER = {
    "reference": "spec arithmetic cells model layers bounds",
    "adapters": "description protocol support room gates inlining function pipe registry two_biases canonical graph "
    "numpy torch jax keras flax equinox haiku mlx onnx exports tensorflowjs porting reading",
    "reports": "records overview upgrades documents pictures renderings site",
    "conformance": "identity cases judging witnesses engine checks mutants explaining inspecting running selftest "
    "porting asserting sweeping vectors skeletons commands",
}
FRAMEWORKS = {
    "torch",
    "keras",
    "tensorflow",
    "jax",
    "flax",
    "optax",
    "onnx",
    "onnxruntime",
    "openvino",
    "haiku",
    "equinox",
    "mlx",
    "tf_keras",
}
OF_FRAMEWORK = {
    "torch": {"torch"},
    "jax": {"jax", "optax"},
    "keras": {"keras", "tf_keras", "tensorflow", "torch", "jax"},
    "flax": {"flax", "jax", "optax"},
    "equinox": {"equinox", "jax"},
    "haiku": {"haiku", "jax"},
    "mlx": {"mlx"},
    "onnx": {"onnx", "onnxruntime", "openvino"},
    "exports": {"torch", "onnx", "onnxruntime", "openvino", "jax", "keras", "tensorflow"},
}
DESK = {"click", "rich", "jinja2", "markupsafe", "jsonschema", "matplotlib", "safetensors"}
LONGEST = 400


@cache
def modules(room: str) -> list[Path]:
    """Every Python file of a room."""
    return sorted(Path(str(importlib.resources.files(f"rnn_conformance.{room}"))).rglob("*.py"))


def module_name(room: str, path: Path) -> str:
    """The full name of a module, or of the package whose __init__.py it is."""
    inner = path.relative_to(Path(str(importlib.resources.files(f"rnn_conformance.{room}")))).with_suffix("")
    return ".".join(("rnn_conformance", room, *(part for part in inner.parts if part != "__init__")))


@cache
def known_modules() -> dict[str, Path]:
    """Every module and package of the four rooms, by its full name."""
    return {module_name(room, path): path for room in MAY_IMPORT for path in modules(room)}


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements in one, at any depth; a walk through their expressions, too, would take thrice as long."""
    for part in ("body", "orelse", "handlers", "finalbody", "cases"):
        for inner in getattr(node, part, ()):
            yield inner
            yield from statements(inner)


@cache
def imports(path: Path) -> list[str]:
    """The full name of everything that a file imports, wherever in the file."""
    names = []
    for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports by a relative name"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def imported_modules(path: Path) -> set[str]:
    """The modules of ours that a file imports, or imports something from."""
    names = {name for name in imports(path) if name.startswith("rnn_conformance.")}
    return {name if name in known_modules() else name.rpartition(".")[0] for name in names}


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_imports_run_one_way(room: str) -> None:
    """conformance -> adapters -> reference, and conformance -> reports; nothing runs against that."""
    assert modules(room)
    for path in modules(room):
        rooms = {name.split(".")[1] for name in imports(path) if name.startswith("rnn_conformance.")}
        assert rooms <= MAY_IMPORT[room], f"{room}/{path.name}"


@pytest.mark.parametrize("room", sorted(ORDER))
def test_imports_within_a_room_run_one_way(room: str) -> None:
    """Each part of a room has its place, and imports from no later one, not even within a function."""
    order = ORDER[room].split()
    for name in (module_name(room, path) for path in modules(room)):
        if name == f"rnn_conformance.{room}":
            continue
        part = name.split(".")[2]
        assert part in order, f"{name} has no place in the order of {room}"
        for other in imported_modules(known_modules()[name]):
            if other.startswith(f"rnn_conformance.{room}."):
                assert order.index(other.split(".")[2]) <= order.index(part), f"{name} imports {other}"


def test_no_module_imports_itself_in_a_circle() -> None:
    """Nor do two import each other: whichever is read first, the other is there."""
    done: set[str] = set()

    def visit(name: str, on_the_way: tuple[str, ...]) -> None:
        assert name not in on_the_way, " imports ".join((*on_the_way[on_the_way.index(name) :], name))
        if name not in done:
            for other in imported_modules(known_modules()[name]):
                visit(other, (*on_the_way, name))
            done.add(name)

    for name in known_modules():
        visit(name, ())


def test_every_package_is_installed() -> None:
    """pyproject.toml lists each folder with an __init__.py, and each folder that it lists is there."""
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    listed = settings["packages"]
    folders = {name for room in MAY_IMPORT for name in packages(room)}
    assert folders <= set(listed)
    assert [name for name in listed if not (PROJECT / Path(*name.split(".")[1:])).is_dir()] == []
    assert len(set(listed)) == len(listed)


def packages(room: str) -> Iterator[str]:
    for init in (PROJECT / room).rglob("__init__.py"):
        yield ".".join(("rnn_conformance", *init.parent.relative_to(PROJECT).parts))


def test_no_file_is_long() -> None:
    """A file has one subject, tests and benchmarks included."""
    files = [*PROJECT.glob("*.py")]
    for folder in (*MAY_IMPORT, "tests", "benchmarks"):
        files += (PROJECT / folder).rglob("*.py")
    lengths = {str(path.relative_to(PROJECT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert len(lengths) > 200
    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_frameworks_stay_in_their_folders(room: str) -> None:
    """adapters/torch may import torch, and so on; everything else can be read without any framework."""
    for path in modules(room):
        tops = {name.split(".")[0] for name in imports(path)}
        allowed = OF_FRAMEWORK.get(path.parent.name, set()) if room == "adapters" else set()
        assert tops & FRAMEWORKS <= allowed, f"{room}/{path.parent.name}/{path.name}"


def test_reference_needs_numpy_only() -> None:
    """The specification can be read and run with nothing but NumPy, and ml_dtypes for the bfloat16 that it lacks."""
    tops = {name.split(".")[0] for path in modules("reference") for name in imports(path)}
    assert tops - sys.stdlib_module_names == {"ml_dtypes", "numpy", "rnn_conformance"}


@pytest.mark.slow
def test_worker_imports_neither_desk_nor_framework() -> None:
    """The worker runs beside an old framework, where the desk's libraries are not installed."""
    modules = ("running.worker", "running.collecting")
    ours = ", ".join(f"rnn_conformance.conformance.{module}" for module in modules)
    code = f"import sys, {ours}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert not set(printed.split()) & (DESK | FRAMEWORKS)


@pytest.mark.slow
def test_adapters_can_be_listed_without_importing_frameworks() -> None:
    """Listing what is registered takes no time and cannot crash."""
    code = (
        "import sys; from rnn_conformance.adapters.registry import registered; names = set(registered());"
        "print(*sorted({name.split('.')[0] for name in sys.modules})); assert 'torch' in names"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert not set(printed.split()) & FRAMEWORKS
