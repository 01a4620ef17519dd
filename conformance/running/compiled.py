"""What frameworks compile is kept between runs, where they can: in a folder for each processor and set of versions.

Machine code that was compiled for one processor has given wrong numbers on another (docs/upgrades.md), so nothing is
shared that could differ: another instruction set, another version of any package, another setting of a compiler is
another folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path

import archspec.cpu

_SETTINGS = ("ATEN_", "JAX_", "KERAS_", "OPENBLAS_", "TF_", "TORCH", "XLA_")
"""What the names of environment variables begin with by which frameworks are told how to compile."""

FOLDERS = ("JAX_COMPILATION_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR")
"""Where frameworks keep what they compile; that decides nothing else."""

_DIGITS = 16
_DAYS = 30
"""A folder that no run has used for so long is removed."""


def folder_for(kept: Path) -> Path:
    """The folder below `kept` for this processor and what is installed here; it is made, and old ones are removed."""
    told = json.dumps(_what_decides(), sort_keys=True)
    folder = kept / hashlib.sha256(told.encode()).hexdigest()[:_DIGITS]
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    for other in kept.iterdir():
        if other.is_dir() and time.time() - other.stat().st_mtime > _DAYS * 24 * 3600:
            shutil.rmtree(other, ignore_errors=True)
    return folder


def _what_decides() -> Mapping[str, object]:
    """All that compiled code may depend on."""
    processor = archspec.cpu.host()
    return {
        "processor": [processor.name, sorted(processor.features)],
        "system": [platform.system(), platform.machine(), platform.python_version()],
        "packages": sorted({"{Name} {Version}".format_map(each.metadata) for each in distributions()}),
        "settings": {
            name: os.environ[name] for name in os.environ if name.startswith(_SETTINGS) and name not in FOLDERS
        },
    }


def settings(folder: Path | None) -> Mapping[str, str]:
    """The environment variables by which frameworks keep what they compile in this folder; without one, they do not.

    JAX reads them from version 0.4.1 on (https://docs.jax.dev/en/latest/persistent_compilation_cache.html), PyTorch's
    inductor from 2.0 on. Keras and Flax compile by one of these; TensorFlow keeps nothing.
    """
    if folder is None:
        return {"JAX_ENABLE_COMPILATION_CACHE": "false", "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}
    return {
        "JAX_ENABLE_COMPILATION_CACHE": "true",
        "JAX_COMPILATION_CACHE_DIR": str(folder / "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "torch"),
    }
