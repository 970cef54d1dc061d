"""Claims that one process holds many of, without a thread for each."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from fireworks_ext.folders import claims
from fireworks_ext.folders.claims import claim_folder, claimed, holder
from fireworks_ext.processes import Process, this_process

ELSEWHERE = Process(host="another-machine", pid=1, started=1)


def gone() -> Process:
    return this_process().model_copy(update={"started": 1})


def test_of_two_that_claim_a_folder_one_has_it(tmp_path: Path) -> None:
    claim = claim_folder(tmp_path, this_process())
    assert claim is not None
    assert claim.folder == tmp_path
    assert claim.is_ours()
    assert holder(tmp_path) == this_process()
    assert claim_folder(tmp_path, ELSEWHERE) is None


def test_what_is_given_back_is_free_at_once(tmp_path: Path) -> None:
    first = claim_folder(tmp_path, this_process())
    assert first is not None
    first.give_back()
    assert holder(tmp_path) is None
    second = claim_folder(tmp_path, ELSEWHERE)
    assert second is not None
    assert second.path.name == "claim-2"
    assert not first.is_ours()


def test_handed_to_a_process_a_claim_ends_with_it(tmp_path: Path) -> None:
    claim = claim_folder(tmp_path, ELSEWHERE)
    assert claim is not None
    assert claim.hand_to(this_process())
    assert claim_folder(tmp_path, ELSEWHERE) is None
    assert claim.hand_to(gone())
    assert claim_folder(tmp_path, ELSEWHERE) is not None
    assert not claim.hand_to(this_process())


def test_a_claim_lives_as_long_as_it_is_beaten(tmp_path: Path) -> None:
    claim = claim_folder(tmp_path, ELSEWHERE)
    assert claim is not None
    long_ago = time.time() - claims.STALE_S - 5.0
    os.utime(claim.path, (long_ago, long_ago))
    claim.beat()
    assert claim_folder(tmp_path, this_process()) is None
    os.utime(claim.path, (long_ago, long_ago))
    assert claim_folder(tmp_path, this_process()) is not None
    assert not claim.is_ours()


def test_with_its_folder_a_claim_is_lost(tmp_path: Path) -> None:
    folder = tmp_path / "stage"
    folder.mkdir()
    claim = claim_folder(folder, this_process())
    assert claim is not None
    claim.path.unlink()
    folder.rmdir()
    assert not claim.is_ours()
    with pytest.raises(FileNotFoundError):
        claim.beat()
    claim.give_back()
    assert claim_folder(folder, this_process()) is None


def test_claims_of_both_kinds_exclude_each_other(tmp_path: Path) -> None:
    with claimed(tmp_path, this_process()) as ours:
        assert ours
        assert claim_folder(tmp_path, ELSEWHERE) is None
    assert claim_folder(tmp_path, this_process()) is not None
    with claimed(tmp_path, ELSEWHERE) as ours:
        assert not ours


def test_who_tries_many_folders_asks_for_the_time_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = claims.FileSystemClock(tmp_path)
    assert abs(clock.now() - time.time()) < 1.0
    monkeypatch.setattr(claims, "time_of", None)
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        held = claim_folder(folder, ELSEWHERE)
        assert held is not None
        assert claims.claim_after(held, folder, this_process(), now=clock.now) is None
        long_ago = time.time() - claims.STALE_S - 5.0
        os.utime(held.path, (long_ago, long_ago))
        ours = claims.claim_after(held, folder, this_process(), now=clock.now)
        assert ours is not None
        assert ours.number == held.number + 1


def test_a_file_systems_clock_goes_on_and_is_set_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = 100.0, 5000.0
    monkeypatch.setattr(claims.time, "monotonic", lambda: ours)
    monkeypatch.setattr(claims, "time_of", lambda _folder: theirs)
    clock = claims.FileSystemClock(tmp_path)
    assert clock.now() == 5000.0
    ours += claims.ASK_S / 2
    theirs = 9000.0
    assert clock.now() == 5000.0 + claims.ASK_S / 2
    ours += claims.ASK_S / 2
    assert clock.now() == 9000.0
