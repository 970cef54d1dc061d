import os
import shutil
from pathlib import Path

import pytest

from fireworks_ext.engines.espresso import version as version_module
from fireworks_ext.engines.espresso.version import (
    TESTED,
    Version,
    parse_version,
    printed_version,
    version,
)
from schemas.errors import UserError
from schemas.profile import Code, Site


def _program(folder: Path, script: str) -> Site:
    program = folder / "pw.x"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return Site(codes={"pw": Code(command=str(program))})


@pytest.mark.parametrize(
    ("text", "found"),
    [("6.7MaX", (6, 7)), ("7.3.1", (7, 3)), ("7.1rc2", (7, 1)), ("7.5", (7, 5)), ("svn", None)],
)
def test_a_version_is_its_first_two_numbers(text: str, found: tuple[int, int] | None) -> None:
    assert parse_version(text) == found


def test_versions_are_ordered_as_numbers() -> None:
    assert Version(6, 10) > Version(6, 9)
    assert str(Version(7, 1)) == "7.1"


@pytest.mark.pw
@pytest.mark.skipif(shutil.which("pw.x") is None, reason="pw.x is not installed")
def test_the_real_program_says_its_version_under_an_mpi_job_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PMIX_NAMESPACE", "a-job-that-is-not-there")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    assert str(version(Site())) == TESTED


def test_a_program_is_asked_once_and_again_after_it_was_changed(tmp_path: Path) -> None:
    script = (
        f"echo asked >> {tmp_path}/log; echo 'Program PWSCF v.7.3.1 starts on 1Jan2026'; exit 1"
    )
    site = _program(tmp_path, script)
    assert version(site) == (7, 3)
    assert printed_version(site) == "7.3.1"
    assert (tmp_path / "log").read_text().split() == ["asked"]
    os.utime(tmp_path / "pw.x", (1, 1))
    assert version(site) == (7, 3)
    assert (tmp_path / "log").read_text().split() == ["asked", "asked"]


def test_a_program_that_says_no_version_comes_with_advice(tmp_path: Path) -> None:
    site = _program(
        tmp_path, "echo 'error while loading shared libraries: libmkl.so' >&2; exit 127"
    )
    with pytest.raises(UserError, match=r"does not say one.*a library, an MPI launcher, a module"):
        version(site)


def test_a_program_that_is_not_there_comes_with_advice() -> None:
    site = Site(codes={"pw": Code(command="pw-that-nobody-has")})
    assert printed_version(site) is None
    with pytest.raises(UserError, match=r"set codes\.pw\.command"):
        version(site)


def test_a_program_that_waits_for_ever_is_given_up_with_what_it_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version_module, "_PATIENCE_S", 0.3)
    site = _program(tmp_path, "echo 'Program PWSCF v.7.0 starts'; exec sleep 20")
    assert version(site) == (7, 0)
