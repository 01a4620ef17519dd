"""What a worker is to the supervisor, in small: it starts a process of its own, says which the two are, and hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from rnn_conformance.conformance.running import lifeline

if __name__ == "__main__":
    lifeline.hold()
    child = subprocess.Popen(["sleep", "600"])
    told = Path(sys.argv[1])
    told.with_suffix(".new").write_text(f"{os.getpid()} {child.pid}", encoding="utf-8")
    told.with_suffix(".new").rename(told)
    time.sleep(600)
