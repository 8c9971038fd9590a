# shellcheck shell=bash
# On the machine of the caller: submits a job and waits for it. A folder next to the log connects caller and nodes. It has
# the job's script, the output, and a file status.N that each task writes at its end. A task that has left the queue
# without writing its status has failed.

# open_job_folder: sets `folder`. A killed call may have left the folder, and its job in the queue.
open_job_folder() {
  local top before
  top=$(dirname "${log%%JOB*}x")  # the lowest folder without JOB in its path
  folder=${log#"$top"/}
  folder=$(mkdir -p "$top" && cd "$top" && pwd)/.${folder//\//.}.slurm
  mkdir -p "$folder"
  exec {lock}>>"$folder/lock"
  if command -v flock >/dev/null; then flock -n "$lock" || fail "another call with the log $log waits for job $(<"$folder/job")"; fi
  if [[ -s $folder/job ]]; then
    before=$(<"$folder/job")
    if is_queued "$before"; then
      printf '# job %s of a killed call is cancelled; a new job goes on from its saved state\n' "$before" >&2
      cancel "$before"
    fi
  fi
  rm -f "$folder"/{job,output.*,status.*}
}

# sbatch_words: sets `words`, the options for sbatch. In a cluster without GPUs, --gpu has no effect, as on this machine.
sbatch_words() {
  local name queue=${partition:-$cluster_partition}
  if ((${gpu:-0} > 0)); then
    queue=${partition:-${cluster_gpu_partition:-$cluster_partition}}
    if [[ $(sinfo -h -o %G ${queue:+-p "$queue"} 2>/dev/null) != *gpu* ]]; then
      printf '# no GPUs in this cluster%s: the job runs on CPUs\n' "${queue:+\'s partition $queue}" >&2
      gpu=0 queue=${partition:-$cluster_partition}
    fi
  fi
  name=${log#"$PWD"/} name=${name%.log} name=${name//\/log\//\/}
  threads=${threads:-${cluster_threads:-1}}
  words=(--parsable --requeue --open-mode=append --export=ALL --job-name="${name//[^A-Za-z0-9._+\/-]/_}" --nodes="${nodes:-1}" --ntasks="${nodes:-1}"
    --ntasks-per-node=1 --cpus-per-task="$threads" --signal="B:USR1@$cluster_warning" --output="${folder//%/%%}/output.%a")
  if [[ -n $first ]]; then words+=(--array="$first-$last${nj:+%$nj}"); fi
  if [[ -n $queue ]]; then words+=(--partition="$queue"); fi
  if [[ -n $cluster_account ]]; then words+=(--account="$cluster_account"); fi
  if [[ -n $cluster_qos ]]; then words+=(--qos="$cluster_qos"); fi
  if [[ -n ${mem:=$cluster_mem} ]]; then words+=(--mem="$mem"); fi
  if [[ -n ${time:=$cluster_time} ]]; then words+=(--time="$time"); fi
  if ((${gpu:-0} > 0)); then words+=("${cluster_gpu_words[@]//GPUS/$gpu}"); fi
  words+=("${cluster_words[@]}")
}

# submit: sets `job`. Each word of the command is quoted for bash, so the node gets exactly the same words.
submit() {
  local answer
  local -a words
  sbatch_words
  {
    printf '#!/usr/bin/env bash\nset -Eeuo pipefail\ncd %q\nroot=%q\n' "$PWD" "$root"
    printf 'folder=%q log=%q quiet=%q gpu=%q threads=%q nodes=%q restarts=%q first=%q\n' \
      "$folder" "$log" "$quiet" "$gpu" "$threads" "$nodes" "$cluster_restarts" "$first"
    printf 'command=('; printf '%q ' "${command[@]}"; printf ')\n'
    printf '. %q\n' "$root/utils/launch/slurm/task.sh"
  } >"$folder/job.sh"
  answer=$(sbatch "${words[@]}" "$folder/job.sh" 2>"$folder/errors") || {
    answer=$(<"$folder/errors")
    rm -rf "$folder"
    fail "sbatch refused the job: $answer"
  }
  answer=${answer##*$'\n'} job=${answer%%;*}
  [[ $job =~ ^[0-9]+$ ]] || fail "sbatch printed '$answer', expected the number of a job"
  printf '%s\n' "$job" >"$folder/job"
}

# is_queued JOB: whether a task of the job waits or runs; sets `waits_for` to the reason for waiting. Also true when the
# controller does not answer.
is_queued() {
  local answer status=0
  answer=$(squeue -h -j "$1" -o '%T %r' 2>&1) || status=$?
  waits_for=""
  if ((status)); then [[ $answer != *"Invalid job id"* ]]; return; fi
  if [[ $answer == "PENDING "* ]]; then waits_for=${answer#PENDING } waits_for=${waits_for%%$'\n'*}; fi
  [[ -n $answer ]]
}

# watch_job: waits until every task has written its status, the job has left the queue, or a signal stops this call. The
# longer the job takes, the fewer calls of squeue. The job counts as gone after two calls, as a shared file system may show
# the status late.
watch_job() {
  local next=$((SECONDS + 2)) begun=$SECONDS gone=0 shown_reason="" pause
  shown=0
  while [[ -z $stopped_by ]]; do
    show_output
    (($(compgen -G "$folder/status.*" | wc -l) < ${#tasks[@]})) || break
    if ((SECONDS >= next)); then
      if is_queued "$job"; then gone=0; else gone=$((gone + 1)); fi
      ((gone < 2)) || break
      if [[ -n $waits_for && $waits_for != "$shown_reason" ]]; then
        shown_reason=$waits_for
        printf '# job %s waits in the queue: %s\n' "$job" "$waits_for" >&2
      fi
      pause=$(((SECONDS - begun) / 20 + 2))
      next=$((SECONDS + (pause < 30 ? pause : 30)))
    fi
    sleep 0.5 || true
  done
  show_output
}

# show_output: prints the new output of a single job to the terminal.
show_output() {
  local file size
  file=$(compgen -G "$folder/output.*") || return 0
  if [[ $quiet == true || -n $first ]]; then return; fi
  size=$(stat -L -c %s - <"$file")
  if ((size > shown)); then tail -c "+$((shown + 1))" "$file" | head -c $((size - shown)); fi
  shown=$size
}
. "$root/utils/launch/slurm/end.sh"
