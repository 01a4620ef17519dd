"""Room in a process: what is not used is dropped, and a process that holds much hands over between two checks."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnn_conformance.adapters.room import Recent, mapped, resident
from rnn_conformance.conformance.running import room


class Network:
    """One that counts how often it was released."""

    def __init__(self) -> None:
        self.released = 0

    def release(self) -> None:
        self.released += 1


def test_what_was_used_last_is_kept() -> None:
    """Of three, the one that was not used for longest is released; used again, it is one of the last."""
    first, second, third = networks = [Network(), Network(), Network()]
    recent = Recent(2)
    for network in (first, second, first, third, second):
        recent.use(network)
    assert [network.released for network in networks] == [1, 1, 0]


def test_share_of_mappings(tmp_path: Path) -> None:
    """Lines of what Linux tells of a process, of so many as it allows; where there is nothing to read, none."""
    (tmp_path / "maps").write_text("7f00-7f01 r--p\n" * 30)
    (tmp_path / "limit").write_text("120\n")
    assert mapped(tmp_path / "maps", tmp_path / "limit") == 0.25
    assert mapped(tmp_path / "maps", tmp_path / "none") == 0
    assert resident(tmp_path / "none") == 0


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell")
def test_bytes_that_are_held() -> None:
    before = resident()
    held = bytearray(b"x" * 2**26)
    assert resident() - before > 2**25
    assert len(held) == 2**26


@pytest.mark.parametrize(("share", "held", "short"), [(0.2, 2**31, False), (0.3, 2**31, True), (0.2, 2**32, True)])
def test_process_hands_over(share: float, held: int, short: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it has a quarter of the mappings that it may have, or three gigabytes."""
    monkeypatch.setattr(room, "mapped", lambda: share)
    monkeypatch.setattr(room, "resident", lambda: held)
    assert room.is_short() == short
