"""Chapter 7 of SPEC.md: activations, seen through a layer that applies them to one number at a time (doors.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest

from rnn_conformance.conformance.cases.doors import Door, architecture_of
from rnn_conformance.conformance.cases.profiles import DTYPES
from rnn_conformance.conformance.checks.roles import doors_to, has_state_given
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import Judgement, NonConforming, same_bits
from rnn_conformance.conformance.witnesses.deviations import facts_of_gates
from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.cells.cell import Cell
from rnn_conformance.reference.model.weights import Array, Weights

_UNITS = (8, 33, 1, 7, 32)
"""Numbers of units: vectorised code treats the last few of a row in another way than the rest. The first go first."""

_FEW_UNITS, _SHARED = 2, 4
"""So many of them, and a share of the numbers, for each of the doors of a cell that has several."""

_HARD = {
    "float32": (0.508061, -4.608549, 4.804633, 5.907903, 6.1505394, 7.225884, -53.47489, -16.635702, -4.1445484),
    "float64": (
        0.0625726,
        0.5030935,
        14.2639196,
        15.8434615,
        15.9602981,
        17.7191279,
        19.0560937,
        -36.741189,
        -21.7878607,
    ),
}
"""Where some framework's tanh or sigmoid was seen at its worst: a short sweep must not depend on hitting these."""


_BINS = np.linspace(-20, 20, 81)
"""The report shows the worst error between each two of these inputs."""

Curve = dict[int, float]
"""The worst error in ULP in each bin that has numbers."""

Examine = Callable[[Door, Array, Array], None]
"""Told of numbers z and of what a door makes of them."""


@pytest.mark.clause("7.1", modes="main", thrifty=DTYPES)
def test_standard_accuracy(check: Check) -> None:
    """tanh and sigmoid are within the ULP of the specification, over the whole range of floats."""
    _accuracy(check, {name: ACTIVATIONS[name].ulps for name in ("tanh", "sigmoid")})


@pytest.mark.clause("7.2", modes="main", thrifty=DTYPES)
def test_declared_accuracy(check: Check) -> None:
    """tanh and sigmoid are within the ULP that the adapter declares, over the whole range of floats."""
    curves: dict[str, Curve] = {}
    _accuracy(check, {name: check.precision.ulps[name] for name in ("tanh", "sigmoid")}, curves)
    for name, curve in curves.items():
        middles = [float((_BINS[k] + _BINS[k + 1]) / 2) for k in sorted(curve)]
        ulps = [float(f"{curve[k]:.3g}") for k in sorted(curve)]
        check.evidence.measured[name] = {"input": middles, "ulps": ulps, "limit": ACTIVATIONS[name].ulps}


@pytest.mark.clause("7.3", modes="main", thrifty=DTYPES)
def test_range(check: Check) -> None:
    """tanh and sigmoid never leave their range, and reach its ends."""

    def examine(door: Door, z: Array, y: Array) -> None:
        if door.then:
            return  # the ends of another activation are between
        activation, name = ACTIVATIONS[door.activation], _title(door)
        if not ((y >= activation.low) & (y <= activation.high)).all():
            raise NonConforming(
                f"{name} gives values from {y.min():.9g} to {y.max():.9g}, but should stay "
                f"from {activation.low} to {activation.high}"
            )
        far = z > 100, z < -1000  # exp(-1000) is zero in every precision
        for end, wanted in zip(far, (activation.high, activation.low), strict=True):
            if not (y[end] == wanted).all():
                where = z[end][y[end] != wanted][0]
                raise NonConforming(f"{name}({where:.9g}) should be exactly {wanted}, so far from zero")

    _sweep(check, ("tanh", "sigmoid"), examine)


@pytest.mark.clause("7.4", modes="main")
def test_exact_activations(check: Check) -> None:
    """relu and linear give exactly max(z, 0) and z."""

    def examine(door: Door, z: Array, y: Array) -> None:
        # Some runtimes flush subnormal numbers to zero; BOUNDS.md, section 1, allows for it.
        normal = np.abs(z) >= np.finfo(z.dtype).tiny
        wanted = ACTIVATIONS[door.activation].function(z)[normal].astype(y.dtype)
        same_bits(_title(door), y[normal], wanted, "it only selects")

    _sweep(check, ("relu", "linear"), examine)


