"""Small results for the tests of the reports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from rnn_conformance.reports.records.merging import write
from rnn_conformance.reports.records.records import (
    VERDICTS,
    Cause,
    CheckRecord,
    Fingerprint,
    Footer,
    Header,
    Results,
    Worst,
)

HOSTILE = "<script>alert(1)</script> \"' & `x` | *b* _i_ [red]bold[/red] \x1b[31m {{ 7 * 7 }} ${7}"
"""A text that would be markup, script or a command wherever it is not taken for text."""

HOSTILE_NAMES = [
    *("", ".", "..", "/", "../..", "/etc/passwd", "a/b", "a\\b", "C:\\x", "~", "a\0b", "\n", "\ud800", "-", ".hidden"),
    *("con", "NUL", "com1.txt", "x.", "Torch", "torch ", "tōrch", "a" * 5000, "%2e%2e%2f", "a?b#c", "<b>", "others~"),
    HOSTILE,
]
"""Names that would be paths, or that some file system takes for something else."""

CHAPTERS = {"1": "Values", "2": "Shapes"}
CLAUSES = {
    "1.1": "At every timestep, `h_t = activation(W x_t + U h_{t-1} + b)`.",
    "1.2": "A layer without a bias computes the same with `b = 0`.",
    "2.1": "All outputs of a batch have the shape `(batch, timesteps, units)`.",
}


def header(adapter: str = "torch", **changes: Any) -> Header:
    """A header of an adapter, with a specification of three clauses."""
    plain = Header(
        adapter=adapter,
        framework="PyTorch",
        versions={adapter: "2.13.0"},
        environment={"python": "3.12.4", "platform": "Linux x86_64"},
        description={"modes": ["eager"], "conventions": {"W": "weight_ih_l0, (units, features)"}},
        suite="0.1.0",
        specification="1.0",
        chapters=CHAPTERS,
        clauses=CLAUSES,
        profile="default",
        seed=7,
        planned=[],
    )
    return replace(plain, **changes)


def check(clause: str = "1.1", verdict: str = "conforms", **changes: Any) -> CheckRecord:
    """A record of one check of one clause."""
    plain = CheckRecord(
        check=f"test_values.py::test_{clause.replace('.', '_')}[float32-eager]",
        title="every step follows from the one before",
        clauses=[clause],
        verdict=verdict,
        seconds=0.5,
        dtype="float32",
        mode="eager",
        examples=100,
        discriminating=90,
        worst=Worst(ratio=0.25, ulps=1.5, where="outputs[0, 3, 1]", case="tanh 3 -> 4"),
    )
    return replace(plain, **changes)


def failing(**changes: Any) -> CheckRecord:
    """A record of a failure with everything that explains it."""
    plain = check(
        verdict="fails",
        worst=Worst(ratio=float("inf"), ulps=float("inf"), where="outputs[0, 0, 1]", case="relu 2 -> 2"),
        message="outputs[0, 0, 1] = 3.0, but should be 5.0",
        case="relu, 2 features, 2 units, batch 1, 1 timestep",
        witness={
            "inputs": [[[1.0, 2.0]]],
            "W": [[1.0, 0.0], [1.0, 2.0]],
            "U": [[0.0, 1.0], [1.0, 0.0]],
            "mode": "eager",
        },
        diagnosis='matches "U transposed"',
        witness_file="witnesses/torch--test_1_1--float32-eager.json",
        reproducer_file="reproducers/torch--test_1_1--float32-eager.py",
        replay="rnn-conformance replay witnesses/torch--test_1_1--float32-eager.json",
    )
    return replace(plain, **changes)


def observation(answer: str = "0.0", **changes: Any) -> CheckRecord:
    """A record of what happened where the specification is silent."""
    plain = CheckRecord(
        check="test_observations.py::test_slope_of_relu_at_zero[float32-eager]",
        title="the slope of relu at 0",
        clauses=[],
        verdict="observed",
        seconds=0.1,
        dtype="float32",
        mode="eager",
        examples=1,
        message=answer,
    )
    return replace(plain, **changes)


def fingerprint(*values: float, example: str = "tanh 3 -> 4", **changes: Any) -> Fingerprint:
    """The fingerprint of a frozen example that gave these numbers."""
    return replace(Fingerprint(example, given="g0", got=f"d{values}", values=list(values)), **changes)


def every_clause() -> list[CheckRecord]:
    """A conforming record of each clause."""
    return [check(clause) for clause in CLAUSES]


def results(adapter: str = "torch", checks: list[CheckRecord] | None = None, **changes: Any) -> Results:
    """Results that are whole: planned is what there is; `changes` are the header's."""
    checks = every_clause() if checks is None else checks
    changes.setdefault("planned", [record.check for record in checks])
    footer = Footer(len(checks), sum(record.examples for record in checks), 1.5)
    return Results(Path(f"{adapter}.jsonl"), header(adapter, **changes), checks, footer)


def every_verdict(name: str = "torch") -> Results:
    """Results with a record of every verdict."""
    checks = [check("1.1", verdict, check=f"c[{verdict}]", message=f"because {verdict}") for verdict in VERDICTS]
    return results(name, checks=[*checks, failing(check="c[witness]"), observation()])


def hostile() -> Results:
    """Results in which every text is hostile."""
    cause = Cause(HOSTILE, HOSTILE, HOSTILE, HOSTILE, {HOSTILE: HOSTILE})
    record = CheckRecord(
        check=HOSTILE,
        title=HOSTILE,
        clauses=["1.1", HOSTILE],
        verdict="fails",
        seconds=1.0,
        dtype=HOSTILE,
        mode=HOSTILE,
        worst=Worst(2.0, 3.0, HOSTILE, HOSTILE),
        message=HOSTILE,
        case=HOSTILE,
        witness={HOSTILE: [[HOSTILE]]},
        deviation=HOSTILE,
        reason=HOSTILE,
        causes=[cause],
        not_looked_at=[cause],
        diagnosis=HOSTILE,
        witness_file=HOSTILE,
        reproducer_file=HOSTILE,
        no_reproducer=HOSTILE,
        replay=HOSTILE,
        measured={HOSTILE: HOSTILE, "table": [{HOSTILE: HOSTILE}]},
    )
    return results(
        HOSTILE,
        checks=[replace(record, verdict=verdict) for verdict in VERDICTS]
        + [replace(record, clauses=[HOSTILE]), replace(record, verdict="observed", clauses=[])]
        + [replace(record, verdict="conforms", dtype="float32")],
        framework=HOSTILE,
        versions={HOSTILE: HOSTILE},
        environment={HOSTILE: HOSTILE},
        description={HOSTILE: {HOSTILE: [HOSTILE]}},
        suite=HOSTILE,
        specification=HOSTILE,
        chapters={"1": HOSTILE},
        clauses={
            "1.1": HOSTILE,
            "1.2": HOSTILE + "`",
            "../../../2": HOSTILE,
            "/etc/passwd": HOSTILE,
            HOSTILE[:9]: HOSTILE,
        },
        profile=HOSTILE,
        only=[HOSTILE],
        started=HOSTILE,
    )


def written(path: Path, wanted: Results) -> Path:
    """Write results as a run does, line by line."""
    write(wanted, path)
    return path
