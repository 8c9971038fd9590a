# shellcheck shell=bash
# How a job ends, for the caller: told as local.sh tells it, or cancelled.

# report_job: says what failed, and exits as local.sh would.
report_job() {
  local task number words status=0
  for task in "${tasks[@]}"; do
    if [[ -f $folder/status.$task ]]; then
      read -r number words <"$folder/status.$task"
    else
      number=1 words="no status: it is gone from the queue, $(final_state "$task")"
      keep_what_slurm_said "$task"
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

# final_state TASK: in Slurm's own word, which it knows for some minutes (MinJobAge).
final_state() {
  local state
  state=$(scontrol show job "$job${first:+_$1}" 2>/dev/null | sed -n 's/.*JobState=\([A-Z_]*\).*/\1/p' | head -n 1) || true
  case $state in
    TIMEOUT) state+=" (--time was too short)" ;;
    OUT_OF_MEMORY) state+=" (--mem was too little)" ;;
    "") state="and Slurm no longer knows why" ;;
  esac
  printf '%s\n' "$state"
}

# keep_what_slurm_said TASK: in its log, which may not even have begun.
keep_what_slurm_said() {
  local file=${log//JOB/$1} output
  output=$(compgen -G "$folder/output.$([[ -n $first ]] && printf '%s' "$1" || printf '*')") || output=""
  mkdir -p "$(dirname "$file")"
  if [[ -n $output ]]; then
    grep -h '^slurmstepd[^ ]*: \|^/.*: line [0-9]*: ' "$output" >>"$file" || true
  else
    printf 'nothing was printed: is %s on a file system that the nodes share?\n' "$folder" >>"$file"
  fi
}

# cancel JOB: and wait until it has ended, so that nothing works on its files.
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
