"""A private Slurm on this machine for tests: real daemons, their files and ports all of their own.

    python -m private_slurm [--accounting] [--nodes N] [--cpus N] COMMAND...

runs a command with SLURM_CONF set to such a Slurm. Two nodes are two slurmd on this machine; CPUs
are what the configuration says, whatever there really is. With accounting there are slurmdbd and
MariaDB beside, so that sacct answers and limits hold.
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from database_servers.missing import Missing
from database_servers.ports import accepts, free_port

__all__ = [
    "_slurm",
    "_slurm_accounting",
    "_slurm_pair",
    "slurm",
    "slurm_accounting",
    "slurm_pair",
]

START_S = 60.0
POLL_S = 0.05
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol", "setpriv")
NEEDED_FOR_ACCOUNTING = ("slurmdbd", "sacctmgr", "sacct", "mariadbd", "mariadb-install-db")
UP = frozenset(("idle", "mixed", "allocated", "planned", "completing"))

SLURM_CONF = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
# The shortest lifetime that a loaded machine can keep: requeued jobs wait for it.
AuthInfo=socket={folder}/munge.sock,cred_expire=10
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/controller
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType={tracking}
TaskPlugin={placing}
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
EnforcePartLimits=ALL
SchedulerParameters=sched_interval=2,bf_interval=2,sched_min_interval=0,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/jobcomp.txt
KillWait={kill_wait_s}
MinJobAge={min_job_age_s}
SlurmdTimeout=20
# How long programs wait for a controller that is down.
MessageTimeout=5
MailProg=/bin/true
NodeName={names} NodeHostname={host} NodeAddr=127.0.0.1 Port={node_ports} CPUs={cpus} \
RealMemory={memory_mib} State=UNKNOWN
PartitionName=main Nodes={names} Default=YES MaxTime=INFINITE DefaultTime=60 PriorityTier=1
PartitionName=spot Nodes={names} MaxTime=INFINITE PreemptMode=CANCEL PriorityTier=1
PartitionName=urgent Nodes={names} MaxTime=INFINITE PreemptMode=OFF PriorityTier=10
"""
ACCOUNTING_CONF = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={records_port}
AccountingStoragePass={folder}/munge.sock
AccountingStorageEnforce=limits,qos
JobAcctGatherType=jobacct_gather/linux
"""
CGROUP_CONF = """\
CgroupPlugin=cgroup/v1
ConstrainRAMSpace=yes
AllowedSwapSpace=0
"""
SLURMDBD_CONF = """\
AuthInfo=socket={folder}/munge.sock
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={records_port}
SlurmUser={user}
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database_port}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
"""


@dataclass(frozen=True)
class Over:
    """A job that is over, as Slurm wrote it down."""

    id: str
    """Its own: that of an element, where it is one."""
    state: str
    cores: int
    seconds: float


def _over(said: dict[str, str]) -> Over:
    # Of a job that never began, the start is "Unknown".
    times = [said[name] for name in ("StartTime", "EndTime")]
    began, ended = (
        None if one in {"Unknown", "None"} else datetime.fromisoformat(one) for one in times
    )
    seconds = (ended - began).total_seconds() if began and ended else 0.0
    return Over(said["JobId"], said["JobState"], int(said["ProcCnt"]), max(seconds, 0.0))


class PrivateSlurm:
    """Daemons that end with the process that started them."""

    def __init__(
        self,
        *,
        nodes: int = 1,
        cpus: int = 8,
        memory_mib: int = 8000,
        accounting: bool = False,
        kill_wait_s: int = 5,
        min_job_age_s: int = 300,
        enforced_memory: bool = False,
    ) -> None:
        for program in (*NEEDED, *(NEEDED_FOR_ACCOUNTING if accounting else ())):
            if _program(program) is None:
                raise Missing("Slurm", program)
        # A socket's path is short (unix(7): 108 bytes), shorter than pytest's folders.
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.folder.chmod(0o755)
        for name in ("controller", *(f"spool-n{number + 1}" for number in range(nodes))):
            (self.folder / name).mkdir()
        self.accounting = accounting
        self.nodes = tuple(f"n{number}" for number in range(1, nodes + 1))
        self.environment = {"SLURM_CONF": str(self.folder / "slurm.conf")}
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._limits: set[str] = set()
        ports = _ports(nodes + 3)
        self._controller_port, self._records_port, self._database_port = ports[:3]
        self._settings = {
            "folder": self.folder,
            "host": socket.gethostname().partition(".")[0],
            "user": getpass.getuser(),
            "names": ",".join(self.nodes),
            "node_ports": ",".join(str(port) for port in ports[3:]),
            "controller_port": self._controller_port,
            "records_port": self._records_port,
            "database_port": self._database_port,
            "cpus": cpus,
            "memory_mib": memory_mib,
            "kill_wait_s": kill_wait_s,
            "min_job_age_s": min_job_age_s,
            "tracking": "proctrack/cgroup" if enforced_memory else "proctrack/linuxproc",
            "placing": "task/cgroup" if enforced_memory else "task/none",
        }

    def start(self) -> None:
        """Start everything; return when jobs can run."""
        self._write("munge.key", os.urandom(1024).hex())
        self._write("slurm.conf", SLURM_CONF + (ACCOUNTING_CONF if self.accounting else ""), 0o644)
        self._write("cgroup.conf", CGROUP_CONF, 0o644)
        options = {
            "key-file": "munge.key",
            "socket": "munge.sock",
            "pid-file": "munged.pid",
            "log-file": "munged.log",
            "seed-file": "munge.seed",
        }
        files = [f"--{name}={self.folder / file}" for name, file in options.items()]
        self._launch("munged", "--foreground", "--force", *files)
        self._until((self.folder / "munge.sock").exists, "munged")
        if self.accounting:
            self._start_accounting()
        self.start_controller()
        for node in self.nodes:
            self.start_node(node)

    def stop(self) -> None:
        """End all jobs and daemons and remove their files."""
        if "slurmctld" in self._daemons and self._daemons["slurmctld"].poll() is None:
            with contextlib.suppress(TimeoutError, RuntimeError):
                self.empty()
        for name in reversed(list(self._daemons)):
            self._end(name, signal.SIGTERM)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *argv: str, check: bool = True) -> str:
        """Run one of Slurm's programs and return what it printed."""
        done = subprocess.run(
            argv,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise RuntimeError(f"{argv}: {done.stderr}{done.stdout}\n{self.trouble()}")
        return done.stdout.strip()

    def restore(self) -> None:
        """Start what was killed, lift limits, and empty the queue: as new for the next test."""
        if self._daemons["slurmctld"].poll() is not None:
            self.start_controller()
        for node in self.nodes:
            if self._daemons[f"slurmd-{node}"].poll() is not None:
                self.start_node(node)
            if self.node_state(node) not in UP:
                self.resume(node)
        for name in self._limits:
            self.limit(name, -1)
        self.empty()

    def empty(self) -> None:
        """End all jobs; return when none is left."""
        self.run("scancel", f"--user={os.getuid()}")
        self._until(lambda: not self.run("squeue", "--noheader", "--all"), "the last job's end")

    def save(self) -> None:
        """Return when slurmctld has written down what it knows now.

        It writes what is handed in at once, but that a job was started may stay unwritten for
        minutes: after SIGKILL it starts such a job again, finds it running, drains the node.
        """
        self.run("scancel", self.run("sbatch", "--parsable", "--hold", "--mem=1", "--wrap=true"))
        now = time.time()
        state = self.folder / "controller" / "job_state"
        self._until(lambda: state.exists() and state.stat().st_mtime > now, "the saved state")

    def over(self) -> dict[str, list[Over]]:
        """Return the jobs that are over, by name: those that started twice are there twice."""
        path = self.folder / "jobcomp.txt"
        found: dict[str, list[Over]] = {}
        for line in path.read_text().splitlines() if path.exists() else ():
            # A name may hold blanks, but names of campaigns' jobs do not.
            said = dict(word.split("=", 1) for word in line.split() if "=" in word)
            found.setdefault(said["Name"], []).append(_over(said))
        return found

    def kill_controller(self) -> None:
        """End slurmctld by SIGKILL."""
        self._end("slurmctld", signal.SIGKILL)

    def start_controller(self) -> None:
        """Start slurmctld; return when it answers."""
        self._launch("slurmctld", "-D")
        self._until(lambda: accepts(self._controller_port), "slurmctld")
        self._until(lambda: "UP" in self.run("scontrol", "ping", check=False), "slurmctld")

    def kill_node(self, node: str = "n1") -> None:
        """End a slurmd by SIGKILL; its jobs go on."""
        self._end(f"slurmd-{node}", signal.SIGKILL)

    def start_node(self, node: str = "n1") -> None:
        """Start a slurmd; return when jobs can run there."""
        self._launch("slurmd", "-D", "-N", node, name=f"slurmd-{node}")
        self._until(lambda: self.node_state(node) in UP, f"slurmd-{node}")

    def fail_node(self, node: str = "n1") -> None:
        """Say that a node is down: its jobs end with NODE_FAIL or start again."""
        self.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")

    def drain(self, node: str = "n1") -> None:
        """Let a node start nothing new."""
        self.run("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")

    def resume(self, node: str = "n1") -> None:
        """Let a node that is down or drained start jobs again."""
        # Refused for a node that is up again by itself in the meantime.
        self.run("scontrol", "update", f"nodename={node}", "state=resume", check=False)
        self._until(lambda: self.node_state(node) in UP, f"slurmd-{node}")

    def node_state(self, node: str = "n1") -> str:
        """Return a node's state: `idle`, `mixed`, `drained`."""
        return (
            self.run("sinfo", "--noheader", f"--nodes={node}", "--Format=statelong", check=False)
            .partition("\n")[0]
            .strip()
        )

    def limit(self, name: str, value: int) -> None:
        """Set a limit of the default QOS, `MaxSubmitJobsPerUser`; -1 lifts it (accounting only)."""
        self._limits.add(name)
        self.run("sacctmgr", "-i", "modify", "qos", "normal", "set", f"{name}={value}")

    def trouble(self) -> str:
        """Return what the daemons said last."""
        logs = sorted(self.folder.glob("*.log"))
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-1500:]}" for log in logs)

    def _start_accounting(self) -> None:
        files = self.folder / "database"
        place = (f"--datadir={files}", f"--user={getpass.getuser()}")
        subprocess.run(
            [_required("mariadb-install-db"), "--no-defaults", *place, "--skip-test-db"],
            stdout=subprocess.DEVNULL,
            check=True,
        )
        self._write(
            "users.sql",
            "CREATE DATABASE IF NOT EXISTS slurm;\n"
            "CREATE USER IF NOT EXISTS 'slurm'@'127.0.0.1' IDENTIFIED BY 'slurm';\n"
            "GRANT ALL ON slurm.* TO 'slurm'@'127.0.0.1';\n",
        )
        self._launch(
            *("mariadbd", "--no-defaults", *place, f"--socket={self.folder}/database.sock"),
            *("--bind-address=127.0.0.1", f"--port={self._database_port}"),
            *("--skip-name-resolve", f"--pid-file={self.folder}/mariadbd.pid"),
            f"--init-file={self.folder}/users.sql",
        )
        self._until(lambda: accepts(self._database_port), "mariadbd")
        self._write("slurmdbd.conf", SLURMDBD_CONF)
        self._launch("slurmdbd", "-D")
        self._until(lambda: accepts(self._records_port), "slurmdbd")
        user = getpass.getuser()
        for words in (
            ("cluster", "tests"),
            ("account", "science", "cluster=tests"),
            ("user", user, "account=science", "cluster=tests"),
        ):
            # root is known from the start, but belongs to no account that jobs are charged to
            self.run("sacctmgr", "-i", "add", *words, check=words[0] != "user")
        self.run("sacctmgr", "-i", "modify", "user", user, "set", "defaultaccount=science")

    def _write(self, name: str, text: str, mode: int = 0o600) -> None:
        path = self.folder / name
        path.touch(mode=mode)
        path.write_text(text.format(**self._settings))

    def _launch(self, program: str, *options: str, name: str = "") -> None:
        name = name or program
        with (self.folder / f"{name}.log").open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                # Whatever happens to us, daemons do not stay behind.
                [_required("setpriv"), "--pdeathsig=TERM", "--", _required(program), *options],
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests
            )

    def _end(self, name: str, number: signal.Signals) -> None:
        daemon = self._daemons[name]
        daemon.send_signal(number)
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()

    def _until(self, ready: Callable[[], bool], name: str) -> None:
        end = time.monotonic() + START_S
        while not ready():
            ended = name in self._daemons and self._daemons[name].poll() is not None
            if ended or time.monotonic() > end:
                raise TimeoutError(f"{name} did not come: {self.trouble()}")
            time.sleep(POLL_S)


