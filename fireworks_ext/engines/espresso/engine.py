"""The engine: binds the parts of this package to the protocol of `schemas.protocols`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fireworks_ext.engines.espresso import cost, output, protocols, pseudopotentials, wording
from fireworks_ext.engines.espresso.columns import columns_of
from fireworks_ext.engines.espresso.deck import make_deck, needs_version
from fireworks_ext.engines.espresso.keywords import KEYWORDS
from fireworks_ext.engines.espresso.params import EspressoParams
from fireworks_ext.engines.espresso.physics import is_physics, method, physics
from fireworks_ext.engines.espresso.program import pw_code
from fireworks_ext.engines.espresso.tasks import DOS_STEP, STEPS, TASKS, steps_of
from schemas.columns import Column
from schemas.errors import UserError, suggestion
from schemas.failure import Failure, FailureName
from schemas.model import JsonValue, Model
from schemas.profile import Site
from schemas.protocols import Calculation, Command, Continuation, Finding, Role
from schemas.resources import Resources
from schemas.result import Correction, Result
from schemas.retention import ArtefactClass
from schemas.structure import Structure

if TYPE_CHECKING:
    from custodian.custodian import ErrorHandler

SAME_POSITION_ANG = 1e-3
"""A charge density belongs to a structure when no lattice vector differs by more than this."""
SAME_FRACTION = 1e-4
SILENT_SHARE = 0.05
"""Of its walltime: a run that is silent for less does not hang, its iterations may just be long."""


class Espresso:
    """Quantum ESPRESSO's pw.x: self-consistency, relaxations, bands and densities of states."""

    params: type[Model] = EspressoParams
    physics_version = 1

    artefacts: Mapping[ArtefactClass, tuple[str, ...]] = {
        ArtefactClass.INPUTS: (
            *("pw.in", "deck.json", "command.json"),
            *("spectrum.json", "scf.in", "dos.in"),
        ),
        ArtefactClass.OUTPUTS: (
            *("pw.out", "pw.err", "CRASH", "exit.json", "runs/*/*"),
            *("dos.out", "dos.err", "pwscf.dos"),
            *("out/*.xml", "out/pwscf.save/data-file-schema.xml"),
        ),
        ArtefactClass.CHARGE_DENSITY: ("out/pwscf.save/charge-density.*", "out/pwscf.save/*.txt"),
        ArtefactClass.WAVEFUNCTIONS: ("out/*.wfc*", "out/pwscf.save/wfc*"),
        ArtefactClass.SCRATCH: (
            *("out/*.mix*", "out/*.restart*", "out/*.bfgs", "out/*.update", "out/*.igk*"),
            *("out/*.hub*", "out/*.ews*", "out/pwscf.save/*.UPF", "pseudo/*", "checkpoints/**/*"),
        ),
    }
    """Patterns of the files in a run directory, by class."""

    @property
    def continuation(self) -> Continuation:
        """How runs of pw.x are stopped and continued."""
        from fireworks_ext.engines.espresso.continuation import PwContinuation

        return PwContinuation()

    def tasks(self) -> tuple[str, ...]:
        """Return the names of the tasks."""
        return TASKS

    def protocols(self) -> tuple[str, ...]:
        """Return the names of the protocols."""
        return protocols.NAMES

    def protocol(self, name: str) -> Mapping[str, JsonValue]:
        """Return the params that a protocol sets. Raises UserError for an unknown name."""
        return protocols.protocol(name)

    def twice(self, settings: Mapping[str, Any]) -> list[str]:
        """Return a message for each quantity that one block of a campaign says twice."""
        return wording.twice(settings)

    def roles(self, task: str) -> tuple[Role, ...]:
        """Return the upstream products that a task can use."""
        self._check(task)
        density = Role(
            "charge_density",
            required=False,
            description="Charge density of the same structure to start from.",
        )
        start = Role("structure", required=False, description="The structure to start from.")
        # Bands are those of another cell of the same crystal, see `kpath`.
        return (start,) if task in {"vc-relax", "bands"} else (start, density)

    def provides(self, task: str) -> tuple[str, ...]:
        """Return the roles that a finished task can fill for others."""
        self._check(task)
        if task in STEPS:
            return ()  # their files are of the last run, on other k-points
        # A density belongs to the structure at the end of the stage, where there is another one.
        return ("charge_density",) if task == "scf" else ("structure", "charge_density")

    def keywords(self, task: str) -> tuple[str, ...]:
        """Return pw.x's own keywords, which `protected` may name beside the params."""
        self._check(task)
        return tuple(KEYWORDS)

    def columns(self, task: str) -> tuple[Column, ...]:
        """Return the columns of a task's results."""
        self._check(task)
        return columns_of(task)

    def resolve(self, structure: Structure, task: str, params: Any, site: Site) -> EspressoParams:
        """Return params with cutoffs, valences, moments and fixed atoms filled in."""
        from fireworks_ext.engines.espresso.resolution import resolve

        self._check(task)
        return resolve(structure, params, site, task)

    def physics(self, task: str, params: Any) -> dict[str, JsonValue]:
        """Return what of resolved params decides the result."""
        self._check(task)
        return physics(task, params)

    def method(self, task: str, params: Any) -> dict[str, JsonValue]:
        """Return what of it has to be the same where energies are compared."""
        self._check(task)
        return method(task, params)

    def files(self, structure: Structure, params: Any, site: Site) -> dict[str, str]:
        """Return element -> SHA-256 of its pseudopotential."""
        family = pseudopotentials.load(params.pseudopotentials, site)
        return {element: family.sha256(element) for element in structure.elements}

    def resources(self, structure: Structure, task: str, params: Any) -> Resources:
        """Return a first guess of cores, memory and walltime."""
        return cost.resources(structure, task, params)

    def work(self, structure: Structure, task: str, params: Any) -> float:
        """Return a number proportional to the expected CPU time."""
        return cost.work(structure, task, params)

    def inputs(self, calculation: Calculation, directory: Path, site: Site) -> None:
        """Write deck and pseudopotentials, and fetch the charge density of the stage before."""
        from fireworks_ext.engines.espresso import rundir, spectrum_plan
        from fireworks_ext.engines.espresso.version import version

        settings: EspressoParams = calculation.params
        structure = calculation.structure
        task = steps_of(calculation.task)[0]
        if calculation.task in STEPS:
            structure, settings, plan = spectrum_plan.plan_of(calculation.task, structure, settings)
            spectrum_plan.write_plan(plan, directory)
        family = pseudopotentials.load(settings.pseudopotentials, site)
        density = calculation.upstream.get("charge_density")
        deck = make_deck(
            task,
            structure,
            settings,
            files={element: family.path(element).name for element in structure.elements},
            version=version(site) if needs_version(settings) else None,
            from_density=density is not None,
        )
        if density is not None:
            _check_same_structure(structure, density)
            rundir.fetch_density(density, directory)
        rundir.place_pseudopotentials(deck, family, directory)
        rundir.write_deck(deck, directory)

    def programs(self, site: Site) -> tuple[str, ...]:
        """Return the executable of pw.x; MPI is needed for more than one core only."""
        return (pw_code(site).command,)

    def command(self, calculation: Calculation, site: Site) -> Command:
        """Return how pw.x is started, its ranks spread over k-points first."""
        from fireworks_ext.engines.espresso.parallel import is_hybrid
        from fireworks_ext.engines.espresso.program import pw_command

        ranks = calculation.resources.all_cores
        if ranks <= 1:
            command = pw_command(site, ranks=ranks)
        else:
            structure, settings = self._computed(calculation)
            _, n_bands, n_kpoints = cost.sizes(structure, settings)
            command = pw_command(
                site,
                ranks=ranks,
                n_kpoints=cost.spin_channels(settings) * n_kpoints,
                n_bands=int(n_bands),
                n_planes=cost.n_planes(structure, settings),
                hybrid=is_hybrid(settings.params),
            )
        silence_s = 60 * SILENT_SHARE * calculation.resources.walltime_min
        return replace(command, silence_s=max(command.silence_s, silence_s))

    def next_command(self, calculation: Calculation, directory: Path, site: Site) -> Command | None:
        """Return how the next run of a task of several is started, its input written.

        None: all of them ran, or the last one failed.
        """
        from fireworks_ext.engines.espresso.dos_program import dos_command
        from fireworks_ext.engines.espresso.spectrum_plan import read_plan
        from fireworks_ext.engines.espresso.spectrum_steps import advance, has_run, step_of

        plan = read_plan(directory)
        if plan is None:
            return None
        step: str | None = step_of(directory, plan)
        if has_run(directory, str(step)):
            step = advance(directory, plan)
        if step is None:
            return None
        if step != DOS_STEP:
            return self.command(calculation, site)
        # It prints nothing until it is done.
        return replace(dos_command(site), silence_s=60 * calculation.resources.walltime_min)

    def handlers(self, calculation: Calculation) -> Sequence[ErrorHandler]:
        """Return the handlers of a calculation, cheapest remedy first."""
        from fireworks_ext.engines.espresso.handlers import handlers_for

        self._check(calculation.task)
        task = steps_of(calculation.task)[0]
        return handlers_for(task, calculation.protected, self.continuation)

    def corrections(self, directory: Path) -> tuple[Correction, ...]:
        """Return what recovery changed in a run directory, in order."""
        from fireworks_ext.engines.espresso.handlers import corrections

        return corrections(directory)

    def is_physics(self, task: str, parameter: str) -> bool:
        """Tell whether a change of that field or keyword makes another physics."""
        return is_physics(task, parameter)

    def parse(self, task: str, directory: Path) -> Result | Failure:
        """Return the result of a run directory, or how it failed."""
        from fireworks_ext.engines.espresso.spectra import parse

        return parse(task, directory)

    def diagnose(self, directory: Path) -> tuple[Failure, ...] | None:
        """Return what went wrong in a run directory of pw.x, ph.x or neb.x, the cause first."""
        from fireworks_ext.engines.espresso.recognition import diagnose

        return diagnose(directory)

    @property
    def remedies(self) -> Mapping[FailureName, tuple[str, ...]]:
        """What recovery does about each failure, in words, in the order in which it is tried."""
        from fireworks_ext.engines.espresso.handlers import LADDERS

        return {name: tuple(one.action for one in ladder) for name, ladder in LADDERS.items()}

    def examine(self, site: Site) -> list[Finding]:
        """Return findings about pw.x, MPI and pseudopotentials on this machine."""
        from fireworks_ext.engines.espresso.examine import examine

        return examine(site)

    def _computed(self, calculation: Calculation) -> tuple[Structure, EspressoParams]:
        """Return the cell that is computed, and the params that belong to it."""
        from fireworks_ext.engines.espresso.spectrum_plan import plan_of

        structure, settings = calculation.structure, calculation.params
        if calculation.task not in STEPS:
            return structure, settings
        return plan_of(calculation.task, structure, settings)[:2]

    def _check(self, task: str) -> None:
        if task not in self.tasks():
            raise UserError(f"espresso has no task '{task}'{suggestion(task, self.tasks())}")


def _check_same_structure(structure: Structure, upstream: Path) -> None:
    """Refuse the charge density of another structure: it would be a wrong start, silently."""
    given = output.final_structure(upstream)
    same = given.species == structure.species and all(
        abs(x - y) < limit
        for ours, theirs, limit in (
            (structure.lattice_ang, given.lattice_ang, SAME_POSITION_ANG),
            (structure.frac_coords, given.frac_coords, SAME_FRACTION),
        )
        for u, v in zip(ours, theirs, strict=True)
        for x, y in zip(u, v, strict=True)
    )
    if not same:
        raise UserError(
            f"charge_density: the run in {upstream} is of another structure; name the stage whose "
            "structure this one uses"
        )
