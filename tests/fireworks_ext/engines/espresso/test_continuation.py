"""Continuing real runs of pw.x that were stopped or killed, and refusing what they left broken."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fireworks_ext.engines.espresso.continuation import PwContinuation
from fireworks_ext.engines.espresso.deck import SAVE_DIRECTORY
from fireworks_ext.engines.espresso.output import XML_FILE
from fireworks_ext.engines.espresso.printed_structure import printed_structures
from fireworks_ext.engines.espresso.pw_input import PwInput
from fireworks_ext.engines.espresso.saved_files import DENSITY, HISTORY_FILE
from fireworks_ext.engines.espresso.units import BOHR_ANG
from schemas.errors import UserError

DENSITY_FILE = f"{DENSITY}.dat"
SAME_ENERGY_RY = 2 * 1e-5 / 13.606
"""For two atoms: 1e-5 eV per atom."""
SAME_LENGTH_ANG = 1e-3
PATIENCE_S = 60.0

SILICON = """&CONTROL
  calculation = '{task}', prefix = 'pwscf', outdir = './out', disk_io = 'low'
  pseudo_dir = '/usr/share/espresso/pseudo', tprnfor = .true., tstress = .true.
  etot_conv_thr = 1d-6, forc_conv_thr = 5d-5
/
&SYSTEM
  ibrav = 0, nat = 2, ntyp = 1, ecutwfc = 12, occupations = 'fixed', nbnd = 8
/
&ELECTRONS
  conv_thr = 1d-9, mixing_beta = {mixing_beta}
/
&IONS
/
&CELL
  press_conv_thr = 0.1
/
ATOMIC_SPECIES
  Si 28.0855 Si.pbe-rrkj.UPF
CELL_PARAMETERS angstrom
  0.05 2.70 2.73
  2.70 0.00 2.80
  2.73 2.69 0.00
ATOMIC_POSITIONS crystal
  Si 0.00 0.00 0.00
  Si 0.27 0.24 0.23
K_POINTS automatic
  {mesh} {mesh} {mesh} 0 0 0
"""
HYDROGEN = """&CONTROL
  calculation = 'relax', prefix = 'pwscf', outdir = './out', disk_io = 'low'
  pseudo_dir = '/usr/share/espresso/pseudo'
/
&SYSTEM
  ibrav = 1, a = 5, nat = 2, ntyp = 1, ecutwfc = 25, ecutrho = 150, nbnd = 2
/
&ELECTRONS
/
&IONS
/
ATOMIC_SPECIES
  H 1.0 H.pbe-kjpaw.UPF
ATOMIC_POSITIONS angstrom
  H 0.0 0.0 0.0
  H 0.9 0.1 0.0
K_POINTS gamma
"""

pytestmark = pytest.mark.pw
continuation = PwContinuation()

Act = Callable[[int], None]


def pw(directory: Path, seen: str | None = None, act: Act | None = None, times: int = 1) -> int:
    """Run pw.x in a directory; act on its process once its output has a text so many times."""
    with (directory / "pw.out").open("wb") as out, (directory / "pw.err").open("wb") as err:
        process = subprocess.Popen(
            ["pw.x", "-in", "pw.in"],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "GFORTRAN_UNBUFFERED_PRECONNECTED": "1",
            },
        )
    until = time.monotonic() + PATIENCE_S
    while act is not None and process.poll() is None and time.monotonic() < until:
        if printed(directory).count(seen or "") >= times:
            act(process.pid)
            break
        time.sleep(0.001)
    return process.wait(PATIENCE_S)


def printed(directory: Path) -> str:
    return (directory / "pw.out").read_text(errors="replace")


def energy_ry(directory: Path) -> float:
    assert "JOB DONE" in printed(directory)
    return float(re.findall(r"!\s+total energy\s+=\s+(\S+) Ry", printed(directory))[-1])


def cell_ang(directory: Path) -> list[float]:
    root = ET.parse(directory / XML_FILE).getroot()  # noqa: S314  (written by pw.x)
    text = [root.findtext(f"output/atomic_structure/cell/a{i}", "") for i in (1, 2, 3)]
    return [float(word) * BOHR_ANG for vector in text for word in vector.split()]


def n_iterations(directory: Path) -> int:
    return printed(directory).count("iteration #")


def n_steps(directory: Path) -> int:
    return printed(directory).count("!    total energy")


def make(directory: Path, text: str) -> Path:
    directory.mkdir(parents=True)
    (directory / "pw.in").write_text(text)
    return directory


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make runs that all tests copy: each undisturbed, and stopped or killed on its way."""
    root = tmp_path_factory.mktemp("runs")
    relax = SILICON.format(task="vc-relax", mixing_beta=0.4, mesh=2)
    scf = SILICON.format(task="scf", mixing_beta=0.1, mesh=4)
    assert pw(make(root / "relax", relax)) == 0
    killed = make(root / "killed", relax)
    assert pw(killed, "iteration #  3", kill, times=6) == -signal.SIGKILL
    assert pw(make(root / "scf", scf)) == 0
    stopped = make(root / "stopped", scf)
    touch = (stopped / continuation.stop_file).touch
    assert pw(stopped, "iteration #  8", lambda _: touch()) == 2
    return root


