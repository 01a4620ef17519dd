"""What two runs of an adapter offer, as their headers declare it: what was lost, won or is done otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rnn_conformance.reports.records.records import Header
from rnn_conformance.reports.upgrades.change import BETTER, OTHER, WORSE, Change

LISTS: Mapping[str, list[str]] = {
    "modes": [],
    "ways": [],
    "cells": ["simple_rnn"],
    "activations": [],
    "variants": [],
    "offers": [],
}
"""The lists of a description, and what there was before it had such a list."""

MAPPINGS = ("choices", "conventions")


def capability_changes(old: Header, new: Header) -> Iterator[Change]:
    """Every difference between the two descriptions, each of them once, however many checks it shows in."""
    before, after = old.description, new.description
    told: set[str] = set()
    for name, once in LISTS.items():
        was, now = _names(before.get(name, once)), _names(after.get(name, once))
        for each in [each for each in was if each not in now]:
            told.add(each)
            yield _change(WORSE, name, each, "offered", "not offered", _reason(after, each))
        for each in [each for each in now if each not in was]:
            told.add(each)
            yield _change(BETTER, name, each, "not offered", "offered", _reason(before, each))
        if name == "modes" and was and now and was[0] != now[0]:
            yield _change(OTHER, name, "main mode", was[0], now[0])
    yield from _precision(before, after, told)
    yield from _unsupported(_mapping(before, "unsupported"), _mapping(after, "unsupported"), told)
    for name in MAPPINGS:
        yield from _others(name, _mapping(before, name), _mapping(after, name))
    if before.get("device") != after.get("device"):
        yield _change(OTHER, "device", "", _word(before.get("device")), _word(after.get("device")))


def rejudged(old: Header, new: Header) -> list[str]:
    """The dtypes whose arithmetic is declared otherwise, so that errors in them have other bounds."""
    before, after = _mapping(old.description, "precision"), _mapping(new.description, "precision")
    return [dtype for dtype in before if dtype in after and before[dtype] != after[dtype]]


def _precision(before: Mapping[str, Any], after: Mapping[str, Any], told: set[str]) -> Iterator[Change]:
    was, now = _mapping(before, "precision"), _mapping(after, "precision")
    for dtype in [*was, *(each for each in now if each not in was)]:
        if dtype not in now:
            yield _change(WORSE, "dtypes", dtype, "offered", "not offered", _reason(after, dtype))
        elif dtype not in was:
            yield _change(BETTER, "dtypes", dtype, "not offered", "offered", _reason(before, dtype))
        elif was[dtype] != now[dtype]:
            yield _change(OTHER, "precision", dtype, _word(was[dtype]), _word(now[dtype]))
        if (dtype in was) != (dtype in now):
            told.add(dtype)


def _unsupported(was: Mapping[str, Any], now: Mapping[str, Any], told: set[str]) -> Iterator[Change]:
    """What has a reason in one run only; what was told above is not told again."""
    for name in [*was, *(each for each in now if each not in was)]:
        if name in told or was.get(name) == now.get(name):
            continue
        if name not in now:
            yield _change(BETTER, "features", name, "not offered", "offered", _word(was[name]))
        elif name not in was:
            yield _change(WORSE, "features", name, "offered", "not offered", _word(now[name]))
        else:
            yield _change(OTHER, "features not offered", name, _word(was[name]), _word(now[name]))


def _others(name: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    for key in [*was, *(each for each in now if each not in was)]:
        if was.get(key) != now.get(key):
            yield _change(OTHER, name, key, _word(was.get(key)), _word(now.get(key)))


def _change(trend: str, what: str, name: str, old: str, new: str, detail: str = "") -> Change:
    return Change("support", trend, f"{what}: {name}" if name else what, old, new, detail=detail)


def _reason(description: Mapping[str, Any], name: str) -> str:
    return _word(_mapping(description, "unsupported").get(name, ""))


def _names(value: Any) -> list[str]:
    """A list of a description; anything may stand in a results file, so what is none is empty."""
    return [_word(each) for each in value] if isinstance(value, list) else []


def _mapping(description: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = description.get(name)
    return value if isinstance(value, dict) else {}


def _word(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_word(item)}" for key, item in value.items())
    return "none" if value is None or value == "" else str(value)
