"""The closed list of ways in which a calculation fails: a failure is a value that is stored."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from schemas.model import JsonValue, Model


class FailureName(StrEnum):
    """What went wrong; the value is what is stored and queried."""

    # Self-consistency.
    SCF_NOT_CONVERGED = "scf_not_converged"
    CHARGE_WRONG = "charge_wrong"
    CHARGE_NOT_CONSERVED = "charge_not_conserved"
    NEGATIVE_CHARGE_DENSITY = "negative_charge_density"
    EXCHANGE_NEGATIVE = "exchange_negative"
    ENERGY_NOT_FINITE = "energy_not_finite"
    BROYDEN_FAILED = "broyden_failed"
    # Diagonalisation and bands.
    CHOLESKY_FAILED = "cholesky_failed"
    BANDS_NOT_CONVERGED = "bands_not_converged"
    S_MATRIX_NOT_POSITIVE = "s_matrix_not_positive"
    ZHEGVD_FAILED = "zhegvd_failed"
    QR_FAILED = "qr_failed"
    EIGENVECTORS_NOT_CONVERGED = "eigenvectors_not_converged"
    TOO_FEW_BANDS = "too_few_bands"
    TOO_MANY_BANDS = "too_many_bands"
    HIGHEST_BAND_OCCUPIED = "highest_band_occupied"
    # Symmetry, k-points, grids.
    NOT_ORTHOGONAL_OPERATION = "not_orthogonal_operation"
    G_VECTOR_NOT_RECIPROCAL = "g_vector_not_reciprocal"
    POOLS_WITHOUT_KPOINTS = "pools_without_kpoints"
    FFT_GRID_SYMMETRY = "fft_grid_symmetry"
    RADIAL_FFT_TOO_SMALL = "radial_fft_too_small"
    # Relaxation.
    IONIC_NOT_CONVERGED = "ionic_not_converged"
    IONIC_STEPS_EXHAUSTED = "ionic_steps_exhausted"
    BFGS_FAILED = "bfgs_failed"
    FINAL_SCF_ABOVE_THRESHOLDS = "final_scf_above_thresholds"
    ATOMS_OVERLAP = "atoms_overlap"
    UNPHYSICAL_DISTANCE = "unphysical_distance"
    UNPHYSICAL_VOLUME = "unphysical_volume"
    MAGNETIC_COLLAPSE = "magnetic_collapse"
    # Phonons and paths.
    PHONON_NOT_CONVERGED = "phonon_not_converged"
    PHONON_REPRESENTATION_WRONG = "phonon_representation_wrong"
    PHONON_QPOINTS_MISSING = "phonon_qpoints_missing"
    PATH_STEPS_EXHAUSTED = "path_steps_exhausted"
    # Input and the files that it names.
    INPUT_REFUSED = "input_refused"
    INPUT_NOT_WRITTEN = "input_not_written"
    OCCUPATIONS_REFUSED = "occupations_refused"
    PSEUDOPOTENTIAL_MISSING = "pseudopotential_missing"
    PSEUDOPOTENTIAL_REFUSED = "pseudopotential_refused"
    FUNCTIONAL_CONFLICT = "functional_conflict"
    UPSTREAM_LOST = "upstream_lost"
    METHODS_MIXED = "methods_mixed"
    RESTART_UNREADABLE = "restart_unreadable"
    FOLDER_NOT_WRITABLE = "folder_not_writable"
    # The machine.
    OUT_OF_WALLTIME = "out_of_walltime"
    KILLED_AT_WALLTIME = "killed_at_walltime"
    STOPPED_BY_REQUEST = "stopped_by_request"
    OUT_OF_MEMORY = "out_of_memory"
    KILLED_BY_SIGNAL = "killed_by_signal"
    CRASHED = "crashed"
    HUNG = "hung"
    DISK_FULL = "disk_full"
    PROGRAM_NOT_FOUND = "program_not_found"
    LIBRARY_MISSING = "library_missing"
    PARALLEL_START_FAILED = "parallel_start_failed"
    NODE_FAILED = "node_failed"
    PREEMPTED = "preempted"
    CANCELLED = "cancelled"
    # Output.
    OUTPUT_MISSING = "output_missing"
    OUTPUT_EMPTY = "output_empty"
    OUTPUT_NOT_TEXT = "output_not_text"
    OUTPUT_INCOMPLETE = "output_incomplete"
    XML_MISSING = "xml_missing"
    XML_UNREADABLE = "xml_unreadable"
    UNRECOGNISED = "unrecognised"


class Failure(Model):
    """One failed calculation: its name, the program's own words, and what helps to read it."""

    name: FailureName
    message: str = Field(description="The program's own words, or what was observed.")
    details: dict[str, JsonValue] = Field(default_factory=dict)
