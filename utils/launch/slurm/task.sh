# shellcheck shell=bash
# End of a job's script, on the job's first node. The script has set root, folder, log, quiet, gpu, threads, nodes,
# restarts, first and command. Runs one task and writes its status, or queues the task again when the queue stopped it.
. "$root/utils/parallel.sh"
. "$root/utils/log.sh"
. "$root/utils/job.sh"
. "$root/utils/launch/slurm/nodes.sh"

write_status() {
  printf '%s\n' "$*" >"$folder/part.$task"
  mv "$folder/part.$task" "$folder/status.$task"
  exit 0
}

# give_up_after N: writes a status when the queue has stopped the task N times and N is above cluster_restarts.
give_up_after() {
  (($1 > restarts)) || return 0
  printf '# stopped by the queue for the last time\n' >>"$log"
  write_status "75 status 75: the queue stopped it $1 times (time limit or preemption), and utils/cluster.sh allows" \
    "cluster_restarts=$restarts; its saved state is kept, and the same command goes on"
}

task=${SLURM_ARRAY_TASK_ID:-0} restart=${SLURM_RESTART_COUNT:-0} status=0
[[ -d $folder ]] || exit 1  # the call that submitted the job has ended
if [[ -n $first ]]; then quiet=true log=${log//JOB/$task} command=("${command[@]//JOB/$task}"); fi
mkdir -p "$(dirname "$log")"
give_up_after "$restart"
limit_resources
if ((${nodes:-1} > 1)); then run_on_nodes; fi
trap 'on_signal USR1' USR1
run_task "$log" "$quiet" "${command[@]}" || status=$?
# Cancelled or out of time: the caller asks the queue which. Preempted without a warning, or a node failed: Slurm queues
# the job again by itself.
[[ -z $stopped_by ]] || exit "$status"
((status == 75)) || [[ $status != 0 && $warned == true ]] || write_status "$status$(silent_nodes)"
give_up_after $((restart + 1))
printf '# stopped by the queue for the %s. time of at most %s: queued again\n' $((restart + 1)) "$restarts" >>"$log"
trap '' TERM
if ! scontrol requeue "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}${first:+_$task}" 2>>"$log"; then
  write_status "75 status 75: the queue stopped the job and refused to queue it again; the same command goes on"
fi
