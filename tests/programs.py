"""The program that `new-adapter process` writes, as it is on a good day and on a bad one.

Run as ``python programs.py HOW``, by manifests that `manifest` writes.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

SKELETON = files("rnn_conformance.conformance.skeletons").joinpath("process.py.txt")


def manifest(folder: Path, how: str, timeout: float = 30) -> str:
    """Write the manifest of such a program into a folder, and return its path."""
    path = folder / f"{how}.toml"
    command = [sys.executable, str(Path(__file__)), how]
    path.write_text(f"command = {command!r}\ntimeout = {timeout}\n", encoding="utf-8")
    return str(path)


def main(how: str) -> None:
    names: dict[str, Any] = {"__name__": "skeleton"}
    exec(compile(SKELETON.read_text(encoding="utf-8"), "skeleton.py", "exec"), names)
    answer = names["answer"]
    if how == "banner":
        print("Hi there! This framework is quicker with its native package.", flush=True)
    if how == "mute":
        time.sleep(600)

    def on_a_bad_day(header: Any, arrays: Any) -> Any:
        fatal = header["request"] == "run" and _is_fatal(names["networks"][header["network"]].architecture)
        if fatal and how == "dies":
            print("no room for it", file=sys.stderr, flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)
        if fatal and how == "hangs":
            Path("hangs.pid").write_text(str(os.getpid()), encoding="utf-8")
            time.sleep(600)
        if fatal and how == "babbles":
            os.write(1, b"\x1b[1mlast output\n")
        fields, found = answer(header, arrays)
        if how == "swapped" and header["request"] == "run" and found["outputs"].ndim == 3:
            found["outputs"] = found["outputs"].swapaxes(0, 1).copy()
        if how == "newer" and header["request"] == "describe":
            fields["protocol"] = 2
        if how == "misspelt" and header["request"] == "describe":
            fields["description"] = {"framework": "My layer", "versions": {}, "cell": ["lstm"]}
        return fields, found

    names["answer"] = on_a_bad_day
    names["main"]()


def _is_fatal(architecture: Any) -> bool:
    """Whether it is the kind of model that goes wrong on a bad day: one that puts out the last output in float32."""
    return architecture["dtype"] == "float32" and not architecture["return_sequences"]


if __name__ == "__main__":
    main(sys.argv[1])
