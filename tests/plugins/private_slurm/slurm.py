"""Daemons of Slurm that end with the process that started them."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from database_servers.ports import accepts, free_port

from private_slurm.completions import Over, over
from private_slurm.configuration import ACCOUNTING_CONF, CGROUP_CONF, SLURM_CONF, SLURMDBD_CONF
from private_slurm.programs import check, required

START_S = 60.0
POLL_S = 0.05
UP = frozenset(("idle", "mixed", "allocated", "planned", "completing"))


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
        check(accounting=accounting)
        # A socket's path is short (unix(7): 108 bytes), shorter than pytest's folders.
        # Not below TMPDIR, which may be deep: names of sockets have 107 characters at most.
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))
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
        for line in path.read_text().splitlines(keepends=True) if path.exists() else ():
            if (whole := over(line)) is not None:
                found.setdefault(whole[0], []).append(whole[1])
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
            [required("mariadb-install-db"), "--no-defaults", *place, "--skip-test-db"],
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
                [required("setpriv"), "--pdeathsig=TERM", "--", required(program), *options],
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
