#!/usr/bin/env bash
# Starts a real Slurm of one node on this machine, to try --launch slurm and to test it. As root on Debian or Ubuntu it
# installs what is missing. All its files are in FOLDER, and it listens on the loopback interface alone.
#
#   tools/slurm/start_slurm.sh [--cpus N] [--gpus N] [--port N] FOLDER
#   . FOLDER/env.sh                   # then sbatch, squeue and run.sh --launch slurm use it
#   tools/slurm/stop_slurm.sh FOLDER
#
#   --cpus N   processors of the node, also more than there are (default: as many as there are)
#   --gpus N   pretend to have GPUs (default: 0)
#   --port N   the controller listens here, the node on the next port (default: 6817)
#
# Partitions: main (default); low, whose jobs are queued again when one of high needs their place. Exit code 3: Slurm is
# not installed and cannot be.
set -Eeuo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/daemons.sh"

cpus=$(nproc) gpus=0 port=6817
while (($# > 1)); do
  case $1 in
    --cpus | --gpus | --port)
      [[ $2 =~ ^[0-9]+$ ]] || fail 2 "$1 takes a number, not '$2'"
      printf -v "${1#--}" %s "$2"
      shift 2 ;;
    *) fail 2 "unknown option $1; there are: --cpus --gpus --port" ;;
  esac
done
[[ ${1:---help} != -* ]] || fail 2 "expected a folder: start_slurm.sh [--cpus N] [--gpus N] [--port N] FOLDER"
mkdir -p "$1"
folder=$(cd "$1" && pwd -P)
# slurm.conf knows no quotes, and the path of a socket has at most 107 bytes.
[[ $folder =~ ^[A-Za-z0-9/._+@-]{1,70}$ ]] ||
  fail 2 "the path of the folder has to have at most 70 letters, digits and / . _ + @ -: $folder"

is_complete() { command -v slurmctld slurmd sinfo sbatch munged >/dev/null; }

install_slurm() {
  local policy=/usr/sbin/policy-rc.d made=false words
  if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
    fail 3 "Slurm is not installed, and only root on Debian or Ubuntu can install it: apt-get install ${packages[*]}"
  fi
  if [[ ! -e $policy ]]; then  # asked by the packages whether to start their own daemons
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    made=true
  fi
  for words in "update" "install --yes --no-install-recommends ${packages[*]}"; do
    # shellcheck disable=SC2086 # several words
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 $words >/dev/null || true
  done
  if [[ $made == true ]]; then rm -f "$policy"; fi
  is_complete || fail 3 "apt-get could not install ${packages[*]}"
}

packages=(slurmctld slurmd slurm-client munge)
is_complete || install_slurm
if runs slurmctld || runs slurmd; then
  port=$(sed -n 's/^SlurmctldPort=//p' "$folder/slurm.conf")  # as it was started
else
  . "$here/configure.sh"
fi
export SLURM_CONF=$folder/slurm.conf

start munged "$folder/log/munged.log" --force --key-file="$folder/munge/key" --seed-file="$folder/munge/seed" \
  --log-file="$folder/log/munged.log" --pid-file="$folder/run/munged.pid" --socket="$folder/run/munge.socket"
until_true 10 test -S "$folder/run/munge.socket" || fail 1 "munged made no socket; see $folder/log/munged.log"
start slurmctld "$folder/log/slurmctld.log" -f "$SLURM_CONF"
start slurmd "$folder/log/slurmd.log" -f "$SLURM_CONF"
if ! until_true 60 node_is_ready; then
  tail -n 20 "$folder"/log/slurm*.log >&2
  fail 1 "the node was not ready within 60 s"
fi
printf 'Slurm is ready: . %s/env.sh\n' "$folder"
