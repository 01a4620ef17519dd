"""The command ``rnn-conformance port``: a model in another framework, with the proof that it computes the same."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

import click

from rnn_conformance.adapters.reading import porter
from rnn_conformance.conformance.commands.errors import DidNotWork, WrongUsage
from rnn_conformance.conformance.judging.comparing import NonConforming

TARGETS = ("torch", "keras", "keras-torch", "keras-tensorflow", "keras-jax", "flax-nnx", "flax-linen")


@click.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--to", "target", type=click.Choice(TARGETS), required=True, help="The framework to port to.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="The folder to write, which must not be there yet: nothing is ever overwritten.",
)
@click.option(
    "--module",
    metavar="PACKAGE.MODULE:CLASS",
    default="",
    help="Of a torch state: your class, which is imported and made without arguments.",
)
def port(source: Path, target: str, out: Path, module: str) -> None:
    """Write SOURCE in another framework, load its weights, and prove that its recurrent layers compute the same.

    SOURCE is a .keras file, an .onnx file, or a torch state as .safetensors or .pt, with --module to say what it is the
    state of. In the folder stand model.py, of the target's own layers, weights.safetensors, load.py, which loads them,
    and PROOF.md. What cannot be ported is a hole: it has the path of what it stands for, and raises an error.

    Files may come from anybody: nothing that a file brings along is run. A module that you name is your own code.

    \b
    rnn-conformance port model.keras --to torch --out ported
    rnn-conformance port model.onnx --to flax-nnx --out ported
    rnn-conformance port tagger.safetensors --module tagger:Tagger --to keras-jax --out ported
    """
    from rnn_conformance.conformance.porting import port as porting

    if out.exists():
        raise WrongUsage(f"{out} is there already, and nothing is overwritten: name another folder with --out")
    _choose_backend(target, source)
    target = "keras" if target.startswith("keras") else target
    try:
        model, graph, name = _opened(source, module)
        if name == target:
            raise WrongUsage(f"{source} is a model of {name} already")
        made = porting.port(model, graph, name, target, out, source.name, lambda told: click.echo(told, err=True))
    except ModuleNotFoundError as error:
        raise WrongUsage(f"{error}: install the frameworks of both, and safetensors") from None
    except NonConforming as failure:
        raise DidNotWork(f"the port is not what {source} was, and was not written: {failure}") from None
    except ValueError as error:
        raise WrongUsage(error) from None
    for report in made.reports:
        click.echo(str(report))
    for path, what in made.holes:
        click.echo(f"hole: {path}: {what}")
    click.echo(f"proved: {made.proved}: {made.folder / 'PROOF.md'}")


def _choose_backend(target: str, source: Path) -> None:
    """Keras on the backend that the other framework has, unless the user chose one."""
    if target.startswith("keras-"):
        os.environ["KERAS_BACKEND"] = target.removeprefix("keras-")
    elif source.suffix == ".keras" or target == "keras":
        os.environ.setdefault("KERAS_BACKEND", "jax" if target.startswith("flax") else "torch")


def _opened(source: Path, module: str) -> tuple[Any, Any, str]:
    """The model, its graph, and the name of its framework. Raises ValueError for what is none."""
    if source.suffix == ".onnx":
        from rnn_conformance.adapters.onnx.steps import graph_of as steps_of

        return str(source), steps_of(source), "onnx"
    if source.suffix == ".keras":
        from rnn_conformance.adapters.keras.graph import graph_of, open_file

        model = open_file(source)
        return model, graph_of(model), "keras"
    if source.suffix not in (".safetensors", ".pt", ".pth"):
        raise ValueError(f"{source} is neither .keras, nor .onnx, nor a torch state (.safetensors, .pt, .pth)")
    from rnn_conformance.adapters.torch.graph import graph_of, load_state

    model = _made(module)
    if not porter("torch").owns(model):
        raise ValueError(f"{module} is no torch module")
    load_state(model, source)
    return model.eval(), graph_of(model.eval()), "torch"


def _made(module: str) -> Any:
    """The user's own class, made. Raises ValueError for a name that is none."""
    name, _, attribute = module.partition(":")
    if not attribute:
        raise ValueError("a torch state does not say of what: name your class with --module package.module:Class")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # as `python -m` does
    found = importlib.import_module(name)
    if not hasattr(found, attribute):
        raise ValueError(f"{name} has no {attribute}")
    return getattr(found, attribute)()
