"""Where and with what a campaign runs: launcher, codes, paths, store. No science, no secrets."""

from pathlib import Path

from pydantic import Field, field_validator

from schemas.location import is_embedded, parse
from schemas.model import JsonValue, Model
from schemas.store_address import StoreAddress

LOCAL_LAUNCHER: dict[str, JsonValue] = {"kind": "local"}
WINDOW = 2000
"""Hours of work for many workers, and few enough for FireWorks to stay quick."""


class Code(Model):
    """One simulation program: how it is found and started."""

    command: str = Field(
        description="Name on PATH or path of the executable: pw.x, /opt/qe/bin/pw.x."
    )
    mpi: tuple[str, ...] | None = Field(
        default=None,
        description="MPI launcher and its flags; {ranks} stands for the number of ranks. "
        "Default: found on PATH (mpirun, srun) when a job has more than one core.",
    )
    flags: tuple[str, ...] = Field(
        default=(),
        description="Flags of the program itself, put before the input file: [-nd, '1'].",
    )
    environment: dict[str, str] = Field(
        default_factory=dict, description="Environment variables for this program, no secrets."
    )


class Paths(Model):
    """Folders on the machine that works; relative ones start at the file that names them."""

    pseudopotentials: tuple[Path, ...] = Field(
        default=(), description="Folders that hold families of pseudopotentials."
    )
    artefacts: Path | None = Field(
        default=None, description="Root of run directories. Default: beside the store."
    )


class Profile(Model):
    """A profile file, or the `run:` block of a campaign file."""

    launcher: dict[str, JsonValue] = Field(
        default=LOCAL_LAUNCHER, description="`kind` and that launcher's own settings."
    )
    codes: dict[str, Code] = Field(
        default_factory=dict, description="Programs by name: pw, mpirun is part of each."
    )
    paths: Paths = Field(default=Paths())
    usd_per_core_hour: float | None = Field(
        default=None,
        gt=0,
        description="What a core-hour costs, in US dollars: the hourly price of an instance by its "
        "cores, or what the centre charges. Each attempt remembers the price at which it ran.",
    )
    window: int | None = Field(
        default=None,
        ge=1,
        description="Fireworks of a campaign that wait or run at a time, whatever its size; the "
        "candidates after those wait in the campaign's ledger, and the best of them go first. "
        f"Default: {WINDOW}.",
    )
    store: str | StoreAddress | None = Field(
        default=None,
        description="File of the embedded store; or a server: `{mongodb: ...}`, "
        "`{documentdb: ...}`, or an address in one line, mongodb://host/name. Default: a file in "
        "the user's data directory. An address with a password is refused.",
    )

    @field_validator("store")
    @classmethod
    def _no_password(cls, store: str | StoreAddress | None) -> str | StoreAddress | None:
        # Here and not in StoreAddress: a union would tell of its other branch too.
        text = store.location if isinstance(store, StoreAddress) else store
        if text and not is_embedded(text) and parse(text).password:
            raise ValueError(
                "a URI without a password (passwords do not belong in files that are shared; "
                "give MATCAMPAIGN_STORE in the environment instead, or say where the password is: "
                "mongodb://me@host/name?password_file=~/.config/matcampaign/password)"
            )
        return store


class Site(Model):
    """The part of a profile that workers see, with defaults filled in and paths absolute."""

    codes: dict[str, Code] = Field(default_factory=dict)
    pseudopotentials: tuple[Path, ...] = ()
    usd_per_core_hour: float | None = None

    def code(self, name: str, default: str) -> Code:
        """Return the named program's settings, or the default command without settings."""
        return self.codes.get(name) or Code(command=default)