def _program(name: str) -> str | None:
    # Debian keeps daemons where only root's PATH leads.
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _required(name: str) -> str:
    found = _program(name)
    assert found is not None
    return found


def _ports(count: int) -> list[int]:
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return sorted(found)


@contextlib.contextmanager
def private_slurm(**settings: int) -> Iterator[PrivateSlurm]:
    """Give a running Slurm, and end it."""
    slurm = PrivateSlurm(**settings)
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()


def main(arguments: list[str]) -> int:
    """Run a command beside a Slurm; return how it ended."""
    parser = argparse.ArgumentParser(prog="private_slurm")
    parser.add_argument("--accounting", action="store_true")
    parser.add_argument("--nodes", type=int, default=1)
    parser.add_argument("--cpus", type=int, default=8)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    asked = parser.parse_args(arguments)
    with private_slurm(nodes=asked.nodes, cpus=asked.cpus, accounting=asked.accounting) as slurm:
        environment = {**os.environ, **slurm.environment}
        return subprocess.run(asked.command, env=environment, check=False).returncode


def _of_session(**settings: int) -> Iterator[PrivateSlurm]:
    try:
        with private_slurm(**settings) as slurm:
            yield slurm
    except Missing as error:
        pytest.skip(str(error))


def _of_test(slurm: PrivateSlurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateSlurm]:
    for name, value in slurm.environment.items():
        monkeypatch.setenv(name, value)
    yield slurm
    slurm.restore()


@pytest.fixture(scope="session")
def _slurm() -> Iterator[PrivateSlurm]:
    yield from _of_session()


@pytest.fixture(scope="session")
def _slurm_pair() -> Iterator[PrivateSlurm]:
    yield from _of_session(nodes=2, cpus=4)


@pytest.fixture(scope="session")
def _slurm_accounting() -> Iterator[PrivateSlurm]:
    yield from _of_session(accounting=True, min_job_age_s=2)


@pytest.fixture
def slurm(_slurm: PrivateSlurm, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateSlurm]:
    """Return a Slurm with one node and an empty queue; SLURM_CONF is set."""
    yield from _of_test(_slurm, monkeypatch)


@pytest.fixture
def slurm_pair(
    _slurm_pair: PrivateSlurm, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PrivateSlurm]:
    """Return a Slurm with two nodes, both this machine, and an empty queue."""
    yield from _of_test(_slurm_pair, monkeypatch)


@pytest.fixture
def slurm_accounting(
    _slurm_accounting: PrivateSlurm, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PrivateSlurm]:
    """Return a Slurm with accounting; slurmctld forgets jobs soon after they ended."""
    yield from _of_test(_slurm_accounting, monkeypatch)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
