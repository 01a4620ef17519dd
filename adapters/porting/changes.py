"""What becomes of each part of a layer on its way from one framework to another, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rnn_conformance.adapters.porting.biases import STEPS
from rnn_conformance.adapters.porting.ends import End, Place


@dataclass(frozen=True)
class Change:
    """A part of a layer as it is at both ends, and what becomes of it."""

    part: str
    here: str
    there: str
    done: str


def changes(cell: str, source: Place, target: Place) -> Iterator[Change]:
    """Each part of such a layer, in the order in which one reads about it."""
    here, there = source.ends[cell], target.ends[cell]
    yield Change("layer", here.layer, there.layer, "")
    yield Change("input kernel W", here.W, there.W, _kernels(here, there))
    yield Change("recurrent kernel U", here.U, there.U, _kernels(here, there))
    yield Change("gates", here.gates, there.gates, _gates(here, there))
    yield Change("biases", here.bias, there.bias, _biases(cell, here, there))
    if here.starts:
        yield Change(
            "bias of the forget gate",
            f"starts {here.starts}",
            f"starts {there.starts}",
            "carried like the others: neither layer adds anything to it when it runs",
        )
    yield Change("state", here.state, there.state, "; ".join(_state(here, there)) or "as it is")
    yield Change("both directions", source.directions, target.directions, "each is carried like a layer of its own")
    yield Change("outputs at padded timesteps", source.padded, target.padded, "no matter of weights: leave them out")


def _kernels(here: End, there: End) -> str:
    cut = "" if bool(here.order) == bool(there.order) else "cut into gates" if here.order else "joined"
    turned = "" if here.kept == there.kept else "transposed"
    return " and ".join(filter(None, (cut, turned))) or "as they are"


def _gates(here: End, there: End) -> str:
    if not (here.order and there.order):
        return "as they are" if here.order == there.order else "by name"
    return "as they are" if here.order == there.order else "z and r change places"


def _biases(cell: str, here: End, there: End) -> str:
    first_line = (STEPS[cell][here.biases, there.holds].__doc__ or "").partition("\n")[0]
    told = first_line[:1].lower() + first_line[1:].rstrip(".")
    return f"{told}; `dense_h` becomes one with a bias, for the second" if there.holds_more else told


def _state(here: End, there: End) -> Iterator[str]:
    if here.parts != there.parts:
        yield f"({', '.join(here.parts)}) becomes ({', '.join(there.parts)})"
    if ("(1," in here.state) != ("(1," in there.state):
        yield "without its first axis" if "(1," in here.state else "with an axis of one in front"
