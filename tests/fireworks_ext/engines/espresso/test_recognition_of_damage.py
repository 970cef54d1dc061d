"""Files of any content: named failures, never an exception."""

import random
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fireworks_ext.engines.espresso.recognition import diagnose, failures
from fireworks_ext.engines.espresso.recognition.diagnosis import every_finding
from fireworks_ext.engines.espresso.recognition.run import read_run
from schemas.failure import FailureName

RECORDED = Path(__file__).parents[3] / "recorded" / "espresso-6.7"
FILES = ("pw.out", "pw.err", "pw.in", "CRASH", "exit.json", "deck.json")
FRAGMENTS = (
    *(b"Program PWSCF v.6.7 starts", b"Program PHONON v.7.2", b"Program NEB v.7.2 starts on"),
    *(b"%" * 40, b"Error in routine ", b" (1):\n", b"from x : error # 1\n", b"JOB DONE.\n"),
    *(b'bad line in namelist &system: "', b"total energy              = ", b"*" * 20),
    *(b"unit-cell volume          = ", b"new unit-cell volume = ", b"NaN", b"1e999", b"-0.0"),
    *(b"ATOMIC_POSITIONS (crystal)\n", b"CELL_PARAMETERS (alat= x)\n", b"Si 0 0 0\n"),
    *(b"lattice parameter (alat)  = 1.0", b"positions (alat units)\n", b"tau( 1) = ( 0 0 0 )"),
    *(b"Starting magnetic structure\nx\n Si 1\n", b"absolute magnetization    = ", b"\0\xff"),
    *(b"number of electrons       = 0.0", b"number of atoms/cell      = nan", b"1.0D+00"),
    *(b"negative rho (up, down): ", b"integrated charge= 0, expected= 0", b"iteration #  1\n"),
    *(b"Final scf calculation at the relaxed structure", b"force = a b c\n", b"bands (ev):\n\n"),
    *(b"End of self-consistent calculation", b"the Fermi energy is ", b"( 99 q-points)\n"),
    *(b"Fortran runtime error: End of file\n", b"&control calculation='relax' nstep=x/\n"),
    *(b"electron_maxstep=0\n", b"press = x, cell_dofree='", b'{"exit_code": 1e9}', b"\n" * 3),
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.dictionaries(
        st.sampled_from(FILES),
        st.lists(st.one_of(st.sampled_from(FRAGMENTS), st.binary(max_size=12)), max_size=30),
        max_size=5,
    )
)
def test_no_files_raise(tmp_path: Path, content: dict[str, list[bytes]]) -> None:
    shutil.rmtree(tmp_path)
    tmp_path.mkdir()
    for name, parts in content.items():
        (tmp_path / name).write_bytes(b"".join(parts))
    run = read_run(tmp_path)
    if run is not None:
        every_finding(run)


@pytest.mark.parametrize("folder", ["final-scf-above-thresholds", "magnetic-collapse", "ph-grid"])
def test_outputs_with_bytes_changed_and_cut_off_anywhere_raise_nothing(
    folder: str, tmp_path: Path
) -> None:
    chance = random.Random(folder)
    name = "ph.out" if folder.startswith("ph") else "pw.out"
    text = (RECORDED / folder / name).read_bytes()
    for _ in range(60):
        changed = bytearray(text[: chance.randrange(len(text))])
        for _ in range(chance.randrange(40)):
            if changed:
                changed[chance.randrange(len(changed))] = chance.randrange(256)
        (tmp_path / name).write_bytes(bytes(changed))
        found = diagnose(tmp_path)
        assert found is None or failures(tmp_path) or b"JOB DONE." in changed


def test_things_that_are_no_files_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "pw.out").mkdir()
    (tmp_path / "CRASH").mkdir()
    (tmp_path / "pw.in").symlink_to(tmp_path / "nowhere")
    (tmp_path / "out" / "pwscf.save" / "data-file-schema.xml").mkdir(parents=True)
    assert diagnose(tmp_path) is None
    (tmp_path / "deck.json").write_text("{}")
    assert [one.name for one in failures(tmp_path)] == [FailureName.OUTPUT_MISSING]


def test_a_damaged_compressed_output_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    import gzip

    whole = gzip.compress((RECORDED / "good-relax" / "pw.out").read_bytes())
    (tmp_path / "pw.out.gz").write_bytes(whole[: len(whole) // 2])
    assert [one.name for one in failures(tmp_path)] == [FailureName.OUTPUT_INCOMPLETE]
