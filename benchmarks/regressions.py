"""Known regressions of recurrent layers, each bisected: ``python benchmarks/regressions.py --run FOLDER [NAME]...``.

Each was told of in an issue, a pull request or a changelog before this suite looked for it. `bisect` has to name the
release that is expected. What was measured lies in FOLDER, and ``python benchmarks/regressions.py FOLDER`` writes it
into docs/upgrades.md. What was run before is not run again.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from installed import command

from rnn_conformance.reports.documents.loading import load
from rnn_conformance.reports.upgrades.comparison import compare

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LIST = Path(__file__).with_suffix(".toml")
PAGE = Path(__file__).parents[1] / "docs" / "upgrades.md"
LINE_END = "\n"
BEGIN, END = "<!-- made by benchmarks/regressions.py -->", "<!-- end of the regressions -->"
NOTHING = 4
"""The exit status of bisect where both ends are the same."""

CONTROL = "control-"
"""What the name of a pair of releases begins with of which nobody has told anything."""

INTRODUCTION = """Each of these was told of elsewhere: in an issue, a pull request or a changelog, which is linked. For
each, [a script](../benchmarks/regressions.py) runs `rnn-conformance bisect` with the check that should see it, and says
which release and which package were named, in which kind the two results differ, from what to what, and how many
environments had to be made and run for that (*jobs*). CPU seconds include the making of environments. The ends of most
are next to one another: what is asked of these is whether it is that release, and that package of all that changed.

