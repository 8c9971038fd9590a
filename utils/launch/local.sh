#!/usr/bin/env bash
# Runs a command, or an array of commands, on this machine, and writes the output to a log.
#
#   local.sh [--gpu N] [--threads N] [--nodes 1] [--mem X] [--time T] [--partition P] [--nj N] [--quiet true] [JOB=a:b]
#            LOG COMMAND...
#
# With JOB=a:b the command runs once for each number from a to b, at most --nj at once, and JOB in LOG and COMMAND is the
# number. The output of a single command also goes to the terminal, unless --quiet true, and its exit code is returned.
# Failed tasks of an array are reported with status and end of log, and the exit code is 1.
# --gpu N gives each task N of the visible GPUs (0: none), --threads limits its threads; --mem, --time and --partition
# have no effect.
set -Eeuo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
. "$root/utils/parallel.sh"
. "$root/utils/log.sh"
. "$root/utils/job.sh"
. "$root/utils/launch/local/gpus.sh"

# shellcheck disable=SC2329 # in_parallel calls it
run_array_task() {
  local status=0
  take_gpus "$gpu"
  run_task "${log//JOB/$1}" true "${command[@]//JOB/$1}" || status=$?
  ((status == 0)) || printf '%s\n' "$status" >"$failures/$1"
  return "$status"
}

parse_job "$@"
((${nodes:-1} == 1)) || [[ ${command[0]} == srun ]] || fail "--nodes $nodes: this machine is one node; use slurm.sh"
limit_resources
wait_without_spinning
if [[ -z $first ]]; then
  take_gpus "$gpu"
  run_task "$log" "$quiet" "${command[@]}" && exit
  exit $?
fi
failures=$(mktemp -d)
trap 'rm -rf "$failures"' EXIT
mapfile -t tasks < <(seq "$first" "$last")
in_parallel "${nj:-$(nproc)}" run_array_task "${tasks[@]}"
((parallel_status)) || exit 0
for task in "${tasks[@]}"; do
  if [[ -f $failures/$task ]]; then name_failure "$task" "status $(<"$failures/$task")" "${log//JOB/$task}"; fi
done
exit 1
