"""What repairs failing calculations: custodian handlers whose corrections are data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from custodian.custodian import ErrorHandler
from pydantic import TypeAdapter

from fireworks_ext.engines.espresso.deck import Deck
from fireworks_ext.engines.espresso.keywords import Value
from fireworks_ext.engines.espresso.log import failure_in, read_log
from fireworks_ext.engines.espresso.output import DECK_FILE, DENSITY_FILE
from fireworks_ext.engines.espresso.params import SAME_QUANTITY
from fireworks_ext.engines.espresso.rundir import write_deck
from schemas.failure import FailureName
from schemas.result import Correction

RECOVERY_FILE = "recovery.json"

MORE_STEPS = 2
MOST_STEPS = 400
STILL_FALLING = 0.1
"""Falling when the last accuracy is this much better than the one half the iterations ago."""
MIXING_BETAS = (0.3, 0.15, 0.07)
"""pw.x user's guide, "Self-consistency is slow or does not converge": 0.3 down to 0.1, or less."""
MIXING_NDIM = 20
LOCAL_MIXING = "local-TF"
"""INPUT_PW, mixing_mode: "for highly inhomogeneous systems"."""
OTHER_DIAGONALIZATION = "cg"
"""INPUT_PW, diagonalization: "slower than 'david' but ... more robust"."""
WIDER_SMEARING = 2.0
WIDEST_DEGAUSS_RY = 0.04
MIXING_BETA_DEFAULT = 0.7  # INPUT_PW
ELECTRON_MAXSTEP_DEFAULT = 100  # INPUT_PW
MIXING_NDIM_DEFAULT = 8  # INPUT_PW

_CORRECTIONS = TypeAdapter(tuple[Correction, ...])


class EspressoHandler(ErrorHandler):
    """Base of the handlers: the one place that touches custodian's untyped class."""

    is_monitor = False
    is_terminating = False
    raises_runtime_error = False


class ScfNotConvergedHandler(EspressoHandler):
    """Treats `scf_not_converged`.

    Cheapest remedy first: more iterations from the density that was reached, while the accuracy
    still improves; slower mixing; mixing over more iterations with local screening; another
    diagonalisation; at last a wider smearing, which is other physics. One change at a time, and
    never one of a protected name.
    """

    max_num_corrections = 6

    def check(self, directory: str = "./") -> bool:
        """Tell whether the last run in the directory did not reach self-consistency."""
        failure = failure_in(read_log(Path(directory)))
        return failure is not None and failure.name == FailureName.SCF_NOT_CONVERGED

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Change the deck, write it anew and return the change; None as `actions` gives up."""
        folder = Path(directory)
        failure = FailureName.SCF_NOT_CONVERGED.value
        deck = Deck.model_validate_json((folder / DECK_FILE).read_bytes())
        accuracies = read_log(folder).scf_accuracies_ry()
        change = next(_allowed(deck, _remedies(deck, accuracies)), None)
        if change is None:
            return {"errors": [failure], "actions": None}
        namelist, keyword, after = change
        before = deck.namelists[namelist].get(keyword)
        settings = {namelist: {keyword: after}}
        if keyword == "electron_maxstep":
            settings["electrons"] |= _from_density(deck, folder)
        elif "startingpot" in deck.namelists["electrons"]:
            settings.setdefault("electrons", {})["startingpot"] = "atomic"
        write_deck(changed(deck, settings), folder)
        (folder / "CRASH").unlink(missing_ok=True)
        _record(folder, failure=failure, keyword=keyword, before=before, after=after)
        actions = {
            f"namelists->{name}->{key}": value
            for name, keys in settings.items()
            for key, value in keys.items()
        }
        return {
            "errors": [failure],
            "actions": [{"dict": DECK_FILE, "action": {"_set": actions}}],
        }


def changed(deck: Deck, settings: dict[str, dict[str, Value]]) -> Deck:
    """Return a deck with some keywords set."""
    namelists = {name: {**keys, **settings.get(name, {})} for name, keys in deck.namelists.items()}
    return deck.model_copy(update={"namelists": namelists})


def _remedies(deck: Deck, accuracies: list[float]) -> Iterator[tuple[str, str, Value]]:
    """Yield namelist, keyword and new value of the remedies that are left, cheapest first."""
    electrons, system = deck.namelists["electrons"], deck.namelists["system"]
    steps = int(electrons.get("electron_maxstep", ELECTRON_MAXSTEP_DEFAULT))
    if falling(accuracies) and steps < MOST_STEPS:
        yield "electrons", "electron_maxstep", min(MORE_STEPS * steps, MOST_STEPS)
    beta = float(electrons.get("mixing_beta", MIXING_BETA_DEFAULT))
    for slower in MIXING_BETAS:
        if slower < beta:
            yield "electrons", "mixing_beta", slower
            break
    if electrons.get("mixing_mode", "plain") == "plain":
        yield "electrons", "mixing_mode", LOCAL_MIXING
    if int(electrons.get("mixing_ndim", MIXING_NDIM_DEFAULT)) < MIXING_NDIM:
        yield "electrons", "mixing_ndim", MIXING_NDIM
    if electrons.get("diagonalization", "david") == "david":
        yield "electrons", "diagonalization", OTHER_DIAGONALIZATION
    degauss = float(system.get("degauss", 0.0))
    if system.get("occupations") == "smearing" and 0 < degauss < WIDEST_DEGAUSS_RY:
        yield "system", "degauss", min(WIDER_SMEARING * degauss, WIDEST_DEGAUSS_RY)


def falling(accuracies: list[float]) -> bool:
    """Tell whether self-consistency still comes nearer, so that it only needs more iterations."""
    if len(accuracies) < 4:  # noqa: PLR2004  (half of fewer tells nothing)
        return bool(accuracies)
    return accuracies[-1] < STILL_FALLING * accuracies[len(accuracies) // 2]


def _allowed(
    deck: Deck, remedies: Iterator[tuple[str, str, Value]]
) -> Iterator[tuple[str, str, Value]]:
    protected = {
        keyword
        for name in deck.protected
        for keyword in (name, name.lower(), *SAME_QUANTITY.get(name, ()))
    }
    return (remedy for remedy in remedies if remedy[1] not in protected)


def _from_density(deck: Deck, folder: Path) -> dict[str, Value]:
    """Return what continues from the density that the run reached, where it left one.

    A relaxation starts at its first structure again, and the density is of a later one.
    """
    same = deck.namelists["control"]["calculation"] == "scf"
    return {"startingpot": "file"} if same and (folder / DENSITY_FILE).is_file() else {}


def _record(
    folder: Path, *, failure: str, keyword: str, before: Value | None, after: Value
) -> None:
    made = Correction(
        failure=failure, action=f"set {keyword}", parameter=keyword, before=before, after=after
    )
    record = _CORRECTIONS.dump_json((*corrections(folder), made), indent=1)
    (folder / RECOVERY_FILE).write_bytes(record + b"\n")


def corrections(directory: Path) -> tuple[Correction, ...]:
    """Return what recovery changed in a run directory, in order."""
    try:
        return _CORRECTIONS.validate_json((directory / RECOVERY_FILE).read_bytes())
    except FileNotFoundError:
        return ()
