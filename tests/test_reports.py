"""The reports say what the results say, and take nothing in them for markup."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from example_results import CLAUSES, check, every_clause, every_verdict, failing, hostile, observation, results
from rich.console import Console

from rnn_conformance.reports.overview.sentence import sentence
from rnn_conformance.reports.overview.summary import exit_status, summarise
from rnn_conformance.reports.overview.verdicts import MEANINGS, SEVERITY, SYMBOLS
from rnn_conformance.reports.overview.wording import figure
from rnn_conformance.reports.records.records import VERDICTS, Results, Worst
from rnn_conformance.reports.renderings.markdown import escape, fenced, markdown
from rnn_conformance.reports.renderings.terminal import TerminalReport


def cell_verdict(*verdicts: str) -> str:
    checks = [check("1.1", verdict, check=f"c{i}") for i, verdict in enumerate(verdicts)]
    return summarise([results(checks=checks)]).backends[0].cells["1.1"].verdict


def on_terminal(*runs: Results, width: int = 80) -> str:
    out = StringIO()
    Console(file=out, width=width, force_terminal=False).print(TerminalReport(summarise(runs)))
    return out.getvalue()


# The summary


def test_the_gravest_verdict_is_the_cells() -> None:
    """Of two verdicts the graver is shown, but unsupported parts do not unmake conformity."""
    order = ["broken", "crashed", "timed out", "fails", "untrusted", "deviation", "conforms", "observed", "unsupported"]
    assert sorted(order) == sorted(VERDICTS)
    for i, graver in enumerate(order):
        for lesser in order[i:]:
            assert cell_verdict(lesser, graver) == cell_verdict(graver, lesser) == graver


def test_every_verdict_has_a_symbol_and_a_meaning() -> None:
    """No verdict is told by its colour alone: the symbols differ."""
    assert set(SEVERITY) == set(SYMBOLS) == set(MEANINGS)
    assert len(set(SYMBOLS.values())) == len(SYMBOLS)


def test_a_cell_gathers_its_records() -> None:
    """A cell has the examples, the worst error and the unsupported parts of all that cite its clause."""
    checks = [
        check(check="a", clauses=["1.1", "1.2"], worst=Worst(0.5, 1.0, "here", "")),
        check(check="b", worst=Worst(0.9, 1.0, "there", "")),
        check(verdict="unsupported", check="c", worst=None, examples=0, discriminating=0),
    ]
    (backend,) = summarise([results(checks=checks)]).backends
    cell = backend.cells["1.1"]
    assert cell.verdict == "conforms"
    assert (cell.examples, cell.discriminating) == (200, 180)
    assert cell.worst is not None
    assert cell.worst.where == "there"
    assert [record.check for record in cell.unsupported] == ["c"]
    assert [record.check for record in backend.cells["1.2"].records] == ["a"]


def test_nan_is_the_worst_error() -> None:
    """An error that is not a number is worse than any that is."""
    checks = [check(check=str(ratio), worst=Worst(ratio, 1.0, str(ratio), "")) for ratio in (9.0, float("nan"), 2.0)]
    worst = summarise([results(checks=checks)]).backends[0].worst
    assert worst is not None
    assert worst.where == "nan"


def test_no_record_in_a_whole_run_is_not_run() -> None:
    """A clause that was not planned is no gap."""
    summary = summarise([results(checks=[check("1.1")])])
    assert {clause: cell.verdict for clause, cell in summary.backends[0].cells.items()} == {
        "1.1": "conforms",
        "1.2": "not run",
        "2.1": "not run",
    }
    assert "conforms on 1 of 1 clause;" in sentence(summary.backends[0])
    assert "2 of 3 clauses not run" in sentence(summary.backends[0])


def test_no_record_in_a_truncated_run_is_missing() -> None:
    """A check that no file has seen accounts for the clauses without a record, and for none with one."""
    cut = replace(results(checks=[check("1.1")], planned=[check().check, "test_new"]), footer=None)
    (backend,) = summarise([cut]).backends
    assert {clause: cell.verdict for clause, cell in backend.cells.items()} == {
        "1.1": "conforms",
        "1.2": "missing",
        "2.1": "missing",
    }
    assert ", truncated (1 of 2 planned checks have no record): " in sentence(backend)


def test_half_a_clause_is_not_conformity() -> None:
    """A missing check counts for the clauses that its function cites with other parameters, or in another file."""
    planned = ["t::a[1]", "t::a[2]", "t::b[1]"]
    whole = results("torch", checks=[check(check=name, clauses=["1.1" if "a" in name else "1.2"]) for name in planned])
    cut = replace(results("numpy", checks=[check(check="t::a[1]")], planned=planned), footer=None)
    backend = summarise([whole, cut]).backends[1]
    assert [(cell.verdict, cell.missing) for cell in backend.cells.values()] == [
        ("missing", 1),
        ("missing", 1),
        ("not run", 0),
    ]


def test_a_check_without_a_clause_is_not_lost() -> None:
    """What cites no clause of the specification is told beside the clauses."""
    (backend,) = summarise([results(checks=[*every_clause(), check("9.9", "broken")])]).backends
    assert backend.others.verdict == "broken"
    assert "conforms on 3 of 3 clauses; 1 check without a clause broken;" in sentence(backend)


def test_observation_is_neither_a_pass_nor_a_problem() -> None:
    """It is counted by itself, and the same answer in several dtypes is told once."""
    double = observation(dtype="float64", check="o[float64]")
    other = observation("0.5", mode="compiled", check="o[compiled]")
    (backend,) = summarise([results(checks=[*every_clause(), observation(), double, other])]).backends
    assert [(each.answer, each.where) for each in backend.observations] == [
        ("0.0", ["float32, eager", "float64, eager"]),
        ("0.5", ["float32, compiled"]),
    ]
    assert backend.problems == []
    assert backend.others.records == []
    assert "conforms on 3 of 3 clauses;" in sentence(backend)
    assert "; 2 observations" in sentence(backend)
    (backend,) = summarise([results(checks=[observation(clauses=["1.1"])])]).backends
    assert backend.cells["1.1"].verdict == "observed"
    assert "conforms on 0 of 1 clause" in sentence(backend)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0"),
        (0.5, "0.50"),
        (0.0123, "0.012"),
        (12.4, "12"),
        (1234.5, "1,234"),
        (3e9, "3.0e+09"),
        (float("inf"), "∞"),
        (float("nan"), "NaN"),
    ],
)
def test_figures(number: float, text: str) -> None:
    """A figure has two digits, or says what it is instead of a number."""
    assert figure(number) == text


@pytest.mark.parametrize(
    ("verdict", "status"),
    [
        ("conforms", 0),
        ("observed", 0),
        ("deviation", 0),
        ("unsupported", 0),
        ("fails", 1),
        ("untrusted", 1),
        ("crashed", 1),
        ("timed out", 1),
        ("broken", 3),
    ],
)
def test_exit_status(verdict: str, status: int) -> None:
    """Each verdict has its status, whatever else conforms."""
    assert exit_status([results(), results("numpy", checks=[check(), check("1.2", verdict)])]) == status


def test_exit_status_of_what_does_not_say() -> None:
    """Truncated, incomplete and empty runs are 3, which outweighs a failure."""
    failed = results(checks=[failing()])
    assert exit_status([failed, replace(results(), footer=None)]) == 3
    assert exit_status([failed, results(planned=["never ran"])]) == 3
    assert exit_status([failed, results(checks=[])]) == 3
    assert exit_status([failed, results(checks=[check(verdict="broken")])]) == 3
    assert exit_status([]) == 3


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("schema", 4, "torch.jsonl is of schema 3, numpy.jsonl of schema 4"),
        ("suite", "0.2", "torch.jsonl is of suite 0.1.0, numpy.jsonl of suite 0.2"),
        ("digest", "abc", "torch.jsonl is of digest unknown, numpy.jsonl of digest abc: .*; run one of them again"),
        ("specification", "2.0", "torch.jsonl is of specification 1.0, numpy.jsonl of specification 2.0"),
        ("clauses", CLAUSES | {"1.2": "else"}, "1.2 is 'A layer .*' in torch.jsonl and 'else' in numpy.jsonl"),
    ],
)
def test_what_cannot_be_merged(field: str, value: Any, message: str) -> None:
    """Results that do not speak of the same are refused, with both files and both values."""
    with pytest.raises(ValueError, match=message):
        summarise([results(), results("numpy", **{field: value})])


def test_an_adapter_comes_once() -> None:
    """The same adapter in two files is refused, with both files."""
    second = replace(results(), path=Path("again.jsonl"))
    with pytest.raises(ValueError, match=r"adapter torch comes twice: in torch\.jsonl and in again\.jsonl"):
        summarise([results(), second])


def test_nothing_is_not_a_report() -> None:
    """No results at all are refused."""
    with pytest.raises(ValueError, match="no results"):
        summarise([])


# The terminal


def test_terminal_says_everything_in_80_columns() -> None:
    """Adapter, verdicts, failures and deviations stand on a narrow terminal, and no line is longer than it."""
    shown = on_terminal(every_verdict(), results("keras-tensorflow"))
    assert max(map(len, shown.splitlines())) <= 80
    for text in ["keras-tensorflow", "3 conforms", "1 broken", "because fails", "because deviation", CLAUSES["1.1"]]:
        assert text in shown
    assert "case: relu, 2 features" in shown


def test_terminal_reads_no_markup() -> None:
    """Square brackets stay as they are, and an escape sequence is shown instead of sent."""
    shown = on_terminal(hostile(), width=400)
    assert "[red]bold[/red]" in shown
    assert r"\x1b[31m" in shown
    assert "\x1b" not in shown


def test_alike_failures_are_told_once() -> None:
    """The same fault in two dtypes is one paragraph that names both checks."""
    shown = on_terminal(results(checks=[failing(check="c[float32]"), failing(check="c[float64]")]))
    assert shown.count("should be 5.0") == 1
    assert "c[float32]" in shown
    assert "and c[float64]" in shown


def test_terminal_says_how_to_see_it_again(tmp_path: Path) -> None:
    """The witness and the script are named so that they can be typed, wherever the report was written."""
    run = replace(results(checks=[failing()]), path=tmp_path / "torch.jsonl")
    shown = on_terminal(run, width=400)
    name = "torch--test_1_1--float32-eager"
    assert f"run it again: rnn-conformance replay {tmp_path}/witnesses/{name}.json" in shown
    assert f"without this suite: python {tmp_path}/reproducers/{name}.py" in shown
    without = failing(reproducer_file="", no_reproducer="the adapter writes no scripts")
    assert "no script of the framework alone: the adapter writes no scripts" in on_terminal(results(checks=[without]))


# Markdown


def test_markdown_says_everything() -> None:
    """Each backend, clause and problem is there."""
    text = markdown(summarise([every_verdict(), results("numpy")]))
    assert "| 1.1 | ⊘ broken ∞ | ✓ conforms 0.25 |" in text
    assert "- numpy 2.13.0: float32 conforms on 3 of 3 clauses;" in text
    assert "because deviation" in text
    assert "outputs[0, 0, 1] = 3.0, but should be 5.0" in text


def test_markdown_has_observations() -> None:
    """Each backend's observations have a section, and a failure the command that runs it again."""
    text = markdown(summarise([every_verdict()]))
    assert "### torch 2.13.0: observations" in text
    assert "- the slope of relu at 0: **0.0** (float32, eager)" in text
    assert "run it again: rnn-conformance replay witnesses/torch--test_1_1--float32-eager.json" in text


