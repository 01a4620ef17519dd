"""A plugin of tox: a backend with any version of its packages, such as ``tox run -e keras-jax-keras3.10``.

The name of an environment is that of a backend and, behind it, packages with their versions, or the beginning of them:
``flax-nnx-flax0.10.0-jax0.5``; a kind of cell other than the simple RNN stands between the two, as in
``flax-nnx-lstm-flax0.10``. The backend's other packages are those that pyproject.toml pins. The backend is run with the
profile of the baselines, and compared with its own; what follows ``--`` are options of `rnn-conformance compare`. Of a
backend that has none, `compare` says which have.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tox.config.loader.memory import MemoryLoader
from tox.config.types import Command
from tox.plugin import impl

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from tox.config.sets import ConfigSet
    from tox.session.state import State

ROOT = Path(__file__).parent
_PACKAGE = re.compile(r"([a-z_]+)(\d[\w.]*)")
_CELLS = ("lstm", "gru")


@dataclass(frozen=True)
class Upgrade:
    """A backend with other versions of some of its packages, as the name of an environment says it."""

    name: str
    backend: str
    requirements: Sequence[str]
    cell: str = ""

    def commands(self, options: Sequence[str]) -> list[Command]:
        """Run it, whether it conforms or not, and say what is different from the baseline."""
        out = f"results/{self.name}"
        run = ["rnn-conformance", "run", self.backend, "--profile", "smoke", "--seed", "0", "--out", out]
        results = f"{self.backend}.jsonl"
        if self.cell:
            run += ["--cell", self.cell]
            results = f"{self.backend}-{self.cell}.jsonl"
        compare = ["rnn-conformance", "compare", "pinned", f"{out}/{results}", *options]
        return [Command(["-", *run]), Command(compare)]


def upgrade(name: str, project: dict[str, Any]) -> Upgrade | None:
    """What an environment's name says, by the table `project` of a pyproject.toml; None if it names no such thing."""
    backends = project["entry-points"]["rnn_conformance.adapters"]
    for backend in backends:
        factors = name[len(backend) + 1 :].split("-")
        cell = factors.pop(0) if factors[0] in _CELLS else ""
        packages = [_PACKAGE.fullmatch(factor) for factor in factors]
        if name.startswith(f"{backend}-") and factors and all(packages):
            asked = {canonicalize_name(match[1]): match[2] for match in packages if match}
            pins = [Requirement(pin) for pin in project["optional-dependencies"].get(backend, [])]
            return Upgrade(name, backend, list(_requirements(asked, pins)), cell)
    return None


def _requirements(asked: dict[Any, str], pins: Iterable[Requirement]) -> Iterable[str]:
    remaining = dict(asked)
    for pin in pins:
        # tensorflow-cpu goes by the name of what it is.
        known = (canonicalize_name(pin.name), canonicalize_name(pin.name.removesuffix("-cpu")))
        name = next((each for each in known if each in remaining), None)
        yield str(pin) if name is None else _pin(pin.name, remaining.pop(name))
    yield from (_pin(name, version) for name, version in remaining.items())


def _pin(name: str, version: str) -> str:
    """The newest release that begins with this version, or just this one of a pre-release."""
    return f"{name}=={version}" + (".*" if re.fullmatch(r"[\d.]+", version) else "")


def _asked_for() -> list[Upgrade]:
    """The environments on the command line, or in TOXENV, that are named so: no list could hold every version."""
    words = [*sys.argv[1:], os.environ.get("TOXENV", "")]
    names = [re.sub("^(-e|--env=)", "", word).split(",") for word in words]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = [upgrade(name.strip(), project) for each in names for name in each]
    return [each for each in found if each is not None]


@impl
def tox_extend_envs() -> Iterable[str]:
    """Tell tox of the environments that were asked for."""
    return [each.name for each in _asked_for()]


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:
    """Define them."""
    options = state.conf.pos_args(None) or ()
    for each in _asked_for():
        loader = MemoryLoader(
            description=f"{each.backend} with {', '.join(each.requirements)}, held against its baseline",
            extras={"desk"},
            deps=each.requirements,
            change_dir=ROOT,
            commands=each.commands(options),
        )
        state.conf.memory_seed_loaders[each.name].append(loader)
