"""The engine: espresso's own params, decks, handlers, recognition and parser, another program.

A rehearsal is never a calculation: what it prints was recorded elsewhere, of other atoms, and its
energies and gaps are made up.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from fireworks_ext.engines.espresso.engine import Espresso
from fireworks_ext.engines.espresso.pw_input import PwInput
from fireworks_ext.engines.espresso.tasks import SINGLE_RUNS
from fireworks_ext.engines.espresso.wording import SAME_QUANTITY
from fireworks_ext.engines.rehearsal import family
from fireworks_ext.engines.rehearsal.fate import Fate, fate, planted, spared
from fireworks_ext.engines.rehearsal.params import RehearsalParams
from fireworks_ext.engines.rehearsal.program.play import NOTHING, PLAYED, SCRIPT
from fireworks_ext.engines.rehearsal.recordings import recordings
from schemas.failure import Failure
from schemas.model import JsonValue, Model
from schemas.profile import Code, Site
from schemas.protocols import Calculation, Command, Finding
from schemas.resources import Resources
from schemas.result import Result
from schemas.structure import Structure

PROGRAM = Path(__file__).with_name("program") / "start.py"
SILENCE_S = 2.0
"""A rehearsal that prints nothing for so long hangs: it prints all the time otherwise."""
LONGEST_RECORDED_S = 5.0
"""A recorded run may have printed all that it did at once, at its end."""
DECK = "pw.in"
ABOUT = "A rehearsal: recorded outputs of pw.x are replayed, and nothing is computed."


class Rehearsal(Espresso):
    """A rehearsal of pw.x: recorded runs with failures at chosen rates, and real recovery."""

    params: type[Model] = RehearsalParams

    def tasks(self) -> tuple[str, ...]:
        """Return the tasks that runs were recorded of."""
        return SINGLE_RUNS

    def resolve(self, structure: Structure, task: str, params: Any, site: Site) -> Any:
        """Return params with cutoffs, valences and moments of the pretended family filled in."""
        return super().resolve(structure, task, _pretending(params), stage(site))

    def physics(self, task: str, params: Any) -> dict[str, JsonValue]:
        """Return what decides the outcome: that of espresso, the seed and the failures."""
        shares: dict[str, JsonValue] = dict(sorted(params.failures.items()))
        what: dict[str, JsonValue] = {
            "failures": shares,
            "again": params.again,
            "seed": params.rehearsal_seed,
        }
        return super().physics(task, params) | {"rehearsal": what}

    def files(self, structure: Structure, params: Any, site: Site) -> dict[str, str]:
        """Return element -> SHA-256 of its pretended pseudopotential."""
        return super().files(structure, _pretending(params), stage(site))

    def resources(self, structure: Structure, task: str, params: Any) -> Resources:
        """Return espresso's guess on one core: more make a rehearsal no faster."""
        guess = super().resources(structure, task, params)
        return guess.model_copy(update={"cores": 1})

    def work(self, structure: Structure, task: str, params: Any) -> float:  # noqa: ARG002  (all alike)
        """Return the same for all: a rehearsal takes the time of its recording."""
        return 1.0

    def inputs(self, calculation: Calculation, directory: Path, site: Site) -> None:
        """Write espresso's deck, what is to be played, and the keywords that it fails with."""
        params = _pretending(calculation.params)
        super().inputs(replace(calculation, params=params), directory, stage(site))
        happens = self._happens(replace(calculation, params=params))
        changes = _plant(happens, directory / DECK, calculation.protected)
        script = _script(calculation, happens, directory) | {"planted": changes}
        text = json.dumps({"about": ABOUT} | script, indent=1) + "\n"
        (directory / SCRIPT).write_text(text, encoding="utf-8")

    def programs(self, site: Site) -> tuple[str, ...]:
        """Return the Python interpreter: there is no pw.x in a rehearsal."""
        return super().programs(stage(site))

    def command(self, calculation: Calculation, site: Site) -> Command:
        """Return how the program is started: with the flags of pw.x, and those it fails with."""
        pretended = replace(calculation, params=_pretending(calculation.params))
        happens = self._happens(pretended)
        flags = [flag for one in happens.failures for flag in _flags(one.recording)]
        command = super().command(pretended, stage(site, tuple(flags)))
        slowest_s = LONGEST_RECORDED_S * pretended.params.time_scale
        return replace(command, silence_s=SILENCE_S + slowest_s)

    def parse(self, task: str, directory: Path) -> Result | Failure:
        """Return what the recorded outputs say, named as a rehearsal."""
        outcome = super().parse(task, directory)
        if isinstance(outcome, Failure):
            return outcome
        return outcome.model_copy(update={"program": f"rehearsal ({outcome.program} recorded)"})

    def diagnose(self, directory: Path) -> tuple[Failure, ...] | None:
        """Return what went wrong in a rehearsal; None for directories of real runs."""
        return super().diagnose(directory) if (directory / SCRIPT).is_file() else None

    def examine(self, site: Site) -> list[Finding]:  # noqa: ARG002  (all of it is built in)
        """Return how much there is to rehearse with."""
        return [Finding("rehearsal", "ok", f"{len(recordings())} recorded runs, built in")]

    def _happens(self, calculation: Calculation) -> Fate:
        """Return what happens to a calculation with what it was given."""
        structure, task, params = calculation.structure, calculation.task, calculation.params
        guess = self.resources(structure, task, params)
        happens = fate(structure, task, params)
        met = tuple(
            one for one in happens.failures if not spared(one, calculation.resources, guess)
        )
        return happens.model_copy(update={"failures": met})


