"""A run that ends early leaves no process behind, and two runs do not write into one folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest
from click.testing import CliRunner

from rnn_conformance.conformance.commands.main import cli
from rnn_conformance.conformance.running import supervisor
from rnn_conformance.conformance.running.interrupts import as_interrupts, status_of
from rnn_conformance.conformance.running.lock import InUse, alone_in
from rnn_conformance.conformance.running.order import Order, Report
from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.reports.records.records import read

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parent

POOL = """
import sys, time
from pathlib import Path
from rnn_conformance.conformance.selftest.trials import in_processes
if __name__ == "__main__":
    with in_processes(1) as pool:
        pid = pool.submit(__import__("os").getpid).result()
        Path(sys.argv[1]).with_suffix(".new").write_text(str(pid))
        Path(sys.argv[1]).with_suffix(".new").rename(sys.argv[1])
        time.sleep(600)
"""

PARENT = """
import sys
from pathlib import Path
from threading import Event
from rnn_conformance.conformance.running.order import Order
from rnn_conformance.conformance.running.selection import Selection
from rnn_conformance.conformance.running.supervisor import run_one
order = Order("smoke", 0, Selection(["1.10"]), 1, 600, Path(sys.argv[1]))
run_one(order, "misbehaving:leaves_a_child", lambda step: None, Event())
"""


def becomes_true(holds: Callable[[], bool], seconds: float = 60) -> bool:
    """Wait until it holds, for so long at most."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


def is_running(pid: int) -> bool:
    """Whether there is such a process; one that has ended, and that nobody has asked about yet, does not run."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="on this system the worker alone is ended, by a thread")
def test_worker_does_not_outlive_a_parent_that_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does what its framework has started, though nobody is left to kill them."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    told = tmp_path / "misbehaving_leaves_a_child.pids"
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)]) as parent:
        assert becomes_true(told.exists)
        worker, child = map(int, told.read_text(encoding="utf-8").split())
        assert is_running(worker)
        assert is_running(child)
        parent.kill()
    assert becomes_true(lambda: not is_running(worker) and not is_running(child))


def test_selftest_leaves_no_process_behind_when_it_is_killed(tmp_path: Path) -> None:
    """Those of its pool end with it, too."""
    told = tmp_path / "pid"
    with subprocess.Popen([sys.executable, "-c", POOL, str(told)]) as parent:
        assert becomes_true(told.exists)
        pid = int(told.read_text(encoding="utf-8"))
        assert is_running(pid)
        parent.kill()
    assert becomes_true(lambda: not is_running(pid))


def test_slowest_backend_is_started_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On every kind of cell, before any other; results come in the order in which they were asked for."""
    started = []

    def run_at_once(order: Order, adapter: str, report: Report, stop: Event) -> None:
        started.append((adapter, order.cell))

    monkeypatch.setattr(supervisor, "run_one", run_at_once)
    orders = [Order("smoke", 0, Selection(), 1, 600, tmp_path, cell=cell) for cell in ("lstm", "gru")]
    paths = supervisor.run_all(orders, ["numpy", "keras-jax"], 1, lambda step: None)
    assert started == [(adapter, cell) for adapter in ("keras-jax", "numpy") for cell in ("lstm", "gru")]
    assert [path.stem for path in paths] == ["numpy-lstm", "keras-jax-lstm", "numpy-gru", "keras-jax-gru"]


def test_run_that_is_terminated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is killed, and what was found until then is reported, with the status that shells have for that."""
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    options = ["--profile", "smoke", "--only", "1.10", "--only", "6.2", "--out", str(tmp_path)]
    result = CliRunner().invoke(cli, ["run", "misbehaving:terminates", *options])
    assert result.exit_code == 128 + signal.SIGTERM, result.output
    assert "interrupted; what was found until then is in the report" in result.stderr
    assert (tmp_path / "index.html").exists()
    assert not is_running(int((tmp_path / "misbehaving_terminates.pid").read_text(encoding="utf-8")))
    found = read(tmp_path / "misbehaving_terminates.jsonl")
    assert found.missing
    assert {record.verdict for record in found.checks} <= {"conforms"}


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_that_end_a_run(name: str) -> None:
    """Each raises KeyboardInterrupt with its number, and means what it did before when the run is over."""
    number = getattr(signal, name)
    outside = signal.signal(number, signal.SIG_DFL)  # these tests may be run where it is ignored, as under nohup
    try:
        with pytest.raises(KeyboardInterrupt) as raised, as_interrupts():
            signal.raise_signal(number)
        assert status_of(raised.value) == 128 + number
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, outside)


def test_ignored_signal_stays_ignored() -> None:
    """A run under nohup goes on when its terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with as_interrupts():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_two_runs_into_one_folder(tmp_path: Path) -> None:
    """The second is refused with status 3 and told who writes there; it leaves what the first has found."""
    (tmp_path / "numpy.jsonl").write_text("of the first run", encoding="utf-8")
    with alone_in(tmp_path):
        result = CliRunner().invoke(cli, ["run", "numpy", "--out", str(tmp_path)])
    assert result.exit_code == 3
    assert f"{tmp_path} is in use by process {os.getpid()} on " in result.stderr
    assert (tmp_path / "numpy.jsonl").read_text(encoding="utf-8") == "of the first run"


def test_folder_is_free_again(tmp_path: Path) -> None:
    """However the run ended; after one that did not die, nobody is named."""
    told = []

    def interrupted() -> None:
        with alone_in(tmp_path) as dead:
            told.append(dead)
            with pytest.raises(InUse):
                alone_in(tmp_path).__enter__()
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            interrupted()
    assert told == ["", ""]


def test_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    """A process that is killed lets go of the lock, and leaves the note of who it was."""
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from rnn_conformance.conformance.running.lock import alone_in\n"
        "with alone_in(Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    pid = json.loads((tmp_path / ".lock.json").read_text(encoding="utf-8"))["pid"]
    with alone_in(tmp_path) as dead:
        assert dead.startswith(f"process {pid} on ")
