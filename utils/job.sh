# shellcheck shell=bash
# Shared by the launchers: parsing of their words, running a command with a log. Needs parallel.sh and log.sh.
#
#   LAUNCHER [--gpu N] [--threads N] [--nodes N] [--mem X] [--time T] [--partition P] [--nj N] [--quiet true] [JOB=a:b]
#            LOG COMMAND...

fail() { printf 'error: %s: %s\n' "$(basename "$0")" "$*" >&2; exit 2; }

# parse_job WORD...: sets gpu threads nodes mem time partition nj quiet, first and last of JOB=first:last, log, command.
parse_job() {
  local key
  gpu="" threads="" nodes="" mem="" time="" partition="" nj="" quiet=false first="" last=""
  while (($#)); do
    case $1 in
      --gpu | --threads | --nodes | --mem | --time | --partition | --nj | --quiet)
        (($# > 1)) || fail "$1 needs a value"
        printf -v "${1#--}" %s "$2"
        shift 2 ;;
      --*) fail "unknown option $1; the options are: --gpu --threads --nodes --mem --time --partition --nj --quiet" ;;
      *) break ;;
    esac
  done
  if [[ ${1-} == JOB=* ]]; then
    [[ $1 =~ ^JOB=([0-9]+):([0-9]+)$ ]] || fail "$1: expected JOB=first:last, e.g. JOB=1:4"
    first=$((10#${BASH_REMATCH[1]})) last=$((10#${BASH_REMATCH[2]}))  # base 10: bash reads 08 as octal
    ((first <= last)) || fail "$1: the first number is above the last"
    shift
  fi
  (($# > 1)) || fail "expected LOG COMMAND... after the options"
  [[ $gpu =~ ^[0-9]*$ ]] || fail "--gpu takes a number, not '$gpu'"
  for key in threads nodes nj; do
    [[ ${!key} =~ ^([1-9][0-9]*)?$ ]] || fail "--$key takes a number from 1, not '${!key}'"
  done
  log=$1 command=("${@:2}")
  [[ -n $log ]] || fail "the log has no name; expected LOG COMMAND... after the options"
  [[ -z $first || $log == *JOB* ]] || fail "the log of an array needs JOB in its name, so that each task has its own: $log"
}

# limit_resources: --gpu 0 hides the GPUs, --threads limits the threads of each task.
limit_resources() {
  if [[ $gpu == 0 ]]; then export CUDA_VISIBLE_DEVICES=""; fi
  if [[ -n $threads ]]; then export OMP_NUM_THREADS="$threads" MKL_NUM_THREADS="$threads"; fi
}

# wait_without_spinning [FILE]: where other processes use all processors, OpenMP threads wait asleep and not in a busy
# loop, which makes a step several times slower there, and a third faster on an idle machine. FILE: as /proc/loadavg.
wait_without_spinning() {
  local running
  if read -r _ _ _ running _ 2>/dev/null <"${1:-/proc/loadavg}" && ((${running%/*} > $(nproc --all))); then
    export OMP_WAIT_POLICY="${OMP_WAIT_POLICY-passive}"
  fi
}

# run_task LOG QUIET COMMAND...: returns the status of the command; where the log cannot be written, 2, and runs nothing.
run_task() {
  local log=$1 quiet=$2 status=0 output tee=""
  shift 2
  {
    mkdir -p "$(dirname "$log")" &&
      printf '# %s\n# on %s, %s\n' "$(quoted "$@")" "$(uname -n)" "$(date '+%F %T %z')" >>"$log"
  } 2>/dev/null || {
    printf 'error: %s: the log %s cannot be written, so nothing was run; give another\n' "$(basename "$0")" "$log" >&2
    return 2
  }
  if [[ $quiet == true ]]; then
    exec {output}>>"$log"
  else
    exec {output}> >(trap '' INT TERM HUP USR1; exec tee -a "$log")  # ends with the command, so it ignores signals
    tee=$!
  fi
  attended "$@" >&"$output" 2>&1 {output}>&- || status=$?
  exec {output}>&-
  if [[ -n $tee ]]; then wait "$tee" || true; fi
  printf '# status %s, %s\n' "$status" "$(date '+%F %T %z')" >>"$log"
  return "$status"
}

# name_failure TASK REASON LOG: reports a failed task of an array.
name_failure() {
  printf 'error: task %s failed with %s; %s ends:\n' "$@"
  if [[ -f $3 ]]; then show_end "$3"; fi
} >&2
