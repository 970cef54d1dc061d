"""The catalogue of failures: what each means, why it happens, and what a person does about it.

How each is recognised in the files of a program, and what is done about it, is said by the engines;
the documentation puts the three together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from schemas.failure import FailureName


@dataclass(frozen=True)
class FailureKind:
    """What is always true of a failure, whatever the program."""

    meaning: str
    likely: str
    """The likely reason, when it is left over after recovery."""
    advice: str
    """What a person does about it; `{name}` stands for the campaign in commands."""
    continues: bool = False
    """The state that the run left is good: a later attempt goes on from it."""


def _machine(meaning: str, likely: str, advice: str) -> FailureKind:
    """Return a kind that says nothing about the calculation itself."""
    return FailureKind(meaning, likely, advice, continues=True)


def _again_with(setting: str) -> str:
    return f"`campaign retry {{name}} --cause {{cause}} --set {setting}`"


_LOOK = "look at it: `campaign logs {name} {candidate} {stage}`"
_AGAIN = "`campaign retry {name} --cause {cause}`"
_GATHERED = f"recovery tried what it could; {_LOOK}"

CATALOGUE: Mapping[FailureName, FailureKind] = MappingProxyType(
    {
        FailureName.SCF_NOT_CONVERGED: FailureKind(
            "Self-consistency was not reached.",
            "wrong starting moments, fixed occupations for a metal, or a structure far from any "
            "that exists",
            _GATHERED,
        ),
        FailureName.CHARGE_WRONG: FailureKind(
            "The electrons do not fit into the bands: the integrated charge is wrong.",
            "fixed occupations for a metal, or a basis too small for the pseudopotential",
            "use smearing, or a higher `ecutwfc_ry`, in the campaign file",
        ),
        FailureName.CHARGE_NOT_CONSERVED: FailureKind(
            "The charge was renormalised by more than rounding explains.",
            "a damaged charge density to start from, or an unsuitable cutoff of the density",
            "raise `ecutrho_ry` in the campaign file",
        ),
        FailureName.NEGATIVE_CHARGE_DENSITY: FailureKind(
            "The charge density is negative in places, by more than a threshold.",
            "too low a cutoff of the density for ultrasoft or PAW pseudopotentials",
            "raise `ecutrho_ry` in the campaign file",
        ),
        FailureName.EXCHANGE_NEGATIVE: FailureKind(
            "The exchange energy of a hybrid functional came out with the wrong sign.",
            "too small a cutoff or mesh for the exchange",
            "raise `ecutfock` or `nqx1`, `nqx2`, `nqx3` under `params`",
        ),
        FailureName.ENERGY_NOT_FINITE: FailureKind(
            "An energy is no number, or does not fit its field.",
            "atoms that nearly coincide, or a damaged density to start from",
            _GATHERED,
        ),
        FailureName.BROYDEN_FAILED: FailureKind(
            "The mixing of densities met a singular matrix.",
            "densities that hardly differ, or that are damaged",
            _GATHERED,
        ),
        FailureName.CHOLESKY_FAILED: FailureKind(
            "A Cholesky decomposition failed in the diagonalisation.",
            "a subspace that has become linearly dependent",
            _GATHERED,
        ),
        FailureName.BANDS_NOT_CONVERGED: FailureKind(
            "Too many bands did not converge in the diagonalisation.",
            "a structure or a basis that is far from sensible, or ghost states",
            _GATHERED,
        ),
        FailureName.S_MATRIX_NOT_POSITIVE: FailureKind(
            "The overlap matrix is not positive definite.",
            "atoms too near to each other, or too low a cutoff for the pseudopotential",
            _GATHERED,
        ),
        FailureName.ZHEGVD_FAILED: FailureKind(
            "The projected preconditioned conjugate gradient method could not diagonalise.",
            "an ill-conditioned subspace",
            _GATHERED,
        ),
        FailureName.QR_FAILED: FailureKind(
            "A QR factorisation failed in the diagonalisation.",
            "an ill-conditioned subspace",
            _GATHERED,
        ),
        FailureName.EIGENVECTORS_NOT_CONVERGED: FailureKind(
            "LAPACK could not find eigenvectors.",
            "an ill-conditioned subspace, or numbers that are not finite",
            _GATHERED,
        ),
        FailureName.TOO_FEW_BANDS: FailureKind(
            "There are fewer bands than the electrons need.",
            "`nbnd` was set by hand",
            "leave `nbnd` out of the campaign file, or raise it",
        ),
        FailureName.TOO_MANY_BANDS: FailureKind(
            "There are more bands than plane waves at some k-point.",
            "`nbnd` was set by hand, or the cell is tiny for its cutoff",
            "lower `nbnd`, or raise `ecutwfc_ry`",
        ),
        FailureName.HIGHEST_BAND_OCCUPIED: FailureKind(
            "The highest band is occupied, so electrons are missing from the density.",
            "`nbnd` was set by hand, or a very wide smearing",
            "leave `nbnd` out of the campaign file, or raise it",
        ),
        FailureName.NOT_ORTHOGONAL_OPERATION: FailureKind(
            "A symmetry operation is no longer orthogonal in the cell as it has become.",
            "a cell that changed its shape by rounding, or strongly, in a relaxation",
            _GATHERED,
        ),
        FailureName.G_VECTOR_NOT_RECIPROCAL: FailureKind(
            "The wave vector of a symmetry operation is not a reciprocal lattice vector.",
            "coordinates given with too few digits, or a cell near to a symmetric one",
            _GATHERED,
        ),
        FailureName.POOLS_WITHOUT_KPOINTS: FailureKind(
            "More pools of processes than k-points.",
            "`-nk` stands in the flags of the code",
            "take `-nk` out of `codes` in the profile",
        ),
        FailureName.FFT_GRID_SYMMETRY: FailureKind(
            "The FFT grid does not have the symmetry of the crystal.",
            "`nr1`, `nr2`, `nr3` were set by hand",
            "leave the grid to the program",
        ),
        FailureName.RADIAL_FFT_TOO_SMALL: FailureKind(
            "The cell shrank until the tables of the pseudopotentials no longer reached.",
            "a structure that starts far too large",
            "start nearer to the volume at rest (`lattice_ang`)",
        ),
        FailureName.IONIC_NOT_CONVERGED: FailureKind(
            "The relaxation ended without meeting its thresholds.",
            "a flat energy surface, or noisy forces",
            _GATHERED,
        ),
        FailureName.IONIC_STEPS_EXHAUSTED: FailureKind(
            "The relaxation used up its steps.",
            "a structure that starts far from rest",
            _again_with("ionic_steps=200"),
        ),
        FailureName.BFGS_FAILED: FailureKind(
            "The minimiser lost its history and stopped.",
            "forces and energies that do not agree: loose self-consistency or cutoff",
            _GATHERED,
        ),
        FailureName.FINAL_SCF_ABOVE_THRESHOLDS: FailureKind(
            "Relaxed, but in the basis of the final cell forces or stress exceed the thresholds.",
            "the cell changed much while the basis stayed that of the first cell",
            _GATHERED,
        ),
        FailureName.ATOMS_OVERLAP: FailureKind(
            "Two atoms are at the same place.",
            "a wrong structure in the search space",
            "correct the structure, or take it out of `space`",
        ),
        FailureName.UNPHYSICAL_DISTANCE: FailureKind(
            "Two atoms came nearer to each other than any do.",
            "a relaxation that ran away, or a wrong structure",
            f"start nearer to rest (`lattice_ang`), or correct the structure; {_LOOK}",
        ),
        FailureName.UNPHYSICAL_VOLUME: FailureKind(
            "The cell collapsed, or flew apart.",
            "a relaxation that ran away: often too low a cutoff, or a wrong first volume",
            "start nearer to the volume at rest (`lattice_ang`), or raise the cutoff",
        ),
        FailureName.MAGNETIC_COLLAPSE: FailureKind(
            "It started magnetic and ended without moments.",
            "starting moments too small, or a material that is not magnetic",
            "try larger `moments_bohr`; if it still collapses, it is not magnetic",
        ),
        FailureName.PHONON_NOT_CONVERGED: FailureKind(
            "The response of the density was not self-consistent.",
            "a ground state that is not converged tightly enough, or too strong mixing",
            _GATHERED,
        ),
        FailureName.PHONON_REPRESENTATION_WRONG: FailureKind(
            "The irreducible representations do not fit the dynamical matrix.",
            "a structure that is only nearly symmetric",
            "give the structure its exact symmetry, or `search_sym` false",
        ),
        FailureName.PHONON_QPOINTS_MISSING: FailureKind(
            "Not all wave vectors of the grid were computed.",
            "the run was ended in between",
            _AGAIN,
            continues=True,
        ),
        FailureName.PATH_STEPS_EXHAUSTED: FailureKind(
            "The path did not converge within its steps.",
            "images that start far from the path",
            _AGAIN,
            continues=True,
        ),
        FailureName.INPUT_REFUSED: FailureKind(
            "The program did not accept its input.",
            "a keyword under `params` that this version does not know, or a wrong value",
            "the message names the keyword; correct the campaign file",
        ),
        FailureName.INPUT_NOT_WRITTEN: FailureKind(
            "The input could not be written for this candidate.",
            "a family without that element, or a role without a product",
            "the message says why; correct the campaign file",
        ),
        FailureName.OCCUPATIONS_REFUSED: FailureKind(
            "The occupations do not fit the electrons.",
            "fixed occupations for a metal, a magnet, or an odd number of electrons",
            "set `smearing` in the campaign file",
        ),
        FailureName.PSEUDOPOTENTIAL_MISSING: FailureKind(
            "A pseudopotential is not where the input says.",
            "a family that is not installed on that machine",
            "`campaign doctor` says which families are there; then " + _AGAIN,
        ),
        FailureName.PSEUDOPOTENTIAL_REFUSED: FailureKind(
            "A pseudopotential cannot be read.",
            "a damaged file, or a format that this version does not know",
            "`campaign doctor` compares the files with their checksums; then " + _AGAIN,
        ),
        FailureName.FUNCTIONAL_CONFLICT: FailureKind(
            "The pseudopotentials are of different functionals.",
            "a family that mixes them",
            "use one family for all elements",
        ),
        FailureName.UPSTREAM_LOST: FailureKind(
            "What an earlier stage left is gone, and could not be computed again.",
            "its files were deleted, and the calculation now fails",
            _LOOK,
        ),
        FailureName.METHODS_MIXED: FailureKind(
            "Results that an analysis would compare were computed by different methods.",
            "params of the gathered stage that differ between candidates",
            "give all candidates the same params in the campaign file",
        ),
        FailureName.RESTART_UNREADABLE: FailureKind(
            "The files to continue from, or to start from, are damaged or missing.",
            "a run that was killed while it wrote, or a full disk",
            _AGAIN,
        ),
        FailureName.FOLDER_NOT_WRITABLE: FailureKind(
            "The program could not make or write its folder.",
            "permissions, or a file system that is not there on that machine",
            "`campaign doctor`; then " + _AGAIN,
        ),
        FailureName.OUT_OF_WALLTIME: _machine(
            "The program stopped by itself at the end of its time; what it had is saved.",
            "a larger calculation than the estimate",
            _again_with("resources.walltime_min=2880"),
        ),
        FailureName.KILLED_AT_WALLTIME: _machine(
            "The run was ended at its walltime before the program had saved its state.",
            "single steps that take longer than what is kept for the end",
            _again_with("resources.walltime_min=2880"),
        ),
        FailureName.STOPPED_BY_REQUEST: _machine(
            "The program was asked to stop, and saved its state.",
            "the worker was stopped, or somebody made the EXIT file",
            _AGAIN,
        ),
        FailureName.OUT_OF_MEMORY: _machine(
            "There was not enough memory.",
            "too many runs side by side, or a larger calculation than the estimate",
            _again_with("resources.memory_gb=64"),
        ),
        FailureName.KILLED_BY_SIGNAL: _machine(
            "A signal ended the program.",
            "signal 9 is mostly want of memory, 15 somebody who ended it",
            _AGAIN,
        ),
        FailureName.CRASHED: FailureKind(
            "The program broke down: a segmentation fault, an illegal instruction, an abort.",
            "a program built for another processor, a small stack, or a defect of the program",
            "`ulimit -s unlimited` before the campaign is started helps often; then " + _AGAIN,
        ),
        FailureName.HUNG: _machine(
            "The program printed nothing for many times its own step time, and was ended.",
            "a file system or a network that hangs, or ranks that wait for each other",
            _AGAIN,
        ),
        FailureName.DISK_FULL: _machine(
            "No space was left, or a quota was exceeded.",
            "wavefunctions of many runs on one disk",
            "make room, or set `retention` to delete more; then " + _AGAIN,
        ),
        FailureName.PROGRAM_NOT_FOUND: _machine(
            "The program did not start: there is none of that name.",
            "a module that is not loaded, or a machine without it",
            "`campaign doctor`; `codes` in the profile says where programs are; then " + _AGAIN,
        ),
        FailureName.LIBRARY_MISSING: _machine(
            "The program did not start: a library that it needs is not there.",
            "a module that is not loaded",
            "load the modules that the program was built with; then " + _AGAIN,
        ),
        FailureName.PARALLEL_START_FAILED: _machine(
            "The parallel launcher could not start the ranks.",
            "more ranks than slots, or an MPI that does not fit the scheduler",
            "`mpi` under `codes` in the profile says how ranks are started; then " + _AGAIN,
        ),
        FailureName.NODE_FAILED: _machine(
            "The machine under the calculation failed.", "hardware or network", _AGAIN
        ),
        FailureName.PREEMPTED: _machine(
            "The machine was taken away for something of higher priority.",
            "spot instances, or a partition that can be preempted",
            _AGAIN,
        ),
        FailureName.CANCELLED: _machine(
            "Somebody cancelled the job.", "a person, or an administrator", _AGAIN
        ),
        FailureName.OUTPUT_MISSING: _machine(
            "There is no output of the program.", "it never started, or its files are gone", _AGAIN
        ),
        FailureName.OUTPUT_EMPTY: _machine(
            "The output is empty.", "the program died before it printed anything", _AGAIN
        ),
        FailureName.OUTPUT_NOT_TEXT: FailureKind(
            "The output is no text.", "a damaged file system, or another file by that name", _LOOK
        ),
        FailureName.OUTPUT_INCOMPLETE: _machine(
            "The output ends in the middle.", "the program or its machine was ended", _AGAIN
        ),
        FailureName.XML_MISSING: FailureKind(
            "The file of the results is missing although the program ended by itself.",
            "its folder is gone, or could not be written",
            _AGAIN,
        ),
        FailureName.XML_UNREADABLE: FailureKind(
            "The file of the results is damaged.",
            "a full disk, or a kill while it was written",
            _AGAIN,
        ),
        FailureName.UNRECOGNISED: FailureKind(
            "None of the others.",
            "the message holds the program's own words",
            _LOOK,
        ),
    }
)
"""One entry for every name."""