@pytest.fixture
def attempts(runs: Path, tmp_path: Path) -> Callable[[str], tuple[Path, Path]]:
    """Return an earlier attempt, copied from one of the runs, and the directory of the next."""

    def copy(name: str) -> tuple[Path, Path]:
        earlier = tmp_path / "1"
        shutil.copytree(runs / name, earlier)
        (tmp_path / "2" / "out").mkdir(parents=True)
        deck = "pw.in"
        shutil.copyfile(earlier / deck, tmp_path / "2" / deck)
        return earlier, tmp_path / "2"

    return copy


def test_a_killed_relaxation_goes_on_from_its_last_ionic_step(
    runs: Path, attempts: Callable[[str], tuple[Path, Path]]
) -> None:
    earlier, later = attempts("killed")
    assert continuation.problem(earlier) is None
    assert continuation.restart(earlier, later) == "ionic step 6 of attempt 1"
    assert not (earlier / "out").exists()
    assert pw(later) == 0
    assert energy_ry(later) == pytest.approx(energy_ry(runs / "relax"), abs=SAME_ENERGY_RY)
    assert cell_ang(later) == pytest.approx(cell_ang(runs / "relax"), abs=SAME_LENGTH_ANG)
    assert n_steps(later) < n_steps(runs / "relax")


def test_a_stopped_scf_goes_on_within_its_cycle(
    runs: Path, attempts: Callable[[str], tuple[Path, Path]]
) -> None:
    earlier, later = attempts("stopped")
    assert continuation.problem(earlier) is None
    words = continuation.restart(earlier, later)
    assert re.fullmatch(r"scf iteration ([89]|10) of attempt 1", words)
    assert pw(later) == 0
    assert energy_ry(later) == pytest.approx(energy_ry(runs / "scf"), abs=SAME_ENERGY_RY)
    assert n_iterations(runs / "stopped") + n_iterations(later) <= n_iterations(runs / "scf") + 4


def test_a_run_that_is_stopped_for_a_checkpoint_goes_on_in_place(
    runs: Path, attempts: Callable[[str], tuple[Path, Path]]
) -> None:
    earlier, _ = attempts("stopped")
    (earlier / continuation.stop_file).touch()
    assert continuation.restart(earlier, earlier).startswith("scf iteration")
    assert not (earlier / continuation.stop_file).exists()
    assert pw(earlier) == 0
    assert energy_ry(earlier) == pytest.approx(energy_ry(runs / "scf"), abs=SAME_ENERGY_RY)


def test_a_checkpoint_is_copied_and_stays(
    runs: Path, attempts: Callable[[str], tuple[Path, Path]], tmp_path: Path
) -> None:
    earlier, later = attempts("killed")
    checkpoint = tmp_path / "checkpoints" / "20261121T100000000"
    for path in (path for pattern in continuation.state for path in earlier.glob(pattern)):
        copy = checkpoint / path.relative_to(earlier)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    assert continuation.problem(checkpoint) is None
    words = continuation.restart(checkpoint, later)
    assert words == "ionic step 6 of checkpoint 20261121T100000000"
    assert continuation.problem(checkpoint) is None
    assert pw(later) == 0
    assert energy_ry(later) == pytest.approx(energy_ry(runs / "relax"), abs=SAME_ENERGY_RY)


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def scramble(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(path.stat().st_size))


