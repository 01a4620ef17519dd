"""What stands for a file on the command line: results by "pinned", and a witness by the name of its deviation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rnn_conformance.conformance.witnesses.deviations import frozen_file, known_deviations
from rnn_conformance.reports.documents import baseline

_PINNED = "pinned"


class ResultsPath(click.Path):
    """A results file, or a folder that holds some; ``pinned`` is that of the baselines, unless there is such a file."""

    name = "results"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, as a Path."""
        pinned = str(value) == _PINNED and not Path(value).exists()
        return super().convert(baseline.PINNED if pinned else value, param, ctx)


class WitnessPath(click.Path):
    """The file of a witness, or the name of a known deviation, which stands for its frozen witness."""

    name = "witness"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path, as a Path. Fails with the names that there are for one that is neither."""
        if not Path(value).exists() and not Path(value).suffix:
            names = [deviation.name for deviation in known_deviations()]
            if value not in names:
                self.fail(
                    f"there is no file and no deviation {value!r}; the deviations are {', '.join(names)}", param, ctx
                )
            value = frozen_file(value)
        return super().convert(value, param, ctx)


def is_pinned(path: Path) -> bool:
    """Whether these are the baselines that come with the suite."""
    return path == baseline.PINNED
