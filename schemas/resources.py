"""What one calculation occupies; the same words in every launcher."""

from pydantic import Field

from schemas.model import Model


class Resources(Model):
    """Machines and time of one stage."""

    nodes: int = Field(default=1, ge=1, description="Number of machines.")
    cores: int = Field(default=1, ge=1, description="Cores per machine, one MPI rank each.")
    gpus: int = Field(default=0, ge=0, description="GPUs per machine.")
    memory_gb: float | None = Field(default=None, gt=0, description="Memory per machine, in GB.")
    walltime_min: float = Field(
        default=1440.0, gt=0, description="Longest run time, in minutes; a longer run is ended."
    )

    @property
    def all_cores(self) -> int:
        """Cores of all machines together."""
        return self.nodes * self.cores
