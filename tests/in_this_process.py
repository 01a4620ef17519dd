"""Runs workers in this process: the same checks come to the same results, without what a start takes.

For tests of what comes of a run. Those of its process, such as how it ends, need a real one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from threading import Event

import pytest

from rnn_conformance.conformance.running import collecting, supervisor, worker
from rnn_conformance.conformance.running.order import Order, Report
from rnn_conformance.conformance.running.process import Ended
from rnn_conformance.conformance.running.watch import Watch


@contextmanager
def workers_in_this_process(diagnosis: str = "") -> Iterator[None]:
    """As long as this lasts, an adapter's checks are run here; one of tests/ is found by its name.

    What a failure is like is not looked for, which takes seconds: it is always said to be like `diagnosis`.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        patch.setenv("TORCHINDUCTOR_CACHE_DIR", "")  # which the worker may set
        patch.syspath_prepend(str(Path(__file__).parent))
        patch.setattr(supervisor, "run_worker", _run_worker)
        patch.setattr(os, "cpu_count", lambda: 1)  # workers at a time, since a process can have one session of pytest
        patch.setattr(collecting, "explain", lambda *_: diagnosis)
        yield


def _run_worker(order: Order, adapter: str, watch: Watch, report: Report, stop: Event) -> Ended:
    order.journal(adapter).unlink(missing_ok=True)
    with order.log(adapter).open("a", encoding="utf-8") as log, redirect_stdout(log):
        status = worker.main(str(order.results(adapter)), order.options(adapter))
    watch.look()
    return Ended(f"the process ended with status {status}")