def zero_the_end(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))


@pytest.mark.parametrize(
    ("run", "file", "damage", "reason"),
    [
        ("killed", XML_FILE, halve, "is cut off or damaged"),
        ("killed", XML_FILE, empty, "is cut off or damaged"),
        ("killed", XML_FILE, scramble, "is cut off or damaged"),
        ("killed", XML_FILE, Path.unlink, "nothing was saved"),
        ("killed", "pw.in", scramble, "no namelist"),
        ("killed", "pw.in", Path.unlink, "cannot be read"),
        ("stopped", DENSITY_FILE, halve, "charge-density.dat is cut off or damaged"),
        ("stopped", DENSITY_FILE, empty, "charge-density.dat is cut off or damaged"),
        ("stopped", DENSITY_FILE, scramble, "charge-density.dat is cut off or damaged"),
        ("stopped", DENSITY_FILE, zero_the_end, "charge-density.dat is cut off or damaged"),
        ("stopped", DENSITY_FILE, Path.unlink, "No such file"),
    ],
)
def test_a_state_that_is_not_whole_has_a_reason(
    attempts: Callable[[str], tuple[Path, Path]],
    run: str,
    file: str,
    damage: Callable[[Path], None],
    reason: str,
) -> None:
    earlier, later = attempts(run)
    damage(earlier / file)
    assert reason in (continuation.problem(earlier) or "")
    with pytest.raises(UserError, match=reason):
        continuation.restart(earlier, later)


@pytest.mark.parametrize(
    ("file", "damage", "words"),
    [
        (DENSITY_FILE, halve, "ionic step 6 of attempt 1"),
        (HISTORY_FILE, halve, "ionic step 6 (without the minimiser's history) of attempt 1"),
        (HISTORY_FILE, scramble, "ionic step 6 (without the minimiser's history) of attempt 1"),
    ],
)
def test_damaged_parts_that_a_relaxation_can_do_without_are_left_out(
    runs: Path,
    attempts: Callable[[str], tuple[Path, Path]],
    file: str,
    damage: Callable[[Path], None],
    words: str,
) -> None:
    earlier, later = attempts("killed")
    damage(earlier / file)
    assert continuation.problem(earlier) is None
    assert continuation.restart(earlier, later) == words
    assert not (later / file).exists()
    assert pw(later) == 0
    assert energy_ry(later) == pytest.approx(energy_ry(runs / "relax"), abs=SAME_ENERGY_RY)


def test_a_history_that_is_ahead_of_the_structure_is_left_out(
    attempts: Callable[[str], tuple[Path, Path]], runs: Path
) -> None:
    """A kill between the two files of a step: pw.x ends with "dE0s is positive" on such a pair."""
    earlier, later = attempts("killed")
    numbers = (earlier / HISTORY_FILE).read_text().split()
    root = ET.parse(earlier / XML_FILE).getroot()  # noqa: S314  (written by pw.x)
    ahead = printed_structures(earlier / "pw.out", PwInput.read(earlier / "pw.in"))[-1]
    assert root.findall("step")
    numbers[:6] = [repr(x) for row in exact_fractions(earlier) for x in row]
    assert [float(x) for x in numbers[:6]] == pytest.approx(
        [x for row in ahead.frac_coords for x in row], abs=1e-8
    )
    (earlier / HISTORY_FILE).write_text(" ".join(numbers))
    assert "without the minimiser's history" in continuation.restart(earlier, later)
    assert pw(later) == 0
    assert energy_ry(later) == pytest.approx(energy_ry(runs / "relax"), abs=SAME_ENERGY_RY)


def exact_fractions(directory: Path) -> list[list[float]]:
    from fireworks_ext.engines.espresso.printed_structure import to_fractions

    root = ET.parse(directory / XML_FILE).getroot()  # noqa: S314  (written by pw.x)
    atoms = root.findall("output/atomic_structure/atomic_positions/atom")
    positions = [[float(x) for x in (atom.text or "").split()] for atom in atoms]
    cell = [
        [float(x) for x in root.findtext(f"output/atomic_structure/cell/a{i}", "").split()]
        for i in (1, 2, 3)
    ]
    return to_fractions(positions, cell)


