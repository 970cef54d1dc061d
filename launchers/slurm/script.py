"""The batch script of a job: a pure function of settings and request.

Settings are the site's; of a campaign's content nothing but a name and a folder gets here.
"""

from __future__ import annotations

import math
import shlex
from pathlib import Path

from launchers.slurm.params import SlurmParams
from schemas.errors import UserError
from schemas.queue import JobRequest, JobShape

MIB_PER_GB = 1e9 / 2**20  # Slurm's M is 2**20 bytes
UNQUOTED = frozenset("+,-./:=@_%")
"""Characters, beside letters and digits, that sbatch reads as they are."""

START = """\
# Told to end (USR1: soon, the time limit comes; TERM: now), the worker is told: it saves its state.
told=
worker=
trap 'told=USR1; [ -z "$worker" ] || kill -s USR1 "$worker" 2>/dev/null' USR1
trap 'told=TERM; [ -z "$worker" ] || kill -s TERM "$worker" 2>/dev/null' TERM

# However this ends, setup that fails too: one file says how.
# shellcheck disable=SC2317 # a trap calls it
record() {
    code=$?
    trap '' USR1 TERM
SETUP_FAILED    printf '{"exit": %d, "at": %(%s)T}\\n' "$code" -1 >"$ended.new"
    mv -f -- "$ended.new" "$ended"
    exit "$code"
}
"""
SETUP = """\
# In this shell, a whole command at a time: the first that fails ends the job.
setup_step=
for setup_line in \\
{lines}
do
    setup_step+=$setup_line$'\\n'
    [ "${setup_line%\\\\}" = "$setup_line" ] || continue # it goes on with the next line
    [ -z "$(BASH_ENV='' LC_ALL=C "$BASH" -n -c "$setup_step" 2>&1)" ] || continue # as above
    eval "$setup_step"
    setup_code=$?
    [ "$setup_code" -eq 0 ] || exit "$setup_code"
    setup_step=
done
eval "$setup_step" || exit # what never was a whole command: bash says what it lacks
setup_step=
"""
SETUP_FAILED = """\
    [ "$code" -eq 0 ] || [ -z "${setup_step-}" ] ||
        printf 'launcher.setup ended with code %d in: %s\\n' "$code" "${setup_step%$'\\n'}" >&2
"""
RUN = """\
set +eu
[ -z "$told" ] || exit 0 # nothing ran yet
{command} &
worker=$!
[ -z "$told" ] || kill -s "$told" "$worker"
while # traps run only while bash waits, and end the wait
    told=
    wait "$worker"
    code=$?
    [ -n "$told" ]
do :; done
exit "$code"
"""


def script(params: SlurmParams, request: JobRequest) -> str:
    """Return the batch script of a request.

    Raises
    ------
    UserError
        When the folder's name cannot be told to sbatch.
    """
    directives = [f"#SBATCH {line}" for line in (*_options(params, request), *params.extra)]
    start = START.replace("SETUP_FAILED", SETUP_FAILED if params.setup else "")
    parts = ["\n".join(["#!/bin/bash", *directives]) + "\n", start + _ended(request)]
    if params.setup:
        lines = " \\\n".join(f"    {shlex.quote(line)}" for line in params.setup)
        parts.append(SETUP.replace("{lines}", lines))
    parts.append(RUN.replace("{command}", shlex.join(_command(params, request))))
    return "\n".join(parts)


def _options(params: SlurmParams, request: JobRequest) -> list[str]:
    shape = request.shape
    array = request.count > 1
    output = _quoted(request.folder).replace("%", "%%") + "/"
    lines = {
        "job-name": request.name,
        "output": _in_quotes(output + ("out-%A_%a.txt" if array else "out-%j.txt")),
        "open-mode": "append",
        "chdir": _in_quotes(_quoted(request.folder)),
        "array": f"0-{request.count - 1}" if array else None,
        "partition": params.partition,
        "account": params.account,
        "qos": params.qos,
        "constraint": params.constraint,
        "reservation": params.reservation,
        "nodes": str(shape.nodes),
        "ntasks-per-node": str(shape.cores),
        "mem": _memory(params, shape),
        "gres": params.gres or (f"gpu:{shape.gpus}" if shape.gpus else None),
        "time": str(math.ceil(shape.walltime_min)),
        "signal": f"B:USR1@{_notice_s(params, shape)}",
        "mail-user": params.mail.user if params.mail else None,
        "mail-type": ",".join(params.mail.events).upper() if params.mail else None,
    }
    flags = ["--exclusive"] if params.exclusive else []
    flags.append("--requeue" if params.requeue else "--no-requeue")
    return [*(f"--{name}={value}" for name, value in lines.items() if value), *flags]


def _memory(params: SlurmParams, shape: JobShape) -> str | None:
    if shape.memory_gb is not None:
        return f"{max(1, math.floor(shape.memory_gb * MIB_PER_GB))}M"
    # Otherwise even whole nodes get no more memory than the partition's default for their cores.
    return "0" if params.exclusive else None


def _notice_s(params: SlurmParams, shape: JobShape) -> int:
    """Return the notice before the limit; jobs that are shorter than usual keep half of theirs."""
    return max(1, min(params.stop_before_s, int(shape.walltime_min * 60 / 2)))


def _quoted(folder: Path) -> str:
    text = str(folder)
    if not folder.is_absolute() or set(text) & {'"', "'", "\\"} or not text.isprintable():
        raise UserError(
            f"launcher.exchange: found the folder {text!r}, expected an absolute path without "
            "quotes, backslashes and line breaks, which sbatch cannot be told; choose another"
        )
    return text


def _in_quotes(text: str) -> str:
    plain = all((one.isascii() and one.isalnum()) or one in UNQUOTED for one in text)
    return text if plain else f'"{text}"'


def _ended(request: JobRequest) -> str:
    """Return the lines that name the record; elements of an array are called by their index."""
    job = "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID" if request.count > 1 else "$SLURM_JOB_ID"
    folder = shlex.quote(str(request.folder))
    return f'ended={folder}/"ended-{job}-${{SLURM_RESTART_COUNT:-0}}.json"\ntrap record EXIT\n'


def _command(params: SlurmParams, request: JobRequest) -> list[str]:
    shape = request.shape
    words: list[str] = []
    if shape.nodes > 1 and request.per_node:
        words += [
            *("srun", f"--nodes={shape.nodes}", f"--ntasks={shape.nodes}", "--ntasks-per-node=1"),
            # No binding, no PMI: workers place what they run, and nobody ends because one did.
            *(f"--cpus-per-task={shape.cores}", "--cpu-bind=none", "--mpi=none"),
            *("--kill-on-bad-exit=0", "--wait=0", "--export=ALL"),
            *params.srun.flags,
        ]
    if params.container is not None:
        words += [params.container.program, "exec", *params.container.flags]
        for bind in params.container.binds:
            words += ["--bind", bind]
        words.append(params.container.image)
    return [*words, *request.command]
