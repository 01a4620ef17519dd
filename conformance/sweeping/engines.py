"""The engines by name: local processes, clusters of Dask's and Ray's, and Slurm. Each schedules by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rnn_conformance.conformance.sweeping.places import Engine, local

NAMES = ("local", "dask", "ray", "slurm")
_NEEDS = {"dask": "distributed", "ray": "ray", "slurm": "submitit"}
_ATTEMPTS = 3
"""So often a job is run whose process was ended from outside."""

_AT_ONCE = 64
"""So many jobs are in Slurm's queue at a time: each has a thread here that waits for it, and does nothing else."""


def check_engine(asked: str) -> str:
    """The name of an engine that is asked for.

    Raises ValueError for a wrong name, with the right ones, and for one that is not installed, with how to install it.
    """
    name = asked.partition(":")[0]
    if name not in NAMES:
        raise ValueError(f"there is no engine {name!r}; there are {', '.join(NAMES)}")
    if name in _NEEDS and find_spec(_NEEDS[name]) is None:
        raise ValueError(f"the engine {name} needs {_NEEDS[name]}: pip install 'rnn-conformance[{name}]'")
    return name


@contextmanager
def engine(asked: str, jobs: int | None, folder: Path) -> Iterator[Engine]:
    """The engine that is asked for: ``local``, ``dask``, ``dask:tcp://HOST:8786``, ``ray``, ``ray:HOST:6379`` or
    ``slurm:partition=gpu,time=60``.

    `jobs` is how many to run at a time, where the engine is to be started; `folder` is shared with Slurm's nodes.
    Raises ValueError as `check_engine` does.
    """
    start = {"local": _local, "dask": _dask, "ray": _ray, "slurm": _slurm}[check_engine(asked)]
    with start(asked.partition(":")[2], jobs, folder) as found:
        yield found


def _local(rest: str, jobs: int | None, folder: Path) -> Any:
    return local(jobs)


@contextmanager
def _dask(address: str, jobs: int | None, folder: Path) -> Iterator[Engine]:
    """A cluster that runs at this address, or one on this machine. A job whose worker dies is run again by Dask."""
    distributed: Any = import_module("distributed")
    options = {"n_workers": jobs, "threads_per_worker": 1, "dashboard_address": None}
    cluster = None if address else distributed.LocalCluster(**options)
    try:
        with distributed.Client(address or cluster) as client:
            yield Engine(client.get_executor(retries=_ATTEMPTS, pure=False), is_here=not address)
    finally:
        if cluster is not None:
            cluster.close()


@contextmanager
def _ray(address: str, jobs: int | None, folder: Path) -> Iterator[Engine]:
    """A cluster of Ray's that runs at this address, or one on this machine; each job has a processor to itself.

    A job whose worker dies is run again by Ray.
    """
    ray: Any = import_module("ray")
    options = {"address": address} if address else {"num_cpus": jobs, "include_dashboard": False}
    with ray.init(**options, log_to_driver=False):
        yield Engine(Remote(ray.remote(num_cpus=1, max_retries=_ATTEMPTS)(_call)), is_here=not address)


def _call(work: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return work(*args, **options)


class Remote(Executor):
    """An executor over a remote function of Ray's that calls what it is given."""

    def __init__(self, remote: Any) -> None:
        self._remote = remote

    def submit(self, work: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = self._remote.remote(work, *args, **options).future()
        return future


@contextmanager
def _slurm(options: str, jobs: int | None, folder: Path) -> Iterator[Engine]:
    """Jobs of Slurm's, with these options of submitit's, such as ``partition=gpu,time=60``; time is in minutes.

    ``cluster=local`` runs the same on this machine.
    """
    submitit: Any = import_module("submitit")
    given = dict(option.partition("=")[::2] for option in options.split(",") if option)
    cluster = given.pop("cluster", "slurm")
    executor = submitit.AutoExecutor(folder / "slurm", cluster=cluster)
    prefix = "" if cluster == "local" else "slurm_"
    times = {"timeout_min": int(given.pop("time"))} if "time" in given else {}
    executor.update_parameters(cpus_per_task=1, **times, **{f"{prefix}{name}": each for name, each in given.items()})
    with Waiting(executor.submit, jobs or _AT_ONCE) as waiting:
        yield Engine(waiting, is_here=cluster == "local")


class Waiting(Executor):
    """An executor over something whose `submit` gives jobs with a `result()` to wait for, such as submitit's.

    A job whose process was ended from outside is submitted again, a few times; what its own work raises is its result.
    """

    def __init__(self, submit: Callable[..., Any], at_once: int) -> None:
        self._submit = submit
        self._pool = ThreadPoolExecutor(at_once)

    def submit(self, work: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        return self._pool.submit(self._result, work, *args, **options)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait, cancel_futures=cancel_futures)

    def _result(self, work: Callable[..., Any], *args: Any, **options: Any) -> Any:
        errors: Any = import_module("submitit.core.utils")
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._submit(work, *args, **options).result()
            except errors.FailedJobError:  # the work itself raised
                raise
            except errors.UncompletedJobError:
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError("the last attempt returns or raises")