Two more went unnoticed. A saved `Bidirectional` could not be loaded before Keras 3.3.3
([issue 19615](https://github.com/keras-team/keras/issues/19615)): `test_saved_and_loaded_again` should save layers of
each direction, which only `test_features_crossed` does. `RNN` of several cells raised under a mask on JAX before
Keras 3.10 ([pull request 21224](https://github.com/keras-team/keras/pull/21224)): when this was measured, no adapter
had a way to run such a stack, which is what `stacked-cells` of Keras does now."""

COLUMNS = ("what", "seen in", "expected", "named", "kind", "from → to", "jobs", "CPU s")


@dataclass(frozen=True)
class Regression:
    """Something that a release broke or mended, as was said at `link`, and how to look for it.

    `subject` is the check or clause that sees it, `package` the one that varies between the ends `good` and `bad`, and
    `expected` the first release in which it is otherwise. `options` are further ones of bisect's.
    """

    name: str
    told: str
    link: str
    backend: str
    subject: str
    package: str
    good: str
    bad: str
    expected: str
    kind: str
    cell: str = "lstm"
    dtype: str = "float32"
    options: str = ""

    def command(self, folder: Path) -> list[str]:
        """The bisection, whose results go to a folder of its name."""
        return [
            *(command(), "bisect", self.backend, self.subject, "--dtype", self.dtype, "--cell", self.cell),
            *("--releases", self.package, "--good", self.good, "--bad", self.bad, *self.options.split()),
            *("--timeout", "3000"),  # on a machine that is busy, what is slow has not ended
            *("--kept", str(folder / "kept"), "--out", str(folder / self.name)),
        ]


def regressions() -> Sequence[Regression]:
    """Those of regressions.toml, and the pairs of releases that have to be the same, whose names say so."""
    found = tomllib.loads(LIST.read_text(encoding="utf-8"))
    return [Regression(name, **each) for name, each in found.items()]


def measure(asked: Regression, folder: Path) -> Mapping[str, Any]:
    """Bisect, and say what was named, in which kind, and what that took."""
    spent, began = _children(), time.monotonic()
    done = subprocess.run(asked.command(folder), check=False, stdout=subprocess.PIPE, text=True)
    taken = {"cpu": round(_children() - spent, 1), "wall": round(time.monotonic() - began, 1)}
    print(done.stdout.strip(), flush=True)
    found: dict[str, Any] = {"asked": asdict(asked), "status": done.returncode, "said": done.stdout.splitlines()}
    if done.returncode in (0, 1):
        told = json.loads((folder / asked.name / "bisect.json").read_text(encoding="utf-8"))
        was, now = (load([folder / asked.name / side])[0] for side in ("before", "after"))
        kinds = {change.kind for change in compare(was, now).changes if change.old or change.new}
        found |= {name: told[name] for name in ("blamed", "changed", "hidden", "jobs")}
        found |= {"kinds": sorted(kinds), "before": told["before"]["outcome"], "after": told["after"]["outcome"]}
    if done.returncode not in (0, 1, NOTHING):
        raise RuntimeError(f"{asked.name}: bisect ended with status {done.returncode}")
    return {**found, **taken}


def run(folder: Path, names: Sequence[str]) -> None:
    """Measure what was asked for, or all, and keep it; what was measured before is kept as it was."""
    folder.mkdir(parents=True, exist_ok=True)
    for asked in regressions():
        if (asked.name in names or not names) and not measured(asked, folder):
            _file(asked, folder).write_text(json.dumps(measure(asked, folder), indent=1), encoding="utf-8")


def write(folder: Path) -> None:
    """Put the table into the page, in the place of the one before, or at its end."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(
        "\n".join([f"{before}{BEGIN}", *section(folder), f"{END}{rest.partition(END)[2] or LINE_END}"]),
        encoding="utf-8",
    )


def section(folder: Path) -> Iterator[str]:
    """The section of the page: what was measured, which need not be all of the list."""
    all_measured = [(each, found) for each in regressions() if (found := measured(each, folder))]
    found = [pair for pair in all_measured if not pair[0].name.startswith(CONTROL)]
    right = sum(is_named(asked, each) for asked, each in found)
    yield from ("## Known regressions, found again", "", INTRODUCTION, "")
    yield f"`bisect` names **{right} of {len(found)}** that were measured."
    yield ""
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|{' --- |' * len(COLUMNS)}"
    for asked, each in found:
        yield f"| {' | '.join(row(asked, each))} |"
    yield ""
    quiet = [pair for pair in all_measured if pair[0].name.startswith(CONTROL)]
    same = [asked for asked, each in quiet if each["status"] == NOTHING]
    told = "; ".join(f"{asked.package} {asked.good} and {asked.bad} ({where(asked)})" for asked in same)
    if not quiet:
        return
    yield (
        f"Releases next to one another of which nobody has told anything: of {len(quiet)} pairs {len(same)} are the "
        f"same at both ends: {told}."
    )


def where(asked: Regression) -> str:
    """Which backend and check."""
    return f"{asked.backend}, {asked.cell}, `{asked.subject}` in {asked.dtype}"


def row(asked: Regression, found: Mapping[str, Any]) -> Iterator[str]:
    """The cells of the table about one."""
    yield f"[{asked.told}]({asked.link})"
    yield where(asked)
    yield f"{asked.package} {asked.expected}, {asked.kind}"
    yield ", ".join(f"{name} {now}" for name, (_, now) in found.get("changed", {}).items()) or "nothing"
    yield ", ".join(found.get("kinds", ()))
    yield f"{found['before']} → {found['after']}" if "before" in found else ""
    yield str(found.get("jobs", ""))
    yield str(found["cpu"])


def is_named(asked: Regression, found: Mapping[str, Any]) -> bool:
    """Whether the package and its release, and the kind, are the expected ones, and no range is left."""
    changed = found.get("changed", {}).get(asked.package)
    return (
        found["status"] == 0
        and found["blamed"] == asked.package
        and changed[1] == asked.expected
        and asked.kind in found["kinds"]
    )


def measured(asked: Regression, folder: Path) -> Mapping[str, Any] | None:
    """What was measured of it as it is asked for now, if it was."""
    file = _file(asked, folder)
    found: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found if found.get("asked") == asdict(asked) else None


def _file(asked: Regression, folder: Path) -> Path:
    return folder / f"{asked.name}.json"


def _children() -> float:
    """The CPU seconds of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    if len(sys.argv) < 2 or (sys.argv[1] == "--run" and len(sys.argv) < 3):
        sys.exit("usage: python benchmarks/regressions.py FOLDER | --run FOLDER [NAME]...")
    if sys.argv[1] == "--run":
        run(Path(sys.argv[2]), sys.argv[3:])
    else:
        write(Path(sys.argv[1]))
