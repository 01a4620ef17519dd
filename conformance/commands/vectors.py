"""The command ``rnn-conformance vectors``: cases with what is right for them, for who only wants numbers."""

from __future__ import annotations

from pathlib import Path

import click

from rnn_conformance.conformance.commands.errors import WrongUsage
from rnn_conformance.conformance.vectors.writing import write_vectors


@click.command()
@click.option("--to", "folder", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR")
@click.option("--dtype", type=click.Choice(("float32", "float64")), default="float32", show_default=True)
def vectors(folder: Path, dtype: str) -> None:
    """Write a set of cases: weights, inputs, what should come out, and the proven bound of each element.

    DIR has to be new or empty. It gets a JSON file for each case, which schema.json describes; vectors.safetensors,
    with the same arrays under names such as lstm--plain/weights/layers[0].W; and index.json, whose digest is the same
    for two sets of the same numbers. A program in any language can read them (see docs/vectors.md).

    \b
    rnn-conformance vectors --to vectors
    rnn-conformance vectors --to vectors64 --dtype float64
    """
    try:
        count = write_vectors(folder, dtype)
    except FileExistsError as error:
        raise WrongUsage(str(error)) from None
    click.echo(f"{count} cases in {folder}")
