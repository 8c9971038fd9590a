#!/usr/bin/env bash
# Starts a real Slurm on this machine, to try and to test --launch slurm. As root on Debian or Ubuntu it installs missing
# packages. All its files are in FOLDER, and it listens only on the loopback interface.
#
#   tools/slurm/start_slurm.sh [--nodes N] [--cpus N] [--gpus N] [--port N] FOLDER
#   . FOLDER/env.sh                   # then sbatch, squeue and run.sh --launch slurm use it
#   tools/slurm/stop_slurm.sh FOLDER
#
#   --nodes N  nodes, each with a slurmd of its own; with several, they are node1, node2, ... (default: 1)
#   --cpus N   processors of each node, also more than the machine has (default: as many as the machine has)
#   --gpus N   fake GPUs of each node (default: 0)
#   --port N   port of the controller; the nodes listen on the ports after it (default: 6817)
#
# Partitions: main (default); low, whose jobs are queued again when a job of high needs their processors. Exit code 3: Slurm
# is not installed and cannot be installed.
set -Eeuo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
. "$here/daemons.sh"

nodes=1 cpus=$(nproc) gpus=0 port=6817
while (($# > 1)); do
  case $1 in
    --nodes | --cpus | --gpus | --port)
      [[ $2 =~ ^[0-9]+$ ]] || fail 2 "$1 takes a number, not '$2'"
      printf -v "${1#--}" %s "$2"
      shift 2 ;;
    *) fail 2 "unknown option $1; the options are: --nodes --cpus --gpus --port" ;;
  esac
done
[[ ${1:---help} != -* ]] || fail 2 "expected a folder: start_slurm.sh [--nodes N] [--cpus N] [--gpus N] [--port N] FOLDER"
mkdir -p "$1"
folder=$(cd "$1" && pwd -P)
# slurm.conf has no quotes, and the path of a socket has at most 107 bytes.
[[ $folder =~ ^[A-Za-z0-9/._+@-]{1,70}$ ]] ||
  fail 2 "the path of the folder may only have letters, digits and / . _ + @ -, at most 70: $folder"

is_complete() { command -v slurmctld slurmd sinfo sbatch munged >/dev/null; }

install_slurm() {
  local policy=/usr/sbin/policy-rc.d made=false words
  if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
    fail 3 "Slurm is not installed, and only root on Debian or Ubuntu can install it: apt-get install ${packages[*]}"
  fi
  if [[ ! -e $policy ]]; then  # the packages ask it whether to start their own daemons
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
if runs slurmctld; then  # with the settings of its start
  port=$(sed -n 's/^SlurmctldPort=//p' "$folder/slurm.conf")
  mapfile -t names < <(sed -n 's/^NodeName=\(.*\) NodeHostname=.*/\1/p' "$folder/slurm.conf")
  nodes=${#names[@]}
else
  . "$here/configure.sh"
fi
export SLURM_CONF=$folder/slurm.conf

start munged "$folder/log/munged.log" --force --key-file="$folder/munge/key" --seed-file="$folder/munge/seed" \
  --log-file="$folder/log/munged.log" --pid-file="$folder/run/munged.pid" --socket="$folder/run/munge.socket"
until_true 10 test -S "$folder/run/munge.socket" || fail 1 "munged has not made its socket; see $folder/log/munged.log"
start slurmctld "$folder/log/slurmctld.log" -f "$SLURM_CONF"
for name in "${names[@]}"; do
  words=(-f "$SLURM_CONF")
  if ((nodes > 1)); then words+=(-N "$name"); fi  # only for a slurmd built with --enable-multiple-slurmd, as Debian's
  start "slurmd.$name" "$folder/log/slurmd.$name.log" "${words[@]}"
done
if ! until_true 60 nodes_are_ready; then
  tail -n 20 "$folder"/log/slurm*.log >&2
  fail 1 "the nodes were not ready within 60 s"
fi
printf 'Slurm is ready: . %s/env.sh\n' "$folder"
