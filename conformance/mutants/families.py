"""The families of the mutants: what faults have in common that look alike, in a sentence.

A failure that is like several mutants of one family is said to be of that family; one that is like mutants of no common
family is like none of them but by accident. A mutant may be of several families.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from rnn_conformance.conformance.mutants.catalogue import catalogue


@dataclass(frozen=True)
class Family:
    """A sentence on what its mutants have in common. `of` has their names, and ``theme *`` for all of a theme."""

    sentence: str
    of: str

    @cached_property
    def names(self) -> frozenset[str]:
        """The mutants of the family. Raises ValueError for a word that is neither a mutant nor a theme."""
        known = catalogue()
        themes: dict[str, list[str]] = {}
        for name, fault in known.items():
            themes.setdefault(fault.theme, []).append(name)
        found: list[str] = []
        for word in self.of.split():
            if word.endswith("*") and word[:-1] in themes:
                found += themes[word[:-1]]
            elif word in known:
                found.append(word)
            else:
                raise ValueError(f"the family {self.sentence!r} has {word}, which is no mutant and no theme")
        return frozenset(found)


_OF_THEMES = (
    Family(
        "a gradient is not the derivative of what was computed", "gradients* backpropagation* gradients-mean-over-time"
    ),
    Family("where an array lies in memory changes what it means", "memory*"),
    Family("memory or state outlives what it belongs to", "lifetimes*"),
    Family(
        "one way of running a model does something else",
        "ways* ways_seldom* last-output-of-predict-in-single weight-decay-in-training momentum-in-training",
    ),
    Family("dropout is not applied as it should be", "dropout*"),
    Family("what does not fit is accepted, or what fits is refused", "refusals*"),
)

_ACROSS_THEMES = (
    Family("W is not used as it was loaded", "kernel-reshaped rows-of-kernel-reversed features-reversed"),
    Family(
        "U is not used as it was loaded",
        "recurrent-kernel-transposed columns-of-recurrent-kernel-rotated rows-of-recurrent-kernel-swapped "
        "recurrent-kernel-diagonal recurrent-kernel-negated recurrent-kernel-without-negatives "
        "recurrent-kernel-of-the-first-layer recurrent-kernel-in-half-precision fortran-kernel-transposed "
        "small-recurrent-sums-lost state-overwritten-while-it-is-read weights-decay",
    ),
    Family(
        "the bias is not added as it should be",
        "bias-twice bias-missing bias-negated bias-of-its-own bias-of-the-first-layer bias-at-the-first-step-only "
        "bias-after-activation bias-stale mixed-bias-lost reloaded-without-bias bias-broadcast bias-not-trained "
        "weights-read-back-without-bias bias-counted-twice",
    ),
    Family(
        "something is added to the state, or changed in it, that is not in the equation",
        "state-before-recurrent-kernel-activated old-state-kept input-added-to-output units-reversed-in-outputs "
        "first-unit-too-large bias-after-activation state-overwritten-while-it-is-read activation-twice "
        "first-input-lost initial-state-added-to-outputs",
    ),
    Family(
        "numbers that are seldom met are not computed as others are",
        "subnormal-weights-read-as-one subnormal-inputs-are-nan small-recurrent-sums-lost state-near-one-is-one "
        "small-gradients-lost tanh-of-small-numbers-zero",
    ),
    Family(
        "an activation is not the function that it should be",
        "activations* compiled-stack-saturates half-saturates state-near-one-is-one tanh-whatever-is-asked "
        "nan-stops-at-relu activation-twice softsign-for-tanh",
    ),
    Family(
        "timesteps are read or put out in another order",
        "outputs-reversed outputs-one-step-early last-step-repeated single-sequence-reversed inputs-one-step-early "
        "timesteps-shuffled unrolled-one-step-short backward-outputs-otherwise long-backward-outputs-otherwise "
        "backward-half-not-aligned backward-reads-forward mixed-backward-reads-forward upper-layer-reads-other-order "
        "upper-layer-one-step-late every-output-the-same-array mask-one-step-late mask-not-turned",
    ),
    Family(
        "the axes of what is returned are others",
        "time-first outputs-end-to-end batch-of-one-squeezed last-output-with-atime-axis batch-axis-kept "
        "state-with-atime-axis state-of-the-last-layer-only state-of-both-directions-joined batch-and-time-swapped "
        "state-not-returned",
    ),
    Family(
        "the last output or the final state is that of another timestep",
        "first-output-for-last mean-for-last last-output-of-the-padding last-output-of-both-at-the-end "
        "final-state-of-the-padding final-state-of-backward-at-the-end state-before-the-last-step "
        "empty-sequence-ends-at-the-end",
    ),
    Family(
        "a final state is that of another layer, direction or sequence",
        "state-of-the-first-layer states-from-the-top rows-of-state-rotated states-of-directions-swapped "
        "predict-returns-the-first-states states-beyond-the-first-batch rows-carried-in-reverse "
        "final-state-of-the-last-row",
    ),
    Family(
        "the sequences of a batch are mixed up, or reach one another",
        "rows-leak batch-normalised first-row-for-all rows-reversed rows-shuffled batch-and-time-swapped "
        "nan-reaches-other-rows rows-until-the-shortest-ends mask-of-the-first-row predict-with-the-first-mask "
        "predict-from-the-first-state predict-returns-the-first-states predict-drops-the-last-row "
        "wrong-in-the-last-row sequences-beyond-the-first-batch rows-of-state-rotated rows-carried-in-reverse "
        "initial-state-of-one-row final-state-of-the-last-row",
    ),
    Family(
        "it is wrong only at certain sizes, or late",
        "wrong-at-the-first-step wrong-past-step-8 wrong-past-step-32 wrong-past-step-1000 wrong-in-batch-of-one "
        "wrong-in-the-last-row wrong-for-one-unit wrong-for-one-feature wrong-around-8-units wrong-from-31-units "
        "wrong-from-200-units wrong-for-one-timestep last-bit-past-step-250 latches-forget rough-tanh-of-many-units "
        "predict-drops-the-last-row rare* last-of-sixteen-units-alone long-backward-outputs-otherwise",
    ),
    Family(
        "a layer starts from another state than it should",
        "initial-state-ignored initial-state-of-one-row initial-state-of-the-first-layer-only initial-state-activated "
        "initial-state-rounded starts-from-ones starts-from-the-bias first-step-forgets-its-state "
        "state-leaks-between-calls state-never-carried rows-carried-in-reverse state-of-the-first-call-carried "
        "never-reset reset-of-the-first-layer-only bfloat16-forgets-the-initial-state "
        "predict-forgets-the-initial-state predict-from-the-first-state backward-initial-state-ignored "
        "initial-states-of-directions-swapped nan-state-forgotten timesteps-beyond-the-first-call "
        "predict-of-two-batches sum-in-another-order initial-state-added-to-outputs",
    ),
    Family(
        "what is masked is read, or what is valid is not",
        "masks* lengths* batch-of-nothing-ends-in-zeros "
        "backward-reads-the-padding mask-not-turned half-ignores-the-mask compiled-ignores-the-mask "
        "unrolled-backward-masked mask-of-the-first-batch predict-with-the-first-mask mask-ignored-in-gradients "
        "padding-has-gradients lengths-in-abyte",
    ),
    Family(
        "NaN, or what stands in the padding, reaches what it should not",
        "nan-reaches-other-rows nan-reaches-earlier-steps padding-multiplied-by-zero padding-scales-the-row "
        "nan-in-the-padding-reaches-gradients other-path-for-nan-in-the-padding",
    ),
    Family(
        "NaN and infinities are taken for numbers",
        "nan-read-as-zero infinity-read-as-the-largest nan-stops-at-relu nan-state-forgotten",
    ),
    Family(
        "tokens are looked up, or masked, as others",
        "next-token token-zero-is-padding table-reshaped rows-scaled tokens-are-bytes unsigned-tokens-wrap "
        "tokens-of-one-byte-are-floats tokens-in-two-bytes token-one-masked token-zero-not-masked "
        "token-zero-always-masked tokens-up-to-one-masked embedding-not-counted token-gradient-overwritten "
        "token-zero-without-gradient absent-tokens-decay",
    ),
    Family(
        "the directions of a layer are mixed up",
        "directions* directions-multiplied-for-concatenated backward-direction-first mixed-backward-reads-forward "
        "unrolled-backward-masked backward-input-gradient-not-turned backward-weights-without-gradient "
        "mean-not-halved-in-gradients",
    ),
    Family(
        "a layer of a stack reads, or has, what belongs to another",
        "upper-layer-reads-the-last-output upper-layer-reads-the-last-output-if-that-is-returned "
        "upper-layer-one-step-late upper-layer-reads-as-many-as-it-has-units upper-layer-reads-the-forward-half "
        "upper-layer-reads-other-order recurrent-kernel-of-the-first-layer third-layer-skipped "
        "bias-of-the-first-layer second-layer-is-tanh compiled-stack-saturates state-of-the-first-layer "
        "initial-state-of-the-first-layer-only mask-in-the-first-layer-only lower-layers-detached "
        "lower-layers-halved states-from-the-top upper-layers-add-their-inputs",
    ),
    Family(
        "weights are not those that were loaded",
        "weights-stale bias-stale weights-read-back-rounded weights-read-back-transposed "
        "weights-read-back-without-bias weights-aliased weights-decay weights-handed-out one-buffer-for-weights "
        "weights-shared-by-models reloaded-without-bias reloaded-rounded mixed-weights-kept-small "
        "gradients-change-weights compiled-before-training",
    ),
    Family(
        "parameters are not counted as they should be", "bias-counted-twice one-direction-counted embedding-not-counted"
    ),
    Family(
        "a symbolic shape is not that of what comes out",
        "symbolic-batch-of-one symbolic-units-unknown symbolic-last-output-with-time symbolic-width-of-one-direction "
        "symbolic-states-flat symbolic-states-with-time symbolic-timesteps-lost symbolic-batch-lost "
        "symbolic-states-without-batch",
    ),
    Family(
        "numbers are rounded to another type than they should be",
        "precision* initial-state-rounded state-under-amask-rounded predict-in-single trained-in-single "
        "reloaded-rounded weights-read-back-rounded",
    ),
    Family(
        "the last bits are sometimes others",
        "sum-in-parts last-bit-past-step-250 sum-in-another-order padding-scales-the-row "
        "other-path-for-nan-in-the-padding backward-path-by-the-beginning tokens-of-one-byte-are-floats "
        "last-bits-by-chance every-second-call-other-bits first-call-other-bits other-bits-for-strides "
        "other-bits-for-offsets training-other-bits gradients-stay-in-training",
    ),
    Family(
        "a call keeps something of the calls before it",
        "batches* second-call-wrong each-fiftieth-call-wrong after-three-hundred-calls one-gradient-in-two-hundred "
        "every-second-call-other-bits first-call-other-bits gradients-add-up gradients-accumulated "
        "gradients-stay-in-training refused-inputs-counted refused-state-kept seed-not-used "
        "training-leaves-dropout-on state-leaks-between-calls state-of-the-first-call-carried never-reset "
        "weights-stale bias-stale rate-of-the-first-step compiled-before-training",
    ),
    Family(
        "what was given or returned is overwritten",
        "inputs-scaled-in-place initial-state-overwritten weights-decay weights-aliased one-buffer-for-all-calls "
        "one-buffer-for-all-states weights-handed-out one-buffer-for-all-gradients outputs-overwritten-by-gradients "
        "one-buffer-for-weights outputs-overwritten-by-another-model weights-shared-by-models "
        "memory-shared-by-threads every-output-the-same-array",
    ),
    Family("the inputs are normalised", "sequence-centred batch-normalised inputs-clipped inputs-scaled-as-images"),
    Family(
        "backpropagation ends too early",
        "truncated-each-step truncated-each-10-steps truncated-each-100-steps small-gradients-lost "
        "weights-not-moved-near-saturation half-slopes-near-saturation-are-zero lower-layers-detached "
        "lower-layers-halved input-gradient-of-the-last-step bias-gradient-of-the-last-step",
    ),
)

_GATED = (
    Family(
        "a gate of an LSTM, or what becomes of it, is another",
        "lstm_gates* lstm_equation* lstm_projection* input-and-forget-gate-multiplied",
    ),
    Family("a part of an LSTM's state is lost, mixed up or given wrongly", "lstm_states* lstm_time* lstm_masks*"),
    Family("a gate of a GRU, or what becomes of it, is another", "gru_gates* gru_equation* above-another-cell-halved"),
    Family("the state of a GRU is lost, mixed up or given wrongly", "gru_states*"),
    Family("weights of a gated layer are not those that were loaded", "lstm_weights* gru_weights*"),
    Family("a gradient of a gated layer is not the derivative of what was computed", "lstm_gradients* gru_gradients*"),
    Family("a gated layer is not trained, or drops, as it should be", "gated_training* gated_training_steps*"),
    Family("numbers of a gated layer are less accurate than they should be, or cut", "gated_precision*"),
)


@cache
def families() -> tuple[Family, ...]:
    """All of them, the narrowest first."""
    return tuple(sorted([*_ACROSS_THEMES, *_OF_THEMES, *_GATED], key=lambda family: len(family.names)))


def families_of(name: str) -> frozenset[Family]:
    """The families of a mutant."""
    return frozenset(family for family in families() if name in family.names)


def family_of_all(names: Collection[str]) -> Family | None:
    """The narrowest family to which all of these mutants belong; None if they have none in common, or there is none."""
    return next((family for family in families() if names and family.names.issuperset(names)), None)


def told_of(alike: Sequence[str]) -> Sequence[str]:
    """The mutants that are told of where a failure is like all of these: none if they have no family in common."""
    return alike if family_of_all(alike) else []


def is_astray(told: Collection[str], kin: Collection[str]) -> bool:
    """Whether one of the mutants that are told of is of no family of a fault that has those of its `kin`."""
    right = {family for name in kin for family in families_of(name)}
    return any(right.isdisjoint(families_of(name)) for name in told)
