"""Writes what sweeps have found into docs/upgrades.md, with their pictures: ``python benchmarks/upgrades.py SWEEP...``.

SWEEP is the folder that `rnn-conformance sweep --out` has written; what the page has of others stays. The sweeps of the
page, which take hours, are run with ``python benchmarks/upgrades.py --run FOLDER``; what was run before, not again.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from installed import command

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- made by benchmarks/upgrades.py -->", "<!-- end of what it made -->"

SWEEPS = {
    "keras-jax": "--since 2024-11 --releases keras --lines --pin jax==0.10.2 --cell lstm --cell gru",
    "flax-nnx": "--since 2024-11 --releases flax --lines --pin numpy==2.0.2 --cell lstm --cell gru",
    "flax-linen": "--since 2024-06 --releases flax --lines --pin numpy==2.0.2 --cell lstm --cell gru",
    "keras-tensorflow": "--since 2024-11 --releases keras --lines --cell lstm",
    "keras-torch": "--since 2024-11 --releases keras --lines --cell lstm",
}
"""The sweeps of the page. One NumPy for all releases draws the same cases, so that bits can be compared."""

INTRODUCTION = """## LSTM and GRU, release by release

Made by [a script](../benchmarks/upgrades.py) of what [`rnn-conformance sweep`](sweeping.md) found,
each release in an environment of its own. A letter in a picture tells that something in a chapter is not as with the
release before, in meaning (M), support (S), accuracy (A) or bits (B); △ is a departure that has a name and a witness in
[the list of deviations](deviations.md), ✗ one that has none in these versions. Changes of bits alone are counted only.
"""

FEW = 6


def run(folder: Path) -> list[Path]:
    """Run the sweeps, and return their folders."""
    for backend, options in SWEEPS.items():
        sweep = [command(), "sweep", backend, *options.split()]
        subprocess.run([*sweep, "--kept", str(folder / "kept"), "--out", str(folder / backend)], check=True)
    return [folder / backend for backend in SWEEPS]


def write(sweeps: Sequence[Path]) -> None:
    """Put what they found into the page, and the pictures beside it; what the page has of other sweeps stays."""
    page = DOCS / "upgrades.md"
    # At the end of the page, if it is not there yet.
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    old, _, after = rest.partition(END)
    sections = {each.partition("\n")[0]: f"### {each}".rstrip("\n") for each in old.split("\n### ")[1:]}
    for sweep in sweeps:
        for each in timelines(sweep):
            sections[each["name"]] = "\n".join(section(each)).rstrip("\n")
    told = "\n\n".join(sections.values())
    page.write_text(f"{before}{BEGIN}\n{INTRODUCTION}\n{told}\n\n{END}{after}", encoding="utf-8")
    for sweep in sweeps:
        for picture in sweep.glob("sweep-*.svg"):
            shutil.copyfile(picture, DOCS / picture.name)


def timelines(sweep: Path) -> Sequence[Mapping[str, Any]]:
    """The timelines that a sweep has written."""
    found: Sequence[Mapping[str, Any]] = json.loads((sweep / "sweep.json").read_text(encoding="utf-8"))
    return found


def section(timeline: Mapping[str, Any]) -> Iterator[str]:
    """What a sweep found of one backend and kind of cell: its picture, and what each release changed."""
    name = timeline["name"]
    yield f"### {name}"
    yield ""
    yield f"![Releases by date, and the gravest verdict in each chapter, of {name}](sweep-{name}.svg)"
    yield ""
    yield f"{timeline['sentence']}."
    yield ""
    for row in timeline["rows"]:
        yield from release(row)
    yield ""


def release(row: Mapping[str, Any]) -> Iterator[str]:
    """A release in a line, and a line for each cause and for each kind of change that has none."""
    others = [f"{name} {version}" for name, version in row["versions"].items() if name != row["package"]]
    beside = f" with {', '.join(others)}" if others else ""
    after = f", after {row['before']}" if row["before"] else ""
    yield f"* **{row['package']} {row['version']}** ({row['day']}){beside}{after}: {row['outcome']}."
    if row["comparison"]:
        for cause in row["comparison"]["causes"]:
            where = ", ".join(cause["clauses"][:FEW]) + (" …" if len(cause["clauses"]) > FEW else "")
            yield f"  * {cause['trend']}: *{cause['name']}*, {cause['old']} → {cause['new']} ({where})"
        alone = [each for each in row["comparison"]["changes"] if not each["causes"] and each["kind"] != "bits"]
        for (kind, trend), group in groupby(alone, key=lambda each: (each["kind"], each["trend"])):
            changes = list(group)
            named = "; ".join(f"{each['subject']}: {said(each)}" for each in changes[:FEW])
            yield f"  * {kind}, {trend}: {named}" + (f"; {len(changes) - FEW} more" if len(changes) > FEW else "")


def said(change: Mapping[str, Any]) -> str:
    """From what to what, in one line."""
    step = f"{change['old']} → {change['new']}" if change["old"] or change["new"] else change["detail"]
    return " ".join(step.split())[:200]


if __name__ == "__main__":
    if len(sys.argv) < 2 or (sys.argv[1] == "--run" and len(sys.argv) != 3):
        sys.exit("usage: python benchmarks/upgrades.py SWEEP... | --run FOLDER")
    write(run(Path(sys.argv[2])) if sys.argv[1] == "--run" else [Path(each) for each in sys.argv[1:]])
