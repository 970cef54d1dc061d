"""The columns of a result: what `when` may name, and what is published."""

from schemas.columns import Column

COLUMNS = (
    Column("energy_ev", "float", "Total energy of the cell, with -TS of the smearing.", "eV"),
    Column("energy_ev_per_atom", "float", "Total energy per atom.", "eV/atom"),
    Column("fmax_ev_per_ang", "float", "Length of the largest force on an atom.", "eV/angstrom"),
    Column(
        "forces_ev_per_ang",
        "json",
        "Forces, (n_atoms, 3), in the order of the structure's sites.",
        "eV/angstrom",
    ),
    Column("pressure_gpa", "float", "Pressure: positive where the cell wants to grow.", "GPa"),
    Column("stress_gpa", "json", "Stress, (3, 3); the pressure is a third of its trace.", "GPa"),
    Column("fermi_energy_ev", "float", "Fermi energy; null for fixed occupations.", "eV"),
    Column(
        "band_gap_ev",
        "float",
        "Gap on the k-points of the calculation; 0 for metals, null without empty bands.",
        "eV",
    ),
    Column("direct_gap_ev", "float", "Smallest gap at one k-point, within one spin.", "eV"),
    Column("is_metal", "bool", "No gap; null without empty bands."),
    Column("total_magnetisation_bohr", "float", "Moment of the cell.", "Bohr magneton"),
    Column(
        "absolute_magnetisation_bohr",
        "float",
        "Integral of the absolute magnetisation density.",
        "Bohr magneton",
    ),
    Column(
        "magnetisation_vector_bohr",
        "json",
        "Moment of the cell along x, y, z; null for collinear spin.",
        "Bohr magneton",
    ),
    Column("volume_ang3", "float", "Volume of the cell at the end.", "angstrom^3"),
    Column("volume_ang3_per_atom", "float", "Volume per atom at the end.", "angstrom^3/atom"),
    Column("a_ang", "float", "Length of the first cell vector at the end.", "angstrom"),
    Column("b_ang", "float", "Length of the second cell vector at the end.", "angstrom"),
    Column("c_ang", "float", "Length of the third cell vector at the end.", "angstrom"),
    Column("n_electrons", "float", "Valence electrons of the cell."),
    Column("n_bands", "int", "Bands per spin channel."),
    Column("n_kpoints", "int", "k-points after symmetry."),
    Column("ecutwfc_ry", "float", "Cutoff of the wavefunctions.", "Ry"),
    Column("ecutrho_ry", "float", "Cutoff of the charge density.", "Ry"),
    Column("scf_iterations", "int", "Iterations of the last self-consistency."),
    Column("scf_accuracy_ry", "json", "Estimated accuracy after each of them.", "Ry"),
    Column("ionic_steps", "int", "Steps of the relaxation; null for scf."),
    Column("program_walltime_s", "float", "Wall time that pw.x reports.", "s"),
    Column("program_cpu_s", "float", "CPU time of one rank that pw.x reports.", "s"),
)

_EDGES = (
    Column(
        "vbm_ev",
        "float",
        "Highest filled energy, on the scale of the program, as fermi_energy_ev; null for metals.",
        "eV",
    ),
    Column("cbm_ev", "float", "Lowest empty energy, on the same scale; null for metals.", "eV"),
)
BANDS = (
    *_EDGES,
    Column(
        "vbm_kpoint",
        "text",
        "Where the highest filled energy is: X, or Γ-X 0.84; null off the path and for metals.",
    ),
    Column("cbm_kpoint", "text", "Where the lowest empty energy is, in the same words."),
    Column("lattice_type", "text", "Type of the lattice in the convention of the path: FCC, HEX."),
    Column(
        "band_structure",
        "json",
        "Bands near the gap along the path, to be drawn: {zero, zero_ev, distances_per_ang, ticks, "
        "energies_ev: [spin][band][point], left_out}; energies are relative to zero_ev.",
        "eV",
    ),
)
DOS = (
    *_EDGES,
    Column(
        "dos_at_fermi_states_per_ev",
        "float",
        "Density of states at the Fermi energy, both spins, for the cell; 0 for insulators.",
        "states/eV",
    ),
    Column(
        "density_of_states",
        "json",
        "Density near the gap, to be drawn: {zero, zero_ev, start_ev, step_ev, n_atoms, "
        "states_per_ev: [spin][energy]}; energies are relative to zero_ev, states are of the cell.",
        "states/eV",
    ),
)


def columns_of(task: str) -> tuple[Column, ...]:
    """Return the columns of a task's results."""
    return (*COLUMNS, *{"bands": BANDS, "dos": DOS}.get(task, ()))