@pytest.mark.parametrize(
    "file", ["out/pwscf.wfc1", "out/pwscf.mix1", "out/pwscf.restart_scf", "out/pwscf.restart_k"]
)
def test_the_middle_of_an_scf_cycle_is_used_whole_or_not_at_all(
    attempts: Callable[[str], tuple[Path, Path]], file: str
) -> None:
    earlier, later = attempts("stopped")
    halve(earlier / file)
    assert continuation.restart(earlier, later) == "the charge density of attempt 1"
    assert not list(later.glob("out/pwscf.restart*")) + list(later.glob("out/pwscf.mix*"))
    assert (later / "out/pwscf.wfc1").exists() == (file != "out/pwscf.wfc1")


def test_wavefunctions_of_another_number_of_bands_are_left_out(
    attempts: Callable[[str], tuple[Path, Path]],
) -> None:
    earlier, later = attempts("stopped")
    deck = PwInput.read(earlier / "pw.in")
    deck.set("nbnd", 12)
    deck.write(earlier / "pw.in")
    assert continuation.restart(earlier, later) == "the charge density of attempt 1"
    assert not (later / "out/pwscf.wfc1").exists()
    assert pw(later) == 0


def test_an_scf_goes_on_from_the_density_where_the_rest_is_damaged(
    runs: Path, attempts: Callable[[str], tuple[Path, Path]]
) -> None:
    earlier, later = attempts("stopped")
    halve(earlier / "out/pwscf.mix1")
    continuation.restart(earlier, later)
    assert pw(later) == 0
    assert energy_ry(later) == pytest.approx(energy_ry(runs / "scf"), abs=SAME_ENERGY_RY)
    assert n_iterations(later) < n_iterations(runs / "scf")


def test_a_relaxation_with_a_damaged_file_begins_at_the_last_printed_structure(
    runs: Path, attempts: Callable[[str], tuple[Path, Path]]
) -> None:
    earlier, later = attempts("killed")
    saved = cell_ang(earlier)
    halve(earlier / XML_FILE)
    words = continuation.last_structure(earlier, later)
    assert words == "the last structure printed of attempt 1"
    lattice = PwInput.read(later / "pw.in").lattice_ang() or ()
    assert [x for row in lattice for x in row] == pytest.approx(saved, abs=1e-8)
    assert not (later / SAVE_DIRECTORY).exists()
    assert pw(later) == 0
    # Its plane waves are those of another first cell: at this cutoff that is 0.4 meV per atom.
    assert energy_ry(later) == pytest.approx(energy_ry(runs / "relax"), abs=1e-4)
    assert n_steps(later) < n_steps(runs / "relax")


def test_a_relaxation_in_a_fixed_cell_keeps_the_minimisers_history(tmp_path: Path) -> None:
    text = SILICON.format(task="relax", mixing_beta=0.4, mesh=2)
    undisturbed, earlier = make(tmp_path / "0", text), make(tmp_path / "1", text)
    assert pw(undisturbed) == 0
    assert pw(earlier, "iteration #  1", kill, times=4) == -signal.SIGKILL
    halve(earlier / XML_FILE)
    later = make(tmp_path / "2", text)
    words = continuation.last_structure(earlier, later)
    assert words == "the last structure printed and the minimiser's history of attempt 1"
    assert pw(later) == 0
    assert energy_ry(later) == pytest.approx(energy_ry(undisturbed), abs=SAME_ENERGY_RY)
    assert n_steps(later) == n_steps(undisturbed) - 3


def test_the_structure_is_found_in_an_earlier_run_of_the_attempt(
    attempts: Callable[[str], tuple[Path, Path]],
) -> None:
    earlier, later = attempts("killed")
    (earlier / "runs" / "1").mkdir(parents=True)
    shutil.copyfile(earlier / "pw.in", earlier / "runs" / "1" / "pw.in")
    (earlier / "pw.out").rename(earlier / "runs" / "1" / "pw.out")
    (earlier / "pw.out").write_bytes(b"")
    shutil.rmtree(earlier / "out")
    assert continuation.last_structure(earlier, later) == "the last structure printed of attempt 1"
    deck = PwInput.read(later / "pw.in")
    assert deck.get("restart_mode") == "from_scratch"
    assert deck.lattice_ang() != PwInput.read(earlier / "pw.in").lattice_ang()