def _accuracy(check: Check, limits: dict[str, float], curves: dict[str, Curve] | None = None) -> None:
    def examine(door: Door, z: Array, y: Array) -> None:
        name, title = door.activation, _title(door)
        # What a second activation adds, which is the identity but for less than a rounding.
        limit = limits[name] + (limits[door.then] + 1 if door.then else 0)
        in_ulps, exact = _error_in_ulps(door, z, y)
        if curves is not None:
            _add_worst(curves.setdefault(name, {}), z, in_ulps)
        worst = int(np.argmax(in_ulps))
        ulps, where = float(in_ulps[worst]), f"{title}({z[worst]:.17g})"
        error, value = float(abs(y[worst] - exact[worst])), float(exact[worst])
        judgement = Judgement(ulps / limit, error, value, where, check.dtype)
        if not ulps <= limit:
            should = f"within {limit:g} ULP of {value:.17g}"
            raise NonConforming(f"{where} = {y[worst]:.17g}, but should be {should} ({ulps:.3g} ULP)", judgement)
        check.evidence.add(judgement, None)

    _sweep(check, ("tanh", "sigmoid"), examine)


def _title(door: Door) -> str:
    """The activation, and its role in a cell that has several."""
    return door.activation if door.is_whole_cell else f"{door.role}: {door.activation}"


def _add_worst(curve: Curve, z: Array, in_ulps: Array) -> None:
    """Add the errors of these inputs to a curve."""
    at = np.digitize(z, _BINS) - 1
    for k in map(int, np.unique(at)):
        if 0 <= k < len(_BINS) - 1:
            curve[k] = max(curve.get(k, 0.0), float(in_ulps[at == k].max()))


def _error_in_ulps(door: Door, z: Array, y: Array) -> tuple[Array, Array]:
    """The error of y in ULP of the exact value, and that value, in extended precision where there is.

    Below the smallest normal number an error up to that number is none: subnormal results may be flushed to zero.
    """
    exact = ACTIVATIONS[door.activation].function(z.astype(np.longdouble)) * np.longdouble(door.scale)
    spacing = np.spacing(np.abs(exact).astype(z.dtype)).astype(np.longdouble)
    tiny = np.finfo(z.dtype).tiny
    error = np.abs(y.astype(np.longdouble) - exact)
    error = np.where((np.abs(exact) < tiny) & (error <= tiny), 0, error / spacing)
    error[np.isnan(error)] = np.inf
    return error.astype(np.float64), exact


def _sweep(check: Check, names: Sequence[str], examine: Examine) -> None:
    """Give `examine` the doors to these activations, many numbers, and what the layer makes of them."""
    # Where a cell has several doors, they share the numbers and the sizes.
    has_several = len(check.cells[0].activations) > 1
    sizes = _UNITS[: _FEW_UNITS if has_several else None]
    first = check.first_of(1) % len(sizes)  # of many seeds, others begin with others
    sizes = (*sizes[first:], *sizes[:first])
    for cell, door in doors_to(check, names)[: 1 if check.is_spare else None]:
        for units in sizes[: 1 if check.profile.thrifty else check.profile.structures]:

            def example(cell: Cell = cell, door: Door = door, units: int = units) -> bool:
                z = np.concatenate(list(_numbers(check, _SHARED if has_several else 1)))
                z = z[: len(z) // units * units].reshape(-1, units)
                architecture = architecture_of(cell, units, check.dtype, check.mode)
                network = check.subject.network(architecture)
                network.load(Weights((door.weights(architecture.layers[0], check.dtype),)))
                # z reaches the activation unchanged: 1 * z, and zeros added. Infinities and NaN are left out for that.
                inputs, state = door.given(z.astype(check.dtype))
                given = {"initial_state": state} if has_state_given(check) else {}
                examine(door, z.ravel(), door.seen(network.run(inputs, **given)).ravel())
                return True

            check.example(example, activation=door.passed, **facts_of_gates(cell), units=units)


def _numbers(check: Check, sharing: int) -> Iterator[Array]:
    """Finite numbers of the arithmetic that is judged by: any bit pattern, where activations bend, and the edges."""
    dtype = np.dtype(check.precision.dtype)
    rng = np.random.default_rng(check.seed)
    count = check.profile.sweep // len(_UNITS) // sharing
    bits = np.iinfo(f"uint{8 * dtype.itemsize}")
    patterns = rng.integers(0, bits.max, count, bits.dtype, endpoint=True).view(dtype)
    # Sums of zeros and a huge number are exact, and a huge number times zero is zero, so every finite one will do.
    yield patterns[np.isfinite(patterns)]
    yield rng.uniform(-20, 20, count).astype(dtype)
    yield np.array(_HARD[dtype.name], dtype)
    info = np.finfo(dtype)
    yield np.array([0, -0.0, info.tiny, -info.tiny, info.eps, info.max, -info.max, 0.5, 1, -1, 9, 20, 104], dtype)
