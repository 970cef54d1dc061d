"""What programs that run inside a job of a queue see of that job; pure."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from schemas.profile import Site
from schemas.resources import Resources

OF_THE_JOB = ("SLURM_", "PMI_", "PMIX_", "SLURMD_", "PBS_", "LSB_", "SGE_", "PE_HOSTFILE")
"""Prefixes of variables by which MPI launchers find a job: a program on a few of its cores would
take it for its own, or ask for services that its build lacks. One rank without a launcher, too."""


def environment(
    outer: Mapping[str, str],
    resources: Resources,
    site: Site,
    cores: Sequence[int],
    gpus: Sequence[str] = (),
) -> dict[str, str]:
    """Return the environment in which the programs of a stage start.

    Parameters
    ----------
    outer
        The pilot's own.
    cores
        Those that are the stage's own; none where they are only counted.
    gpus
        Those that are the stage's own; none where nobody knows them.
    """
    outer = {**outer, **({"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {})}
    if resources.nodes == 1 and not uses_srun(site, resources):
        return {name: value for name, value in outer.items() if not name.startswith(OF_THE_JOB)}
    inner = dict(outer)
    # A step of its own beside others in the same job, not one that waits until those have ended.
    inner["SLURM_OVERLAP"] = "1"
    if resources.nodes == 1 and cores:
        inner["SLURM_CPU_BIND"] = "map_cpu:" + ",".join(map(str, cores))
    return inner


def uses_srun(site: Site, resources: Resources) -> bool:
    """Tell whether programs of a stage are started by srun: as the site says, or for want of else.

    One rank is started without a launcher.
    """
    if resources.all_cores == 1:
        return False
    launchers = [code.mpi for code in site.codes.values() if code.mpi]
    if launchers:
        return any(PurePath(argv[0]).name == "srun" for argv in launchers)
    return shutil.which("mpirun") is None and shutil.which("srun") is not None
