"""Ways to make pw.x really fail, and the project's own path on which it is run.

A case is a deck and what is done around it: to its files, its command, its process, its disk.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from fireworks_ext.attempts import calculation as path_of_the_project
from fireworks_ext.attempts.calculation import Ended
from fireworks_ext.checkpoints.places import LocalPlace
from fireworks_ext.engines.espresso.engine import Espresso
from fireworks_ext.engines.espresso.program import pw_command
from fireworks_ext.engines.espresso.pw_input import PwInput
from fireworks_ext.engines.espresso.recipes import ESPRESSO_DATA
from fireworks_ext.engines.rehearsal.recordings import FOLDER as RECORDINGS
from fireworks_ext.worker.session import Session
from schemas.checkpoint import Checkpoint
from schemas.profile import Site
from schemas.protocols import Calculation, Command
from schemas.resources import Resources
from schemas.structure import Structure

DECKS = Path(__file__).parent / "decks"
SILENCE_S = 1.0
LOOK_EVERY_S = 0.002
ANY_STRUCTURE = Structure(
    lattice_ang=((3.0, 0.0, 0.0), (0.0, 3.0, 0.0), (0.0, 0.0, 3.0)),
    species=("Si",),
    frac_coords=((0.0, 0.0, 0.0),),
)
"""The decks are written already: the engine is not asked to write one."""

Damage = Callable[[Path], None]


@dataclass(frozen=True)
class Provocation:
    """A deck, and what makes it fail beside what is in it."""

    deck: Path
    cured: Path | None = None
    argv: tuple[str, ...] = ("pw.x", "-in", "pw.in")
    ranks: int = 1
    damage: Damage | None = None
    """What is done to the run directory before the program starts."""
    disk: str | None = None
    """The size of the disk that `out` lies on."""
    signal: int | None = None
    at: str = ""
    """The signal is sent when this has been printed so many times: `text#3`."""
    walltime_min: float = 5.0


class ProvokedEngine(Espresso):
    """The engine itself, but for the deck that it writes and the command that it starts."""

    def __init__(self, provocation: Provocation) -> None:
        self._provocation = provocation

    def inputs(self, calculation: Calculation, directory: Path, site: Site) -> None:
        """Lay the deck down, and damage what is to be damaged."""
        lay_down(self._provocation.deck, directory)
        if self._provocation.damage is not None:
            self._provocation.damage(directory)

    def command(self, calculation: Calculation, site: Site) -> Command:
        """Return the command of the case."""
        command = pw_command(site, ranks=self._provocation.ranks)
        return replace(command, argv=self._provocation.argv, silence_s=SILENCE_S)


def lay_down(deck: Path, directory: Path) -> None:
    """Make a directory in which a deck can be run."""
    directory.mkdir(exist_ok=True)
    shutil.copyfile(deck, directory / "pw.in")
    if not (directory / "pseudo").exists():
        (directory / "pseudo").symlink_to(ESPRESSO_DATA)


def run_directly(deck: Path, directory: Path) -> int:
    """Run a deck with nothing around it."""
    lay_down(deck, directory)
    with (directory / "pw.out").open("wb") as out, (directory / "pw.err").open("wb") as err:
        return subprocess.run(
            ("pw.x", "-in", "pw.in"),
            cwd=directory,
            stdout=out,
            stderr=err,
            env={**os.environ, **pw_command(Site(), ranks=1).environment},
            check=False,
        ).returncode


def halve(name: str, *, after: Path | None = None) -> Damage:
    """Return what cuts a file in half: a pseudopotential, or one that an earlier run left."""

    def damage(directory: Path) -> None:
        if after is not None:
            deck = (directory / "pw.in").read_bytes()
            assert run_directly(after, directory) == 0
            (directory / "pw.in").write_bytes(deck)
            (directory / "pw.out").unlink()
            (directory / "pw.err").unlink()
        file = directory / name
        if file.parent.is_symlink():
            file.parent.unlink()
            shutil.copytree(ESPRESSO_DATA, file.parent)
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])

    return damage


def recorded(name: str) -> Provocation:
    """Return the case of a recording: its decks, run again."""
    folder = RECORDINGS / name
    how: dict[str, Any] = json.loads((folder / "recording.json").read_text())["how"]
    cured = folder / "cured" / "pw.in"
    argv = tuple(how.get("argv", Provocation.argv))
    limits = {"RLIMIT_DATA": "--data", "RLIMIT_FSIZE": "--fsize"}
    for limit, value in how.get("limit", {}).items():
        argv = ("prlimit", f"{limits[limit]}={value}", *argv)
    damaged = how.get("damaged")
    earlier = cured if damaged and not damaged.startswith("pseudo/") else None
    return Provocation(
        deck=folder / "failed" / "pw.in",
        cured=cured if cured.is_file() else None,
        argv=argv,
        ranks=int(argv[argv.index("-n") + 1]) if "-n" in argv else 1,
        damage=halve(damaged, after=earlier) if damaged else None,
        disk=how.get("disk"),
        signal=how.get("signal"),
        at=how.get("at", ""),
    )


@dataclass
class Bench:
    """Runs cases, each in a directory of its own."""

    root: Path
    session: Session = field(init=False)

    def __post_init__(self) -> None:
        self.session = Session(database=None, site=Site(), artefacts=None)  # type: ignore[arg-type]

    def case(self, deck: str, **how: Any) -> Provocation:
        """Return a case of a deck of this folder."""
        cured = DECKS / f"{deck}.cured.in"
        return Provocation(DECKS / f"{deck}.in", cured if cured.is_file() else None, **how)

    def recorded(self, name: str) -> Provocation:
        """Return the case of a recording."""
        return recorded(name)

    def halved(self, name: str, *, after: str) -> Damage:
        """Return what cuts a file in half that a run of another deck left."""
        return halve(name, after=DECKS / f"{after}.in")

    def run_directly(self, deck: Path, directory: Path) -> int:
        """Run a deck with nothing around it."""
        return run_directly(deck, directory)

    def run(self, provocation: Provocation, *, earlier: Path | None = None) -> tuple[Ended, Path]:
        """Run a case as a worker does: inputs, custodian with the engine's handlers, parser."""
        directory = self.root / f"attempt-{len(list(self.root.iterdir()))}"
        directory.mkdir()
        task = PwInput.read(provocation.deck).calculation
        resources = Resources(walltime_min=provocation.walltime_min)
        with _disk(directory / "out", provocation.disk), _signal(directory, provocation):
            ended = path_of_the_project.run(
                ProvokedEngine(provocation),
                Calculation(task, ANY_STRUCTURE, None, resources),
                directory,
                self.session,
                policy=Checkpoint(),
                place=LocalPlace(directory / "checkpoints"),
                earlier=[earlier] if earlier else [],
            )
        return ended, directory


