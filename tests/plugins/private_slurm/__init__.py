"""A private Slurm on this machine for tests: real daemons, their files and ports all of their own.

    python -m private_slurm [--accounting] [--nodes N] [--cpus N] COMMAND...

runs a command with SLURM_CONF set to such a Slurm. Two nodes are two slurmd on this machine; CPUs
are what the configuration says, whatever there really is. With accounting there are slurmdbd and
MariaDB beside, so that sacct answers and limits hold.
"""

from private_slurm.slurm import PrivateSlurm, private_slurm

__all__ = ["PrivateSlurm", "private_slurm"]
