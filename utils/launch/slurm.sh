#!/usr/bin/env bash
# Runs a command, or an array of commands, as a Slurm job, waits for its end, and writes the output to a log. Options,
# output and exit codes are those of local.sh.
#
#   slurm.sh [--gpu N] [--threads N] [--nodes N] [--mem X] [--time T] [--partition P] [--nj N] [--quiet true] [JOB=a:b]
#            LOG COMMAND...
#
# An array is one job with one task for each number, at most --nj at once. utils/cluster.sh has the settings of the site.
# With --nodes N the command runs once on each of N nodes, and RENDEZVOUS in COMMAND is HOST:PORT of the first node.
# Ctrl-C cancels the job. A task that the queue stops (time limit, preemption) saves its state, is queued again and goes
# on. Inside an allocation no job is submitted: the command runs there.
set -Eeuo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
. "$root/utils/parallel.sh"
. "$root/utils/log.sh"
. "$root/utils/job.sh"
. "$root/utils/cluster_settings.sh"
. "$root/utils/launch/slurm/nodes.sh"
. "$root/utils/launch/slurm/queue.sh"

parse_job "$@"
if [[ -n ${SLURM_JOB_ID-} ]]; then
  words=("${@:1:$#-${#command[@]}}")
  ((${nodes:-1} <= ${SLURM_JOB_NUM_NODES:-1})) ||
    fail "--nodes $nodes: this allocation has ${SLURM_JOB_NUM_NODES:-1}; allocate more, or call outside of it"
  # The shell of salloc may run on a machine outside the allocation.
  if ((${nodes:-1} > 1)) || [[ -z ${SLURMD_NODENAME-} ]]; then run_on_nodes; fi
  exec bash "$root/utils/launch/local.sh" "${words[@]}" "${command[@]}"
fi
for tool in sbatch squeue scancel scontrol; do
  command -v "$tool" >/dev/null || fail "there is no $tool on this machine; use --launch slurm on a machine that submits jobs"
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
