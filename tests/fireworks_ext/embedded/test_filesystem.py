from pathlib import Path

import pytest

from fireworks_ext.embedded.filesystem import filesystem_of, is_network, refuse_network
from schemas.errors import UserError

MOUNTS = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,errors=remount-ro
41 27 0:35 / /home rw,relatime shared:5 master:2 - nfs4 server:/home rw,vers=4.2
42 41 8:1 / /home/ada/scratch rw - xfs /dev/sda1 rw
43 27 0:36 / /mnt/with\\040blank rw - cifs //server/share rw
44 27 0:37 / /lus rw - lustre 10.0.0.1@tcp:/lus rw
45 27 0:38 / /data rw - ext4 /dev/sdb rw
46 27 0:39 / /data rw - fuse.sshfs ada@server:/data rw
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/var/x", "ext4"),
        ("/home/ada/x", "nfs4"),
        ("/home", "nfs4"),
        ("/homework/x", "ext4"),
        ("/home/ada/scratch/run/x", "xfs"),
        ("/mnt/with blank/x", "cifs"),
        ("/lus/x", "lustre"),
        ("/data/x", "fuse.sshfs"),
    ],
)
def test_the_longest_and_last_mount_decides(path: str, expected: str) -> None:
    assert filesystem_of(path, MOUNTS) == expected


def test_nothing_is_known_without_a_mount_table() -> None:
    assert filesystem_of("/home/x", "") is None
    refuse_network(Path("/home/x"), "")


@pytest.mark.parametrize(
    "name",
    [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "lustre",
        "gpfs",
        "beegfs",
        "ceph",
        "9p",
        "afs",
        "fuse.sshfs",
        "fuse.s3fs",
    ],
)
def test_network_file_systems_are_known(name: str) -> None:
    assert is_network(name)


@pytest.mark.parametrize("name", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "apfs"])
def test_local_file_systems_are_allowed(name: str) -> None:
    assert not is_network(name)


def test_the_refusal_names_the_path_the_file_system_and_the_remedy() -> None:
    with pytest.raises(UserError, match=r"/home/ada/x.*nfs4.*local disk.*mongodb://"):
        refuse_network(Path("/home/ada/x"), MOUNTS)
    refuse_network(Path("/home/ada/scratch/x"), MOUNTS)
