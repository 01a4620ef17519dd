"""The command ``rnn-conformance new-adapter``: the beginning of an adapter of one's own, which works as it stands."""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

import click

from rnn_conformance.conformance.commands.errors import WrongUsage

KINDS = ("torch", "keras", "jax", "numpy", "process")
"""What a skeleton is written for."""

_SKELETONS = files("rnn_conformance.conformance.skeletons")


@click.command(name="new-adapter")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.py")
def new_adapter(kind: str, file: Path) -> None:
    """Write an adapter that works, around a small layer in whose place yours goes.

    For torch, keras, jax and numpy, FILE.py is a module with an adapter in it. For process it is a program that needs
    nothing of this suite, as one in any language would (docs/process.md), and FILE.toml beside it its manifest. Nothing
    is ever written over.

    \b
    rnn-conformance new-adapter torch my_layer.py
    rnn-conformance check-adapter my_layer:adapter
    rnn-conformance run my_layer:adapter --profile smoke
    rnn-conformance new-adapter process my_backend.py
    rnn-conformance run my_backend.toml
    """
    if file.suffix != ".py" or not file.stem.isidentifier():
        raise WrongUsage(f"{file} should be the file of a module, such as my_layer.py")
    subject = str(file.with_suffix(".toml")) if kind == "process" else f"{file.stem}:adapter"
    texts = {file: _skeleton(f"{kind}.py", file.stem)}
    if kind == "process":
        texts[file.with_suffix(".toml")] = _skeleton("process.toml", file.stem)
    if there := [str(path) for path in texts if path.exists()]:
        raise WrongUsage(f"{' and '.join(there)}: there is such a file, and nothing was written over it")
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as made:  # never over a file that has come in the meantime
            made.write(text)
    where = "" if kind == "process" or file.parent == Path() else f" (in {file.parent}, or with that in PYTHONPATH)"
    click.echo(f"{' and '.join(map(str, texts))}: put your layer in place of the one there. Next{where}:")
    click.echo(f"  rnn-conformance check-adapter {subject}")
    click.echo(f"  rnn-conformance run {subject} --profile smoke")


def _skeleton(name: str, stem: str) -> str:
    """The text of a skeleton, with the names of the file that it becomes and of this Python."""
    text = _SKELETONS.joinpath(f"{name}.txt").read_text(encoding="utf-8")
    return text.replace("@name@", stem).replace("@python@", Path(sys.executable).as_posix())
