# shellcheck shell=bash
# On the machine of the caller: the end of a job, reported as by local.sh, or cancelled.

# report_job: reports failed tasks, and exits with the status that local.sh would have.
report_job() {
  local task number words status=0
  for task in "${tasks[@]}"; do
    if [[ -f $folder/status.$task ]]; then
      read -r number words <"$folder/status.$task"
    else
      number=1 words="no status: it has left the queue, $(final_state "$task")"
      add_messages_of_slurm "$task"
    fi
    if [[ -n $first ]]; then
      if ((number)); then status=1; name_failure "$task" "${words:-status $number}" "${log//JOB/$task}"; fi
    else
      status=$number
      [[ -z $words ]] || printf 'error: job %s ended with %s\n' "$job" "$words" >&2
    fi
  done
  rm -rf "$folder"
  exit "$status"
}

# final_state TASK: Slurm's word for it, which Slurm remembers for some minutes (MinJobAge).
final_state() {
  local state
  state=$(scontrol show job "$job${first:+_$1}" 2>/dev/null | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p' | head -n 1) || true
  case $state in
    TIMEOUT) state+=" (pass a longer --time)" ;;
    OUT_OF_MEMORY) state+=" (pass a larger --mem)" ;;
    "") state="and Slurm no longer knows why" ;;
  esac
  printf '%s\n' "$state"
}

# add_messages_of_slurm TASK: to the log of the task, which may not exist yet.
add_messages_of_slurm() {
  local file=${log//JOB/$1} output
  output=$(compgen -G "$folder/output.$([[ -n $first ]] && printf '%s' "$1" || printf '*')") || output=""
  mkdir -p "$(dirname "$file")"
  if [[ -n $output ]]; then
    grep -h '^slurmstepd[^ ]*: \|^/.*: line [0-9]*: ' "$output" >>"$file" || true
  else
    printf 'no output: is %s on a file system that the nodes share?\n' "$folder" >>"$file"
  fi
}

# cancel JOB: cancels it and waits until it has ended, so that no process works on its files.
cancel() {
  local end=$((SECONDS + 120))
  scancel "$1" || fail "job $1 could not be cancelled; try: scancel $1"
  while is_queued "$1"; do
    ((SECONDS < end)) || fail "job $1 is cancelled, but still in the queue"
    sleep 0.5 || true
  done
}

cancel_and_exit() {
  printf '# stopped by SIG%s: job %s is cancelled\n' "$stopped_by" "$job" >&2
  trap - INT TERM HUP
  cancel "$job"
  rm -rf "$folder"
  exit "$(stop_status)"
}
