"""Files that outlive a machine that loses its power: their contents, and their names too.

What is in a file is on the disk once the file is flushed; that it is there under its name, once its
folder is (https://man7.org/linux/man-pages/man2/fsync.2.html). Folders above, made before that, are
then there too: a journal is written in its order.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

UNABLE = frozenset({errno.EINVAL, errno.ENOTSUP})
"""What file systems answer that do not flush folders, as they need none of it."""


def write(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a file: whole, or not at all.

    `durable`: it outlives a machine that loses its power from now on.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        aside.replace(path)
    except OSError:
        with suppress(OSError):  # half of it, on a disk that is full
            aside.unlink()
        raise
    if durable:
        flush(path.parent)


def flush(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk before what comes next."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in UNABLE:
            raise
    finally:
        os.close(handle)
