#!/bin/bash
#SBATCH --job-name=perovskites-1
#SBATCH --output=/shared/exchange/perovskites/jobs/perovskites-1/out-%j.txt
#SBATCH --open-mode=append
#SBATCH --chdir=/shared/exchange/perovskites/jobs/perovskites-1
#SBATCH --partition=compute
#SBATCH --account=abc123
#SBATCH --qos=long
#SBATCH --constraint=[rack1|rack2]&ib
#SBATCH --reservation=course
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=32
#SBATCH --mem=171661M
#SBATCH --time=241
#SBATCH --signal=B:USR1@120
#SBATCH --mail-user=me@example.org
#SBATCH --mail-type=FAIL,TIME_LIMIT_80
#SBATCH --no-requeue
#SBATCH --licenses=vasp:1
#SBATCH --nice=100

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
    [ "$code" -eq 0 ] || [ -z "${setup_step-}" ] ||
        printf 'launcher.setup ended with code %d in: %s\n' "$code" "${setup_step%$'\n'}" >&2
    printf '{"exit": %d, "at": %(%s)T}\n' "$code" -1 >"$ended.new"
    mv -f -- "$ended.new" "$ended"
    exit "$code"
}
ended=/shared/exchange/perovskites/jobs/perovskites-1/"ended-$SLURM_JOB_ID-${SLURM_RESTART_COUNT:-0}.json"
trap record EXIT

# In this shell, a whole command at a time: the first that fails ends the job.
setup_step=
for setup_line in \
    'module load openmpi/4.1.4' \
    'export ESPRESSO_PSEUDO='"'"'/shared/my pseudo'"'"''
do
    setup_step+=$setup_line$'\n'
    [ "${setup_line%\\}" = "$setup_line" ] || continue # it goes on with the next line
    [ -z "$(BASH_ENV='' LC_ALL=C "$BASH" -n -c "$setup_step" 2>&1)" ] || continue # as above
    eval "$setup_step"
    setup_code=$?
    [ "$setup_code" -eq 0 ] || exit "$setup_code"
    setup_step=
done
eval "$setup_step" || exit # what never was a whole command: bash says what it lacks
setup_step=

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
