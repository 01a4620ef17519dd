"""The one JSON document says all that the results say, and is as its schema says."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from example_results import CLAUSES, check, every_clause, failing, observation, results

from rnn_conformance.reports.documents.document import STATUSES, as_json
from rnn_conformance.reports.documents.loading import validate_document
from rnn_conformance.reports.documents.schema import schema
from rnn_conformance.reports.overview.summary import summarise
from rnn_conformance.reports.records.records import VERDICTS, Cause, Results


def written(*runs: Results) -> Any:
    """The document of these results, as a reader gets it."""
    return json.loads(as_json(summarise(runs)))


def test_it_is_as_the_schema_says() -> None:
    """With every verdict, with errors that are no numbers, and with a run that was cut short."""
    every = [check("1.1", verdict, check=f"c[{verdict}]") for verdict in VERDICTS]
    cut = replace(results("numpy", checks=[check()], planned=["never ran", check().check]), footer=None)
    told = written(results(checks=[*every, failing(check="f"), observation()]), cut)
    validate_document(told)
    jsonschema.validate(told, schema())
    with pytest.raises(ValueError, match="not as the schema says"):
        validate_document({**told, "status": 2})
    told["backends"][0]["clauses"]["1.1"]["verdict"] = "fine"
    with pytest.raises(ValueError, match=r"\$.backends\[0\].clauses\['1.1'\].verdict: 'fine'"):
        validate_document(told)


def test_each_backend_in_short() -> None:
    """Its sentence, what its exit status means, the verdict of each clause, and counts of clauses and of checks."""
    (backend,) = written(results(checks=[failing(), check("1.2", "unsupported", worst=None), check("2.1")]))["backends"]
    assert (backend["adapter"], backend["title"], backend["status"]) == ("torch", "torch 2.13.0", 1)
    assert backend["meaning"] == STATUSES[1]
    assert backend["sentence"].startswith("torch 2.13.0: float32 conforms on 1 of 3 clauses, 1 failing, 1 unsupported;")
    assert backend["verdicts"] == {"conforms": 1, "fails": 1, "unsupported": 1}
    assert {clause: each["verdict"] for clause, each in backend["clauses"].items()} == {
        "1.1": "fails",
        "1.2": "unsupported",
        "2.1": "conforms",
    }
    assert backend["clauses"]["1.1"]["worst"]["ratio"] == "inf"
    assert backend["clauses"]["1.1"]["checks"] == [failing().check]
    assert backend["clauses"]["1.2"]["worst"] is None


def test_verdicts_by_dtype_and_causes() -> None:
    """Each dtype has its counts and verdicts, float32 is first; causes have their clauses, and caveats are data."""
    cause = Cause(
        "d", "float64 is computed in float32", "Few digits.", "https://github.com/keras-team/keras/issues/23704"
    )
    double = check("1.1", "deviation", dtype="float64", check="x", deviation="d", reason="why", causes=[cause])
    told = written(results(checks=[*every_clause(), double], profile="smoke"))
    validate_document(told)
    (backend,) = told["backends"]
    assert backend["dtype"] == "float32"
    assert backend["by_dtype"] == {
        "float32": {"offered": True, "asked": 3, "verdicts": {"conforms": 3}},
        "float64": {"offered": True, "asked": 1, "verdicts": {"deviation": 1, "not run": 2}},
    }
    clause = backend["clauses"]["1.1"]
    assert (clause["verdict"], clause["by_dtype"]) == ("deviation", {"float32": "conforms", "float64": "deviation"})
    assert backend["clauses"]["2.1"]["by_dtype"] == {"float32": "conforms"}
    assert backend["caveats"] == [{"kind": "first look", "text": "a first look (profile smoke)"}]
    assert told["causes"] == [
        {
            "title": cause.title,
            "means": {"Few digits.": ["torch"]},
            "upstream": [cause.upstream],
            "deviations": ["d"],
            "dtypes": ["float64"],
            "clauses": ["1.1"],
            "backends": {"torch": ["1.1"]},
        }
    ]


def test_results_in_full() -> None:
    """Header, records and footer are those of the results file."""
    run = results(checks=[*every_clause(), failing(check="f")])
    (backend,) = written(run)["backends"]
    assert backend["header"]["planned"] == run.header.planned
    assert [each["check"] for each in backend["checks"]] == run.header.planned
    assert backend["checks"][-1]["witness"]["W"] == [[1.0, 0.0], [1.0, 2.0]]
    assert backend["footer"] == {"checks": 4, "examples": 400, "seconds": 1.5}


def test_totals_are_the_sums() -> None:
    """Over all backends; a truncated run is said to be one, with what it lacks."""
    cut = replace(results("numpy", checks=[check()], planned=[check().check, "never ran"]), footer=None)
    told = written(results(), cut)
    assert told["totals"] == {
        "backends": 2,
        "checks": 4,
        "missing": 1,
        "examples": 400,
        "seconds": 2.0,
        "verdicts": {"conforms": 4, "missing": 2},
        "checks_by_verdict": {"conforms": 4},
    }
    assert (told["status"], told["meaning"]) == (3, STATUSES[3])
    assert told["clauses"] == CLAUSES
    assert [each["truncated"] for each in told["backends"]] == [False, True]
    assert told["backends"][1]["missing"] == ["never ran"]
