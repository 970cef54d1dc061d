"""How pw.x is found and started."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from fireworks_ext.engines.espresso.log import STDERR, STDOUT
from fireworks_ext.engines.espresso.parallel import parallel_flags
from schemas.profile import Code, Site
from schemas.protocols import Command

CODE = "pw"
DEFAULT_COMMAND = "pw.x"
INPUT = "pw.in"

_ALONE = {
    "OMP_NUM_THREADS": "1",
    # MPI_Abort can drop what gfortran still buffers: without this, errors are lost.
    "GFORTRAN_UNBUFFERED_PRECONNECTED": "1",
}
_OPEN_MPI = {
    # The worker decides how many run at once; Open MPI's own count of slots is in its way.
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
_AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def pw_code(site: Site) -> Code:
    """Return the site's settings of pw.x."""
    return site.code(CODE, DEFAULT_COMMAND)


def pw_command(
    site: Site,
    *,
    ranks: int,
    n_kpoints: int = 1,
    n_bands: int = 1,
    n_planes: int | None = None,
    hybrid: bool = False,
) -> Command:
    """Return how pw.x is started: by itself for one rank, else under an MPI launcher.

    The parameters say how the ranks can be divided (`parallel.parallel_flags`); flags that the site
    gives win.
    """
    code = pw_code(site)
    flags = parallel_flags(
        ranks,
        n_kpoints=n_kpoints,
        n_bands=n_bands,
        n_planes=n_planes,
        hybrid=hybrid,
        given=code.flags,
    )
    argv = [code.command, *code.flags, *flags, "-in", INPUT]
    if ranks > 1:
        argv = [part.replace("{ranks}", str(ranks)) for part in mpi_launcher(code)] + argv
    return Command(
        argv=tuple(argv), stdout=STDOUT, stderr=STDERR, environment=environment_of(code, ranks)
    )


def mpi_launcher(code: Code) -> tuple[str, ...]:
    """Return the MPI launcher with `{ranks}` in it: the site's, or what PATH has."""
    if code.mpi is not None:
        return code.mpi
    if shutil.which("mpirun") is None and shutil.which("srun") is not None:
        return ("srun", "-n", "{ranks}")
    # The worker sets the affinity; binding here would put every run on the same cores.
    return ("mpirun", "--bind-to", "none", "-n", "{ranks}")


def environment_of(code: Code, ranks: int) -> Mapping[str, str]:
    """Return the environment of a program: what it needs anywhere, and what the site says."""
    environment = dict(_ALONE)
    if ranks > 1:
        environment |= _OPEN_MPI
    if os.geteuid() == 0:
        environment |= _AS_ROOT
    return environment | code.environment