def test_markdown_is_escaped() -> None:
    """Outside of code nothing from results is HTML or Markdown, and no row has a column too many."""
    text = markdown(summarise([hostile()]))
    outside = re.sub(r"^(`{3,})text\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert set(re.findall("<[^>]*>?", outside)) <= {"<details>", "</details>", "<summary>", "</summary>"}
    assert not re.search(r"(?<!\\)[`\[\]]", outside)
    for row in [line for line in outside.splitlines() if line.startswith("|")]:
        assert len(re.findall(r"(?<!\\)\|", row)) == 3


def test_escaping() -> None:
    """Each special character loses its meaning, and a text stays on its line."""
    assert escape("a|b\n<i> `c` &amp; [x](y) \\") == r"a\|b &lt;i&gt; \`c\` &amp;amp; \[x\](y) \\"
    assert fenced("a\n````\nb").splitlines() == ["`````text", "a", "````", "b", "`````"]


def test_a_worker_needs_no_desk() -> None:
    """Records and summary are imported without anything but the standard library."""
    program = (
        "import sys, rnn_conformance.reports.records.records, rnn_conformance.reports.overview.summary; "
        "print(*sorted({name.partition('.')[0] for name in sys.modules} & {'numpy', 'rich', 'jinja2', 'click'}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
