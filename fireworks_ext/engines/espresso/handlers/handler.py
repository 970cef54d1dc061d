"""The base of the handlers: what custodian asks, answered from a ladder of remedies."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from custodian.custodian import ErrorHandler

from fireworks_ext.attempts.exits import EXIT_FILE, read_exit
from fireworks_ext.engines.espresso.handlers.application import apply, protected_keywords
from fireworks_ext.engines.espresso.handlers.record import record
from fireworks_ext.engines.espresso.handlers.remedy import Remedy
from fireworks_ext.engines.espresso.handlers.situation import COMMAND_FILE, Situation
from fireworks_ext.engines.espresso.recognition import failures
from schemas.errors import UserError
from schemas.failure import Failure, FailureName
from schemas.result import Correction

if TYPE_CHECKING:
    from schemas.protocols import Continuation

_Signature = tuple[tuple[str, int, int], ...]

_treated: dict[Path, _Signature] = {}
"""Directory -> the output that was last treated there: one run has one correction, although the
handlers that are asked next see the same output, and a cause less where it was an input's."""


class EspressoHandler(ErrorHandler):
    """Treats one failure: the first remedy of its ladder that applies and is not spent.

    Parameters
    ----------
    protected
        Keywords of the input, or fields of this project's params, that stay as they are.
    continuation
        How a run goes on from the state that it left. Without one, a run that was interrupted
        begins again; a relaxation, at the last structure that it printed.
    """

    is_monitor = False
    is_terminating = False
    raises_runtime_error = False

    failure: ClassVar[FailureName]
    ladder: ClassVar[tuple[Remedy, ...]]

    def __init__(
        self, protected: Iterable[str] = (), continuation: Continuation | None = None
    ) -> None:
        self.protected = tuple(protected)
        self._continuation = continuation

    def check(self, directory: str = "./") -> bool:
        """Tell whether the cause of the last run's failure is the one that it treats."""
        folder = Path(directory)
        return self._found(folder) is not None and not _is_treated(folder)

    def correct(self, directory: str = "./") -> dict[str, Any]:
        """Change the input and return the change; None as `actions` when no remedy is left."""
        folder = Path(directory)
        found = self._found(folder) or Failure(name=self.failure, message="")
        made = self._correct(folder, found)
        _treated[folder.resolve()] = _signature(folder)
        return {
            "errors": [self.failure.value],
            "actions": [_action(one) for one in made] or None,
        }

    def as_dict(self) -> dict[str, Any]:
        """Return what custodian writes into its log."""
        return {
            "@module": type(self).__module__,
            "@class": type(self).__name__,
            "protected": list(self.protected),
        }

    def _found(self, folder: Path) -> Failure | None:
        ended = read_exit(folder)
        if ended is not None and ended.reason in {"stopped", "walltime"}:
            return None  # whoever ended it decides how it goes on
        found = failures(folder)
        return found[0] if found and found[0].name is self.failure else None

    def _correct(self, folder: Path, found: Failure) -> tuple[Correction, ...]:
        try:
            situation = Situation.read(folder, found)
        except UserError:  # there is no input that could be changed
            return ()
        protected = protected_keywords(self.protected)
        for remedy in sorted(self.ladder, key=lambda one: not one.fits(situation)):
            change = remedy.change(situation)
            if change is None:
                continue
            made = apply(remedy, change, situation, protected, self._continuation)
            if made:
                record(folder, *made)
                return made
        return ()


def _action(one: Correction) -> dict[str, Any]:
    """Return a correction in custodian's words."""
    if one.parameter is None and isinstance(one.after, list):
        return {"dict": COMMAND_FILE, "action": {"_set": {"argv": one.after}}}
    named = one.parameter or one.action
    return {"dict": "pw.in", "action": {"_set": {named: one.after}}}


def _signature(folder: Path) -> _Signature:
    found = []
    for path in sorted((*folder.glob("*.out"), folder / EXIT_FILE)):
        try:
            state = path.stat()
        except OSError:
            continue
        found.append((path.name, state.st_size, state.st_mtime_ns))
    return tuple(found)


def _is_treated(folder: Path) -> bool:
    return _treated.get(folder.resolve()) == _signature(folder)
