"""A change put into a run directory, without touching what is protected, and what was changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fireworks_ext.engines.espresso.dos_program import INPUT as DOS_INPUT
from fireworks_ext.engines.espresso.handlers.remedy import Change, Remedy
from fireworks_ext.engines.espresso.handlers.situation import COMMAND_FILE, Situation
from fireworks_ext.engines.espresso.keywords import Value, canonical, split_index
from fireworks_ext.engines.espresso.pw_input import PwInput
from fireworks_ext.engines.espresso.spectrum_steps import return_to_ground_state
from fireworks_ext.engines.espresso.tasks import WITHOUT_SCF
from fireworks_ext.engines.espresso.wording import SAME_QUANTITY
from schemas.failure import FailureName
from schemas.model import JsonValue
from schemas.result import Correction

if TYPE_CHECKING:
    from schemas.protocols import Continuation

CRASH_FILE = "CRASH"
_OF_CONTINUATION = frozenset({"startingpot", "startingwfc", "restart_mode"})
_OF_STRUCTURE = frozenset(
    {"ibrav", "nat", "celldm", "a", "b", "c", "cosab", "cosac", "cosbc", "space_group"}
)
"""Keywords that change with another structure, where they are set."""
_SAVED = frozenset({FailureName.OUT_OF_WALLTIME, FailureName.STOPPED_BY_REQUEST})
"""Ends before which pw.x saves all that it needs to go on."""
_SELF_CONSISTENT = ("scf", "relax", "vc-relax", "md", "vc-md")
_DENSITY_SERVES = ("scf", "relax")
"""The density of another cell has other plane waves."""
_DAMAGED = ("{prefix}.save/charge-density*", "{prefix}.save/wfc*", "{prefix}.save/*.xml")
_LEFT_OVER = ("wfc*", "mix*", "restart*", "igk*", "bfgs", "update", "xml", "save.qegz")


def protected_keywords(names: Iterable[str]) -> frozenset[str]:
    """Return the keywords of pw.x that names stand for, fields or keywords with any index."""
    return frozenset(
        split_index(canonical(word))[0]
        for name in names
        for word in (name, *SAME_QUANTITY.get(name, ()))
    )


def apply(
    remedy: Remedy,
    change: Change,
    situation: Situation,
    protected: frozenset[str],
    continuation: Continuation | None,
) -> tuple[Correction, ...]:
    """Carry a change out and return what was changed; nothing when it would touch a protected name.

    The first correction bears the action of the remedy, by which it is counted.
    """
    if any(split_index(keyword)[0] in protected for keyword in change.keywords):
        return ()
    path = situation.directory / situation.input_name
    before = PwInput.read(path)
    after = PwInput(before.text)
    changed = _set(after, change.keywords)
    begun, words = _begin(change, situation, after, protected, continuation)
    if any(_differs(before, PwInput.read(path), name) for name in protected):
        before.write(path)
        return ()
    made: list[_Made] = [(keyword, *values) for keyword, values in changed.items()]
    if change.argv is not None:
        _write_argv(situation.directory, change.argv)
        made.append((None, list(situation.argv or ()), list(change.argv)))
    (situation.directory / CRASH_FILE).unlink(missing_ok=True)
    head, *others = made or [(None, None, None)]
    others += [(keyword, *values) for keyword, values in begun.items()]
    return (
        _correction(situation, remedy.action, *head),
        *(_correction(situation, f"set {one[0]}", *one) for one in others),
        *(_correction(situation, word) for word in words),
    )


_Changed = dict[str, tuple[Value | None, Value | None]]
_Made = tuple[str | None, JsonValue, JsonValue]
"""What was changed, what it was, what it is."""


def _set(deck: PwInput, keywords: Mapping[str, Value | None]) -> _Changed:
    """Set or unset keywords and return what each was and is."""
    changed = {}
    for keyword, value in keywords.items():
        changed[keyword] = (deck.get(keyword), value)
        if value is None:
            deck.unset(keyword)
        else:
            deck.set(keyword, value)
    return changed


def _begin(
    change: Change,
    situation: Situation,
    deck: PwInput,
    protected: frozenset[str],
    continuation: Continuation | None,
) -> tuple[_Changed, list[str]]:
    """Write the deck so that the run begins where the change says; return what that changed."""
    path = situation.directory / situation.input_name
    if change.start == "as_is" or situation.program != "pw":
        deck.write(path)
        return {}, []
    if change.start == "continue" and continuation and not protected & _OF_CONTINUATION:
        deck.write(path)
        return {}, _continue(continuation, situation.directory)
    if change.start == "clean" and situation.deck.calculation in WITHOUT_SCF:
        deck.write(path)
        return {}, _first_run(situation)
    wanted = {
        keyword: value
        for keyword, value in _starts(change, situation).items()
        if keyword not in protected and situation.get(keyword) != value
    }
    changed = _set(deck, wanted)
    words = [_clean(situation)] if change.start == "clean" else []
    last = situation.last_structure
    restarts = deck.get("restart_mode") == "restart"
    if last is not None and not restarts and not protected & _OF_STRUCTURE:
        deck.set_structure(last.lattice_ang, last.labels, last.frac_coords)
        words.append("from the last structure printed")
    deck.write(path)
    return changed, words


def _starts(change: Change, situation: Situation) -> dict[str, Value]:
    if situation.deck.calculation not in _SELF_CONSISTENT:
        # It reads the density of another run.
        return {"restart_mode": "from_scratch"} if change.start != "continue" else {}
    serves = situation.deck.calculation in _DENSITY_SERVES and situation.has_density
    if change.start == "continue" and situation.failure.name in _SAVED:
        return {"restart_mode": "restart"}
    wanted: dict[str, Value] = {"restart_mode": "from_scratch"}
    wanted["startingpot"] = "file" if change.start == "density" and serves else "atomic"
    if situation.get("startingwfc") == "file" and "startingwfc" not in change.keywords:
        wanted["startingwfc"] = "atomic+random"
    return {key: value for key, value in wanted.items() if key not in change.keywords}


def _continue(continuation: Continuation, directory: Path) -> list[str]:
    """Go on from a state that is whole, else from what a damaged run printed."""
    if continuation.problem(directory) is None:
        return [f"from {continuation.restart(directory, directory)}"]
    last = continuation.last_structure(directory, directory)
    return [] if last is None else [f"from {last}"]


def _first_run(situation: Situation) -> list[str]:
    """Begin with self-consistency again; what keeps the density of others' runs leaves it."""
    if (situation.directory / DOS_INPUT).exists() or not return_to_ground_state(
        situation.directory
    ):
        return []
    return [_clean(situation), "from self-consistency"]


