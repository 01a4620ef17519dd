"""False alarms: what whole runs with many seeds find that nobody knows: ``python benchmarks/alarms.py --help``.

A check that fails for one seed in a hundred on a layer that is right would be believed no more. So whole runs are made
with one seed after another, and each of their findings is either a deviation, which is then known, or a false alarm.
What a run came to is a line of alarms.jsonl, which is kept under version control: a later run, on another machine too,
goes on where this one ended, until the suite's digest changes. The table of docs/alarms.md is made of these lines.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from installed import command

from rnn_conformance.conformance.identity import suite_digest
from rnn_conformance.reports.documents.loading import load

KEPT = Path(__file__).with_suffix(".jsonl")
PAGE = Path(__file__).parents[1] / "docs" / "alarms.md"
FINDINGS = ("fails", "untrusted", "crashed", "timed out", "broken")
"""The verdicts that a run should not have."""

SOAKED = 100
"""A soak is cut into pieces of so many seeds, which have their shapes in common, so that it can go on."""

EXAMPLES = """examples:
  python benchmarks/alarms.py                                             write docs/alarms.md
  python benchmarks/alarms.py torch keras-jax --cell lstm --seeds 20      run what is missing of seeds 0 to 19
  python benchmarks/alarms.py torch --profile soak --seeds 1000           the same of a soak, a hundred at a time
  python benchmarks/alarms.py flax-nnx --seeds 1 --keep alarms            ... with the witness of each finding
"""


@dataclass(frozen=True)
class Run:
    """What a whole run with `seeds` seeds from `seed` on came to; `found` are the messages of what was not known."""

    backend: str
    cell: str
    profile: str
    seed: int
    seeds: int
    digest: str
    versions: Mapping[str, str]
    machine: str
    checks: int
    examples: int
    cpu: float
    found: Sequence[str]

    @property
    def asked(self) -> tuple[object, ...]:
        """What tells it from others."""
        return self.backend, self.cell, self.profile, self.seed, self.seeds, self.digest


def measured(backend: str, cell: str, profile: str, seed: int, seeds: int, keep: Path | None = None) -> Run:
    """Make the run; its results, logs and witnesses go to a folder of its own in `keep`.

    Raises CalledProcessError where it could not be made.
    """
    with tempfile.TemporaryDirectory() as passing:
        folder = str(keep / f"{backend}-{cell}-{profile}-{seed}") if keep else passing
        spent = _children()
        asked = [command(), "run", backend, "--profile", profile, "--cell", cell, "--seed", str(seed)]
        soak = ["--seeds", str(seeds)] if profile == "soak" else []
        done = subprocess.run([*asked, *soak, "--out", folder], check=False, stdout=subprocess.DEVNULL)
        if done.returncode > 3:  # 1 to 3 tell what was found
            done.check_returncode()
        (results,) = load([Path(folder)])
    header = results.header
    found = [f"{each.check}: {each.message}" for each in results.checks if each.verdict in FINDINGS]
    missing = set(header.planned) - {each.check for each in results.checks}
    return Run(
        *(backend, cell, profile, seed, seeds, header.digest, header.versions),
        f"{platform.machine()}, {header.environment.get('processor', '')}",
        *(len(results.checks), sum(each.examples for each in results.checks), round(_children() - spent, 1)),
        [*found, *(f"{each}: has no record" for each in sorted(missing))],
    )


def kept() -> Sequence[Run]:
    """What was run before."""
    if not KEPT.exists():
        return []
    return [Run(**json.loads(line)) for line in KEPT.read_text(encoding="utf-8").splitlines()]


def run(backends: Sequence[str], cells: Sequence[str], profile: str, seeds: int, keep: Path | None) -> None:
    """Run what is missing of these, one seed of each after another, and keep each as soon as it has ended."""
    done = {each.asked for each in kept()}
    size = SOAKED if profile == "soak" else 1
    for seed in range(0, seeds, size):
        for backend in backends:
            for cell in cells:
                asked = (backend, cell, profile, seed, min(size, seeds - seed))
                if (*asked, suite_digest()) in done:
                    continue
                became = measured(*asked, keep)
                with KEPT.open("a", encoding="utf-8") as file:
                    file.write(f"{json.dumps(asdict(became))}\n")
                print(*asked, f"{became.examples:,} examples, {len(became.found)} findings", flush=True)


def page(runs: Sequence[Run]) -> Iterator[str]:
    """The lines of the page: of the runs of today's suite, and then of those of earlier ones."""
    today = [each for each in runs if each.digest == suite_digest()]
    earlier = [each for each in runs if each.digest != suite_digest()]
    yield from ("# False alarms", "", INTRODUCTION.format(digest=suite_digest()), "")
    found = list(_found(today))
    if today:
        yield from (*_table(today), "")
        yield from ("What was found:", "", *found) if found else ("Nothing was found that is not known.",)
    else:
        yield "Nothing was run on this suite yet."
    if earlier:
        yield from ("", "## Earlier suites", "", EARLIER, "", *_table(earlier), "", "What was found:", "")
        yield from _found(earlier)


def _table(runs: Sequence[Run]) -> Iterator[str]:
    groups: dict[tuple[str, str, str, str], list[Run]] = defaultdict(list)
    for each in runs:
        groups[each.backend, each.cell, each.profile, each.digest].append(each)
    yield "| backend | cell | profile | suite | seeds | examples | runs with a finding | CPU minutes |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for what, of_it in sorted(groups.items()):
        sums = sum(each.seeds for each in of_it), sum(each.examples for each in of_it)
        wrong, minutes = sum(bool(each.found) for each in of_it), sum(each.cpu for each in of_it) / 60
        yield f"| {' | '.join(what)} | {sums[0]} | {sums[1]:,} | {wrong} | {minutes:.0f} |"


def _found(runs: Sequence[Run]) -> Iterator[str]:
    for each in runs:
        for message in each.found:
            told = " ".join(message.split())[:400]
            yield f"* {each.backend}, {each.cell}, {each.profile}, seed {each.seed}: {told}"


INTRODUCTION = """A check that now and then fails on a layer that is right would be believed no more. This page counts
whole runs with one seed after another, each drawing other architectures, weights and inputs, and names each of their
findings that was not known when they were made: one that [deviations](deviations.md) explains by now, or that an
adapter was mended for since, was found by its seed. `python benchmarks/alarms.py --help` says how to go on; what was
run is kept, and counts until the suite's digest changes, which is `{digest}` today."""


EARLIER = """Runs of suites that had other checks, other cases or other bounds. What they found was looked into then; of
today's false alarms they say little."""


def _children() -> float:
    """The CPU seconds of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0] if __doc__ else None,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("backends", nargs="*", help="run these; with none, the page is written")
    parser.add_argument("--cell", nargs="+", default=["simple_rnn", "lstm", "gru"], help="kinds of cells")
    parser.add_argument("--profile", choices=["smoke", "default", "soak"], default="default")
    parser.add_argument("--seeds", type=int, default=20, help="from 0 on; what is there is not run again")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep each run's results, logs and witnesses here")
    asked = parser.parse_args()
    if asked.backends:
        run(asked.backends, asked.cell, asked.profile, asked.seeds, asked.keep)
    PAGE.write_text("\n".join([*page(kept()), ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
