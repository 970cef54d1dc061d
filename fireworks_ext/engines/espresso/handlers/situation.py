"""What a handler looks at: the input, the output and the files of a run that failed."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path

from fireworks_ext.engines.espresso.handlers.record import corrections
from fireworks_ext.engines.espresso.handlers.scf_course import Judgement, judge
from fireworks_ext.engines.espresso.keywords import Value
from fireworks_ext.engines.espresso.printed_structure import Printed, printed_structures
from fireworks_ext.engines.espresso.pw_input import PwInput
from schemas.failure import Failure
from schemas.result import Correction

INPUTS = ("pw.in", "ph.in", "neb.in")
COMMAND_FILE = "command.json"
TAIL_BYTES = 8_000_000
"""A relaxation can print much; how it ended stands at the end."""
RELAXATIONS = ("relax", "vc-relax")
# INPUT_PW's defaults of what remedies change relatively.
DEFAULTS: dict[str, Value] = {
    "electron_maxstep": 100,
    "mixing_beta": 0.7,
    "mixing_mode": "plain",
    "mixing_ndim": 8,
    "diagonalization": "david",
    "diago_david_ndim": 2,
    "diago_full_acc": False,
    "conv_thr": 1e-6,
    "degauss": 0.0,
    "occupations": "fixed",
    "smearing": "gaussian",
    "nosym": False,
    "cell_factor": 2.0,
    "trust_radius_ini": 0.5,
    "trust_radius_min": 1e-3,
    "upscale": 100.0,
    "ion_dynamics": "bfgs",
    "cell_dynamics": "bfgs",
    "disk_io": "low",
    "startingpot": "atomic",
    "startingwfc": "atomic+random",
    "restart_mode": "from_scratch",
    # INPUT_PH and INPUT_NEB
    "nmix_ph": 4,
    "alpha_mix(1)": 0.7,
    "recover": False,
    "nstep_path": 1,
}

_VERSION = re.compile(r"Program \w+ v\.?\s*(\d+)\.(\d+)")
_ACCURACY = re.compile(r"estimated scf accuracy\s+<\s*(\S+)\s+Ry")
_RANKS = re.compile(r"running on\s+(\d+)\s+processors")
_KPOINTS = re.compile(r"number of k points=\s*(\d+)")
_BANDS = re.compile(r"number of Kohn-Sham states=\s*(\d+)")
_SCF_STARTS = "Self-consistent Calculation"


@dataclass(frozen=True)
class Situation:
    """A run that failed, as its files show it."""

    directory: Path
    failure: Failure
    input_name: str
    deck: PwInput

    @classmethod
    def read(cls, directory: Path, failure: Failure) -> Situation:
        """Read the input of a run. Raises UserError when there is none that can be read."""
        present = [name for name in INPUTS if (directory / name).is_file()]
        name = present[0] if present else INPUTS[0]
        return cls(directory, failure, name, PwInput.read(directory / name))

    @property
    def program(self) -> str:
        """The program: pw, ph or neb."""
        return self.input_name.split(".")[0]

    @property
    def relaxes(self) -> bool:
        """Whether atoms move in it."""
        return self.program == "pw" and self.deck.calculation in RELAXATIONS

    @property
    def variable_cell(self) -> bool:
        """Whether its cell changes."""
        return self.deck.calculation == "vc-relax"

    def get(self, keyword: str) -> Value | None:
        """Return a keyword of the input, or its default where that is known."""
        value = self.deck.get(keyword)
        value = value.lower() if isinstance(value, str) else value
        return DEFAULTS.get(keyword) if value is None else value

    def number(self, keyword: str) -> float:
        """Return a keyword as a number; 0 where it is none."""
        value = self.get(keyword)
        return float(value) if isinstance(value, (int, float)) else 0.0

    def count(self, action: str) -> int:
        """Return how often recovery did something about this failure."""
        return sum(
            one.action == action and one.failure == self.failure.name.value for one in self.made
        )

    @cached_property
    def made(self) -> tuple[Correction, ...]:
        """What recovery did in this directory so far."""
        return corrections(self.directory)

    @cached_property
    def output(self) -> str:
        """The end of the text output; empty where there is none."""
        path = self.directory / f"{self.program}.out"
        try:
            with path.open("rb") as stream:
                stream.seek(0, 2)
                stream.seek(max(0, stream.tell() - TAIL_BYTES))
                return stream.read().decode("utf-8", "replace")
        except OSError:
            return ""

    @cached_property
    def head(self) -> str:
        """The beginning of the text output."""
        path = self.directory / f"{self.program}.out"
        try:
            with path.open("rb") as stream:
                return stream.read(TAIL_BYTES // 100).decode("utf-8", "replace")
        except OSError:
            return ""

    @property
    def version(self) -> tuple[int, int]:
        """Major and minor version of the program, as it printed them; (0, 0) when it did not."""
        found = _VERSION.search(self.head)
        return (int(found[1]), int(found[2])) if found else (0, 0)

    @property
    def ranks(self) -> int:
        """How many ranks ran."""
        return _printed(_RANKS, self.head) or 1

    @property
    def n_kpoints(self) -> int | None:
        """How many k-points there were."""
        return _printed(_KPOINTS, self.head)

    @property
    def n_bands(self) -> int | None:
        """How many bands there were."""
        return _printed(_BANDS, self.head)

    @cached_property
    def course(self) -> Judgement:
        """How the last self-consistency cycle went."""
        start = max(self.output.rfind(_SCF_STARTS), 0)
        found = (_float(word) for word in _ACCURACY.findall(self.output, start))
        accuracies = [number for number in found if number is not None]
        return judge(accuracies, self.number("conv_thr") or float(str(DEFAULTS["conv_thr"])))

    @cached_property
    def last_structure(self) -> Printed | None:
        """The structure that a relaxation printed last; a new run can begin with it."""
        if not self.relaxes:
            return None
        found = printed_structures(self.directory / f"{self.program}.out", self.deck)
        return found[-1] if found else None

    @property
    def save_directory(self) -> Path:
        """Where pw.x keeps its files."""
        prefix = str(self.deck.get("prefix") or "pwscf").strip()
        return self.outdir / f"{prefix}.save"

    @property
    def outdir(self) -> Path:
        """The folder that the input names for files."""
        return self.directory / str(self.deck.get("outdir") or ".").strip()

    @property
    def has_density(self) -> bool:
        """Whether a charge density lies there."""
        names = ("charge-density.dat", "charge-density.hdf5")
        return any((self.save_directory / name).is_file() for name in names)

    @cached_property
    def argv(self) -> tuple[str, ...] | None:
        """What starts the program, where that can be changed."""
        try:
            argv = json.loads((self.directory / COMMAND_FILE).read_bytes())["argv"]
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return tuple(argv) if all(isinstance(word, str) for word in argv) else None


def _printed(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return int(found[1]) if found else None


def _float(word: str) -> float | None:
    try:
        number = float(word.lower().replace("d", "e"))
    except ValueError:  # Fortran writes stars for numbers that do not fit
        return None
    return number if isfinite(number) else None
