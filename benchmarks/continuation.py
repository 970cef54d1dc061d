"""What a kill costs: relaxations killed at random moments and continued, against undisturbed ones.

Run it with `python benchmarks/continuation.py [KILLS] [TASK ...]` (10 kills of `relax` and of
`vc-relax` unless said otherwise: about fifteen minutes on one core). Each run is ended by SIGKILL
once, at a moment drawn from a seed, and goes on through the engine's continuation as a worker
does it. What else the machine does slows a core down, so undisturbed runs are measured in between,
and the ratio is to those before and after; the ratio of scf iterations, the lost ones counted, is
printed beside it. It ends with exit code 1 when the median of the CPU time is above 1.15 of the
undisturbed run's, or a result differs by more than 1e-5 eV per atom or 1e-3 angstrom in a lattice
vector.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from fireworks_ext.engines.espresso import plugin
from fireworks_ext.engines.espresso.continuation import PwContinuation
from fireworks_ext.engines.espresso.log import STDOUT
from schemas.failure import Failure
from schemas.profile import Site
from schemas.protocols import Calculation, Command
from schemas.result import Result
from schemas.structure import Structure, Vector

LARGEST_MEDIAN_RATIO = 1.15
LARGEST_ENERGY_DIFFERENCE_EV = 1e-5
LARGEST_LATTICE_DIFFERENCE_ANG = 1e-3
LEAST_IONIC_STEPS = 15
KILLS = 10
KILLS_BETWEEN = 3
"""Between two measurements of the undisturbed run."""
SEED = 20
WALLTIME_S = 3600.0

LATTICE_ANG = 5.43
LARGEST_DISPLACEMENT = 0.025  # of the lattice constant
SITES: tuple[Vector, ...] = (
    *((0.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)),
    *((0.25, 0.25, 0.25), (0.25, 0.75, 0.75), (0.75, 0.25, 0.75), (0.75, 0.75, 0.25)),
)


@dataclass(frozen=True)
class Run:
    """A relaxation that has ended: its result, CPU time and scf iterations of all its programs."""

    result: Result
    cpu_s: float
    iterations: int


def distorted_silicon() -> Structure:
    """Return the cubic cell of eight atoms, each moved away from its site, without symmetry."""
    rng = random.Random(SEED)
    a = LATTICE_ANG
    shift = LARGEST_DISPLACEMENT
    moved = [[x + rng.uniform(-shift, shift) for x in site] for site in SITES]
    return Structure(
        lattice_ang=((a, 0.0, 0.0), (0.0, a, 0.0), (0.0, 0.0, a)),
        species=("Si",) * len(SITES),
        frac_coords=tuple((x, y, z) for x, y, z in moved),
    )


def prepare(task: str, directory: Path) -> Command:
    """Write the input of a relaxation; return how it is started."""
    site, structure = Site(), distorted_silicon()
    params = plugin.params.model_validate(
        {
            **plugin.protocol("balanced"),
            "pseudopotentials": "debian-pbe",
            "ecutwfc_ry": 12.0,
            "ecutrho_ry": 48.0,
            "kmesh": (2, 2, 2),
            "smearing": "none",
            "fmax_ev_per_ang": 5e-4,
            "energy_tolerance_ev_per_atom": 1e-6,
            "pressure_tolerance_gpa": 0.02,
            "conv_thr_ry_per_atom": 1e-10,
        }
    )
    resolved = plugin.resolve(structure, task, params, site)
    resources = plugin.resources(structure, task, resolved)
    calculation = Calculation(task, structure, resolved, resources)
    directory.mkdir()
    plugin.inputs(calculation, directory, site)
    return plugin.command(calculation, site)


def start(command: Command, directory: Path, kill_after_cpu_s: float | None = None) -> float:
    """Run the program, ended by SIGKILL after some CPU time if asked; return its CPU seconds."""
    PwContinuation().limit(directory, WALLTIME_S)
    with (directory / command.stdout).open("w") as out, (directory / command.stderr).open("w") as e:
        process = subprocess.Popen(
            command.argv,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=e,
            env={**os.environ, **command.environment},
        )
    ended = threading.Event()
    killer = threading.Thread(target=_kill, args=(process.pid, kill_after_cpu_s, ended))
    killer.start()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # its id stays its own until wait4
    ended.set()
    killer.join()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime


def _kill(pid: int, after_cpu_s: float | None, ended: threading.Event) -> None:
    """Kill a process once it has used some CPU time: wall time depends on what else runs."""
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    while after_cpu_s is not None and not ended.wait(0.005):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        if (int(fields[11]) + int(fields[12])) / ticks_per_s >= after_cpu_s:
            os.kill(pid, signal.SIGKILL)
            return


def finished(task: str, *directories: Path, cpu_s: float) -> Run:
    """Return what the last run directory holds, and what all of them took."""
    outcome = plugin.parse(task, directories[-1])
    if isinstance(outcome, Failure):
        sys.exit(f"{task}: {outcome}")
    printed = ((directory / STDOUT).read_text(errors="replace") for directory in directories)
    return Run(outcome, cpu_s, sum(text.count("iteration #") for text in printed))


def undisturbed(task: str, directory: Path) -> Run:
    """Run a relaxation to its end."""
    command = prepare(task, directory)
    return finished(task, directory, cpu_s=start(command, directory))


def killed_and_continued(task: str, folder: Path, kill_after_cpu_s: float) -> tuple[Run, str]:
    """Run, kill, continue in another run directory; return the run and from where it went on."""
    first, second = folder / "1", folder / "2"
    folder.mkdir()
    command = prepare(task, first)
    cpu_s = start(command, first, kill_after_cpu_s)
    prepare(task, second)
    continuation = PwContinuation()
    problem = continuation.problem(first)
    if problem is None:
        words = continuation.restart(first, second)
    else:
        words = continuation.last_structure(first, second) or f"the beginning: {problem}"
    return finished(task, first, second, cpu_s=cpu_s + start(command, second)), words


def differences(run: Run, reference: Run) -> tuple[float, float]:
    """Return the differences in energy (eV per atom) and lattice (angstrom)."""
    a, b = run.result.structure, reference.result.structure
    name = "energy_ev_per_atom"
    energies = [one.result.values[name] for one in (run, reference)]
    x, y = (float(str(energy)) for energy in energies)
    if a is None or b is None:
        sys.exit("a relaxation without a structure")
    lattice = max(
        abs(u - v)
        for ours, theirs in zip(a.lattice_ang, b.lattice_ang, strict=True)
        for u, v in zip(ours, theirs, strict=True)
    )
    return abs(x - y), lattice


def measure(task: str, kills: int, folder: Path) -> bool:
    """Print a table for one task; tell whether all bars are met."""
    reference = before = undisturbed(task, folder / "undisturbed")
    steps = int(str(reference.result.values["ionic_steps"]))
    print(f"{task}: undisturbed {reference.cpu_s:.1f} CPU s, {steps} ionic steps", flush=True)
    rng = random.Random(SEED)
    ratios, changes = [], []
    for first in range(0, kills, KILLS_BETWEEN):
        runs = []
        for number in range(first, min(first + KILLS_BETWEEN, kills)):
            moment = rng.random()
            at_s = moment * before.cpu_s
            runs.append((moment, *killed_and_continued(task, folder / f"kill-{number}", at_s)))
        after = undisturbed(task, folder / f"undisturbed-{first}")
        for moment, run, words in runs:
            changes.append(differences(run, reference))
            ratios.append(2 * run.cpu_s / (before.cpu_s + after.cpu_s))
            print(
                f"  killed at {moment:4.0%}  CPU {ratios[-1]:5.3f}  "
                f"iterations {run.iterations / reference.iterations:5.3f}  "
                f"{changes[-1][0]:.1e} eV/atom  {changes[-1][1]:.1e} A  from {words}",
                flush=True,
            )
        before = after
    energy, lattice = (max(column) for column in zip(*changes, strict=True))
    print(
        f"  median ratio {median(ratios):.3f} (bar {LARGEST_MEDIAN_RATIO}), largest difference "
        f"{energy:.1e} eV/atom (bar {LARGEST_ENERGY_DIFFERENCE_EV:.0e}), "
        f"{lattice:.1e} A (bar {LARGEST_LATTICE_DIFFERENCE_ANG:.0e})",
        flush=True,
    )
    return (
        steps >= LEAST_IONIC_STEPS
        and median(ratios) <= LARGEST_MEDIAN_RATIO
        and energy <= LARGEST_ENERGY_DIFFERENCE_EV
        and lattice <= LARGEST_LATTICE_DIFFERENCE_ANG
    )


def main(arguments: list[str]) -> int:
    """Measure; return the exit code."""
    kills = int(arguments[0]) if arguments else KILLS
    tasks = arguments[1:] or ["relax", "vc-relax"]
    with tempfile.TemporaryDirectory() as folder:
        met = []
        for task in tasks:
            (Path(folder) / task).mkdir()
            met.append(measure(task, kills, Path(folder) / task))
    return int(not all(met))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
