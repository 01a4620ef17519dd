"""Each benchmark, in its smallest size: that it measures what it is about, and loses nothing of what it measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from rnn_conformance.reference.cells.gru import Gru
from rnn_conformance.reference.cells.lstm import Lstm

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

Benchmark = Callable[[str], ModuleType]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    """A benchmark by its name, as a module."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(threads, "1")  # reference_speed sets them, and here they are put back
    return import_module


def told(table: str) -> list[list[str]]:
    """The cells of each row of a table in Markdown, without its heading."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def test_each_is_told_of() -> None:
    """Whoever may run a script finds in the README what it measures."""
    told_of = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    scripts = [path for path in BENCHMARKS.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")]
    assert [path.name for path in scripts if path.name not in told_of] == []
    assert len(scripts) > 10


def test_startup(benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each start is timed as often as asked for, and its median held against that of Python alone."""
    startup = benchmark("startup")
    times = iter([1.0, 3.0, 9.0, 2.0, 4.0, 8.0, 3.0, 8.0, 1.0])
    monkeypatch.setattr(startup, "STARTS", {"python -c pass": (), "help": (), "run": ()})
    monkeypatch.setattr(startup, "seconds", lambda _: next(times))
    assert startup.ratios(3) == {"python -c pass": (2.0, 1.0), "help": (4.0, 2.0), "run": (8.0, pytest.approx(4.0))}


def test_what_is_started_runs(benchmark: Benchmark) -> None:
    """The smallest of them, for real."""
    startup = benchmark("startup")
    assert startup.seconds(startup.STARTS["python -c pass"]) > 0
    assert startup.seconds(startup.STARTS["rnn-conformance --version"]) > 0


def test_signatures(benchmark: Benchmark) -> None:
    """Every call of a new shape counts, for the check that came first with it."""
    name = "test_values.py::test_single_sequence"
    seen, models = benchmark("signatures").count("numpy", "smoke", [name])
    assert set(seen.values()) == {name}
    assert 0 < models <= len(seen)