def stage(site: Site, flags: tuple[str, ...] = ()) -> Site:
    """Return a site whose pw.x is the rehearsal's program, without MPI."""
    code = Code(
        command=sys.executable,
        flags=("-I", "-S", str(PROGRAM), *flags),
        mpi=(),
        environment=site.codes["pw"].environment if "pw" in site.codes else {},
    )
    folders = (family.family_folder(),)
    return site.model_copy(update={"codes": {"pw": code}, "pseudopotentials": folders})


def _pretending(params: Any) -> RehearsalParams:
    changed: RehearsalParams = params.model_copy(update={"pseudopotentials": family.FAMILY})
    return changed


def _plant(happens: Fate, deck: Path, protected: tuple[str, ...]) -> dict[str, JsonValue]:
    """Give a deck the keywords that the recorded one failed with; return them."""
    found = PwInput.read(deck)
    changes: dict[str, JsonValue] = {}
    for keyword, value in planted(happens.failures):
        if keyword in spelt_out(protected):
            continue
        changes[keyword] = value
        if value is None:
            found.unset(keyword)
        else:
            found.set(keyword, value)
    if changes:
        found.write(deck)
    return changes


def spelt_out(protected: tuple[str, ...]) -> set[str]:
    """Return the keywords that protected params stand for."""
    return {word for name in protected for word in (name.lower(), *SAME_QUANTITY.get(name, ()))}


def _script(calculation: Calculation, happens: Fate, directory: Path) -> dict[str, Any]:
    """Return what the program is to play."""
    structure, params = calculation.structure, calculation.params
    strain = happens.strain if calculation.task == "vc-relax" else 0.0
    script = happens.model_dump(mode="json", exclude={"strain"})
    return script | {
        "task": calculation.task,
        "time_scale": params.time_scale,
        "met_before": _met_before(directory),
        "first": {
            "lattice_ang": structure.lattice_ang,
            "frac_coords": structure.frac_coords,
        },
        "goal_ang": [[x * (1 + strain) for x in vector] for vector in structure.lattice_ang],
    }


def _met_before(directory: Path) -> list[str]:
    """Return the failures that earlier attempts met; their folders are numbered, side by side."""
    met: list[str] = []
    for other in sorted(directory.parent.iterdir()):
        if other.name.isdigit() and other != directory and (other / PLAYED).is_file():
            met += (other / PLAYED).read_text(encoding="utf-8").split()
    return sorted({*met} - {NOTHING})


def _flags(recording: str | None) -> list[str]:
    """Return the flags that a recorded run failed with, as far as a remedy is about them."""
    if recording is None:
        return []
    said = recordings()[recording]
    wanted = dict.fromkeys(cast("str", one["argv"]) for one in said.remedies if "argv" in one)
    found = [flag for flag in wanted if flag in said.argv]
    return [word for flag in found for word in (flag, said.argv[said.argv.index(flag) + 1])]
