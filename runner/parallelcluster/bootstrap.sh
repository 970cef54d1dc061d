#!/bin/bash
# Puts matcampaign, Quantum ESPRESSO and pseudopotentials on the shared file system of a cluster of
# AWS ParallelCluster, once, from its head node (CustomActions.OnNodeConfigured); Ubuntu 24.04.
#
# usage: bootstrap.sh s3://BUCKET/FOLDER MOUNT [FAMILY ...]
#
# The folder in S3 holds a wheel of matcampaign and, where there are, requirements.lock (versions
# with hashes) and pseudopotentials/NAME/ (own families, each with its family.yaml). Everything goes
# to MOUNT/matcampaign. What is there already is kept, so it may be run again, with sudo, at any time:
# it takes in what is new in S3.
set -euo pipefail

say() { printf 'bootstrap: %s\n' "$*"; }

die() {
    say "$*" >&2
    exit 1
}

[ $# -ge 2 ] || die "usage: bootstrap.sh s3://BUCKET/FOLDER MOUNT [FAMILY ...]"
source=${1%/}
home=$2/matcampaign
shift 2
login=/etc/profile.d
[ -z "${MATCAMPAIGN_LOGIN_SCRIPTS-}" ] || login=$MATCAMPAIGN_LOGIN_SCRIPTS

[ -d "${home%/*}" ] || die "no folder ${home%/*}: is the shared file system mounted?"
command -v aws >/dev/null || die "no AWS command line here"
mkdir -p "$home"/{incoming,pseudopotentials,environments,espresso,runs,exchange}

say "fetching $source"
aws s3 sync --only-show-errors "$source/" "$home/incoming/"
wheels=("$home"/incoming/*.whl)
[ -f "${wheels[0]}" ] || die "no wheel (*.whl) of matcampaign in $source"
[ ${#wheels[@]} = 1 ] || die "several wheels in $source, expected one: ${wheels[*]##*/}"
wheel=${wheels[0]}
lock=$home/incoming/requirements.lock

say "installing system packages"
export DEBIAN_FRONTEND=noninteractive
apt-get -o DPkg::Lock::Timeout=300 update --quiet=2
apt-get -o DPkg::Lock::Timeout=300 install --yes --quiet=2 --no-install-recommends \
    python3-venv quantum-espresso quantum-espresso-data cp2k-data

# An environment is known by what was installed into it. It is made where it stays, because its
# programs know their path, and counts once its last file is there; then the link is moved, so
# jobs that run keep theirs.
what=("$wheel")
[ ! -f "$lock" ] || what+=("$lock")
environment=$home/environments/$(cat "${what[@]}" | sha256sum | cut -c 1-16)
if [ ! -f "$environment/complete" ]; then
    say "making $environment"
    rm -rf "$environment"
    python3 -m venv "$environment"
    if [ -f "$lock" ]; then
        "$environment/bin/python" -m pip install --quiet --require-hashes --requirement "$lock"
        "$environment/bin/python" -m pip install --quiet --no-deps "$wheel"
    else
        "$environment/bin/python" -m pip install --quiet "$wheel"
    fi
    touch "$environment/complete"
fi
ln -sfn "$environment" "$home/environment"

# The package of Quantum ESPRESSO is on the head node only. Its programs go to the shared file
# system with the libraries that other nodes may lack, but for Open MPI and what that needs:
# Amazon's, which knows EFA, is on every node, and both are of one binary interface (libmpi.so.40).
needs() { ldd "$1" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }'; }

needs_without_mpi() {
    local mpi
    mpi=$(needs "$1" | grep '/libmpi\.so' || true)
    if [ -n "$mpi" ]; then
        needs "$1" | grep --invert-match --line-regexp --fixed-strings "$(needs "$mpi")"
    else
        needs "$1"
    fi
}

for name in pw.x ph.x neb.x; do
    program=$(command -v "$name") || continue
    case $program in "$home"/*) continue ;; esac
    mkdir -p "$home/espresso/lib" "$home/espresso/bin" "$home/espresso/programs"
    while read -r library; do
        case ${library##*/} in
        libmpi*.so* | libc.so* | libm.so* | libpthread.so* | libdl.so* | librt.so*) ;;
        *)
            [ -f "$home/espresso/lib/${library##*/}" ] ||
                cp --dereference "$library" "$home/espresso/lib/"
            ;;
        esac
    done < <(needs_without_mpi "$program")
    cp --dereference "$program" "$home/espresso/programs/.$name"
    mv -f "$home/espresso/programs/.$name" "$home/espresso/programs/$name"
    {
        printf '#!/bin/sh\n'
        printf 'LD_LIBRARY_PATH=%s/espresso/lib:/opt/amazon/openmpi/lib' "$home"
        # shellcheck disable=SC2016  # for the shell that runs the program
        printf '${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\nexport LD_LIBRARY_PATH\n'
        printf 'exec %s/espresso/programs/%s "$@"\n' "$home" "$name"
    } >"$home/espresso/bin/.$name"
    chmod 755 "$home/espresso/bin/.$name"
    mv -f "$home/espresso/bin/.$name" "$home/espresso/bin/$name"
done
[ -x "$home/espresso/bin/pw.x" ] || die "no pw.x after the installation of quantum-espresso"

say "pseudopotentials: own families, then $*"
if [ -d "$home/incoming/pseudopotentials" ]; then
    cp --recursive --no-clobber "$home/incoming/pseudopotentials/." "$home/pseudopotentials/"
fi
"$home/environment/bin/python" -m runner.parallelcluster.families "$home" "$@"

# Who logs in owns what runs write; software and pseudopotentials stay root's.
owner=$(awk -F: '$3 == 1000 { print $1 }' /etc/passwd)
[ -z "$owner" ] || chown "$owner:" "$home/runs" "$home/exchange"
# shellcheck disable=SC2016  # for the shell that logs in
printf 'PATH=%s/environment/bin:%s/espresso/bin:$PATH\n' "$home" "$home" >"$login/matcampaign.sh"
say "done: $home"
