"""Chapter 13 of SPEC.md: dropout, seen through models in which what is dropped shows (dropping_models.py)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np
import pytest

from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.candidates import EXACT, candidate_alone
from rnn_conformance.conformance.cases.case import Case
from rnn_conformance.conformance.cases.profiles import FLOAT32, GATED
from rnn_conformance.conformance.checks.dropping import FEATURES, dropping, is_fixed, judge_share, kinds_of_dropout
from rnn_conformance.conformance.checks.dropping_models import RATE, UNITS, See, in_every_way, models
from rnn_conformance.conformance.checks.few import few_cases
from rnn_conformance.conformance.checks.roles import cell_that_shows
from rnn_conformance.conformance.engine.check import Check
from rnn_conformance.conformance.engine.subject import GuardedNetwork
from rnn_conformance.conformance.judging.comparing import Judgement, NonConforming, check_shape, compare, same_bits
from rnn_conformance.reference.arithmetic.rounding import gamma
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.calls import Mask
from rnn_conformance.reference.model.weights import Array, LayerWeights, Weights

_BATCH, _TIMESTEPS = 32, 12
_CALLS = 6


@pytest.mark.clause("13.1", modes="main")
def test_outside_training(check: Check) -> None:
    """Outside training, a model with dropout gives the bits that it gives without."""
    reasons, tried = [], False
    for feature in kinds_of_dropout(check):
        for case in few_cases(check, [("layer", "stack")[below] for below in _layers_below(check, feature)]):
            *below, last = case.architecture.layers
            drops = replace(case.architecture, layers=(*below, dropping(last, feature, 0.5)))
            try:
                check.subject.network(drops)
            except Unsupported as reason:
                reasons.append(reason)
                continue
            tried = True
            draws = [replace(case, seed=check.seed + k) for k in range(check.profile.draws)]
            check.every(draws, partial(_judge_outside_training, check, drops))
    if not tried:
        raise reasons[0]


def _judge_outside_training(check: Check, dropping: Architecture, case: Case) -> bool:
    outputs = check.run(case).outputs
    other = check.run(replace(case, architecture=dropping), weights=case.weights).outputs
    same_bits("outputs with dropout", other, outputs, "nothing is dropped outside training")
    return bool(outputs.any())


@pytest.mark.clause("13.2", modes="main")
def test_rate_zero(check: Check) -> None:
    """In training at rate 0, a model gives the bits that it gives outside training."""
    kinds_of_dropout(check)

    def examine(case: Case) -> bool:
        network = check.network(case)
        outputs = network.run(case.inputs).outputs
        in_training = network.ask("run_training", case.inputs, check.seed).outputs
        same_bits("outputs in training", in_training, outputs, "nothing is dropped at rate 0")
        return bool(outputs.any())

    check.for_all(("layer", "stack"), examine, few=True)


@pytest.mark.clause("13.2", "1.1", modes="main", dtypes=FLOAT32, thrifty=())
def test_right_at_rate_zero(check: Check) -> None:
    """In training at rate 0, what comes out is right, also where other code than outside gives other last bits."""
    kinds_of_dropout(check)

    def examine(case: Case) -> bool:
        network = check.network(case)
        return check.judge(case, network.ask("run_training", case.inputs, check.seed))

    check.every(few_cases(check, ("layer", "stack")), examine)


@pytest.mark.clause("13.3", "13.5", modes="main")
def test_dropout(check: Check) -> None:
    """Inputs are dropped at the rate that was asked for, the others scaled up, and as often anew as declared."""
    _examine(check, "dropout")


@pytest.mark.clause("13.4", "13.5", modes="main")
def test_recurrent_dropout(check: Check) -> None:
    """h_{t-1} is dropped at the rate that was asked for, or scaled up, and as often anew as declared."""
    _examine(check, "recurrent dropout")


@pytest.mark.clause("12.1", "13.3", "13.4", "13.5", modes="main", dtypes=FLOAT32, thrifty=())
def test_dropout_in_every_way(check: Check) -> None:
    """In each further way to run a model, inputs and state are dropped as in the main one."""
    for network, seen, facts in in_every_way(check, kinds_of_dropout(check)):
        check.example(partial(_drops, check, network, seen), **facts)


@pytest.mark.clause("13.4", modes="main", dtypes=FLOAT32, thrifty=(), cells=GATED)
def test_recurrent_dropout_of_nothing_else(check: Check) -> None:
    """Where U is zero, recurrent dropout changes nothing: neither c nor the h that a gate keeps is dropped."""
    check.requires("recurrent dropout")

    def examine(case: Case) -> bool:
        layer, kept = case.architecture.layers[0], case.weights.layers[0]
        weights = Weights((kept.with_arrays(U=np.zeros_like(kept.U)),))
        drops = replace(case.architecture, layers=(dropping(layer, "recurrent dropout", 0.5),))
        network = check.subject.network(drops)
        network.load(weights)
        output = network.ask("run_training", case.inputs, check.seed)
        return check.judge(case.with_arrays(replace(case.arrays, weights=weights)), output)

    cases = few_cases(check, ("layer",), where=lambda structure: structure.timesteps > 1)
    check.every([replace(case, seed=case.seed + k) for case in cases for k in range(check.profile.draws)], examine)


def _examine(check: Check, feature: str) -> None:
    """Judge the dropout of a single layer and of the upper layer of a stack, where the subject has it."""
    for network, seen, facts in models(check, feature, check.mode, _layers_below(check, feature)):
        check.example(partial(_drops, check, network, seen), **facts)


def _layers_below(check: Check, feature: str) -> Sequence[int]:
    """How many layers are below the one that drops; in a thrifty profile one for each feature, by turns."""
    return [(FEATURES.index(feature) + check.seed) % 2] if check.profile.thrifty else (0, 1)


def _drops(check: Check, network: GuardedNetwork, seen: See) -> bool:
    masks = []
    rng = np.random.default_rng(check.seed)
    for call in range(_CALLS):
        x = rng.uniform(1, 2, (_BATCH, _TIMESTEPS, UNITS)).astype(check.dtype)
        outputs = network.ask("run_training", x, check.seed + call).outputs
        check_shape("outputs", outputs, x.shape)
        mask, judged = _mask(check, *seen(x.astype(np.float64), outputs.astype(np.float64)))
        check.evidence.add(judged, None)
        masks.append(mask)
    _judge_shares(check, masks)
    _judge_time(check, masks)
    if all((mask == masks[0]).all() for mask in masks):
        raise NonConforming(f"{_CALLS} calls with different seeds drop the same numbers")
    return True


def _mask(check: Check, outputs: Array, dropped: Array, kept: Array, bound: Array) -> tuple[Mask, Judgement]:
    """Where something was dropped; raises NonConforming where an output is neither of the two that it can be."""
    mask = np.abs(outputs - dropped) < np.abs(outputs - kept)
    wanted, within = np.where(mask, dropped, kept), np.where(mask, 0, bound)
    return mask, compare("outputs", outputs, wanted, within, check.dtype)


def _judge_shares(check: Check, masks: Sequence[Mask]) -> None:
    """Raise NonConforming where a share of what was dropped lies too far from its probability to be chance.

    Beside the numbers themselves, these are pairs of numbers of the same timestep, of neighbouring units and of
    neighbouring sequences: both of a pair are dropped, or neither is, with probability p^2 + (1 - p)^2. A fixed mask is
    drawn once for all timesteps, so only one timestep of it counts.
    """
    drawn = np.stack([mask[:, :1] if is_fixed(check) else mask for mask in masks])
    share = judge_share("is dropped", drawn, RATE)
    check.evidence.measured["dropped"] = {"rate": RATE, "share": round(share, 4), "of": drawn.size}
    alike = RATE**2 + (1 - RATE) ** 2
    judge_share("of pairs of neighbouring units is alike", drawn[..., ::2] == drawn[..., 1::2], alike)
    judge_share("of pairs of neighbouring sequences is alike", drawn[:, ::2] == drawn[:, 1::2], alike)


def _judge_time(check: Check, masks: Sequence[Mask]) -> None:
    """Raise NonConforming where the mask is not, as declared, the same at all timesteps or drawn anew at each."""
    # Two fresh masks of 2048 numbers agree with a probability of (p^2 + (1 - p)^2)^2048, which is 10^-418.
    for mask in masks:
        same = (mask[:, 1:] == mask[:, :-1]).all((0, 2))
        if is_fixed(check) and not same.all():
            raise NonConforming(
                f"the mask of timestep {int(same.argmin()) + 1} is another than that before it, "
                "but should be the same: the adapter declares a fixed one"
            )
        if not is_fixed(check) and same.any():
            raise NonConforming(
                f"the mask of timestep {int(same.argmax()) + 1} is that before it, but should be another: "
                "the adapter declares a fresh one"
            )


@pytest.mark.clause("13.6", "13.7", modes="main", dtypes=FLOAT32, thrifty=())
def test_seeds(check: Check) -> None:
    """The same seed drops the same numbers, another seed others, and none is dropped in the call thereafter."""
    for network in _identities(check, (0.5, 0.25)):
        check.example(partial(_judge_seeds, check, network))


@pytest.mark.clause("12.1", "13.6", "13.7", modes="main", dtypes=FLOAT32, thrifty=())
def test_seeds_in_every_way(check: Check) -> None:
    """In each further way to run a model, a seed drops what it drops, and nothing is dropped in the call thereafter."""
    for network, _, facts in in_every_way(check, kinds_of_dropout(check)[:1]):
        check.example(partial(_judge_seeds, check, network), **facts)


def _judge_seeds(check: Check, network: GuardedNetwork) -> bool:
    x = np.random.default_rng(check.seed).uniform(1, 2, (_BATCH, _TIMESTEPS, UNITS)).astype(check.dtype)
    before = network.run(x).outputs.copy()
    first, other, again = (network.ask("run_training", x, check.seed + seed).outputs.copy() for seed in (0, 1, 0))
    same_bits("outputs of a second call in training", again, first, "the seed is the same")
    if (first == other).all():
        raise NonConforming("two calls in training give the same outputs, but should not: their seeds differ")
    same_bits("outputs after a call in training", network.run(x).outputs, before, "it is a call outside training")
    return bool((first != before).any())


@pytest.mark.clause("13.3", "13.4", modes="main", dtypes=FLOAT32, thrifty=())
def test_rates_together(check: Check) -> None:
    """With both, in each direction, inputs and state are dropped at the rate of each, for each sequence anew."""
    for feature in FEATURES:
        check.requires(feature)
    for network in _identities(check, _RATES):
        check.example(partial(_judge_both, check, network))


_RATES = (0.5, 0.125)


def _identities(check: Check, rates: tuple[float, float]) -> Iterator[GuardedNetwork]:
    """Layers in each direction, with those of both rates that the subject has; W and U are the identity, b is one.

    The bias keeps every state away from zero, so that it shows where one is dropped.
    """
    offered = kinds_of_dropout(check)
    reasons, cell = [], cell_that_shows(check, EXACT)
    directions = ("forward", *(["bidirectional"] if check.offers("bidirectional") else []))
    for direction in directions:
        layer = Layer(UNITS, UNITS, cell, direction=direction)
        for feature, rate in zip(FEATURES, rates, strict=True):
            layer = dropping(layer, feature, rate) if feature in offered else layer
        try:
            network = check.subject.network(Architecture((layer,), dtype=check.dtype, mode=check.mode))
        except Unsupported as reason:
            reasons.append(reason)
            continue
        one = np.eye(UNITS, dtype=check.dtype)
        both = candidate_alone(cell, one, one, np.ones(UNITS, check.dtype))
        network.load(Weights((LayerWeights.of([both] * (1 + layer.is_bidirectional)),)))
        yield network
    if len(reasons) == len(directions):
        raise reasons[0]


def _judge_both(check: Check, network: GuardedNetwork) -> bool:
    """Each h_t is one more than the sum of x_t and h_{t-1}, each of them dropped or divided by one minus its rate."""
    rng = np.random.default_rng(check.seed)
    dropped: list[list[Mask]] = []
    for call in range(_CALLS):
        x = rng.uniform(1, 2, (_BATCH, _TIMESTEPS, UNITS)).astype(check.dtype)
        outputs = network.ask("run_training", x, check.seed + call).outputs.astype(np.float64)
        forward, backward = outputs[..., :UNITS], outputs[..., UNITS:]
        turned = [(x.astype(np.float64), forward)]
        if backward.shape[-1]:
            turned.append((x[:, ::-1].astype(np.float64), backward[:, ::-1]))
        dropped += [[mask for each in turned for mask in _both_masks(check, *each)]]
    # A fixed mask is drawn once for all timesteps, so only one timestep of it counts.
    drawn = [np.stack(masks)[:, :, : 1 if is_fixed(check) else None] for masks in zip(*dropped, strict=True)]
    for k, masks in enumerate(drawn):
        rate, what = _RATES[k % 2], ("inputs", "the state")[k % 2]
        judge_share(f"of {what} is dropped", masks, rate)
        rows = masks.reshape(_CALLS, _BATCH, -1)
        if any(len(np.unique(each, axis=0)) < _BATCH for each in rows):
            raise NonConforming(f"two sequences of a batch have the same mask of {what}, but should have their own")
    # What both directions read may be dropped before either of them; their states are two.
    if len(drawn) > 2 and (drawn[1] == drawn[3]).all():
        raise NonConforming("both directions have the same mask of the state, but should have their own")
    return True


def _both_masks(check: Check, x: Array, h: Array) -> tuple[Mask, Mask]:
    """Where inputs and where the state were dropped, from the second timestep on. Raises NonConforming elsewhere."""
    scales = [(0.0, 1 / (1 - rate)) for rate in _RATES]
    expected = np.stack([a * x[:, 1:] + b * h[:, :-1] + 1 for a, b in product(*scales)])
    which = np.abs(expected - h[:, 1:]).argmin(axis=0)
    wanted = np.take_along_axis(expected, which[np.newaxis], 0)[0]
    bound = (gamma(7, check.precision.unit_roundoff) + gamma(5, 2.0**-53)) * wanted
    check.evidence.add(compare("outputs", h[:, 1:], wanted, bound, check.dtype), None)
    return which < 2, which % 2 == 0
