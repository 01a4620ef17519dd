"""One adapter's run within one process: its subject, its budget, its results file, and the evidence beside that."""

from __future__ import annotations

import os
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from rnn_conformance.adapters import registry
from rnn_conformance.adapters.protocol import Unsupported
from rnn_conformance.conformance.cases.profiles import PROFILES
from rnn_conformance.conformance.engine.check import Check, Function
from rnn_conformance.conformance.engine.fingerprints import fingerprints
from rnn_conformance.conformance.engine.pinning import mode_of, pinned
from rnn_conformance.conformance.engine.subject import Subject, SubjectRaised
from rnn_conformance.conformance.engine.verdicts import Kept, Outcome
from rnn_conformance.conformance.explaining.reproducer import reproducer
from rnn_conformance.conformance.explaining.showing import NoReproducer
from rnn_conformance.conformance.judging.comparing import NonConforming
from rnn_conformance.conformance.running.results import REPLAY, REPRODUCERS, WITNESSES, finish, header, journal_path
from rnn_conformance.conformance.running.selection import EVERYTHING, Selection
from rnn_conformance.conformance.running.telling import in_plain_words
from rnn_conformance.conformance.witnesses.deviations import Deviation, known_deviations
from rnn_conformance.conformance.witnesses.item import Item
from rnn_conformance.conformance.witnesses.journal import Journal
from rnn_conformance.conformance.witnesses.witness import Witness, witness_of, write_witness
from rnn_conformance.reference.model.architecture import Architecture, Layer
from rnn_conformance.reference.model.weights import LayerWeights, Weights, direction_shapes
from rnn_conformance.reports.records import records

_PATIENCE = 60.0
"""So many seconds a check goes on after its first failure: what else is wrong is worth no more."""