def test_an_scf_without_its_xml_file_begins_with_the_density(
    runs: Path, attempts: Callable[[str], tuple[Path, Path]]
) -> None:
    earlier, later = attempts("stopped")
    halve(earlier / XML_FILE)
    words = continuation.last_structure(earlier, later)
    assert words == "the beginning, with the charge density of attempt 1"
    assert pw(later) == 0
    assert "initial density is read from file" in printed(later)
    assert energy_ry(later) == pytest.approx(energy_ry(runs / "scf"), abs=SAME_ENERGY_RY)


@pytest.mark.parametrize("stdout", [None, b"", b"\x7fELF\x00\xff" * 1000, b"ATOMIC_POSITIONS (cr"])
def test_a_run_that_printed_no_structure_has_none(
    attempts: Callable[[str], tuple[Path, Path]], stdout: bytes | None
) -> None:
    earlier, later = attempts("killed")
    before = (later / "pw.in").read_bytes()
    (earlier / "pw.out").unlink()
    if stdout is not None:
        (earlier / "pw.out").write_bytes(stdout)
    assert continuation.last_structure(earlier, later) is None
    assert (later / "pw.in").read_bytes() == before


def test_what_handlers_changed_is_taken_along(
    attempts: Callable[[str], tuple[Path, Path]],
) -> None:
    earlier, later = attempts("killed")
    deck = PwInput.read(earlier / "pw.in")
    deck.set("mixing_beta", 0.15)
    deck.write(earlier / "pw.in")
    (earlier / "recovery.json").write_text("[]")
    continuation.restart(earlier, later)
    assert PwInput.read(later / "pw.in").get("mixing_beta") == 0.15
    assert (later / "recovery.json").read_text() == "[]"


def test_corrections_outlive_a_run_that_left_nothing_else(tmp_path: Path) -> None:
    text = SILICON.format(task="scf", mixing_beta=0.15, mesh=2)
    earlier, later = make(tmp_path / "1", text), make(tmp_path / "2", text.replace("0.15", "0.4"))
    assert continuation.last_structure(earlier, later) is None
    (earlier / "recovery.json").write_text("[]")
    assert continuation.last_structure(earlier, later) == "the beginning of attempt 1"
    assert PwInput.read(later / "pw.in").get("mixing_beta") == 0.15


@pytest.mark.parametrize(
    ("keyword", "value", "reason"),
    [
        ("ecutwfc", 14.0, "is of ecutwfc 12 Ry, pw.in of 14 Ry"),
        ("calculation", "relax", "is of the task 'vc-relax', pw.in of 'relax'"),
    ],
)
def test_a_state_of_another_calculation_is_refused(
    attempts: Callable[[str], tuple[Path, Path]], keyword: str, value: float | str, reason: str
) -> None:
    earlier, _ = attempts("killed")
    deck = PwInput.read(earlier / "pw.in")
    deck.set(keyword, value)
    deck.write(earlier / "pw.in")
    assert reason in (continuation.problem(earlier) or "")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [("2.70", "2.75", "of another cell"), ("Si 0.27", "C 0.27", "of other atoms")],
)
def test_a_state_of_another_structure_is_refused(
    attempts: Callable[[str], tuple[Path, Path]], old: str, new: str, reason: str
) -> None:
    earlier, _ = attempts("killed")
    text = (earlier / "pw.in").read_text()
    (earlier / "pw.in").write_text(text.replace(old, new))
    assert reason in (continuation.problem(earlier) or "")


def test_a_density_of_paw_needs_its_occupations(tmp_path: Path) -> None:
    directory = make(tmp_path / "1", HYDROGEN)
    # Killed within the third step, so that the second has been saved.
    assert pw(directory, "iteration #  1", kill, times=3) == -signal.SIGKILL
    later = make(tmp_path / "2", HYDROGEN)
    halve(directory / SAVE_DIRECTORY / "paw.txt")
    assert continuation.restart(directory, later).startswith("ionic step 3")
    assert not (later / DENSITY_FILE).exists()
    assert pw(later) == 0


