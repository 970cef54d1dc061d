"""The custodian job of every engine: run the program to its end, in pieces between checkpoints."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from custodian.custodian import Job

from fireworks_ext import artefacts
from fireworks_ext.attempts.exits import EXIT_FILE, Exit, write_exit
from fireworks_ext.attempts.programs import Watch, run_program
from fireworks_ext.checkpoints import places as checkpoints
from fireworks_ext.checkpoints.continuing import go_on
from fireworks_ext.worker.session import Session
from schemas.checkpoint import Checkpoint
from schemas.clock import SECONDS_PER_MINUTE
from schemas.failure import FailureName
from schemas.ledger import CheckpointRecord
from schemas.protocols import Calculation, Command, Engine
from schemas.retention import ArtefactClass

COMMAND_FILE = artefacts.COMMAND
"""{"argv": [...], "asked": [...]}: `argv` is read before every run, so that handlers can change how
ranks are spread; `asked` is what it was at first."""
RUNS = "runs"
SHORTEST_RUN_S = 1.0
SIGNALS_SPREAD_S = 2.0
"""Between the first and the last process of a job to notice a signal for all of them."""
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL)
_ENDED_FROM_OUTSIDE = frozenset((*(-one for one in _SIGNALS), *(128 + one for one in _SIGNALS)))
"""Exit codes: Popen's of a program, and a shell's or a launcher's of what it started."""


def write_command(directory: Path, argv: Sequence[str], earlier: Sequence[Path] = ()) -> None:
    """Write what is going to be started.

    What handlers changed in the last of earlier attempts (newest first) that started a program
    stays changed, if it was asked to start the same.
    """
    asked = list(argv)
    records = (artefacts.read_record(one, COMMAND_FILE) for one in earlier)
    record = next((one for one in records if one), None)
    changed = record["argv"] if record and record["asked"] == asked else asked
    artefacts.write_record(directory, COMMAND_FILE, {"argv": changed, "asked": asked})


def read_command(directory: Path) -> tuple[str, ...]:
    """Return what is to be started."""
    record = json.loads((directory / COMMAND_FILE).read_text(encoding="utf-8"))
    return tuple(record["argv"])


@dataclass
class EngineJob(Job):
    """Runs the program of a calculation; custodian runs it again after each correction."""

    engine: Engine
    calculation: Calculation
    command: Command
    session: Session
    policy: Checkpoint
    place: checkpoints.Place
    exit: Exit | None = None
    taken: list[CheckpointRecord] = field(default_factory=list)
    _deadline: float = 0.0
    _read: dict[str, bytes] = field(default_factory=dict)
    """The inputs of the last run: handlers change them before the next one starts."""

    def __post_init__(self) -> None:
        minutes = self.calculation.resources.walltime_min
        self._deadline = time.monotonic() + SECONDS_PER_MINUTE * minutes

    def setup(self, directory: str = "./") -> None:
        """Do nothing: inputs are written before custodian starts."""

    def run(self, directory: str = "./") -> None:
        """Run the program to its end, however often it is stopped for a checkpoint."""
        folder = Path(directory)
        while True:
            keep_evidence(folder, self.engine, self._read)
            self.exit = self._why(self._run_once(folder))
            write_exit(folder, self.exit)
            if not self._was_asked_to_stop(folder):
                return
            periodic = self.exit.reason == "checkpoint" and not self.session.stopping
            if periodic or self.policy.to is not None:
                self._take(folder)
            if not periodic or not self._restarted(folder):
                return

    def postprocess(self, directory: str = "./") -> None:
        """Do nothing: the engine's parser reads the directory afterwards."""

    def as_dict(self) -> dict[str, Any]:
        """Return what custodian writes into its log."""
        return {
            "@module": type(self).__module__,
            "@class": type(self).__name__,
            "argv": list(self.command.argv),
        }

    def _run_once(self, folder: Path) -> Exit:
        left_s = max(self._deadline - time.monotonic(), SHORTEST_RUN_S)
        watch = Watch(left_s)
        continuation = self.engine.continuation
        if continuation is not None:
            continuation.limit(folder, left_s)
            every = self.policy.every_min
            watch = Watch(
                left_s,
                stop_file=folder / continuation.stop_file,
                checkpoint_s=None if every is None else SECONDS_PER_MINUTE * every,
            )
        inputs = _top_level(folder, self.engine, ArtefactClass.INPUTS)
        self._read = {path.name: path.read_bytes() for path in inputs}
        return run_program(read_command(folder), self.command, folder, self.session, watch)

    def _why(self, ended: Exit) -> Exit:
        """Return how the program ended, that this was our stop if one follows at once.

        Schedulers signal all processes of a job, and the program may be the first to end.
        """
        if ended.reason is not None or ended.exit_code not in _ENDED_FROM_OUTSIDE:
            return ended
        if not self.session.stops_within(SIGNALS_SPREAD_S):
            return ended
        return ended.model_copy(update={"reason": "stopped"})

    def _was_asked_to_stop(self, folder: Path) -> bool:
        """Tell whether the program stopped early and whole, and not for a reason of its own."""
        if self.engine.continuation is None or self.exit is None or self.exit.exit_code == 0:
            return False
        found = self.engine.diagnose(folder) or ()
        wanted = {FailureName.STOPPED_BY_REQUEST, FailureName.OUT_OF_WALLTIME}
        return bool(found) and found[0].name in wanted

    def _take(self, folder: Path) -> None:
        """Save a checkpoint where the policy says, if the state is whole."""
        continuation = self.engine.continuation
        if continuation is None or continuation.problem(folder) is not None:
            return
        taken = self.place.save(folder, (*continuation.state, artefacts.ORDER))
        if taken is not None:
            self.taken.append(taken)
            self.place.prune(self.policy.keep)

    def _restarted(self, folder: Path) -> bool:
        continuation = self.engine.continuation
        return continuation is not None and bool(go_on(continuation, folder, [folder], self.place))


def keep_evidence(folder: Path, engine: Engine, inputs: Mapping[str, bytes]) -> None:
    """Put what the last run in a directory read and printed aside, before the next one starts."""
    outputs = {*_top_level(folder, engine, ArtefactClass.OUTPUTS)}
    # How the last run ended says nothing of the next one, which may be killed with its worker.
    outputs |= {path for path in (folder / EXIT_FILE,) if path.is_file()}
    if not outputs:
        return
    earlier = [int(one.name) for one in (folder / RUNS).glob("*") if one.name.isdigit()]
    aside = folder / RUNS / str(max(earlier, default=0) + 1)
    aside.mkdir(parents=True)
    for name, content in inputs.items():
        (aside / name).write_bytes(content)
    for path in outputs:
        path.rename(aside / path.name)


def _top_level(folder: Path, engine: Engine, kind: ArtefactClass) -> list[Path]:
    """Return the files of a class that lie in the run directory itself."""
    patterns = [pattern for pattern in engine.artefacts[kind] if "/" not in pattern]
    return [path for pattern in patterns for path in folder.glob(pattern) if path.is_file()]
