"""What the diagnosis makes of faults that the catalogue does not know; ``python tests/unseen.py`` measures it anew.

The faults were written without a look at the catalogue, and are left as they were then. `KIN` says whose families would
be right for them: a name outside of these is wrong. No name at all is never wrong.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from concurrent.futures import as_completed
from pathlib import Path
from typing import Any
from zlib import crc32

import unseen_calls
import unseen_features
import unseen_gates
from unseen_faults import FAULTS

from rnn_conformance.conformance.explaining.diagnosis import recognise
from rnn_conformance.conformance.mutants.catalogue import digests
from rnn_conformance.conformance.mutants.families import is_astray, told_of
from rnn_conformance.conformance.selftest.diagnosing import first_failure
from rnn_conformance.conformance.selftest.trials import in_processes

MODULES = (unseen_features, unseen_calls, unseen_gates)
"""Whose faults are in FAULTS, too, since they are imported."""

SAVED = Path(__file__).with_suffix(".json")

KIN: Mapping[str, str] = {
    "BiasAtTheFirstStepOnly": "bias-missing",
    "NoUnitSeesItself": "recurrent-kernel-transposed",
    "LastFeatureIsLost": "features-reversed",
    "StateBeforeTheLast": "old-state-kept",
    "ReadsOneAhead": "inputs-one-step-early",
    "BiasAfterTheActivation": "bias-missing",
    "Leaky": "old-state-kept",
    "Centred": "old-state-kept",
    "CentredOverTheBatch": "batch-normalised",
    "EveryOtherStepForgets": "old-state-kept",
    "InitialStateAtEveryStep": "initial-state-ignored",
    "LeCunsTanh": "tanh-is-hard",
    "TanhFromATable": "rough-tanh",
    "ReluLeaks": "relu-stops-at-six",
    "ClippedAtFive": "tanh-stops-short",
    "StateKeptBelowOne": "tanh-stops-short",
    "NoNumberIsZero": "nan-read-as-zero",
    "WeightsDecay": "kernel-reshaped",
    "EightBitKernel": "recurrent-kernel-in-half-precision",
    "ChunksInHalfPrecision": "initial-state-rounded",
    "ProductsOfFourBits": "products-in-half-precision",
    "ForgetsAfterTwentySteps": "wrong-past-step-8",
    "FourRowsOnly": "rows-reversed wrong-past-step-8",
    "EightFeaturesOnly": "wrong-around-8-units features-reversed",
    "OddRowAtTheEnd": "wrong-in-the-last-row",
    "FirstRowStartsAlone": "initial-state-of-one-row",
    "InitialStateThroughTanh": "initial-state-activated",
    "StartsFromAHundredth": "starts-from-ones",
    "FinalStateIsTheMean": "state-before-the-last-step",
    "FinalStateOfTheFirstLayer": "state-of-the-first-layer",
    "StateRunsUpTheStack": "initial-state-of-the-first-layer-only",
    "SecondLayerReadsTheInputs": "upper-layer-one-step-late",
    "StatefulKeepsTheFirstState": "state-of-the-first-call-carried",
    "MaskInverted": "mask-inverted",
    "OneTimestepTooMany": "one-step-too-many",
    "MaskOfTheFirstLayer": "mask-in-the-first-layer-only",
    "PaddingAsZeros": "padding-read-as-zero",
    "MaskOfTheFirstRow": "mask-of-the-first-row",
    "PaddingIsOnes": "padded-outputs-otherwise",
    "BothStartAlike": "initial-states-of-directions-swapped",
    "UnitsInterleaved": "halves-interleaved",
    "BackwardOneLate": "backward-half-not-aligned",
    "BiasOfTheOtherDirection": "bias-missing one-set-of-weights",
    "TokenZeroIsNothing": "token-zero-is-padding",
    "TableScaled": "rows-scaled",
    "RowsDropAlike": "halves-of-the-batch-drop-the-same",
    "NeverFewerThanOne": "dropout-at-the-other-rate",
    "SeedForgotten": "seed-not-used",
    "BiasGradientIsAMean": "bias-gradient-mean",
    "KernelGradientOneAhead": "kernel-gradient-zero",
    "GradientsClipped": "weight-gradients-cut",
    "InitialStateGradientTooEarly": "initial-gradient-without-kernel",
    "InputGradientIsAMean": "input-gradient-of-the-last-step",
    "KernelGradientSymmetric": "recurrent-gradient-transposed",
    "GradientsAddUp": "gradients-add-up",
    "FirstRowTrains": "kernel-gradient-of-one-row",
    "TokensTrainOnce": "token-gradient-overwritten",
    "EveryTenthCallRepeats": "each-fiftieth-call-wrong",
    "InputsAreRounded": "inputs-scaled-in-place",
    "ReadBackInHalf": "weights-read-back-rounded",
    "SecondLoadKeepsTheBias": "bias-stale",
    "OneBufferForStates": "one-buffer-for-all-states",
    "FeaturesRepeated": "missing-features-are-zero",
    "StateOfTheFirstRowForAll": "initial-state-broadcast",
    "SymbolicBatchIsOne": "symbolic-batch-of-one",
    "CountsNoBias": "bias-counted-twice",
    "OutputGateTwice": "output-gate-twice",
    "ForgetsMoreThanItShould": "forget-gate-missing",
    "InputGateAlwaysOpen": "input-gate-missing",
    "CellStateHalvedAtTheStart": "initial-carried-state-ignored",
    "CellStateStartsFromOne": "carried-state-starts-from-ones",
    "CandidateWithoutReset": "reset-gate-missing",
    "UpdateGateTwice": "update-gate-squared",
    "GruForgetsEachTenthStep": "state-of-agru-lost-after-eight-steps",
}


def measure(name: str) -> dict[str, Any]:
    """The first check that a fault fails, and the mutants that the diagnosis finds it to be like."""
    failed = first_failure(FAULTS[name], "default", 0)
    return {"fault": name, "check": failed[1].name if failed else "", "alike": recognise(*failed) if failed else []}


def is_wrong(row: Mapping[str, Any]) -> bool:
    """Whether a name is given that is of none of the families that would be right."""
    return is_astray(told_of(row["alike"]), KIN.get(row["fault"], "").split())


def digest() -> str:
    """Changes with any mutant."""
    return f"{crc32(json.dumps(dict(digests())).encode()):08x}"


def main(jobs: int) -> None:
    """Measure what was not measured on these mutants, `jobs` faults at a time; each is saved as soon as it is known."""
    now, found = digest(), {}
    if SAVED.exists() and (kept := json.loads(SAVED.read_text(encoding="utf-8")))["catalogue"] == now:
        found = {row["fault"]: row for row in kept["faults"] if row["fault"] in FAULTS}
    with in_processes(jobs) as pool:
        for future in as_completed([pool.submit(measure, name) for name in FAULTS if name not in found]):
            row = future.result()
            found[row["fault"]] = row
            told = ", ".join(told_of(row["alike"])) or "no name"
            print(f"{row['fault']}: {row['check']}: {told}{' (WRONG)' if is_wrong(row) else ''}", flush=True)
            saved = {"catalogue": now, "faults": [found[name] for name in FAULTS if name in found]}
            SAVED.write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else os.cpu_count() or 1)
