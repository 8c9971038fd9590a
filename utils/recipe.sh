# shellcheck shell=bash
# Shared by all recipes: a run.sh sources this file first, declares its options, and ends with `run_stages`.
# Sets strict mode, `root` (the project), `recipe` (the folder of run.sh, which becomes the current one), and reports
# failures. docs/adding.md and egs/TEMPLATE show how a recipe is made.
set -Eeuo pipefail
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
  printf 'error: bash %s is too old; recipes need 4.4 or newer\n' "$BASH_VERSION" >&2
  exit 2
fi
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
recipe=$(cd "$(dirname "${BASH_SOURCE[1]}")" && pwd -P)
caller=$PWD
forced=false current_stage="" step_name="" step_command="" step_log="" problem=""
stage_subshell=$BASH_SUBSHELL
extras=ark,convert  # optional dependencies in pyproject.toml; a pipeline may add more

. "$root/utils/options.sh"
. "$root/utils/resources.sh"
. "$root/utils/environment.sh"
. "$root/utils/log.sh"
. "$root/utils/parallel.sh"
. "$root/utils/marks.sh"
. "$root/utils/dry_run.sh"

# report_failure STATUS COMMAND: the ERR trap. Prints the failed command, the end of its log unless the command has just
# printed it to the same terminal or file, and the command to resume, after a correction where the status is 2.
report_failure() {
  local shown=false again="resume: "
  trap - ERR
  if [[ " ${resources[*]} " != *" --quiet true "* && /dev/stdout -ef /dev/stderr ]]; then shown=true; fi
  [[ -z $stopped_by ]] || exit "$(stop_status)"
  if [[ $1 == 75 && -z $problem ]]; then problem="it was asked to stop, and has saved its progress"; fi
  if [[ $1 == 137 && -z $problem ]]; then problem="it was killed: by the system, if memory ran out, or by a user"; fi
  ((BASH_SUBSHELL == stage_subshell)) || exit "$1"  # report once, not in each $(...) that the failure passes through
  {
    printf '\nerror: %sfailed with exit code %s%s\n' "${current_stage:+stage $current_stage }" "$1" "${step_name:+: $step_name}"
    [[ -z $problem ]] || printf '  problem: %s\n' "$problem"
    printf '  command: %s\n' "${step_command:-$2}"
    if [[ -n $step_log && $shown == true ]]; then
      printf '  log:     %s\n' "$recipe/$step_log"
    elif [[ -n $step_log ]]; then
      printf '  log:     %s, which ends:\n' "$recipe/$step_log"
      show_end "$step_log"
    fi
    if [[ $1 == 2 ]]; then again="after the correction:"; fi
    [[ -z $current_stage ]] || printf '  %s %s\n' "$again" "$(resume_command)"
  } >&2
  exit "$1"
}
trap 'report_failure $? "$BASH_COMMAND"' ERR
trap 'report_stop' EXIT

# report_stop: the EXIT trap. Removes temporary files; prints the command to resume when a signal has stopped the run.
report_stop() {
  remove_forks
  [[ -n $stopped_by ]] || return 0
  printf '\nstopped by SIG%s\n' "$stopped_by" >&2
  [[ -z $current_stage ]] || printf '  resume:  %s\n' "$(resume_command)" >&2
}

# stop_here PROBLEM: fails with exit code 1 and the report above.
stop_here() { problem=$*; report_failure 1 ""; }

# resume_command: prints this call, changed so that finished stages do not run again.
resume_command() {
  local key
  local -a words=("$0")
  [[ $0 == */* ]] || words=(bash "$0")
  for key in "${option_names[@]}"; do
    if [[ -v option_given[$key] && $key != stage && $key != force ]]; then words+=("--$key" "${option_given[$key]}"); fi
  done
  if [[ -v option_given[stage] ]]; then words+=(--stage "${current_stage#* }" --force false); fi
  quoted "${words[@]}"
}

# from_caller PATH: prints PATH, made absolute if it exists in the folder that the user called from.
from_caller() {
  if [[ -n $1 && $1 != /* && -e $caller/$1 ]]; then printf '%s\n' "$caller/$1"; else printf '%s\n' "$1"; fi
}

# check_paths FIRST: an error for a path in the call that does not exist, before stage 1, where stages from FIRST read it.
check_paths() {
  if [[ -v option_given[corpus] && -n $corpus && ! -d $corpus ]] && (($1 <= 2)); then
    usage_error "--corpus $corpus is not a folder; pass the folder that contains the corpus (--corpus DIR)"
  fi
  local file; file=$(from_caller "${option_given[lexicon]-}")
  if [[ -n $file && ! -f $file ]] && (($1 <= 3)); then
    usage_error "--lexicon: the file ${option_given[lexicon]} does not exist; correct the path"
  fi
}

# run_stages: runs stages --stage to --stop_stage, the functions stage_NAME of the pipeline, each after its function
# before_stage NAME, if there is one.
run_stages() {
  local number first last
  stage_number stop_stage; last=$number
  first=1
  if [[ -v option_given[stage] ]]; then stage_number stage; first=$number forced=true; fi
  if [[ -n $force ]]; then forced=$force; fi
  ((first <= last)) || usage_error "--stop_stage $stop_stage comes before --stage $stage; the stages are: $(list_stages)"
  make_plan
  if [[ -n $show ]]; then one_of show corpus experiments; "show_$show"; return; fi
  check_paths "$first"
  if [[ $dry_run == false ]] || complete_environment "$extras" >/dev/null; then
    use_environment "$extras"
    check_config
  else
    printf '# the configuration is not checked, as the environment is not installed\n'
  fi
  if [[ $dry_run == true ]]; then quoted cd "$recipe"; fi
  for ((number = first; number <= last; number++)); do
    current_stage="$number ${stages[number - 1]}"
    printf '# stage %s\n' "$current_stage"
    if declare -F before_stage >/dev/null; then before_stage "${stages[number - 1]}"; fi
    "stage_${stages[number - 1]}"
  done
  current_stage=""
  if declare -F after_stages >/dev/null; then after_stages "$first" "$last"; fi
}
cd "$recipe"