def _clean(situation: Situation) -> str:
    """Delete what the last run left to go on from."""
    prefix = situation.save_directory.name.removesuffix(".save")
    patterns = [pattern.format(prefix=prefix) for pattern in _DAMAGED]
    patterns += [f"{prefix}.{ending}" for ending in _LEFT_OVER]
    for pattern in patterns:
        for path in situation.outdir.glob(pattern):
            if path.is_file():
                path.unlink()
    return "deleted the files of the last run"


def _differs(before: PwInput, after: PwInput, name: str) -> bool:
    keywords = {
        keyword
        for keyword in (*before.keywords(), *after.keywords())
        if split_index(keyword)[0] == name
    }
    return any(before.get(keyword) != after.get(keyword) for keyword in keywords)


def _write_argv(directory: Path, argv: tuple[str, ...]) -> None:
    path = directory / COMMAND_FILE
    command = json.loads(path.read_bytes()) | {"argv": list(argv)}
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(json.dumps(command) + "\n", encoding="utf-8")
    beside.replace(path)


def _correction(
    situation: Situation,
    action: str,
    parameter: str | None = None,
    before: JsonValue = None,
    after: JsonValue = None,
) -> Correction:
    return Correction(
        failure=situation.failure.name.value,
        action=action,
        parameter=parameter,
        before=before,
        after=after,
    )
