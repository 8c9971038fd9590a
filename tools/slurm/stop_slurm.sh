#!/usr/bin/env bash
# Stops the Slurm that start_slurm.sh has started, its jobs first. Then FOLDER can be deleted.
#
#   tools/slurm/stop_slurm.sh FOLDER
set -Eeuo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/daemons.sh"
(($# == 1)) || fail 2 "expected a folder: stop_slurm.sh FOLDER"
[[ -d $1/run ]] || exit 0
folder=$(cd "$1" && pwd -P)
export SLURM_CONF=$folder/slurm.conf

queue_is_empty() { [[ -z $(timeout 10 squeue -h) ]]; }

if runs slurmctld; then  # the jobs would outlive the daemons
  mapfile -t jobs < <(timeout 10 squeue -h -o %A | sort -u)
  if ((${#jobs[@]})); then
    timeout 10 scancel "${jobs[@]}" || true
    until_true 20 queue_is_empty || true
  fi
  for name in $(timeout 10 sinfo -h -N -p main -o %N); do
    for pid in $(timeout 10 scontrol listpids '*' "$name" 2>/dev/null | awk '$1 ~ /^[0-9]+$/ && $1 > 1 { print $1 }'); do
      kill -KILL "$pid" 2>/dev/null || true
    done
  done
fi
for file in "$folder"/run/slurmd.*.pid; do stop "$(basename "$file" .pid)"; done
stop slurmctld
stop munged
