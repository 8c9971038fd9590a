# shellcheck shell=bash
# The side of the node: the end of a job's script, which has set root, folder, log, quiet, gpu, threads, restarts, first and
# command. Runs one task and leaves its status, or has it queued again where the queue stopped it.
. "$root/utils/parallel.sh"
. "$root/utils/log.sh"
. "$root/utils/job.sh"

leave_status() {
  printf '%s\n' "$*" >"$folder/part.$task"
  mv "$folder/part.$task" "$folder/status.$task"
  exit 0
}

# give_up_after N: leaves a status when the queue has stopped the task N times, and that is too often.
give_up_after() {
  (($1 > restarts)) || return 0
  printf '# stopped by the queue for the last time\n' >>"$log"
  leave_status "75 status 75: the queue stopped it $1 times (time limit or preemption), and more than cluster_restarts=$restarts" \
    "of utils/cluster.sh is not allowed; what it saved is kept, and the same command goes on"
}

task=${SLURM_ARRAY_TASK_ID:-0} restart=${SLURM_RESTART_COUNT:-0} status=0
[[ -d $folder ]] || exit 1  # the call that submitted it has ended
if [[ -n $first ]]; then quiet=true log=${log//JOB/$task} command=("${command[@]//JOB/$task}"); fi
mkdir -p "$(dirname "$log")"
give_up_after "$restart"
limit_resources
trap 'hear USR1' USR1
run_task "$log" "$quiet" "${command[@]}" || status=$?
# Cancelled, or out of time: the caller asks the queue which. Preempted without a warning: the queue takes it back itself.
[[ -z $stopped_by ]] || exit "$status"
((status == 75)) || [[ $status != 0 && $warned == true ]] || leave_status "$status"
give_up_after $((restart + 1))
printf '# stopped by the queue for the %s. time of at most %s: queued again\n' $((restart + 1)) "$restarts" >>"$log"
trap '' TERM
if ! scontrol requeue "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${first:+_$task}" 2>>"$log"; then
  leave_status "75 status 75: the queue stopped it and does not take it back; the same command goes on"
fi