class Session:
    """Everything that the checks of one run share.

    With a `witness`, its example alone is run, and a script is made of it where `script_of` is a command to tell in it.

    Raises whatever the adapter raises where it does not work at all: when it is loaded, asked to describe itself, or
    given the smallest model there is. That tells a broken adapter from a framework that does not conform.
    """

    def __init__(
        self,
        adapter: str,
        profile: str,
        seed: int,
        seeds: int,
        results: Path | None,
        witness: Witness | None,
        cell: str = "simple_rnn",
        script_of: str = "",
    ) -> None:
        self.adapter = adapter
        self.profile = PROFILES[witness.profile if witness else profile]
        self.witness = witness
        self.cell = witness.cell if witness else cell
        self._seed = witness.seed if witness else seed
        self._seeds = seeds
        self._script_of = script_of
        self._results = results
        # What is known of a cell is known of that alone, and seen again in it.
        known = [] if witness else [d for d in known_deviations() if adapter in d.adapters]
        self._deviations = [d for d in known if d.witness.cell == self.cell]
        self.journal = Journal(journal_path(results) if results else None)
        os.environ.setdefault("JAX_TRACEBACK_FILTERING", "off")  # it shows whether an exception is JAX's (blame.py)
        self._loaded = registry.load(adapter)
        self.subject = Subject(self._loaded)
        _probe(self.subject, self.cell)

    @property
    def is_supervised(self) -> bool:
        """Whether another process can go on with the results file where this one stops."""
        return self._results is not None

    def pairs(self, dtypes: Sequence[str], *, main_only: bool) -> list[tuple[str, str]]:
        """The dtypes and modes in which a check is run."""
        main, *others = self.modes(main_only=main_only)
        if self.witness:
            return [(self.witness.dtype, mode_of(self.witness, [main, *others]))]
        return [(dtype, main) for dtype in dtypes] + [
            (dtype, mode) for dtype in self.profile.other_dtypes for mode in others
        ]

    def modes(self, *, main_only: bool) -> Sequence[str]:
        """The modes in which a check is run, the adapter's main one first."""
        modes = self.subject.description.modes
        return modes[:1] if main_only else modes

    def begin(
        self, planned: Sequence[str], asked: Selection = EVERYTHING, possible: Sequence[str] | None = None
    ) -> set[str]:
        """Write the header of the results file, or read what it has. Returns the checks that remain to be done.

        `asked` is what the run was asked for; `possible` are the planned checks in all dtypes and modes that they have,
        if some were not asked for. A deviation whose witness none of these would run again is recorded as broken.
        """
        if self._results is None:
            return set(planned)
        if not self._results.exists():
            lost = [_complaint(deviation) for deviation in self._without_replay(possible or planned)]
            everything = [*planned, *(record.check for record in lost)]
            description = self.subject.description
            begun = header(self.adapter, self.profile.name, self._seed, everything, description, asked, self.cell)
            records.append(self._results, begun)
            for record in lost:
                self.add(record)
        return set(records.read(self._results).missing)

    def check(self, name: str, dtype: str, mode: str, *, main_only: bool) -> Check:
        """The check of this name."""
        budget = self.profile, self._seed, self._seeds
        check = Check(name, self.subject, dtype, mode, *budget, self.journal, patience=_PATIENCE, cell=self.cell)
        check.modes = self.modes(main_only=main_only)
        return pinned(check, self.witness) if self.witness else check

    def deviations(self, item: Item) -> list[Deviation]:
        """The known deviations that speak of this check."""
        versions = self.subject.description.versions
        return [d for d in self._deviations if d.applies(self.adapter, item.function, versions)]

    def elsewhere(self, item: Item) -> list[Deviation]:
        """The known deviations that speak of this check in other versions: in these they were not looked at."""
        versions = self.subject.description.versions
        return [d for d in self._deviations if d.was_not_looked_at(self.adapter, item.function, versions)]

    def keep(self, item: Item, outcome: Outcome) -> Kept:
        """Write the witness of what failed, and a script of the framework alone, beside the results.

        Of a witness that is run again, write the script alone, if it was asked for.
        """
        if self._results is None or (self.witness and not self._script_of):
            return Kept()
        check, failing = outcome.check, outcome.pin
        if failing is None:
            return Kept()
        witness = witness_of(
            item,
            adapter=self.adapter,
            versions=self.subject.description.versions,
            profile=check.profile.name,
            seed=check.seed,
            cell=check.cell,
            search=failing.search,
            verdict=outcome.verdict,
            message=outcome.message,
            case=outcome.case,
            details=outcome.details,
            computed_in=outcome.failure.computed_in if outcome.failure else "",
        )
        folder, file, replay = self._results.parent, "", self._script_of
        if not self.witness:
            file = write_witness(witness, folder / WITNESSES, outcome.number).relative_to(folder).as_posix()
            replay = f"{REPLAY} {file}"
        if outcome.number:
            return Kept(file, replay=replay)
        try:
            script = reproducer(self._loaded, outcome, witness, replay, tries=bool(self.witness))
        except NoReproducer as reason:
            return Kept(file, no_reproducer=str(reason), replay=replay)
        path = folder / REPRODUCERS / f"{witness.name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(script, encoding="utf-8", errors="replace")
        return Kept(file, path.relative_to(folder).as_posix(), replay=replay)

    def with_fingerprints(self, record: records.CheckRecord, check: Check, function: Function) -> records.CheckRecord:
        """The record with the fingerprints of the check; a soak, a replay and a run without results have none.

        Nor has a check of a cell that the subject has not: what takes the first of its cells would find none.
        """
        if self._results is None or self.witness or self.profile.repeats or not check.cells:
            return record
        try:
            return replace(record, fingerprints=fingerprints(check, function))
        except Exception:  # nothing of the subject's comes here unguarded, so this is an error of the suite
            return replace(record, verdict="broken", message=f"in a frozen example:\n{traceback.format_exc()}")

    def add(self, record: records.CheckRecord) -> None:
        if self._results is not None:
            records.append(self._results, in_plain_words(record))

    def finish(self) -> None:
        """Close the results file, if nothing that was planned is missing."""
        self.journal.close()
        if self._results is not None:
            finish(self._results)

    def _may_leave_out(self, deviation: Deviation, possible: Sequence[str]) -> bool:
        """Whether any of these checks is one that it speaks of, in a dtype that it speaks of."""
        versions = self.subject.description.versions
        return any(
            deviation.applies(self.adapter, name.partition("[")[0].split("::")[-1], versions)
            for name in possible
            if deviation.may_cover({"dtype": {name.partition("[")[2].partition("-")[0]}})
        )

    def _without_replay(self, possible: Sequence[str]) -> list[Deviation]:
        """The deviations whose witness belongs to one of these checks, but is not run again in any dtype and mode."""
        description = self.subject.description
        found = []
        for deviation in self._deviations:
            if self.adapter in deviation.adapters:
                witness = deviation.witness
                function = witness.check.split("::")[-1]
                runs = {name for name in possible if name.split("[")[0] == witness.check}
                modes = [mode for mode in description.modes if any(name.endswith(f"-{mode}]") for name in runs)]
                if (
                    modes
                    and self._may_leave_out(deviation, possible)
                    and deviation.applies(self.adapter, function, description.versions)
                ):
                    again = f"{witness.check}[{witness.dtype}-{mode_of(witness, modes)}]"
                    found += [] if again in runs else [deviation]
        return found


def _complaint(deviation: Deviation) -> records.CheckRecord:
    witness = deviation.witness
    return records.CheckRecord(
        check=f"deviation {deviation.name}",
        title="Each known deviation is seen again",
        clauses=(),
        verdict="broken",
        seconds=0.0,
        message=f"no check of this run runs the witness of {deviation.name!r} again: {witness.check} in "
        f"{witness.dtype}, mode {witness.mode}, is not among them",
    )


def _probe(subject: Subject, cell: str) -> None:
    """Run one unit for one timestep: what raises an exception there is no adapter.

    What is refused, or returned and wrong, is no matter here: it is for the checks to say.
    """
    dtype = next(iter(subject.description.precision))
    description = subject.description
    cells = description.variants_of(cell) or description.variants_of(description.cells[0])
    layer = Layer(1, 1, cells[0])
    weights = LayerWeights({name: np.ones(shape, dtype) for name, shape in direction_shapes(layer).items()})
    try:
        network = subject.network(Architecture((layer,), dtype=dtype, mode=description.modes[0]))
        network.load(Weights((weights,)))
        network.run(np.ones((1, 1, 1), dtype))
    except SubjectRaised:
        raise
    except (NonConforming, Unsupported):
        return
