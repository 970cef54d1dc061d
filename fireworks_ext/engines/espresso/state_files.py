"""The files that a run goes on from: brought from where they are, the damaged ones left out."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from fireworks_ext.engines.espresso import dos_program
from fireworks_ext.engines.espresso.deck import OUT_DIRECTORY, SAVE_DIRECTORY
from fireworks_ext.engines.espresso.program import INPUT
from fireworks_ext.engines.espresso.saved_files import (
    DENSITY,
    HISTORY_FILE,
    ITERATION_FILES,
    WAVEFUNCTION_FILES,
)
from fireworks_ext.engines.espresso.saved_state import SavedState
from fireworks_ext.engines.espresso.spectrum_plan import PLAN_FILE
from fireworks_ext.engines.espresso.spectrum_steps import GROUND_STATE_FILE, GROUND_STATE_INPUT

RECOVERY_FILE = "recovery.json"
_OF_STEPS = (PLAN_FILE, GROUND_STATE_FILE, GROUND_STATE_INPUT, dos_program.INPUT)


def fetch_input(source: Path, directory: Path) -> None:
    """Bring the input as handlers left it, and the record of what they changed."""
    if source.resolve() == directory.resolve():
        return
    for name in (INPUT, RECOVERY_FILE, *_OF_STEPS):
        if (source / name).exists():
            shutil.copyfile(source / name, directory / name)


def fetch_state(source: Path, directory: Path, patterns: tuple[str, ...]) -> None:
    """Bring `out`: moved from another attempt, which is a sibling, and copied from elsewhere."""
    if source.resolve() == directory.resolve():
        return
    target = directory / OUT_DIRECTORY
    if source.resolve().parent == directory.resolve().parent:
        shutil.rmtree(target, ignore_errors=True)
        try:
            os.rename(source / OUT_DIRECTORY, target)  # noqa: PTH104  (refuses to copy)
        except OSError:  # another file system after all
            pass
        else:
            return
    aside = directory / f".{OUT_DIRECTORY}.part"
    shutil.rmtree(aside, ignore_errors=True)
    for path in (path for pattern in patterns for path in source.glob(pattern)):
        if path.is_relative_to(source / OUT_DIRECTORY):
            copy = aside / path.relative_to(source / OUT_DIRECTORY)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    shutil.rmtree(target, ignore_errors=True)
    aside.rename(target)


def fetch_parts(source: Path, directory: Path, *, density: bool, history: bool) -> None:
    """Bring nothing of `out` but the parts that are wanted."""
    wanted = [f"{DENSITY}.*", f"{SAVE_DIRECTORY}/*.txt"] if density else []
    wanted += [HISTORY_FILE] if history else []
    aside = directory / f".{OUT_DIRECTORY}.part"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    for path in (path for pattern in wanted for path in source.glob(pattern)):
        copy = aside / path.relative_to(source / OUT_DIRECTORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    shutil.rmtree(directory / OUT_DIRECTORY, ignore_errors=True)
    aside.rename(directory / OUT_DIRECTORY)


def leave_out_damaged(directory: Path, found: SavedState) -> None:
    """Remove what is damaged of a state: without it, the next run only takes longer."""
    if found.density is not None:
        remove(directory, f"{DENSITY}.*", f"{SAVE_DIRECTORY}/*.txt")
    if found.history is not None:
        remove(directory, HISTORY_FILE)
    if found.iteration is None and found.kpoint is None:
        remove(directory, *ITERATION_FILES)
    if not found.wavefunctions and found.kpoint is None:
        remove(directory, WAVEFUNCTION_FILES)


def remove(directory: Path, *patterns: str) -> None:
    """Remove the files of some patterns."""
    for path in (path for pattern in patterns for path in directory.glob(pattern)):
        path.unlink(missing_ok=True)
