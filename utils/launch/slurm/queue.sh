# shellcheck shell=bash
# The side of the caller: a job is submitted, waited for, cancelled, and what became of it is told. Between here and the
# nodes is a folder beside the log: the script of the job, what it prints, and a file status.N that each task leaves when
# it has ended. A task that is in the queue no longer and has left none has failed.

# open_job_folder: sets `folder`. A call that was killed may have left one, and its job still in the queue.
open_job_folder() {
  local top before
  top=$(dirname "${log%%JOB*}x")  # above whatever has a number in its name
  folder=${log#"$top"/}
  folder=$(mkdir -p "$top" && cd "$top" && pwd)/.${folder//\//.}.slurm
  mkdir -p "$folder"
  exec {lock}>>"$folder/lock"
  if command -v flock >/dev/null; then flock -n "$lock" || fail "another call waits for job $(<"$folder/job") with the log $log"; fi
  if [[ -s $folder/job ]]; then
    before=$(<"$folder/job")
    if is_queued "$before"; then
      printf '# job %s of a call that was killed is cancelled; a new one goes on where it was\n' "$before" >&2
      cancel "$before"
    fi
  fi
  rm -f "$folder"/{job,output.*,status.*}
}

# sbatch_words: sets `words`, the options for sbatch. What --gpu asks for, a cluster without GPUs does not give, as this
# machine would not.
sbatch_words() {
  local name queue=${partition:-$cluster_partition}
  if ((${gpu:-0} > 0)); then
    queue=${partition:-${cluster_gpu_partition:-$cluster_partition}}
    if [[ $(sinfo -h -o %G ${queue:+-p "$queue"} 2>/dev/null) != *gpu* ]]; then
      printf '# there are no GPUs in this cluster%s: without\n' "${queue:+\'s partition $queue}" >&2
      gpu=0 queue=${partition:-$cluster_partition}
    fi
  fi
  name=${log#"$PWD"/} name=${name%.log} name=${name//\/log\//\/}
  threads=${threads:-${cluster_threads:-1}}
  words=(--parsable --requeue --open-mode=append --export=ALL --job-name="${name//[^A-Za-z0-9._+\/-]/_}" --nodes=1 --ntasks=1
    --cpus-per-task="$threads" --signal="B:USR1@$cluster_warning" --output="${folder//%/%%}/output.%a")
  if [[ -n $first ]]; then words+=(--array="$first-$last${nj:+%$nj}"); fi
  if [[ -n $queue ]]; then words+=(--partition="$queue"); fi
  if [[ -n $cluster_account ]]; then words+=(--account="$cluster_account"); fi
  if [[ -n $cluster_qos ]]; then words+=(--qos="$cluster_qos"); fi
  if [[ -n ${mem:=$cluster_mem} ]]; then words+=(--mem="$mem"); fi
  if [[ -n ${time:=$cluster_time} ]]; then words+=(--time="$time"); fi
  if ((${gpu:-0} > 0)); then words+=("${cluster_gpu_words[@]//GPUS/$gpu}"); fi
  words+=("${cluster_words[@]}")
}

# submit: sets `job`. The words of the command reach the node exactly, each quoted for bash.
submit() {
  local said
  local -a words
  sbatch_words
  {
    printf '#!/usr/bin/env bash\nset -Eeuo pipefail\ncd %q\nroot=%q\n' "$PWD" "$root"
    printf 'folder=%q log=%q quiet=%q gpu=%q threads=%q restarts=%q first=%q\n' \
      "$folder" "$log" "$quiet" "$gpu" "$threads" "$cluster_restarts" "$first"
    printf 'command=('; printf '%q ' "${command[@]}"; printf ')\n'
    printf '. %q\n' "$root/utils/launch/slurm/task.sh"
  } >"$folder/job.sh"
  said=$(sbatch "${words[@]}" "$folder/job.sh" 2>"$folder/said") || {
    said=$(<"$folder/said")
    rm -rf "$folder"
    fail "sbatch refused the job: $said"
  }
  said=${said##*$'\n'} job=${said%%;*}
  [[ $job =~ ^[0-9]+$ ]] || fail "sbatch said '$said', which is no number of a job"
  printf '%s\n' "$job" >"$folder/job"
}

# is_queued JOB: whether any of it waits or runs; `waits_for` is why it waits. Where the controller does not answer, yes.
is_queued() {
  local said status=0
  said=$(squeue -h -j "$1" -o '%T %r' 2>&1) || status=$?
  waits_for=""
  if ((status)); then [[ $said != *"Invalid job id"* ]]; return; fi
  if [[ $said == "PENDING "* ]]; then waits_for=${said#PENDING } waits_for=${waits_for%%$'\n'*}; fi
  [[ -n $said ]]
}

# watch_job: until every task has left its status, or the job is gone, or this call is told to stop. The queue is asked
# less often the longer the job takes, and twice before it counts: the status may be on its way through the file system.
watch_job() {
  local next=$((SECONDS + 2)) begun=$SECONDS gone=0 told="" pause
  shown=0
  while [[ -z $stopped_by ]]; do
    show_output
    (($(compgen -G "$folder/status.*" | wc -l) < ${#tasks[@]})) || break
    if ((SECONDS >= next)); then
      if is_queued "$job"; then gone=0; else gone=$((gone + 1)); fi
      ((gone < 2)) || break
      if [[ -n $waits_for && $waits_for != "$told" ]]; then
        told=$waits_for
        printf '# job %s waits in the queue: %s\n' "$job" "$told" >&2
      fi
      pause=$(((SECONDS - begun) / 20 + 2))
      next=$((SECONDS + (pause < 30 ? pause : 30)))
    fi
    sleep 0.5 || true
  done
  show_output
}

# show_output: what a single job has printed since, to the terminal.
show_output() {
  local file size
  file=$(compgen -G "$folder/output.*") || return 0
  if [[ $quiet == true || -n $first ]]; then return; fi
  size=$(stat -L -c %s - <"$file")
  if ((size > shown)); then tail -c "+$((shown + 1))" "$file" | head -c $((size - shown)); fi
  shown=$size
}
. "$root/utils/launch/slurm/end.sh"
