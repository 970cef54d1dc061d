"""The tasks of the engine, and the runs of programs that each is made of."""

from __future__ import annotations

from types import MappingProxyType

SINGLE_RUNS = ("scf", "relax", "vc-relax")
"""Tasks that are one run of pw.x, which calls them by the same name."""
TASKS = (*SINGLE_RUNS, "bands", "dos")
_ELECTRONIC = ("control", "system", "electrons")
NAMELISTS_OF_TASK = MappingProxyType(
    {
        "scf": _ELECTRONIC,
        "relax": (*_ELECTRONIC, "ions"),
        "vc-relax": (*_ELECTRONIC, "ions", "cell"),
        "bands": _ELECTRONIC,
        "dos": _ELECTRONIC,
    }
)

DOS_STEP = "dos"
STEPS = MappingProxyType({"bands": ("scf", "bands"), "dos": ("scf", "nscf", DOS_STEP)})
"""What tasks of several runs do in one run directory, in order; a step of pw.x is named as its
`calculation`, and `DOS_STEP` is dos.x. Other tasks are one run of pw.x, of their own name."""

WITHOUT_SCF = ("bands", "nscf")
"""Calculations of pw.x that read the density of another run and keep it as it is."""


def steps_of(task: str) -> tuple[str, ...]:
    """Return the runs of a task, in order."""
    return STEPS.get(task, (task,))
