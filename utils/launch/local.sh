#!/usr/bin/env bash
# Runs a command, or an array of them, on this machine, and keeps what it prints in a log.
#
#   local.sh [--gpu N] [--threads N] [--mem X] [--time T] [--nj N] [--quiet true] [JOB=a:b] LOG COMMAND...
#
# With JOB=a:b the command runs once for every number, at most --nj at once, and JOB in LOG and COMMAND is the number.
# A single command also prints to the terminal, unless --quiet true, and its exit code is kept. When tasks of an array
# fail, each is named with its status and the end of its log, and the exit code is 1.
# --gpu 0 hides the GPUs, --threads limits those of each task; --mem and --time mean something to a queue only.
set -Eeuo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../parallel.sh"
. "$(dirname "${BASH_SOURCE[0]}")/../log.sh"

fail() { printf 'error: local.sh: %s\n' "$*" >&2; exit 2; }

gpu="" threads="" nj="" quiet=false first="" last=""
while (($#)); do
  case $1 in
    --gpu | --threads | --nj | --quiet | --mem | --time)
      (($# > 1)) || fail "$1 needs a value"
      printf -v "${1#--}" %s "$2"
      shift 2 ;;
    --*) fail "unknown option $1; there are: --gpu --threads --mem --time --nj --quiet" ;;
    *) break ;;
  esac
done
if [[ ${1-} == JOB=* ]]; then
  [[ $1 =~ ^JOB=([0-9]+):([0-9]+)$ ]] || fail "$1: expected JOB=first:last, e.g. JOB=1:4"
  first=${BASH_REMATCH[1]} last=${BASH_REMATCH[2]}
  ((first <= last)) || fail "$1: the first number is above the last"
  shift
fi
(($# > 1)) || fail "expected LOG COMMAND... after the options"
[[ ${nj:=$(nproc)} =~ ^[1-9][0-9]*$ ]] || fail "--nj takes a number from 1, not '$nj'"
log=$1
shift
[[ -z $first || $log == *JOB* ]] || fail "the log of an array needs JOB in its name, or its tasks share one: $log"
[[ $gpu != 0 ]] || export CUDA_VISIBLE_DEVICES=""
[[ -z $threads ]] || export OMP_NUM_THREADS="$threads" MKL_NUM_THREADS="$threads"

# run_task LOG QUIET COMMAND...: the status is the command's.
run_task() {
  local log=$1 quiet=$2 status=0
  shift 2
  mkdir -p "$(dirname "$log")"
  printf '# %s\n# on %s, %s\n' "$(quoted "$@")" "$(uname -n)" "$(date '+%F %T %z')" >>"$log"
  if [[ $quiet == true ]]; then
    "$@" >>"$log" 2>&1 </dev/null || status=$?
  else
    "$@" 2>&1 </dev/null | tee -i -a "$log" || status=${PIPESTATUS[0]}
  fi
  printf '# status %s, %s\n' "$status" "$(date '+%F %T %z')" >>"$log"
  return "$status"
}

# shellcheck disable=SC2329 # in_parallel calls it
run_array_task() {
  local status=0
  run_task "${log//JOB/$1}" true "${command[@]//JOB/$1}" || status=$?
  ((status == 0)) || printf '%s\n' "$status" >"$failures/$1"
  return "$status"
}

command=("$@")
if [[ -z $first ]]; then
  run_task "$log" "$quiet" "${command[@]}" && exit
  exit $?
fi
failures=$(mktemp -d)
trap 'rm -rf "$failures"' EXIT
mapfile -t tasks < <(seq "$first" "$last")
in_parallel "$nj" run_array_task "${tasks[@]}"
((parallel_status)) || exit 0
for task in "${tasks[@]}"; do
  [[ -f $failures/$task ]] || continue
  printf 'error: task %s failed with status %s; %s ends:\n' "$task" "$(<"$failures/$task")" "${log//JOB/$task}"
  show_end "${log//JOB/$task}"
done >&2
exit 1
