"""The disk of run directories, as a worker sees it: there, or away and tried again later.

A full disk, or one that was taken away, says nothing of a calculation. So the stage that meets it
is given back, and its worker pauses: whatever it took next would end the same.
"""

from __future__ import annotations

import errno
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

FIRST_PAUSE_S = 30.0
LONGEST_PAUSE_S = 300.0
STEP_S = 0.5
"""Between two looks of one who waits at whether he is to leave."""
PROBE_BYTES = 1024**2
"""A disk with less room than this is full."""
AWAY = frozenset(
    {
        *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE),
        *(errno.ENODEV, errno.ENXIO, errno.ENOTCONN, errno.EHOSTDOWN, errno.ETIMEDOUT),
    }
)
"""What operations on files answer when their disk is full or gone (Linux, errno(3))."""


class DiskAway(OSError):
    """What is to be kept of a calculation cannot be written."""


def is_away(error: BaseException, folder: Path) -> bool:
    """Tell whether something went wrong because the disk that a folder is on is full or gone."""
    cause = error if isinstance(error, OSError) else error.__cause__
    if not isinstance(cause, OSError):
        return False
    return isinstance(cause, DiskAway) or cause.errno in AWAY or not is_there(folder)


@dataclass
class Disk:
    """What one worker knows of its disk; pauses grow as long as no stage ends on it."""

    why: str | None = None
    """Why nothing can be computed now; None: nothing is known against it."""
    _root: Path | None = None
    """Of the run directories, once it was seen."""
    _pause_s: float = 0.0
    _again_at: float = 0.0
    _is_doubtful: bool = False

    @property
    def left_s(self) -> float:
        """How long to wait before it is worth another try."""
        return max(self._again_at - time.monotonic(), 0.0) if self.why else 0.0

    def lost(self, error: BaseException, where: Path) -> None:
        """Take note that the disk of a folder is away, and of when to try again."""
        self._pause_s = min(max(2 * self._pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        self._again_at = time.monotonic() + self._pause_s
        self.why = f"{where}: {_words(error)}"
        logger.warning("%s; nothing is computed for %.0f s", self.why, self._pause_s)

    def doubt(self) -> None:
        """Have it tried before anything else is computed: a program has found it full."""
        self._is_doubtful = True

    def served(self, root: Path) -> None:
        """Take note that a stage ended on it, so the next pause is a short one."""
        if is_there(root):  # what is computed without run directories makes none
            self._root = root
        if self.why is None:
            self._pause_s = 0.0

    def is_there(self, root: Path) -> bool:
        """Tell whether run directories can be made below `root`, as far as is known.

        While the disk is away it is tried only when that is due.
        """
        if self._root not in {None, root}:  # a later run of the campaign names another place
            self._root, self.why, self._pause_s = None, None, 0.0
        if self.left_s:
            return False
        problem = self._problem(root)
        if problem is not None:
            self.lost(problem, root)
            return False
        if self.why is not None:
            logger.warning("%s: is written again", root)
        self.why, self._is_doubtful = None, False
        return True

    def wait(self, leaving: Callable[[], bool]) -> bool:
        """Wait until it is worth another try; False where one is to leave before that."""
        while not leaving():
            if not self.left_s:
                return True
            time.sleep(min(self.left_s, STEP_S))
        return False

    def _problem(self, root: Path) -> OSError | None:
        if is_there(root):
            self._root = root
        elif self._root == root:
            # Nobody makes it anew: where a disk is to be mounted, all would lie below it.
            missing = "is gone; mount its disk again, or make the folder"
            return FileNotFoundError(errno.ENOENT, missing, str(root))
        if self.why is None and not self._is_doubtful:
            return None
        try:
            root.mkdir(parents=True, exist_ok=True)
            _probe(root / f".probe-{os.getpid()}")
        except OSError as error:
            return error
        return None


def make(folder: Path, leaving: Callable[[], bool]) -> bool:
    """Make a folder as soon as its disk takes it; False where one is to leave before that.

    Raises
    ------
    OSError
        For what does not pass by itself.
    """
    disk = Disk()
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            if not is_away(error, Path("/")):
                raise
            disk.lost(error, folder)
        else:
            return True
        if not disk.wait(leaving):
            return False


def _probe(path: Path) -> None:
    try:
        with path.open("wb") as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    finally:
        with suppress(OSError):
            path.unlink()


def is_there(folder: Path) -> bool:
    """Tell whether a file or folder can be seen."""
    try:
        folder.stat()
    except OSError:
        return False
    return True


def _words(error: BaseException) -> str:
    """Say what went wrong, without the one file that met it first."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    return str(getattr(cause, "strerror", None) or cause)
