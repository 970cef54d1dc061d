"""Atomic numbers and masses: what a deck says about an element.

Source: IUPAC standard atomic weights (https://ciaaw.org), abridged; the mass number of the
longest-lived isotope where an element has no stable one.
"""

SYMBOLS = tuple(
    (  # noqa: SIM905  (a list would be one element per line)
        "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As "
        "Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu "
        "Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np "
        "Pu Am Cm Bk Cf Es Fm Md No Lr"
    ).split()
)
"""By atomic number, from hydrogen."""

MASSES_U = tuple(
    float(mass)
    for mass in (  # noqa: SIM905  (as above)
        "1.00794 4.002602 6.941 9.012182 10.811 12.0107 14.0067 15.9994 18.9984 20.1797 22.98977 "
        "24.305 26.98154 28.0855 30.97376 32.065 35.453 39.948 39.0983 40.078 44.95591 47.867 "
        "50.9415 51.9961 54.93805 55.845 58.93319 58.6934 63.546 65.409 69.723 72.64 74.9216 "
        "78.96 79.904 83.798 85.4678 87.62 88.90585 91.224 92.90638 95.94 98.0 101.07 102.9055 "
        "106.42 107.8682 112.411 114.818 118.71 121.76 127.6 126.9045 131.293 132.9055 137.327 "
        "138.9055 140.116 140.9076 144.242 145.0 150.36 151.964 157.25 158.9254 162.5 164.9303 "
        "167.259 168.9342 173.04 174.967 178.49 180.9479 183.84 186.207 190.23 192.217 195.084 "
        "196.9666 200.59 204.3833 207.2 208.9804 210.0 210.0 220.0 223.0 226.0 227.0 232.0381 "
        "231.0359 238.0289 237.0 244.0 243.0 247.0 247.0 251.0 252.0 257.0 258.0 259.0 262.0"
    ).split()
)
"""In unified atomic mass units, in the order of `SYMBOLS`."""

ATOMIC_NUMBER = {symbol: number for number, symbol in enumerate(SYMBOLS, start=1)}


def mass_u(element: str) -> float:
    """Return the atomic mass of an element, in unified atomic mass units."""
    return MASSES_U[ATOMIC_NUMBER[element] - 1]