@pytest.fixture
def speed(benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark of the reference's speed, in its smallest size."""
    module = benchmark("reference_speed")
    for name, size in {"BATCH": 2, "TIMESTEPS": 3, "ROUNDS": 1, "SHORTEST": 1e-9}.items():
        monkeypatch.setattr(module, name, size)
    return module


def test_speed_beside_a_listing(speed: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """The two do the same work, and their ratio is told."""
    speed.compare_with_listing(features=3, units=2)
    assert "float64, 3 features, 2 units: listing " in capsys.readouterr().out


def test_speed_beside_torch(speed: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """So it is with a framework's layer."""
    pytest.importorskip("torch")
    speed.compare_with_torch(features=3, units=2)
    assert "float32, 3 features, 2 units: reference " in capsys.readouterr().out


def test_speed_of_gated_cells(benchmark: Benchmark, speed: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    """LSTM and GRU do the work of torch's layers."""
    torch = pytest.importorskip("torch")
    cells = benchmark("cells")
    cells.compare(cells.Lstm(recurrent_bias="all"), torch.nn.LSTM, units=2)
    cells.compare(cells.Gru(), torch.nn.GRU, units=2)
    told = capsys.readouterr().out
    assert "lstm, float32, 64 features, 2 units: reference " in told
    assert "reference / torch.nn.GRU = " in told


def test_throughput_beside_a_test_by_hand(benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the hand-written test and the suite, warm."""
    pytest.importorskip("torch")
    throughput = benchmark("throughput")
    for name, size in {"ROUNDS": 1, "HAND_SECONDS": 0.0, "SUITE_EXAMPLES": 128}.items():
        monkeypatch.setattr(throughput, name, size)
    found = throughput.compare("torch")
    assert min(found.values()) > 0
    assert found["framework_ms"] + found["harness_ms"] < 1000


@pytest.mark.slow
def test_throughput_from_a_cold_start(benchmark: Benchmark) -> None:
    """The examples are those of the document that `run` prints."""
    found = benchmark("throughput").cold("numpy", "--profile", "smoke", "--only", "1.10")
    assert found["examples"] > 0
    assert found["seconds"] > 0


def test_throughput_keeps_what_was_measured(
    benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A backend that fails after its first half is told so, and those after it are measured."""
    throughput = benchmark("throughput")
    warm = dict.fromkeys(("drawn", "seeded", "suite", "over_drawn", "over_seeded"), 2.0)
    warm |= {"framework_ms": 0.25, "harness_ms": 0.5}

    def cold(backend: str, *options: str) -> dict[str, float]:
        assert options == ("--only", "1")
        if backend == "torch":
            raise RuntimeError("the run ended with status 3")
        return {"examples": 120, "seconds": 10.0}

    monkeypatch.setattr(throughput, "in_a_process", lambda backend: warm)
    monkeypatch.setattr(throughput, "cold", cold)
    file = tmp_path / "rows.jsonl"
    assert throughput.main(["torch", "jax-scan", "--only", "1", "--json", str(file)]) == 1
    first, second = told(capsys.readouterr().out)
    assert first[:3] == ["torch", "not measured: the run ended with status 3", "drawn 2"]
    assert second[:5] == ["jax-scan", "2.0", "2.0", "2", "2.0 (2.0)"]
    assert second[5:] == ["0.25 ms", "0.50 ms", "120 in 10 s = 12/s", "6.0 (6.0)"]
    kept = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert kept == [{"backend": "torch", **warm}, {"backend": "jax-scan", **warm, "examples": 120, "seconds": 10.0}]


@pytest.mark.slow
def test_first_verdict(benchmark: Benchmark, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Two runs of one clause, for real: each row has what the first and the second took."""
    file = tmp_path / "rows.jsonl"
    assert benchmark("first_verdict").main(["numpy", "--only", "1.10", "--no-together", "--json", str(file)]) == 0
    ((run, *cells),) = told(capsys.readouterr().out)
    (kept,) = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
    assert run == kept["run"] == "numpy"
    assert kept["options"] == ["--profile", "smoke", "--only", "1.10"]
    assert cells[0] == f"{kept['first']['cpu']:.1f}"
    assert min(kept[which][unit] for which in ("first", "second") for unit in ("cpu", "wall")) > 0


def test_first_verdicts_are_summed(
    benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Each backend begins with an empty folder for caches; one that comes to no verdict costs no other one."""
    verdict = benchmark("first_verdict")
    monkeypatch.setattr(verdict.subprocess, "run", lambda *_, **__: None)  # which looks for fonts
    given: list[tuple[list[str], str]] = []

    def once(arguments: list[str], environment: dict[str, str]) -> object:
        if arguments[0] == "torch":
            raise RuntimeError("exit status 2: torch needs torch")
        given.append((arguments, environment["XDG_CACHE_HOME"]))
        return verdict.Taken(4.0 / len(given), 2.0)

    monkeypatch.setattr(verdict, "once", once)
    file = tmp_path / "rows.jsonl"
    assert verdict.main(["numpy", "torch", "jax-scan", "--json", str(file)]) == 1
    numpy, torch, jax, together, both = told(capsys.readouterr().out)
    assert numpy == ["numpy", "4.0", "2.0", "0.50", "2.0", "2.0", "1.00"]
    assert torch == ["torch", "not measured: exit status 2: torch needs torch"]
    assert jax == ["jax-scan", "1.3", "1.0", "0.75", "2.0", "2.0", "1.00"]
    assert together[0] == "together, 2 at a time"
    assert both == ["the 2 alone, summed", "5.3", "3.0", "0.56", "4.0", "4.0", "1.00"]
    assert [arguments[0] for arguments, _ in given] == ["numpy"] * 2 + ["jax-scan"] * 2 + ["numpy"] * 2
    assert [caches for _, caches in given][::2] == [caches for _, caches in given][1::2]
    assert len({caches for _, caches in given}) == 3
    assert len(file.read_text(encoding="utf-8").splitlines()) == 3


def test_gradient_bounds(benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound of first order is a small share of the gradient, and never above that of absolute values."""
    module = benchmark("gradient_bounds")
    monkeypatch.setattr(module, "SIZES", ((8, 16),))
    monkeypatch.setattr(module, "LAYERS", 1)
    ((size, absolute, first_order, error, _),) = told("\n".join(module.table()))
    assert size == "8, 16"
    assert 0 < float(first_order) < float(absolute) < 1
    assert 0 < float(error) < 0.2


def test_harness(benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell is measured, on as many models of the same sizes."""
    harness = benchmark("harness")
    for name, value in {"ROUNDS": 1, "EXAMPLES": 16, "MODELS": 3}.items():
        monkeypatch.setattr(harness, name, value)
    found = {kind: (call, rest) for kind, call, rest in harness.measured("numpy", 3)}
    assert list(found) == ["simple_rnn", "lstm", "gru"]
    assert all(call > 0 and rest > 0 for call, rest in found.values())
    of_lstm, of_gru = (harness.models(cell, 3, "eager") for cell in (Lstm(), Gru()))
    assert [len(model.layers) for model, *_ in of_lstm] == [1, 2, 3]
    assert [[layer.units for layer in model.layers] for model, *_ in of_lstm] == [
        [layer.units for layer in model.layers] for model, *_ in of_gru
    ]


def test_alarms(benchmark: Benchmark, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Seeds are run once each, a soak a hundred at a time; the page counts them, and names what was found."""
    alarms = benchmark("alarms")
    monkeypatch.setattr(alarms, "KEPT", tmp_path / "alarms.jsonl")
    monkeypatch.setattr(alarms, "suite_digest", lambda: "0123456789ab")
    asked = []

    def measured(backend: str, cell: str, profile: str, seed: int, seeds: int, keep: Path | None) -> object:
        asked.append((profile, seed, seeds))
        found = ["test_stack: outputs[0] = 1"] if seed == 1 else []
        return alarms.Run(backend, cell, profile, seed, seeds, "0123456789ab", {}, "x86_64", 9, 1000, 60.0, found)

    monkeypatch.setattr(alarms, "measured", measured)
    alarms.run(["torch"], ["gru"], "default", 1, None)
    alarms.run(["torch"], ["gru"], "default", 2, None)
    alarms.run(["torch"], ["gru"], "soak", 150, tmp_path)
    assert asked == [("default", 0, 1), ("default", 1, 1), ("soak", 0, 100), ("soak", 100, 50)]
    page = list(alarms.page(alarms.kept()))
    assert "| torch | gru | default | 0123456789ab | 2 | 2,000 | 1 | 2 |" in page
    assert "| torch | gru | soak | 0123456789ab | 150 | 2,000 | 0 | 2 |" in page
    assert "* torch, gru, default, seed 1: test_stack: outputs[0] = 1" in page
    monkeypatch.setattr(alarms, "suite_digest", lambda: "of another suite")
    later = list(alarms.page(alarms.kept()))
    assert "Nothing was run on this suite yet." in later
    assert later.index("## Earlier suites") < later.index("* torch, gru, default, seed 1: test_stack: outputs[0] = 1")


def test_wrong_port(benchmark: Benchmark) -> None:
    """One of the page: it is noticed, and named."""
    pytest.importorskip("torch")
    pytest.importorskip("flax")
    module = benchmark("wrong_ports")
    (model,) = (model for model in module.models("torch") if model.name == "characters")
    assert module.wrong_port(model, "torch", "flax-nnx", "the two biases are exchanged") == "named"


def test_what_small_models_learn(benchmark: Benchmark) -> None:
    """Texts that end in padding, and something to say of each."""
    trained = benchmark("trained")
    tokens = trained.texts(0, 5)
    assert (np.diff((tokens != 0).astype(int), axis=1) <= 0).all()
    for name in trained.NAMES:
        right = trained.wanted(name, tokens)
        assert len(np.unique(right)) > 1
        assert right.max() < trained.classes(name)
