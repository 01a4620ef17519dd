"""Chapter 7 of SPEC.md: activations, seen through a layer that applies them to one number at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from rnn_conformance.conformance.cases.profiles import FLOAT32, SIMPLE_RNN
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.judging.comparing import Judgement, NonConforming, same_bits
from rnn_conformance.reference.arithmetic.activations import ACTIVATIONS
from rnn_conformance.reference.cells.simple_rnn import SimpleRnn
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights

_UNITS = (8, 33, 1, 7, 32)
"""Numbers of units: vectorised code treats the last few of a row in another way than the rest. The first go first."""

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


@pytest.mark.clause("7.1", modes="main", cells=SIMPLE_RNN)
def test_standard_accuracy(check: Check) -> None:
    """tanh and sigmoid are within the ULP of the specification, over the whole range of floats."""
    _accuracy(check, {name: ACTIVATIONS[name].ulps for name in ("tanh", "sigmoid")})


@pytest.mark.clause("7.2", modes="main", cells=SIMPLE_RNN)
def test_declared_accuracy(check: Check) -> None:
    """tanh and sigmoid are within the ULP that the adapter declares, over the whole range of floats."""
    curves: dict[str, Curve] = {}
    _accuracy(check, {name: check.precision.ulps[name] for name in ("tanh", "sigmoid")}, curves)
    for name, curve in curves.items():
        middles = [float((_BINS[k] + _BINS[k + 1]) / 2) for k in sorted(curve)]
        ulps = [float(f"{curve[k]:.3g}") for k in sorted(curve)]
        check.evidence.measured[name] = {"input": middles, "ulps": ulps, "limit": ACTIVATIONS[name].ulps}


@pytest.mark.clause("7.3", modes="main", cells=SIMPLE_RNN)
def test_range(check: Check) -> None:
    """tanh and sigmoid never leave their range, and reach its ends."""

    def examine(name: str, z: Array, y: Array) -> None:
        activation = ACTIVATIONS[name]
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


@pytest.mark.clause("7.4", modes="main", thrifty=FLOAT32, cells=SIMPLE_RNN)
def test_exact_activations(check: Check) -> None:
    """relu and linear give exactly max(z, 0) and z."""

    def examine(name: str, z: Array, y: Array) -> None:
        # Some runtimes flush subnormal numbers to zero; BOUNDS.md, section 1, allows for it.
        normal = np.abs(z) >= np.finfo(z.dtype).tiny
        wanted = ACTIVATIONS[name].function(z)[normal].astype(y.dtype)
        same_bits(name, y[normal], wanted, "it only selects")

    _sweep(check, check.some_of(("relu", "linear"), every=2), examine)


def _accuracy(check: Check, limits: dict[str, float], curves: dict[str, Curve] | None = None) -> None:
    def examine(name: str, z: Array, y: Array) -> None:
        in_ulps, exact = _error_in_ulps(name, z, y)
        if curves is not None:
            _add_worst(curves.setdefault(name, {}), z, in_ulps)
        worst = int(np.argmax(in_ulps))
        ulps, where = float(in_ulps[worst]), f"{name}({z[worst]:.17g})"
        error, value = float(abs(y[worst] - exact[worst])), float(exact[worst])
        judgement = Judgement(ulps / limits[name], error, value, where, check.dtype)
        if not ulps <= limits[name]:
            should = f"within {limits[name]:g} ULP of {value:.17g}"
            raise NonConforming(f"{where} = {y[worst]:.17g}, but should be {should} ({ulps:.3g} ULP)", judgement)
        check.evidence.add(judgement, None)

    _sweep(check, ("tanh", "sigmoid"), examine)


def _add_worst(curve: Curve, z: Array, in_ulps: Array) -> None:
    """Add the errors of these inputs to a curve."""
    at = np.digitize(z, _BINS) - 1
    for k in map(int, np.unique(at)):
        if 0 <= k < len(_BINS) - 1:
            curve[k] = max(curve.get(k, 0.0), float(in_ulps[at == k].max()))


def _error_in_ulps(name: str, z: Array, y: Array) -> tuple[Array, Array]:
    """The error of y = activation(z) in ULP of the exact value, and that value, in extended precision where there is.

    Below the smallest normal number an error up to that number is none: subnormal results may be flushed to zero.
    """
    exact = ACTIVATIONS[name].function(z.astype(np.longdouble))
    spacing = np.spacing(np.abs(exact).astype(z.dtype)).astype(np.longdouble)
    tiny = np.finfo(z.dtype).tiny
    error = np.abs(y.astype(np.longdouble) - exact)
    error = np.where((np.abs(exact) < tiny) & (error <= tiny), 0, error / spacing)
    error[np.isnan(error)] = np.inf
    return error.astype(np.float64), exact


def _sweep(check: Check, names: Sequence[str], examine: object) -> None:
    """Give `examine` the name of an activation, many numbers, and what the layer makes of them, for each on offer."""
    offered = [name for name in names if name in check.subject.description.activations]
    for name in names:
        if not offered:
            check.requires(name)
    for name in offered[: 1 if check.is_spare else None]:
        for units in _UNITS[: 1 if check.profile.thrifty else check.profile.structures]:

            def example(name: str = name, units: int = units) -> bool:
                z = np.concatenate(list(_numbers(check)))
                z = z[: len(z) // units * units].reshape(-1, 1, units)
                identity = np.eye(units, dtype=check.dtype)
                U, b = np.zeros_like(identity), np.zeros(units, check.dtype)
                architecture = Architecture((Layer(units, units, SimpleRnn(name)),), dtype=check.dtype, mode=check.mode)
                network = check.subject.network(architecture)
                network.load(Weights((LayerWeights({"W": identity, "U": U, "b": b}),)))
                # z reaches the activation unchanged: 1 * z, and zeros added. Infinities and NaN are left out for that.
                examine(name, z.ravel(), network.run(z.astype(check.dtype)).outputs.ravel())  # type: ignore[operator]
                return True

            check.example(example, activation=name, units=units)


def _numbers(check: Check) -> Iterator[Array]:
    """Finite numbers of the arithmetic that is judged by: any bit pattern, where activations bend, and the edges."""
    dtype = np.dtype(check.precision.dtype)
    rng = np.random.default_rng(check.seed)
    count = check.profile.sweep // len(_UNITS)
    bits = np.iinfo(f"uint{8 * dtype.itemsize}")
    patterns = rng.integers(0, bits.max, count, bits.dtype, endpoint=True).view(dtype)
    # Sums of zeros and a huge number are exact, and a huge number times zero is zero, so every finite one will do.
    yield patterns[np.isfinite(patterns)]
    yield rng.uniform(-20, 20, count).astype(dtype)
    yield np.array(_HARD[dtype.name], dtype)
    info = np.finfo(dtype)
    yield np.array([0, -0.0, info.tiny, -info.tiny, info.eps, info.max, -info.max, 0.5, 1, -1, 9, 20, 104], dtype)
