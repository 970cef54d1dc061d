#!/usr/bin/env python3
"""Makes recordings of pw.x for the rehearsal engine, by really running their decks.

Without options, a recording that exists is made again from its own decks and its recording.json:

    scripts/record_run.py scf-too-few-iterations

With options, a new one is made:

    scripts/record_run.py NAME --task scf --failure scf_not_converged --exit-code 2
        --failed stuck.in --cured converged.in --cured-by "electron_maxstep 4 -> 8"
        --remedy '{"keyword": "electron_maxstep", "at_least": 8}'

It refuses a recording whose runs did not end as it says, and a remedy that does not cure. Paths,
dates and the name of this machine are cut out of what is kept. The layout is told in the README.md
of the recordings.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fireworks_ext.engines.espresso.printed_structure import printed_structures
from fireworks_ext.engines.espresso.pw_input import PwInput

RECORDINGS = Path(__file__).parent.parent / "fireworks_ext/engines/rehearsal/recordings"
PSEUDOPOTENTIALS = Path("/usr/share/espresso/pseudo")
SCHEMA = Path("out/pwscf.save/data-file-schema.xml")
ARGV = ("pw.x", "-in", "pw.in")
LONGEST_RUN_S = 120.0
LOOK_EVERY_S = 0.002

ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "GFORTRAN_UNBUFFERED_PRECONNECTED": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
}

_HOST = re.escape(socket.gethostname())
OF_THIS_MACHINE = (
    (re.compile(re.escape(f"{PSEUDOPOTENTIALS}/")), "./pseudo/"),
    (re.compile(rf"\b{_HOST}:\d+"), "node:1"),
    (re.compile(rf"\b{_HOST}\b"), "node"),
    (re.compile(r"starts on .*"), "starts on  1Jan2026 at  0: 0: 0 "),
    (re.compile(r"(This run was terminated on:)[^<\n]*"), r"\1   0: 0: 0   1Jan2026"),
    (
        re.compile(r'<created DATE="[^"]*" TIME="[^"]*">[^<]*'),
        '<created DATE=" 1Jan2026" TIME=" 0: 0: 0">',
    ),
)


def main() -> int:
    """Make one recording."""
    options = _options()
    folder = RECORDINGS / options.name
    if options.task:
        _describe(options, folder)
    said = json.loads((folder / "recording.json").read_text())
    with tempfile.TemporaryDirectory() as scratch:
        found = _record(folder, said, Path(scratch))
    if found is not None:
        print(f"{options.name}: {found}", file=sys.stderr)
        return 1
    print(
        f"{options.name}: {sum(p.stat().st_size for p in folder.rglob('*') if p.is_file())} bytes"
    )
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("name")
    parser.add_argument("--task", choices=("scf", "relax", "vc-relax"))
    parser.add_argument("--failure")
    parser.add_argument("--failed", type=Path, help="deck that fails")
    parser.add_argument("--cured", type=Path, help="deck that runs")
    parser.add_argument("--cured-by", default="")
    parser.add_argument("--remedy", type=json.loads, action="append", default=[])
    parser.add_argument("--argv", type=json.loads, help="of the run that fails")
    parser.add_argument("--exit-code", type=int, default=0, help="of the run that fails")
    parser.add_argument("--signal", type=int, help="send this to the run that fails")
    parser.add_argument("--at", help="when this is in its output for the nth time: 'text#n'")
    parser.add_argument("--limit", type=json.loads, help='{"RLIMIT_FSIZE": bytes}')
    parser.add_argument("--damaged", help="a file cut in half before the run that fails")
    parser.add_argument("--disk", help="size of the disk that out/ is on, as mount says it")
    parser.add_argument("--same-folder", action="store_true", help="the cure continues the failure")
    return parser.parse_args()


def _describe(options: argparse.Namespace, folder: Path) -> None:
    """Write decks and recording.json as far as they are known before the runs."""
    for role in ("failed", "cured"):
        deck: Path | None = getattr(options, role)
        if deck is not None:
            (folder / role).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(deck, folder / role / "pw.in")
    how = {
        "argv": options.argv,
        "signal": options.signal,
        "at": options.at,
        "limit": options.limit,
        "damaged": options.damaged,
        "disk": options.disk,
        "same_folder": options.same_folder or None,
    }
    said = {
        "name": options.name,
        "failure": options.failure,
        "repairable": bool(options.failure and options.cured),
        "task": options.task,
        "exit_code": options.exit_code,
        "remedies": options.remedy,
        "cured_by": options.cured_by or None,
        "how": {key: value for key, value in how.items() if value is not None},
    }
    _write(folder, said)


def _record(folder: Path, said: dict[str, Any], scratch: Path) -> str | None:
    """Run the decks and keep what they leave; return what went otherwise than said."""
    how = said["how"]
    if said["failure"] is not None:
        code, seconds = _run(folder / "failed" / "pw.in", scratch / "failed", how)
        _keep(scratch / "failed", folder / "failed")
        said["failed_seconds"] = round(seconds, 2)
        if code != said["exit_code"]:
            return f"the run that fails ended with {code}, not {said['exit_code']}"
        for number, remedy in enumerate(said["remedies"]):
            code = _tried(folder / "failed" / "pw.in", remedy, how, scratch / f"remedy-{number}")
            if code:
                return f"with {remedy} it ended with {code}"
    if (folder / "cured" / "pw.in").is_file():
        run = scratch / ("failed" if how.get("same_folder") else "cured")
        code, seconds = _run(folder / "cured" / "pw.in", run, {})
        _keep(run, folder / "cured")
        said["cured_seconds"] = round(seconds, 2)
        if code != 0:
            return f"the cured run ended with {code}"
    said["program"] = _program(folder)
    _write(folder, said)
    return None


def _tried(deck: Path, remedy: dict[str, Any], how: dict[str, Any], folder: Path) -> int:
    """Fail again, apply one remedy, run, and return the exit code."""
    _run(deck, folder, how)
    changed = PwInput.read(deck)
    argv = list(how.get("argv") or ARGV)
    if "structure" in remedy:
        last = printed_structures(folder / "pw.out", changed)[-1]
        changed.set_structure(last.lattice_ang, last.labels, last.frac_coords)
    elif "argv" in remedy:
        argv[argv.index(remedy["argv"]) + 1] = str(remedy["at_most"])
    elif remedy.get("restart"):
        changed.set("restart_mode", "restart")
        changed.unset("max_seconds")
    elif "keyword" in remedy:
        value = next((remedy[key] for key in ("at_least", "at_most", "is") if key in remedy), None)
        value = value[0] if isinstance(value, list) else value
        if value is None:
            changed.unset(remedy["keyword"])
        else:
            changed.set(remedy["keyword"], value)
    changed.write(folder / "remedy.in")
    return _run(folder / "remedy.in", folder, {"argv": argv})[0]


def _run(deck: Path, folder: Path, how: dict[str, Any]) -> tuple[int, float]:
    """Run one deck in a folder; return its exit code, as Popen says it, and its seconds."""
    folder.mkdir(exist_ok=True)
    if not (folder / "pseudo").exists():
        (folder / "pseudo").symlink_to(PSEUDOPOTENTIALS)
    _damage(deck, folder, how)
    for name in ("CRASH", "pw.err"):
        (folder / name).unlink(missing_ok=True)
    shutil.copyfile(deck, folder / "pw.in")
    begin = time.monotonic()
    with (folder / "pw.out").open("wb") as stdout, (folder / "pw.err").open("wb") as stderr:
        process = subprocess.Popen(
            how.get("argv") or ARGV,
            cwd=folder,
            stdout=stdout,
            stderr=stderr,
            env={**os.environ, **ENVIRONMENT},
            preexec_fn=_limits(how.get("limit") or {}),  # noqa: PLW1509  (one thread)
        )
    if how.get("signal"):
        _send(process, folder / "pw.out", how)
    code, seconds = process.wait(timeout=LONGEST_RUN_S), time.monotonic() - begin
    if how.get("disk"):
        subprocess.run(("umount", folder / "out"), check=True)
    return code, seconds


def _damage(deck: Path, folder: Path, how: dict[str, Any]) -> None:
    """Make the disk small, or cut a file in half: a pseudopotential, or of an earlier run."""
    if how.get("disk"):
        (folder / "out").mkdir()
        mount = ("mount", "-t", "tmpfs", "-o", f"size={how['disk']}", "tmpfs", folder / "out")
        subprocess.run(mount, check=True)
    if not how.get("damaged"):
        return
    file = folder / how["damaged"]
    if file.parent.name == "pseudo":
        file.parent.unlink()
        shutil.copytree(PSEUDOPOTENTIALS, file.parent)
    else:
        _run(deck.parent.parent / "cured" / "pw.in", folder, {})
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def _limits(limits: dict[str, int]) -> Callable[[], None]:
    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for name, value in limits.items():
            resource.setrlimit(getattr(resource, name), (value, value))

    return lower


def _send(process: subprocess.Popen[bytes], output: Path, how: dict[str, Any]) -> None:
    """Wait until a text has been printed so many times, then send the signal."""
    text, _, times = how["at"].partition("#")
    while process.poll() is None:
        if output.read_text(errors="replace").count(text) >= int(times or 1):
            process.send_signal(signal.Signals(how["signal"]))
            return
        time.sleep(LOOK_EVERY_S)


def _keep(run: Path, folder: Path) -> None:
    """Copy what a run left, without what belongs to this machine; large files compressed."""
    sources = {"pw.out": run / "pw.out", "data-file-schema.xml": run / SCHEMA}
    for name, source in sources.items():
        (folder / f"{name}.gz").unlink(missing_ok=True)
        if source.is_file():
            text = _anonymous(source.read_text(errors="replace"))
            (folder / f"{name}.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    for name in ("pw.err", "CRASH"):
        (folder / name).unlink(missing_ok=True)
        if (run / name).is_file() and (run / name).stat().st_size:
            (folder / name).write_text(_anonymous((run / name).read_text(errors="replace")))


def _anonymous(text: str) -> str:
    for pattern, instead in OF_THIS_MACHINE:
        text = pattern.sub(instead, text)
    return text


def _program(folder: Path) -> str:
    for output in sorted(folder.glob("*/pw.out.gz")):
        found = re.search(r"Program PWSCF (v\.\S+)", gzip.decompress(output.read_bytes()).decode())
        if found:
            return f"PWSCF {found[1]}"
    return "unknown"


def _write(folder: Path, said: dict[str, Any]) -> None:
    (folder / "recording.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
