import subprocess

import pytest

from launchers.local.cores import CoreClaim


def claim(folder, count=1, cores=(0, 1, 2)):
    return CoreClaim(folder, cores, count)


def test_claims_take_free_cores_and_never_share_one(tmp_path):
    first, second, third = claim(tmp_path), claim(tmp_path, 2), claim(tmp_path)
    assert first.try_take()
    assert second.try_take()
    assert (first.cores, second.cores) == ((0,), (1, 2))
    assert not third.try_take()
    first.release()
    assert third.try_take()
    assert third.cores == (0,)
    second.release()
    third.release()


def test_a_claim_that_gets_too_few_cores_holds_none(tmp_path):
    one, two, rest = claim(tmp_path), claim(tmp_path, 3), claim(tmp_path, 2)
    assert one.try_take()
    assert not two.try_take()
    assert two.cores == ()
    assert rest.try_take()
    one.release()
    rest.release()


def test_a_program_that_inherited_the_locks_keeps_the_core(tmp_path):
    owner, other = claim(tmp_path, cores=[0]), claim(tmp_path, cores=[0])
    assert owner.try_take()
    with subprocess.Popen(["sleep", "60"], pass_fds=owner.descriptors) as program:
        owner.release()
        assert not other.try_take()
        program.kill()
    assert other.try_take()
    other.release()


def test_waiting_for_cores_ends_when_asked_to(tmp_path):
    owner, other = claim(tmp_path, 3), claim(tmp_path)
    assert owner.try_take()
    answers = iter([False, False, True])
    assert not other.take(give_up=lambda: next(answers))
    owner.release()
    assert other.take(give_up=lambda: False)
    other.release()


@pytest.mark.parametrize("lost", ["core-0.lock", "claim.lock"])
def test_a_deleted_lock_file_is_made_anew(tmp_path, lost):
    first = claim(tmp_path, cores=[0])
    assert first.try_take()
    first.release()
    (tmp_path / lost).unlink()
    assert first.try_take()
    first.release()
