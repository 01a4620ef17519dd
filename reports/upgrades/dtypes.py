"""A run as if it had been made in some dtypes only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from rnn_conformance.reports.overview.summary import dtype_of
from rnn_conformance.reports.records.records import Results


def in_dtypes(results: Results, dtypes: Collection[str]) -> Results:
    """The records and planned checks in these dtypes, and those that are in none, such as a complaint of the suite.

    What the adapter declares of the others is left out, so that it is no difference; nor is that these were asked for.
    """
    header = results.header
    description = dict(header.description)
    precision = description.get("precision")
    if isinstance(precision, dict):
        description["precision"] = {dtype: value for dtype, value in precision.items() if dtype in dtypes}
    planned = [check for check in header.planned if dtype_of(check) in ("", *dtypes)]
    checks = [record for record in results.checks if record.dtype in ("", *dtypes)]
    changed: dict[str, Any] = {"planned": planned, "description": description, "only_dtypes": []}
    return replace(results, header=replace(header, **changed), checks=checks)
