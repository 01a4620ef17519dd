"""Which adapters can be run on this machine, and what to install for the others."""

from __future__ import annotations

import os

import click

from rnn_conformance.adapters import registry
from rnn_conformance.adapters.pipe.manifest import is_manifest

_REFERENCE = "numpy"
"""The adapter of the specification's own code, which is no framework."""


def plain_name(adapter: str) -> str:
    """The name of an adapter as results tell it: that of a manifest is its path, in as few steps as it takes."""
    return os.path.normpath(adapter) if is_manifest(adapter) else adapter


def check_installed(adapter: str) -> None:
    """Raise ValueError, saying what to install, for a registered adapter that lacks a module or has a package that is
    too old for it, for a program that lacks a file, and for a wrong name and a manifest that cannot be read.
    """
    if is_manifest(adapter):
        known = registry.of_program(adapter)
    elif registry.resolve(adapter) == adapter:
        return  # package.module:attribute, which only the worker imports: it may do anything
    else:
        known = registry.registered()[adapter]
    if known.missing:
        raise ValueError(f"{adapter} needs {', '.join(known.missing)}: {known.how_to_install}")
    if known.too_old:
        raise ValueError(f"{known.too_old}: {known.how_to_install}")


def installed() -> list[str]:
    """Every adapter that is installed; says on standard error which are not.

    Raises ValueError, saying what to install, where there is no framework: the reference alone says nothing.
    """
    known = registry.registered().values()
    missing = [adapter for adapter in known if adapter.missing]
    old = [adapter for adapter in known if not adapter.missing and adapter.too_old]
    names = [adapter.name for adapter in known if not adapter.missing and not adapter.too_old]
    if set(names) <= {_REFERENCE}:
        ways = "\n".join(f"  {adapter.how_to_install}" for adapter in (*missing, *old))
        raise ValueError(
            f"no framework is installed, so there is nothing to check. Install one:\n{ways}\n"
            f"(`rnn-conformance run {_REFERENCE}` checks the NumPy reference alone.)"
        )
    for adapter in missing:
        click.echo(f"{adapter.name} is not installed: {adapter.how_to_install}", err=True)
    for adapter in old:
        click.echo(f"{adapter.too_old}: {adapter.how_to_install}", err=True)
    return sorted(names)
