"""Conversion of pw.x's atomic Rydberg units to eV, angstrom and GPa.

The values are those that pw.x 6.7 itself uses (constants.f90), so that a cell that it wrote in bohr
comes back as the same numbers in angstrom.
"""

BOHR_ANG = 0.529177210903  # CODATA 2018
HARTREE_EV = 27.211386245988  # CODATA 2018
RYDBERG_PER_HARTREE = 2.0
RYDBERG_EV = HARTREE_EV / RYDBERG_PER_HARTREE
GPA_PER_EV_ANG3 = 160.2176634  # elementary charge in 1e-19 C, times 100: exact in the SI of 2019
GPA_PER_HARTREE_BOHR3 = HARTREE_EV / BOHR_ANG**3 * GPA_PER_EV_ANG3
KBAR_PER_GPA = 10.0