@contextmanager
def _disk(folder: Path, size: str | None) -> Iterator[None]:
    """Put a folder on a small disk of its own; what it holds afterwards stays."""
    if size is None:
        yield
        return
    folder.mkdir(parents=True)
    mount = ("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted by this user")
    try:
        yield
    finally:
        shutil.copytree(folder, folder.with_name("held"))
        subprocess.run(("umount", str(folder)), check=True)
        folder.rmdir()
        folder.with_name("held").rename(folder)


@contextmanager
def _signal(directory: Path, provocation: Provocation) -> Iterator[None]:
    """Send a signal to the first program that prints a text in the directory so often."""
    if provocation.signal is None:
        yield
        return
    text, _, times = provocation.at.partition("#")
    done = threading.Event()

    def watch() -> None:
        while not done.wait(LOOK_EVERY_S):
            try:
                printed = (directory / "pw.out").read_text(errors="replace")
            except OSError:
                continue
            if printed.count(text) >= int(times or 1):
                for child in psutil.Process().children(recursive=True):
                    if child.name() == "pw.x" and child.cwd() == str(directory):
                        child.send_signal(signal.Signals(provocation.signal or 0))
                        done.set()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
        assert done.is_set(), "the program ended before the signal was sent"
    finally:
        done.set()
        watcher.join()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Return what runs cases."""
    root = tmp_path / "runs"
    root.mkdir()
    return Bench(root)
