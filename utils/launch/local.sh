#!/usr/bin/env bash
# Runs a command, or an array of them, on this machine, and keeps what it prints in a log.
#
#   local.sh [--gpu N] [--threads N] [--mem X] [--time T] [--partition P] [--nj N] [--quiet true] [JOB=a:b] LOG COMMAND...
#
# With JOB=a:b the command runs once for every number, at most --nj at once, and JOB in LOG and COMMAND is the number.
# A single command also prints to the terminal, unless --quiet true, and its exit code is kept. When tasks of an array
# fail, each is named with its status and the end of its log, and the exit code is 1.
# --gpu 0 hides the GPUs, --threads limits those of each task; --mem, --time and --partition mean something to a queue only.
set -Eeuo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
. "$root/utils/parallel.sh"
. "$root/utils/log.sh"
. "$root/utils/job.sh"

# shellcheck disable=SC2329 # in_parallel calls it
run_array_task() {
  local status=0
  run_task "${log//JOB/$1}" true "${command[@]//JOB/$1}" || status=$?
  ((status == 0)) || printf '%s\n' "$status" >"$failures/$1"
  return "$status"
}

parse_job "$@"
limit_resources
if [[ -z $first ]]; then
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