def test_the_program_stops_by_itself_before_its_walltime_and_goes_on(
    runs: Path, tmp_path: Path
) -> None:
    directory = make(tmp_path / "1", (runs / "scf" / "pw.in").read_text())
    continuation.limit(directory, 1.0)
    assert PwInput.read(directory / "pw.in").get("max_seconds") == 0.5
    began = time.monotonic()
    pw(directory)
    assert "Maximum CPU time exceeded" in printed(directory)
    assert time.monotonic() - began < PATIENCE_S
    assert continuation.problem(directory) is None
    continuation.restart(directory, directory)
    continuation.limit(directory, 3600.0)
    assert PwInput.read(directory / "pw.in").get("max_seconds") == 3420.0
    assert pw(directory) == 0
    assert energy_ry(directory) == pytest.approx(energy_ry(runs / "scf"), abs=SAME_ENERGY_RY)


def test_files_of_single_ranks_go_when_there_are_to_be_other_ranks(
    runs: Path, attempts: Callable[[str], tuple[Path, Path]]
) -> None:
    earlier, later = attempts("stopped")
    continuation.restart(earlier, later)
    same = {"argv": ["pw.x", "-in", "pw.in"]}
    (later / "command.json").write_text(json.dumps(same))
    continuation.limit(later, 100.0)
    assert (later / "out/pwscf.wfc1").exists()
    other = {"argv": ["mpirun", "-n", "2", "pw.x", "-nk", "2", "-in", "pw.in"]}
    (later / "command.json").write_text(json.dumps(other))
    continuation.limit(later, 100.0)
    assert not list(later.glob("out/pwscf.*[0-9]"))
    assert (later / DENSITY_FILE).exists()


@pytest.mark.parametrize("run", ["killed", "stopped"])
def test_nothing_that_is_cut_off_or_scrambled_anywhere_raises(
    attempts: Callable[[str], tuple[Path, Path]], tmp_path: Path, run: str
) -> None:
    earlier, later = attempts(run)
    rng = random.Random(7)
    files = sorted(path.relative_to(earlier) for path in earlier.rglob("*") if path.is_file())
    for number in range(40):
        source = tmp_path / f"damaged-{number}"
        shutil.copytree(earlier, source)
        victim = source / rng.choice(files)
        whole = victim.read_bytes()
        at = rng.randrange(len(whole) or 1)
        end = b"" if rng.random() < 0.5 else rng.randbytes(64) + whole[at:]
        victim.write_bytes(whole[:at] + end)
        if continuation.problem(source) is None:
            assert continuation.restart(source, later)
        else:
            continuation.last_structure(source, later)


@pytest.mark.parametrize(
    ("card", "scale"),
    [("bohr", 2.0 / BOHR_ANG), ("angstrom", 2.0), ("alat", 2.0 / 5.4), ("crystal", 0.5)],
)
def test_printed_positions_are_understood_in_every_unit(
    tmp_path: Path, card: str, scale: float
) -> None:
    deck = PwInput(
        "&CONTROL\n/\n&SYSTEM\n ibrav = 1, a = 5.4, nat = 2, ntyp = 1\n/\n&ELECTRONS\n/\n"
        "ATOMIC_POSITIONS angstrom\n Si 0 0 0\n Si 1 1 1\n"
    )
    (tmp_path / "pw.out").write_text(
        f"CELL_PARAMETERS (alat= {5.4 / BOHR_ANG:.8f})\n  0.740740741 0 0\n  0 0.740740741 0\n"
        "  0 0 0.740740741\n\n"
        f"ATOMIC_POSITIONS ({card})\nSi 0.0 0.0 0.0\nSi {scale:.10f} 0.0 0.0 0 0 1\n\n"
        f"ATOMIC_POSITIONS ({card})\nSi 0.1 0.0 0.0\nSi 0.2 0.0"
    )
    (found,) = printed_structures(tmp_path / "pw.out", deck)
    assert found.frac_coords[1] == pytest.approx([0.5, 0.0, 0.0], abs=1e-7)
    assert found.lattice_ang[0] == pytest.approx([4.0, 0.0, 0.0], abs=1e-7)
