#!/bin/bash
#SBATCH --job-name=perovskites-1
#SBATCH --output=/shared/exchange/perovskites/jobs/perovskites-1/out-%j.txt
#SBATCH --open-mode=append
#SBATCH --chdir=/shared/exchange/perovskites/jobs/perovskites-1
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=4
#SBATCH --mem=0
#SBATCH --time=60
#SBATCH --signal=B:USR1@120
#SBATCH --exclusive
#SBATCH --requeue

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
    printf '{"exit": %d, "at": %(%s)T}\n' "$code" -1 >"$ended.new"
    mv -f -- "$ended.new" "$ended"
    exit "$code"
}
ended=/shared/exchange/perovskites/jobs/perovskites-1/"ended-$SLURM_JOB_ID-${SLURM_RESTART_COUNT:-0}.json"
trap record EXIT

set +eu
[ -z "$told" ] || exit 0 # nothing ran yet
/shared/venv/bin/python -m runner.pilot /shared/exchange/perovskites perovskites-1 &
worker=$!
[ -z "$told" ] || kill -s "$told" "$worker"
while # traps run only while bash waits, and end the wait
    told=
    wait "$worker"
    code=$?
    [ -n "$told" ]
do :; done
exit "$code"
