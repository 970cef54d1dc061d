# pathlib takes longer to import than all the rest together:
# ruff: noqa: PTH108, PTH110, PTH118, PTH120, PTH123
"""What the program does: it fails like a recording until a remedy is there, then it works.

It reads the deck, its arguments and the script of the calculation (`rehearsal.json`), and obeys
`max_seconds` and the EXIT file as pw.x does: it stops at the next iteration, what it had is saved,
and it goes on from there when the deck says restart.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
import zlib

from fireworks_ext.engines.rehearsal.program.given_deck import UnreadableDeck, read_deck
from fireworks_ext.engines.rehearsal.program.remedies import Given, cured
from fireworks_ext.engines.rehearsal.program.retelling import Retelling
from fireworks_ext.engines.rehearsal.program.saved import (
    OUT,
    SAVE,
    save,
    save_iteration,
    saved_piece,
)

TYPE_CHECKING = False  # as typing says it, which takes longer to import than all the rest together
if TYPE_CHECKING:
    from typing import Any, NoReturn

SCRIPT = "rehearsal.json"
PLAYED = "rehearsal-played.txt"
"""One line for each start of the program in a run directory: the failure that was played."""
NOTHING = "-"
RECORDINGS = os.path.join(os.path.dirname(os.path.dirname(__file__)), "recordings")
EXIT = f"{OUT}/pwscf.EXIT"
GZIP = 31
"""Of zlib: a gzip header is expected."""

BANNER = "\n     Program PWSCF v.6.7MaX starts on  1Jan2026 at  0: 0: 0 \n"
STOPPED = "Program stopped by user request"
OUT_OF_TIME = "Maximum CPU time exceeded"
STOPS_WITH = 2
SAVES_NO_STEPS = "scf"
PAUSE_S = 0.05
SHORTEST_PAUSE_S = 0.0005
_ITERATION = "     iteration #"
_ITERATION_NUMBER = re.compile(rf"{_ITERATION}\s*(\d+)")
_PIECES = re.compile(rf"^(?={_ITERATION}|     Writing output|     Self-consistent)", re.MULTILINE)
_TIMES = re.compile(r"^     PWSCF        :[^\n]*\n.*", re.MULTILINE | re.DOTALL)


class Play:
    """One start of the program: what it was given, and what it is to tell."""

    def __init__(self, script: dict[str, Any], given: Given, began: float) -> None:
        self.script = script
        self.given = given
        self.began = began

    def run(self) -> int:
        """Fail like the first failure without a remedy, or work; return the exit code."""
        for failure in self.script["failures"]:
            if not cured(failure["name"], failure["remedies"], self.given):
                note(failure["name"])
                return self._fail(failure)
        note(NOTHING)
        return self._work()

    def _fail(self, failure: dict[str, Any]) -> int:
        if failure["recording"] is None:
            return self._work(accident=failure["accident"])
        scene = (failure["recording"], "failed")
        told = self._retelling(works=False)
        pieces = _PIECES.split(told.text(recorded(*scene, "pw.out") or ""))
        self._tell(pieces, self._seconds(failure["recording"], "failed"))
        write(2, recorded(*scene, "pw.err") or "")
        crash, xml = recorded(*scene, "CRASH"), recorded(*scene, "data-file-schema.xml")
        if crash:
            keep("CRASH", crash)
        if xml:
            save(told.xml(xml))
        return end(failure["exit_code"])

    def _work(self, accident: dict[str, Any] | None = None) -> int:
        name = self.script["works_like"]
        told = self._retelling(works=True)
        pieces = _PIECES.split(told.text(recorded(name, "cured", "pw.out") or ""))
        begin = self._saved_at(len(pieces))
        last = len(pieces) if accident is None else int(accident["at"] * len(pieces))
        stops = accident is not None and accident["stops"]
        if stops:
            last = max((n for n in range(last + 1) if pieces[n].startswith(_ITERATION)), default=1)
        seconds = self._seconds(name, "cured")
        stopped_at = self._tell(pieces, seconds, begin=begin, last=last)
        if stopped_at is not None or stops:
            at = last if stopped_at is None else stopped_at
            return self._stop(pieces, at, told)
        if accident is not None:
            return self._break(accident, told, pieces, last)
        save(told.xml(recorded(name, "cured", "data-file-schema.xml") or ""))
        return 0

    def _tell(
        self, pieces: list[str], seconds: float, begin: int = 0, last: int | None = None
    ) -> int | None:
        """Print pieces in their time; return the piece before which it was asked to stop."""
        last = len(pieces) if last is None else last
        pause = seconds / max(len(pieces), 1)
        goes_on = begin > 0
        for number, piece in enumerate(pieces[:last]):
            iterates = piece.startswith(_ITERATION)
            if goes_on and number < begin:
                if iterates or number > 1:
                    continue  # printed before it was stopped
                write(1, piece)
                continue
            if iterates and self._has_to_stop():
                return number
            write(1, piece)
            if pause > SHORTEST_PAUSE_S:
                time.sleep(pause)
        return None

    def _has_to_stop(self) -> bool:
        limit = self.given.deck.number("max_seconds")
        over = limit is not None and time.monotonic() - self.began > limit
        return over or os.path.exists(EXIT)

    def _stop(self, pieces: list[str], at: int, told: Retelling) -> int:
        """Save and stop, as pw.x does when it is asked to, or at the end of its time."""
        if os.path.exists(EXIT):
            os.unlink(EXIT)
            said = f"     {STOPPED}\n"
        else:
            limit = self.given.deck.number("max_seconds") or 0.0
            spent = max(time.monotonic() - self.began, limit)
            said = (
                f"     {OUT_OF_TIME}\n\n     max_seconds     = {limit:10.2f}\n"
                f"     elapsed seconds = {spent:10.2f}\n"
            )
        write(1, f"{said}     Calculation stopped in scf loop at iteration #     0\n\n")
        write(1, f"     Writing output data file ./{SAVE}/\n\n")
        times = _TIMES.search(pieces[-1])
        write(1, times[0] if times else "   JOB DONE.\n")
        write(2, f"STOP {STOPS_WITH}\n")
        name = self.script["works_like"]
        xml = recorded(name, "cured", "data-file-schema.xml") or ""
        save(told.xml(xml, share=at / len(pieces), converged=False))
        found = _ITERATION_NUMBER.match(pieces[min(at, len(pieces) - 1)])
        save_iteration(xml, int(found[1]) - 1 if found else 0, at)
        return STOPS_WITH

    def _saved_at(self, n_pieces: int) -> int:
        """Return the piece to go on from: 0 where nothing is to go on, or nothing was saved."""
        piece = saved_piece() if self.given.deck.restarts else None
        return piece if piece is not None and piece < n_pieces else 0

    def _break(
        self, accident: dict[str, Any], told: Retelling, pieces: list[str], last: int
    ) -> int:
        """Break off as the accident says."""
        write(1, pieces[last - 1][: len(pieces[last - 1]) // 2] if accident["mid_line"] else "")
        write(1, accident["out"])
        write(2, accident["err"])
        name = self.script["works_like"]
        xml = told.xml(
            recorded(name, "cured", "data-file-schema.xml") or "", share=last / len(pieces)
        )
        if accident["xml_share"]:
            save(xml[: int(accident["xml_share"] * len(xml))])
        elif self.script["task"] != SAVES_NO_STEPS:
            save(xml)  # as after each ionic step
        if accident["hangs"]:
            while True:
                time.sleep(PAUSE_S)
        return end(accident["exit_code"])

    def _seconds(self, name: str, role: str) -> float:
        said = json.loads(recorded(name, "", "recording.json") or "{}")
        return float(said.get(f"{role}_seconds", 1.0)) * float(self.script["time_scale"])

    def _retelling(self, *, works: bool) -> Retelling:
        a, b, c = self.script["goal_ang"]
        places = tuple(self.script["first"]["frac_coords"])
        return Retelling(
            task=self.script["task"],
            deck=self.given.deck,
            energy_ry=self.script["energy_ry"],
            goal=((a, b, c), places) if works else None,
            gap_ev=self.script["gap_ev"] if works else None,
        )


def recorded(name: str, role: str, file: str) -> str | None:
    """Return a file of a recording, or None where there is none."""
    path = os.path.join(RECORDINGS, name, role, file)
    for candidate in (path, f"{path}.gz"):
        try:
            with open(candidate, "rb") as opened:
                content = opened.read()
        except FileNotFoundError:
            continue
        if candidate.endswith(".gz"):
            content = zlib.decompress(content, GZIP)
        return content.decode("utf-8", "replace")
    return None


def played() -> list[str]:
    """Return what was played in the working directory so far."""
    try:
        with open(PLAYED, encoding="utf-8") as file:
            return file.read().split()
    except FileNotFoundError:
        return []


def note(name: str) -> None:
    """Write down what is played."""
    with open(PLAYED, "a", encoding="utf-8") as file:
        file.write(f"{name}\n")


def write(stream: int, text: str) -> None:
    """Write at once: what was printed is there, whatever comes next."""
    data = text.encode()
    while data:
        data = data[os.write(stream, data) :]


def keep(path: str, text: str) -> None:
    """Write a file."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def end(exit_code: int) -> int:
    """Return an exit code; end by a signal where it is that of one, as Popen says it."""
    if exit_code < 0:
        _kill(-exit_code)
    return exit_code


def _kill(number: int) -> NoReturn:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number != signal.SIGKILL:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    while True:
        time.sleep(PAUSE_S)


def main(argv: list[str]) -> int:
    """Run in the working directory; without a deck to read, only say which version it plays."""
    began = time.monotonic()
    write(1, "" if "-in" in argv else BANNER)
    if "-in" not in argv:
        return 1
    try:
        with open(argv[argv.index("-in") + 1], encoding="utf-8", errors="replace") as file:
            deck = read_deck(file.read())
        with open(SCRIPT, encoding="utf-8") as file:
            script = json.load(file)
    except (OSError, IndexError, ValueError, UnreadableDeck) as error:
        write(2, f"rehearsal: {error}\n")
        return 1
    first = [*script["first"]["lattice_ang"], *script["first"]["frac_coords"]]
    given = Given(deck, argv, first, met=played(), met_before=script["met_before"])
    return Play(script, given, began).run()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
