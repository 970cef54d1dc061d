"""Which file system holds a path, and whether SQLite's shared-memory locks can be trusted there."""

import re
from pathlib import Path

from schemas.errors import UserError

NETWORK_FILESYSTEMS = frozenset(
    [
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "fhgfs",
        "glusterfs",
        "gpfs",
        "lustre",
        "mmfs",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "panfs",
        "pvfs2",
        "smb2",
        "smb3",
        "smbfs",
        "wekafs",
    ]
)
"""File systems that several hosts mount; see https://www.sqlite.org/wal.html, "Overview"."""

NETWORK_FUSE = frozenset(
    f"fuse.{name}"
    for name in [
        "beegfs",
        "ceph",
        "ceph-fuse",
        "cvmfs",
        "davfs",
        "gcsfuse",
        "glusterfs",
        "goofys",
        "juicefs",
        "moosefs",
        "mount-s3",
        "rclone",
        "s3fs",
        "sshfs",
    ]
)

_ESCAPE = re.compile(r"\\([0-7]{3})")  # proc(5): blanks and backslashes are octal
MOUNTINFO = Path("/proc/self/mountinfo")


def filesystem_of(path: str, mountinfo: str) -> str | None:
    """Return the type of the file system that holds an absolute path.

    `mountinfo` is the text of /proc/self/mountinfo (proc(5)). The longest mount point that leads
    to the path wins, and of several on one point the last, which hides the others.
    """
    best, found = -1, None
    for line in mountinfo.splitlines():
        left, separator, right = line.partition(" - ")
        fields = left.split(" ")
        if not separator or len(fields) < 5:  # noqa: PLR2004 - the mount point is the fifth field
            continue
        point = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[4])
        inside = f"{path}/".startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:
            best, found = len(point), right.split(" ")[0]
    return found


def is_network(filesystem: str) -> bool:
    """Tell whether more than one host may have this type of file system mounted."""
    return filesystem in NETWORK_FILESYSTEMS or filesystem in NETWORK_FUSE


def refuse_network(path: Path, mountinfo: str) -> None:
    """Raise if the path lies on a network file system.

    Raises
    ------
    UserError
        With what to do instead.
    """
    filesystem = filesystem_of(str(path), mountinfo)
    if filesystem is not None and is_network(filesystem):
        raise UserError(
            f"{path}: the embedded store needs a local disk, and this is a network file system "
            f"({filesystem}), where two hosts could damage it; name a path on a local disk, "
            "or use a MongoDB URI (mongodb://...) as the store"
        )


def mounts() -> str:
    """Return the mount table of this process, empty where the system has none to read."""
    try:
        return MOUNTINFO.read_text()
    except OSError:
        return ""
