"""The summary as JUnit XML, which CI systems show: a suite for each adapter, a case for each check."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from rnn_conformance.reports.overview.beside import beside
from rnn_conformance.reports.overview.causes import common_causes
from rnn_conformance.reports.overview.sentence import sentence
from rnn_conformance.reports.overview.summary import Backend, Summary
from rnn_conformance.reports.overview.verdicts import MEANINGS, MISSING
from rnn_conformance.reports.overview.wording import asked_for, evidence, figure, not_looked_at, truncation
from rnn_conformance.reports.records.harmless import shown
from rnn_conformance.reports.records.records import CheckRecord

OUTCOMES = {
    "conforms": "",
    "observed": "",
    "deviation": "skipped",
    "unsupported": "skipped",
    "fails": "failure",
    "untrusted": "failure",
    "crashed": "error",
    "timed out": "error",
    "broken": "error",
    MISSING: "error",
}
"""What each verdict is in JUnit's words; those that pass have none. Green is what `exit_status` calls 0."""


def junit(summary: Summary) -> str:
    """The XML, in ASCII. A check that has no record, and a run without an end or without any check, are errors."""
    suites = [_suite(backend) for backend in summary.backends]
    root = Element("testsuites", {"name": "rnn-conformance", **_counts(case for suite in suites for case in suite)})
    root.extend(suites)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="us-ascii", xml_declaration=True).decode("ascii")


def _suite(backend: Backend) -> Element:
    header = backend.results.header
    cases = [_case(backend, record) for record in backend.results.checks]
    cases += [_lacking(backend, check, MEANINGS[MISSING]) for check in backend.results.missing]
    if backend.results.footer is None and not backend.results.missing:
        cases.append(_lacking(backend, "the run", truncation(backend.results)))
    elif not cases:
        cases.append(_lacking(backend, "the run", "no check was run"))
    suite = Element("testsuite", {"name": shown(backend.name), **_counts(cases)})
    facts = {
        "suite": header.suite,
        "specification": header.specification,
        "profile": header.profile,
        "seed": str(header.seed),
        **{f"version of {name}": version for name, version in header.versions.items()},
        **header.environment,
        "asked for": asked_for(header) or "everything",
        "started": header.started or "unknown",
        "digest": header.digest or "unknown",
        "summary": sentence(backend),
        "known deviations": "; ".join(cause.heading for cause in common_causes([backend])),
    }
    suite.append(_properties(facts))
    suite.extend(cases)
    return suite


def _case(backend: Backend, record: CheckRecord) -> Element:
    case = _named(backend, record.check, record.seconds)
    facts = {
        "verdict": record.verdict,
        "clauses": ", ".join(record.clauses),
        "examples": str(record.examples),
        "discriminating": str(record.discriminating),
        "deviation": record.deviation,
        "cause": ", ".join(dict.fromkeys(cause.title for cause in record.causes)),
    }
    if record.worst:
        facts |= {"error/bound": figure(record.worst.ratio), "where": record.worst.where}
    case.append(_properties({name: value for name, value in facts.items() if value}))
    if outcome := OUTCOMES[record.verdict]:
        first = record.reason if record.verdict == "deviation" else record.message
        message = f"{record.verdict}: {first.partition(chr(10))[0]}"
        found = SubElement(case, outcome, {"type": record.verdict, "message": shown(message)})
        told = [record.title, record.reason, record.message, record.case and f"case: {record.case}"]
        told += [record.diagnosis, *beside(record), *not_looked_at(record)]
        told += evidence(record, backend.results.path.parent)
        found.text = shown("\n".join(filter(None, told)))
    elif record.message:
        SubElement(case, "system-out").text = shown(record.message)
    return case


def _lacking(backend: Backend, check: str, message: str) -> Element:
    case = _named(backend, check, 0.0)
    SubElement(case, "error", {"type": MISSING, "message": shown(message)})
    return case


def _named(backend: Backend, check: str, seconds: float) -> Element:
    file, _, name = check.rpartition("::")
    place = ".".join(filter(None, (backend.name, file.removesuffix(".py"))))
    return Element("testcase", {"classname": shown(place), "name": shown(name), "time": _time(seconds)})


def _properties(facts: Mapping[str, str]) -> Element:
    properties = Element("properties")
    for name, value in facts.items():
        SubElement(properties, "property", {"name": shown(name), "value": shown(value)})
    return properties


def _counts(cases: Iterable[Element]) -> dict[str, str]:
    """The attributes that sum up these cases; what else is in a suite counts for nothing."""
    found = [case for case in cases if case.tag == "testcase"]
    tags = [child.tag for case in found for child in case]
    return {
        "tests": str(len(found)),
        "failures": str(tags.count("failure")),
        "errors": str(tags.count("error")),
        "skipped": str(tags.count("skipped")),
        "time": _time(sum(float(case.attrib["time"]) for case in found)),
    }


def _time(seconds: float) -> str:
    """Seconds; those that are no number, which nothing can have taken, are 0."""
    return f"{seconds:.3f}" if math.isfinite(seconds) and seconds >= 0 else "0.000"
