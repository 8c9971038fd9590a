#!/usr/bin/env bash
# Runs a command, or an array of them, as a job of Slurm, waits for it, and keeps what it prints in a log: called as
# local.sh, prints the same, ends with the same exit codes.
#
#   slurm.sh [--gpu N] [--threads N] [--mem X] [--time T] [--partition P] [--nj N] [--quiet true] [JOB=a:b] LOG COMMAND...
#
# An array is one job with a task for every number, at most --nj at once. Settings of the site are in utils/cluster.sh.
# Ctrl-C cancels the job. A task that the queue stops (time limit, preemption) saves its state, is queued again and goes
# on. Inside an allocation nothing is submitted: the command runs there.
set -Eeuo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
. "$root/utils/parallel.sh"
. "$root/utils/log.sh"
. "$root/utils/job.sh"
. "$root/utils/cluster_settings.sh"
. "$root/utils/launch/slurm/queue.sh"

parse_job "$@"
if [[ -n ${SLURM_JOB_ID-} ]]; then
  words=("${@:1:$#-${#command[@]}}")
  # The shell of salloc may be on another machine than what it allocated.
  if [[ -z ${SLURMD_NODENAME-} ]]; then words+=(srun --nodes=1 --ntasks=1 ${threads:+--cpus-per-task="$threads"} --); fi
  exec bash "$root/utils/launch/local.sh" "${words[@]}" "${command[@]}"
fi
for tool in sbatch squeue scancel scontrol; do
  command -v "$tool" >/dev/null || fail "there is no $tool here; --launch slurm works where jobs are submitted"
done
if [[ -n $first ]]; then mapfile -t tasks < <(seq "$first" "$last"); else tasks=(0); fi
open_job_folder
trap 'stopped_by=INT' INT
trap 'stopped_by=TERM' TERM
trap 'stopped_by=HUP' HUP
trap : USR1
submit
watch_job
[[ -z $stopped_by ]] || cancel_and_exit
report_job
