# shellcheck shell=bash
# Rows of egs/recipes.csv one after the other, and one table over all of them. A row is a recipe, a task and options, run
# by the recipe's own run.sh, which skips finished stages. A run.sh sources this file after recipe.sh, and ends with
# `run_suite`.

option suite sure      "rows of egs/recipes.csv to run: sure, those of the SURE benchmark, or all"
option only ""         "run these rows instead, e.g. \"esd emotion; asterisk\"; a recipe alone: all its rows"
option corpora ""      "file with lines \`recipe: DIR\`, your copies of corpora"
option download false  "true: download the public corpora that are missing"

declare -a chosen=() passed=()

# run_suite: every chosen row, then the table. The exit code is 0 when no row failed and the table could be made.
run_suite() {
  check_suite_options
  pass_options
  if [[ $dry_run == true ]]; then outcomes=/dev/null; else mkdir -p exp; fi
  printf 'row\ttask\tstate\tnote\tmethod\tseed\tfolder\n' >"$outcomes"
  in_parallel 1 run_row "${chosen[@]}"
  if [[ $dry_run == false ]]; then end_suite; fi
}

# check_suite_options: sets `outcomes`, `results` and `chosen`, the rows (sure/recipe/suite.py: SuitePlan).
check_suite_options() {
  local name plan
  local -a words=("egs=$root/egs")
  check_options
  one_of suite sure all
  stage_number stop_stage
  [[ -z $corpus ]] || usage_error "--corpus is for one recipe; a suite takes --corpora FILE"
  [[ -z $show ]] || usage_error "--show is for one recipe"
  [[ -z $rates ]] || usage_error "--rates is for one recipe; write the rates that you choose into its conf/rates.yaml"
  [[ $search == grid ]] || usage_error "--search is for one recipe"
  for name in suite only corpora petl seeds tag weights backbone caller; do words+=("$name=${!name}"); done
  plan=$(ask_python -m sure.bin.plan --suite "${words[@]}") || exit
  eval "$plan"
}

# pass_options: sets `passed`, the options for every recipe.
pass_options() {
  local key
  for key in "${option_names[@]}"; do
    case $key in
      suite | only | corpora | download | rates | search | show) continue ;;
      petl | seeds) ;;
      *) [[ -v option_given[$key] ]] || continue ;;
    esac
    passed+=("--$key=${!key}")
  done
}

. "$root/utils/suite_rows.sh"
