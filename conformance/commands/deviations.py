"""The command ``rnn-conformance deviations``: the known departures of frameworks from the specification."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any

import click
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from rnn_conformance.adapters import registry
from rnn_conformance.conformance.checks.catalogue import checks, clauses_of
from rnn_conformance.conformance.commands.console import format_option
from rnn_conformance.conformance.commands.errors import WrongUsage
from rnn_conformance.conformance.commands.output import echo_utf8
from rnn_conformance.conformance.witnesses.deviations import Deviation, known_deviations
from rnn_conformance.reference.spec import specification
from rnn_conformance.reports.renderings.markdown import escape


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@format_option
def deviations(names: tuple[str, ...], form: str) -> None:
    """Print the known deviations: where a framework departs from the specification, in which cases, and why.

    NAME is that of a deviation, or of an adapter whose deviations are wanted; with none, all are printed. Each has a
    witness, which `rnn-conformance replay NAME` runs again, as every run of its check does; with --script FILE.py it
    writes a script of the framework alone, for its maintainers.

    \b
    rnn-conformance deviations
    rnn-conformance deviations keras-jax flax-nnx
    rnn-conformance deviations keras-jax-float64 --format json
    """
    try:
        chosen = _named(known_deviations(), names)
    except ValueError as error:
        raise WrongUsage(error) from None
    if form != "json" and not chosen:
        click.echo("none is known")
    elif form == "json":
        click.echo(json.dumps([{"deviation": d.name, "reason": d.reason, **_facts(d)} for d in chosen], indent=2))
    elif form == "markdown":
        echo_utf8("\n\n".join(_markdown(d, _why(d, chosen)) for d in chosen))
    else:
        _print(chosen)


def _named(known: list[Deviation], names: tuple[str, ...]) -> list[Deviation]:
    """Those of these names or adapters. Raises ValueError for a name that is neither."""
    adapters = registry.registered().keys() | {adapter for deviation in known for adapter in deviation.adapters}
    if wrong := set(names) - adapters - {deviation.name for deviation in known}:
        raise ValueError(
            f"there is no deviation or adapter with one {', '.join(sorted(wrong))}. "
            f"Adapters: {', '.join(sorted(adapters))}. Deviations: {', '.join(d.name for d in known)}."
        )
    return [d for d in known if not names or {d.name, *d.adapters} & set(names)]


def _facts(deviation: Deviation) -> Mapping[str, Any]:
    """What there is to say of it beside the reason, by the name under which it is printed; nothing that is empty."""
    facts = {
        "cause": deviation.cause,
        "means": deviation.means,
        "adapters": list(deviation.adapters),
        "versions": dict(deviation.versions),
        "absent": dict(deviation.absent),
        "platforms": list(deviation.platforms),
        "on processors without": list(deviation.without),
        "clauses": _clauses(deviation),
        "cases": deviation.extent,
        "judged at": deviation.judged_at,
        "seen": deviation.witness.message.split(" — matches ")[0],
        "upstream": deviation.upstream,
        "again": f"rnn-conformance replay {deviation.name}",
    }
    return {name: value for name, value in facts.items() if value}


def _clauses(deviation: Deviation) -> list[str]:
    """The clauses that its checks cite, in the order of the specification."""
    cited = {clause for name in filter(deviation.speaks_of, _cited()) for clause in _cited()[name]}
    return [clause for clause in specification().clauses if clause in cited]


@cache
def _cited() -> Mapping[str, Sequence[str]]:
    """The clauses that each check cites."""
    return {name.split("::")[1]: clauses_of(check) for name, check in checks().items()}


def _lines(deviation: Deviation) -> Iterator[tuple[str, str]]:
    """The facts as a name and words each."""
    for name, value in _facts(deviation).items():
        if isinstance(value, dict):
            yield name, ", ".join(f"{package} {specifier}" for package, specifier in value.items())
        elif name == "clauses" and len(value) == len({*chain(*_cited().values())}):
            yield name, "all"
        else:
            yield name, value if isinstance(value, str) else ", ".join(value)


def _why(deviation: Deviation, chosen: list[Deviation]) -> str:
    """Its reason, or where that stands already: a twin of another cell often has the same."""
    first = next(each for each in chosen if each.reason == deviation.reason)
    return deviation.reason if first == deviation else f"As {first.name}, in another cell."


def _markdown(deviation: Deviation, reason: str) -> str:
    told = ((name, f"`{words}`" if name == "again" else escape(words)) for name, words in _lines(deviation))
    facts = "\n".join(f"* {name}: {words}" for name, words in told)
    return f"## {deviation.name}\n\n{escape(reason)}\n\n{facts}"


def _print(chosen: list[Deviation]) -> None:
    console = Console()
    for deviation in chosen:
        console.print(Text(deviation.name, style="bold"))
        console.print(Padding(Text(_why(deviation, chosen)), (0, 0, 0, 2)))
        for name, words in _lines(deviation):
            if name == "again":
                console.print(Text(f"  {name}: {words}"), soft_wrap=True)  # to be copied, in one piece
            else:
                console.print(Padding(Text(f"{name}: {words}"), (0, 0, 0, 2)))
        console.print()
